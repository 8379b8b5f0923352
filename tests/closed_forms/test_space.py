# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Densities in three dimensions against closed forms (V3, V7), with the order in L2."""

from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

from closed_forms.test_state import check_order, normal, on_box, solve
from helpers import l2_error
from mfresnet.arrays import Array
from mfresnet.data.laws.density import Gaussian, project

MEAN, COVARIANCE = np.array([0.2, -0.1, 0.1]), np.diag([0.25, 0.2, 0.22])
SKEW = np.array([[0.0, -0.9, 0.3], [0.9, 0.0, -0.5], [-0.3, 0.5, 0.0]])
LINEAR = {
    "rotation": SKEW,
    "shear": np.array([[0.0, 0.6, 0.0], [0.0, 0.0, -0.4], [0.0, 0.0, 0.0]]),
    "contraction": np.array([[-0.4, 0.1, 0.0], [0.1, -0.2, 0.0], [0.0, 0.0, -0.3]]),
}


@pytest.mark.parametrize(
    ("cell", "flow"), [*(("hexahedron", flow) for flow in LINEAR), ("tetrahedron", "rotation")]
)
def test_linear(cell: str, flow: str) -> None:
    """V3: N(m, C) -> N(E m + int, E C E^T), E = expm(W T)."""
    w, b, final_time = LINEAR[flow], np.array([0.2, -0.1, 0.1]), 0.5
    block = expm(final_time * np.block([[w, b[:, None]], [np.zeros((1, 4))]]))
    e, shift = block[:3, :3], block[:3, 3]
    exact = normal((e @ MEAN + shift).tolist(), (e @ COVARIANCE @ e.T).tolist())
    f0 = Gaussian(mean=MEAN.tolist(), covariance=COVARIANCE.tolist())
    check_order(
        lambda n: on_box(cell, n, [-2.4] * 3, [2.4] * 3, 1 if cell == "tetrahedron" else 2),
        lambda space: solve(space, f0, "identity", w, b, final_time=final_time),
        exact,
        [6, 8, 12],
    )


def test_rotation_keeps_the_norm() -> None:
    """V3: a full turn about an axis gives f0 back, and its L2 norm."""
    space = on_box("hexahedron", 9, [-2.4] * 3, [2.4] * 3, 2)
    f0 = Gaussian(mean=[0.2, 0.1, 0.0], covariance=COVARIANCE.tolist())
    w = SKEW * (2.0 * np.pi / np.linalg.norm(SKEW[np.triu_indices(3, 1)]))
    start, _ = project(f0, space, "f0")
    f = solve(space, f0, "identity", w, np.zeros(3))
    size = l2_error(space, start, lambda x: np.zeros(x.shape[1]))
    assert l2_error(space, f, f0.density) < 0.05 * size
    assert l2_error(space, f, lambda x: np.zeros(x.shape[1])) == pytest.approx(size, rel=5e-3)


TIME = 0.6
VARIANCES = np.array([0.25, 0.22, 0.28])


def start(x: Array) -> Array:
    return normal([0.0] * 3, np.diag(VARIANCES).tolist())(x)


def separable(x: Array) -> Array:
    """V7: the product of V4 with w = (1.2, -0.8, 0.9), b = 0."""
    u, s = SEPARABLE @ x, TIME * np.diag(SEPARABLE)[:, None]
    u0 = np.arcsinh(np.exp(-s) * np.sinh(u))
    x0 = u0 / np.diag(SEPARABLE)[:, None]
    slope = np.exp(-s) * np.cosh(u) / np.sqrt(1.0 + np.exp(-2.0 * s) * np.sinh(u) ** 2)
    return start(x0) * np.prod(slope, axis=0)


def rank_one(x: Array) -> Array:
    """V7 with W = 1 a^T, b = beta 1."""
    u = DIRECTION @ x + BETA
    u0 = np.arcsinh(np.exp(-TIME * DIRECTION.sum()) * np.sinh(u))
    return start(x - (u - u0) / DIRECTION.sum()) * np.tanh(u0) / np.tanh(u)


def sheared(x: Array) -> Array:
    """V7 with the rows (0, 1.2, -0.8), 0, 0: x1 moves by T tanh(1.2 x2 - 0.8 x3)."""
    x0 = x.copy()
    x0[0] -= TIME * np.tanh(1.2 * x[1] - 0.8 * x[2])
    return start(x0)


SEPARABLE = np.diag([1.2, -0.8, 0.9])
DIRECTION, BETA = np.array([0.8, -0.4, 0.3]), 0.2
NONLINEAR: dict[str, tuple[Any, Any, Any]] = {
    "separable": (SEPARABLE, np.zeros(3), separable),
    "rank_one": (np.tile(DIRECTION, (3, 1)), np.full(3, BETA), rank_one),
    "shear": (np.array([[0.0, 1.2, -0.8], [0.0] * 3, [0.0] * 3]), np.zeros(3), sheared),
}


@pytest.mark.parametrize(
    ("cell", "flow"), [*(("hexahedron", flow) for flow in NONLINEAR), ("tetrahedron", "rank_one")]
)
def test_nonlinear(cell: str, flow: str) -> None:
    """V7: separable, rank one and shear flows with tanh."""
    w, b, exact = NONLINEAR[flow]
    f0 = Gaussian(mean=[0.0] * 3, covariance=np.diag(VARIANCES).tolist())
    check_order(
        lambda n: on_box(cell, n, [-3.0] * 3, [3.0] * 3, 1 if cell == "tetrahedron" else 2),
        lambda space: solve(space, f0, "tanh", w, b, final_time=TIME),
        exact,
        [8, 10, 14],
    )
