# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A case with a table and nothing else has the network of the estimator; one that says more not."""

from mpi4py import MPI

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomli_w

from mfresnet import MeanFieldClassifier
from mfresnet.case.case import Case, load, parse
from mfresnet.case.completion import asked, resolve
from mfresnet.case.defaults import TABLES
from mfresnet.case.population import populate
from mfresnet.errors import InputError
from mfresnet.training.of_case import train_case

DATA = {"file": "table.csv", "label": "kind", "test_fraction": 0.0}


def rows() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 400)
    x = rng.standard_normal((400, 2)) * 0.5 + np.outer(2 * y - 1, [0.8, 0.3])
    return pd.DataFrame({"a": x[:, 0], "b": 1e3 * x[:, 1], "kind": np.array(["no", "yes"])[y]})


def case_of(directory: Path, **sections: Any) -> Case:
    rows().to_csv(directory / "table.csv", index=False)
    (directory / "case.toml").write_text(tomli_w.dumps({"data": DATA} | sections))
    return load(directory / "case.toml")


def test_the_estimator_is_the_case_without_a_word(tmp_path: Path) -> None:
    """To the last digit of J, with its penalty by the number of samples and its prototypes."""
    case, table = case_of(tmp_path), rows()
    found = train_case(case, populate(case, MPI.COMM_SELF), MPI.COMM_SELF)
    model = MeanFieldClassifier().fit(table[["a", "b"]], table["kind"])
    assert found.result.value == pytest.approx(model.objective_, rel=1e-12)
    used = found.functional.case
    assert used.penalty.tikhonov.weight == 8.0 / 400 and used.penalty.tikhonov.prior is None
    assert used.loss.prototypes == model.network_.head["P"].shape[1]
    assert used.network.width == TABLES["classification"]["network"]["width"]


def test_what_is_filled_in_is_filled_in_once(tmp_path: Path) -> None:
    """The case of a run directory is the same case when it is read again."""
    case = case_of(tmp_path)
    population = populate(case, MPI.COMM_SELF)
    shown = asked(case, population)
    (tmp_path / "shown.toml").write_text(shown.to_toml())
    assert load(tmp_path / "shown.toml") == shown
    assert asked(shown, population) == shown
    fixed = resolve(case, population)
    assert resolve(fixed, population) == fixed and fixed.accuracy is None


PLAIN: dict[str, dict[str, Any]] = {
    "loss": {"kind": "quadratic"},
    "targets": {"targets": {"no": [1.0, 0.0], "yes": [-1.0, 0.0]}},
    "mesh": {"cells": [20, 20]},
    "time": {"steps_per_layer": 4},
    "initial": {"kind": "identity"},
    "network": {"trainable": ["b"]},
    "training": {"method": "maximum_principle"},
}


@pytest.mark.parametrize("said", PLAIN)
def test_a_case_of_its_user(said: str, tmp_path: Path) -> None:
    """With a mesh, another loss, targets or initial controls it is the network of the paper."""
    case = case_of(tmp_path, **{"loss" if said == "targets" else said: PLAIN[said]})
    assert case.loss.kind == "quadratic" and case.network.block == "square"
    assert case.penalty.tikhonov.weight == 1e-2 and case.penalty.tikhonov.prior is None
    assert case.data is not None and case.data.bandwidth == "scott"


def test_a_key_that_is_said_is_kept(tmp_path: Path) -> None:
    case = case_of(
        tmp_path,
        network={"block": "square", "layers": 7},
        penalty={"tikhonov": 0.5},
        loss={"head": "linear"},
        data=DATA | {"bandwidth": 0.3},
        accuracy=1e-2,
    )
    assert (case.network.block, case.network.layers, case.network.width) == ("square", 7, None)
    assert case.penalty.tikhonov.weight == 0.5 and case.loss.head == "linear"
    assert case.data is not None and case.data.bandwidth == 0.3
    assert case.accuracy is not None and case.accuracy.relative == 1e-2
    assert case.loss.kind == "cross_entropy" and case.training.max_iterations == 400


def test_a_prior_is_one_weight_for_a_number_of_samples(tmp_path: Path) -> None:
    for prior, weight in ((2.0, 2.0 / 400), (1e-9, 3e-4), (1e9, 0.1)):
        case = case_of(tmp_path, penalty={"tikhonov": {"prior": prior, "head": 0.5}})
        used = resolve(case, populate(case, MPI.COMM_SELF)).penalty.tikhonov
        assert used.weight == pytest.approx(weight) and used.head == 0.5
    with pytest.raises(InputError, match=r"^penalty\.tikhonov: .*weight or prior, not both"):
        case_of(tmp_path, penalty={"tikhonov": {"prior": 2.0, "weight": 1.0}})
    density = {"kind": "gaussian", "mean": [0.0, 0.0], "covariance": [[1.0, 0.0], [0.0, 1.0]]}
    alone = {"classes": [{"density": density, "target": [0.0, 0.0]}]}
    with pytest.raises(InputError, match=r"^penalty\.tikhonov\.prior: needs the number of samples"):
        parse(alone | {"penalty": {"tikhonov": {"prior": 2.0}}})
