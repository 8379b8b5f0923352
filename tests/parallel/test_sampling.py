# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Density estimation on several ranks is that on one."""

from mpi4py import MPI

from pathlib import Path

import numpy as np
import pytest

from mfresnet.case.case import load
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.verification.measures.table import measure

CASE = Path(__file__).parents[2] / "cases/old_faithful.toml"


def test_steering() -> None:
    """J, its derivative, and the measures."""
    case = load(CASE, ["mesh.cells=[12, 12]", "network.layers=2", "data.bandwidth=0.9"])
    alone, shared = (ReducedFunctional(case, comm) for comm in (MPI.COMM_SELF, MPI.COMM_WORLD))
    theta = 0.3 * alone.theta0
    assert shared.value(theta) == pytest.approx(alone.value(theta), rel=1e-10)
    expected = alone.derivative(theta)
    np.testing.assert_allclose(
        shared.derivative(theta), expected, atol=1e-10 * np.abs(expected).max()
    )
    one, all_ranks = measure(alone, theta), measure(shared, theta)
    assert all_ranks["integral"] == pytest.approx(one["integral"], rel=1e-12)
    assert one["integral"] == pytest.approx(1.0, abs=1e-3)
    goals = [m["moments"]["goal"] for m in (one, all_ranks)]
    np.testing.assert_allclose(goals[0]["covariance"], goals[1]["covariance"], atol=1e-10)
    assert all_ranks["log_likelihood"] == one["log_likelihood"]
