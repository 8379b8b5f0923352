# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Regression: the label is a coordinate that stays; closed forms; from a table to a prediction."""

from mpi4py import MPI

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from scipy.optimize import brentq

from commands import command
from helpers import gaussian, make_case, write_table
from mfresnet.case.case import Case, parse
from mfresnet.case.population import populate
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory
from mfresnet.optimise.optimiser import minimise
from mfresnet.runs.crossval import cross_validate, split_sentence, split_table
from mfresnet.runs.runner import run
from mfresnet.trained.exporters import export
from mfresnet.trained.loading import load_network
from mfresnet.verification.pathwise import pathwise_loss

BETA, GAMMA = 2.0, 0.1


def test_joint_law_in_closed_form() -> None:
    """Gaussian (x, y), identity: c solves (e^c - beta) e^c + gamma c = 0, found by training."""
    case = make_case(
        "quadrilateral",
        task="regression",
        mesh={"cells": [32, 36], "lower": [-12.5, -13.5], "upper": [12.5, 13.5]},
        space={"degree": 3},
        time={"order": 4},
        network={"activation": "identity", "layers": 2, "trainable": ["W", "b"]},
        classes=[{"density": gaussian([0.0, 0.0], [[1.0, BETA], [BETA, BETA**2 + 1.0]])}],
        penalty={"tikhonov": GAMMA},
        initial={"kind": "values", "W": 0.2, "b": 0.1, "H": 1.0, "h": 0.0},
        training={"gradient_tolerance": 1e-8},
    )
    result = minimise(functional := ReducedFunctional(case, MPI.COMM_SELF))
    controls = functional.controls.from_vector(result.theta)
    c = brentq(lambda c: (np.exp(c) - BETA) * np.exp(c) + GAMMA * c, 0.0, 1.0, xtol=1e-14)
    assert c == pytest.approx(0.67580700978, abs=1e-11)
    np.testing.assert_allclose(controls.W.ravel(), c, atol=1e-7)
    np.testing.assert_allclose(controls.b, 0.0, atol=1e-7)
    expected = 0.5 * ((np.exp(c) - BETA) ** 2 + 1.0) + 0.5 * GAMMA * c**2
    assert result.value == pytest.approx(expected, rel=1e-7)
    # y has not moved
    space, f = functional.problem.space, Trajectory(functional, result.theta).densities()[-1][0]
    rule = space.cell_quadrature(6)
    mass = rule.weights * (f[space.dofs] @ rule.basis.T)
    assert float(np.sum(mass * rule.x[..., 1] ** 2)) == pytest.approx(BETA**2 + 1.0, rel=1e-6)


def table_case(directory: Path, activation: str, **sections: Any) -> Case:
    """Return a case of 200 samples with a line, in units far from 1."""
    rng = np.random.default_rng(7)
    x = 30.0 + 5.0 * rng.standard_normal(200)
    y = 1000.0 - 40.0 * x + 90.0 * rng.standard_normal(200)
    write_table(directory / "line.csv", {"size": x, "price": y, "other": 0.0 * x})
    data: dict[str, Any] = {
        "task": "regression",
        "mesh": {"cells": [28, 28], "lower": [-7.0, -7.0], "upper": [7.0, 7.0]},
        "network": {"activation": activation, "layers": 3},
        "data": {"file": "line.csv", "label": "price", "features": ["size"], "bandwidth": 0.4},
        "initial": {"kind": "zero"},
        "output": {"fields": False, "pictures": False},
    }
    for name, section in sections.items():
        data[name] = data.get(name, {}) | section if isinstance(section, dict) else section
    return parse(data, directory)


def test_line_in_closed_form(tmp_path: Path) -> None:
    """The readout alone finds Cov / (Var + bandwidth^2): the smoothing flattens the line."""
    case = table_case(
        tmp_path,
        "tanh",
        # a shift that is not the mean, so that the readout needs its constant
        data={"scale": "robust"},
        network={"trainable": ["H", "h"]},
        penalty={"tikhonov": 0.0},
        training={"gradient_tolerance": 1e-8},
    )
    result = run(case, tmp_path / "out", comm=MPI.COMM_SELF)
    network = load_network(tmp_path / "out")
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    dataset = functional.population.dataset
    assert dataset is not None
    assert dataset.features == ("size",) and dataset.dimension == 2
    x, y = (dataset.train.x.T / np.diagonal(dataset.matrix) + dataset.shift).T
    width = 0.4 / dataset.matrix[0, 0]
    slope = np.cov(x, y, bias=True)[0, 1] / (np.var(x) + width**2)
    given = network.predict(np.array([[25.0], [31.0]]))
    np.testing.assert_allclose(given, y.mean() + slope * (np.array([25.0, 31.0]) - x.mean()),
                               rtol=1e-6)  # fmt: skip
    residual = y - y.mean() - slope * (x - x.mean())
    metrics = result.report.metrics
    assert metrics.train.r2 == pytest.approx(1.0 - residual.var() / y.var(), rel=1e-6)
    assert metrics.train.rmse == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-6)
    fit = np.polyfit(x, y, 1)
    best = 1.0 - np.var(y - np.polyval(fit, x)) / y.var()
    assert metrics.linear_regression.train.r2 == pytest.approx(best, rel=1e-10)


