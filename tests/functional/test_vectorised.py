# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Compiled activations against the rows of ``ACTIVATIONS``."""

from __future__ import annotations

from mpi4py import MPI

import numpy as np
import pytest

from mfresnet.compiled import vectors
from mfresnet.elementary import NAMES
from mfresnet.functional.vectorised import ROWS, vectorised
from mfresnet.network import activations
from mfresnet.network.activations import ACTIVATIONS


@pytest.mark.parametrize("name", NAMES)
def test_vectorised_activations(name: str) -> None:
    """Within a few units in the last place, at every size of u, and for arrays of every length."""
    fast, row = vectorised(MPI.COMM_SELF, name), ACTIVATIONS[name]
    rng = np.random.default_rng(1)
    sizes = 10.0 ** np.array([-320, -300, -12, -3, -1, 0, 0.7, 1.5, 3, 300])
    u = np.concatenate([s * rng.normal(size=5001) for s in sizes] + [[0.0, np.inf, -np.inf]])
    with np.errstate(over="ignore"):
        value, slope = row.value(u), row.derivative(u)
    np.testing.assert_allclose(fast.value(u), value, rtol=1e-15, atol=1e-30)
    np.testing.assert_allclose(fast.derivative(u), slope, rtol=0.0, atol=1e-15)
    assert np.isnan(fast.value(np.array([np.nan]))).all()
    for n in range(2 * vectors()[0] + 2):
        np.testing.assert_array_equal(fast.value(u[7 : 7 + n]), fast.value(u)[7 : 7 + n])
    np.testing.assert_array_equal(fast.value(u[::3]), fast.value(u)[::3])


def test_another_row_of_the_same_name_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(activations.ACTIVATIONS, "tanh", ACTIVATIONS["sigmoid"])
    assert vectorised(MPI.COMM_SELF, "tanh") is ACTIVATIONS["sigmoid"]
    assert vectorised(MPI.COMM_SELF, "relu") is ACTIVATIONS["relu"]
    assert set(ROWS) == set(NAMES)
