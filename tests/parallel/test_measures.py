# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a model is worth does not depend on the number of ranks."""

from mpi4py import MPI

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfresnet.case.case import load
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.handover import trained_network
from mfresnet.verification.measures.predictive import predictive_law
from mfresnet.verification.measures.table import measure

CASES = Path(__file__).parents[2] / "cases"


def both(name: str, *settings: str) -> tuple[ReducedFunctional, ReducedFunctional]:
    case = load(CASES / name, list(settings))
    alone, shared = (ReducedFunctional(case, comm) for comm in (MPI.COMM_SELF, MPI.COMM_WORLD))
    return alone, shared


@pytest.mark.parametrize("cell", ["quadrilateral", "triangle"])
def test_classification(cell: str) -> None:
    alone, shared = both(
        "breast_cancer.toml", f"mesh.cell={cell}", "mesh.cells=[14, 14]", "network.layers=2"
    )
    one, all_ranks = (measure(f, alone.theta0) for f in (alone, shared))
    for name in ("kernel_density", "logistic_regression"):
        for part in ("train", "test"):
            assert all_ranks[name][part]["confusion"] == one[name][part]["confusion"]
            given, expected = (m[name][part]["log_loss"] for m in (all_ranks, one))
            assert given == pytest.approx(expected, rel=1e-9)

    def flat(row: dict[str, Any]) -> list[float]:
        own = row["network"]
        return [row["accuracy"], row["log_loss"], own["accuracy"], row["accuracy_gap"]]

    np.testing.assert_allclose(flat(all_ranks["bayes"]), flat(one["bayes"]), atol=1e-10)
    assert one["bayes"]["accuracy"] > 0.8


def test_regression() -> None:
    alone, shared = both("diabetes.toml", "mesh.cells=[16, 16]", "network.layers=2")
    theta = alone.theta0
    laws = [predictive_law(f, trained_network(f, theta)) for f in (alone, shared)]
    np.testing.assert_allclose(laws[0].below, laws[1].below, atol=1e-9)
    np.testing.assert_allclose(laws[0].centres, laws[1].centres, rtol=1e-9)
    assert len(laws[0].centres) > 10