def test_from_a_table_to_a_prediction(tmp_path: Path) -> None:
    """A decreasing line, which the layers alone cannot make; the command writes the labels."""
    case = table_case(
        tmp_path, "tanh", training={"gradient_tolerance": 1e-3}, output={"pictures": True}
    )
    result = run(case, tmp_path / "out", comm=MPI.COMM_SELF)
    metrics = result.report.metrics
    for part in ("train", "test"):
        ours, theirs = getattr(metrics, part), getattr(metrics.linear_regression, part)
        assert ours.r2 > theirs.r2 - 0.06
    assert (tmp_path / "out/pictures/prediction.png").stat().st_size > 5000
    done = command("predict", tmp_path / "out", tmp_path / "line.csv", "--out", tmp_path / "p.csv")
    assert done.returncode == 0, done.stderr
    network, table = load_network(tmp_path / "out"), pd.read_csv(tmp_path / "line.csv")
    expected = network.predict(table[["size"]].to_numpy())
    written = pd.read_csv(tmp_path / "p.csv")
    assert list(written.columns) == ["prediction", "position_1"]
    np.testing.assert_allclose(written["prediction"], expected, rtol=1e-13)
    done = command("export", tmp_path / "out", tmp_path / "a.onnx", "--to", "onnx")
    assert done.returncode == 0, done.stderr
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    (elsewhere,) = session.run(["prediction"], {"features": table[["size"]].to_numpy()})
    np.testing.assert_allclose(elsewhere, expected, rtol=1e-12)
    export(network, "npz", tmp_path / "a.npz")
    again = load_network(tmp_path / "a.npz").predict(table[["size"]].to_numpy())
    np.testing.assert_array_equal(again, expected)


def test_loss_of_density_and_particles_agree(tmp_path: Path) -> None:
    """The points carry their labels along, unmoved; what the cells do to the kernels is left."""
    functional = ReducedFunctional(
        table_case(tmp_path, "tanh", initial={"kind": "random", "seed": 3}), MPI.COMM_SELF
    )
    theta = functional.theta0
    assert functional.loss(theta) == pytest.approx(pathwise_loss(functional, theta).loss, rel=5e-4)


def test_cross_validation(tmp_path: Path) -> None:
    """Over folds that are the same for the network and for linear regression."""
    case = table_case(
        tmp_path, "tanh", mesh={"cells": [14, 14]}, training={"gradient_tolerance": 1e-2}
    )
    result = cross_validate(case, folds=2, comm=MPI.COMM_SELF)
    assert [row["split"] for row in result["splits"]] == ["fold 1", "fold 2"]
    population = populate(case, MPI.COMM_SELF, (1, 2))
    assert population.dataset is not None
    test, row = population.dataset.test, result["splits"][1]
    spread = np.std(test.x[-1]) / population.dataset.matrix[-1, -1]
    for owner in ("", "linear_regression_"):
        error, r2 = row[f"{owner}test_rmse"], row[f"{owner}test_r2"]
        assert error == pytest.approx(spread * np.sqrt(1.0 - r2), rel=1e-9)
    assert row["test_r2"] > row["linear_regression_test_r2"] - 0.1 > 0.3
    values = [r["test_rmse"] for r in result["splits"]]
    assert result["mean"]["test_rmse"] == pytest.approx(np.mean(values))
    lines = split_table(result).splitlines()
    beside = ["linear", "regression", "kernel", "regression"]
    assert lines[0].split() == ["r2", *beside, "rmse", *beside]
    assert f"{row['test_r2']:.4f}" == lines[3].split()[3]
    assert split_sentence("regression", row).endswith(f"test r2 {row['test_r2']:.4f}")


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"mesh": {"cell": "interval", "cells": [9], "lower": [-1.0], "upper": [1.0]}},
         r"^mesh\.cell: no coordinate beside the label; got interval"),
        ({"loss": {"kind": "quadratic"}}, r"^loss\.kind: not for task regression"),
        ({"loss": {"targets": {"a": [0.0, 1.0]}}}, r"^loss\.targets: only for task class"),
    ],
)  # fmt: skip
def test_mistakes(sections: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        table_case(tmp_path, "tanh", **sections)


def test_too_many_coordinates(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    write_table(tmp_path / "a.csv", {n: rng.standard_normal(20) for n in "abcy"})
    case = table_case(
        tmp_path, "tanh", data={"file": "a.csv", "label": "y", "features": ["a", "b", "c"]}
    )
    with pytest.raises(InputError, match=r"^data\.reduce: too many coordinates beside the label"):
        ReducedFunctional(case, MPI.COMM_SELF)


def test_a_constant_label_is_said(tmp_path: Path) -> None:
    x = np.linspace(-1.0, 1.0, 20)
    write_table(tmp_path / "a.csv", {"a": x, "y": np.ones(20)})
    case = table_case(tmp_path, "tanh", data={"file": "a.csv", "label": "y", "features": ["a"]})
    with pytest.raises(InputError, match=r"^data\.label: a constant column; got 1 .* of 'y'"):
        ReducedFunctional(case, MPI.COMM_SELF)
