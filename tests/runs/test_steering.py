# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The exact controls do what they say, against an integration of the characteristics."""

from mpi4py import MPI

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from helpers import gaussian, make_case
from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.network.affine import affine_control, gaussian_control, polar_control, real_logarithm
from mfresnet.network.controls import Controls, prolong
from mfresnet.network.steering import as_initial, mean_control, mean_steering


def moved(controls: Controls, x: Array, final_time: float) -> Array:
    """Return points (d,) at T by an accurate integration, layer by layer."""
    dt = final_time / controls.layers
    for layer in range(controls.layers):
        w, b = controls.W[layer], controls.b[layer]

        def slope(t: float, y: Array, w: Array = w, b: Array = b) -> Array:
            return w @ y + b

        x = solve_ivp(slope, (0.0, dt), x, method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
    return x


def spd(d: int, seed: int) -> Array:
    a = np.random.default_rng(seed).standard_normal((d, d))
    return a @ a.T + 0.2 * np.eye(d)


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_gaussian_to_gaussian(d: int) -> None:
    """m and C at T by m' = W m + b, C = e^{WT} C0 e^{WT}^T."""
    final_time, m0, m1 = 1.7, np.arange(d) - 0.4, np.cos(np.arange(d))
    controls = gaussian_control(m0, spd(d, 1), m1, spd(d, 2), final_time)
    grow = expm(controls.W[0] * final_time)
    np.testing.assert_allclose(moved(controls, m0, final_time), m1, atol=1e-9)
    np.testing.assert_allclose(grow @ spd(d, 1) @ grow.T, spd(d, 2), atol=1e-9)


MAPS: dict[str, Any] = {
    "stretch": [[2.0, 0.3], [0.1, 0.5]],
    "turn by pi": [[-1.0, 0.0], [0.0, -1.0]],
    "turn with stretch": [[-2.0, 0.0, 0.3], [0.0, -2.0, 0.1], [0.0, 0.0, 0.5]],
    "Jordan block": [[0.7, 1.0], [0.0, 0.7]],
    "rotation": [[0.0, -1.0], [1.0, 0.0]],
}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("make", [affine_control, polar_control])
def test_affine_maps(make: Callable[..., Controls], name: str) -> None:
    matrix = np.array(MAPS[name])
    shift, x = np.arange(len(matrix)) + 0.5, np.cos(np.arange(len(matrix)))
    controls = make(matrix, shift, 0.8)
    np.testing.assert_allclose(moved(controls, x, 0.8), matrix @ x + shift, atol=1e-9)


@pytest.mark.parametrize(
    "matrix",
    [
        [[-1.0]],
        [[-1.0, 0.0], [0.0, -2.0]],
        [[-1.0, 1.0], [0.0, -1.0]],
        [[1.0, 0.0], [0.0, 0.0]],
        [[0.0, 1.0], [1.0, 0.0]],
    ],
)
def test_no_real_logarithm_is_said(matrix: ArrayLike) -> None:
    """A reflection, unequal negative eigenvalues, one Jordan block of -1, a singular matrix."""
    with pytest.raises(InputError, match=r"no real logarithm; got eigenvalues.*polar_control"):
        real_logarithm(matrix)


def test_positive_determinant_without_logarithm_takes_two_layers() -> None:
    matrix, shift, x = np.diag([-1.0, -2.0]), np.array([0.3, -0.1]), np.array([1.0, 0.4])
    controls = polar_control(matrix, shift)
    assert controls.layers == 2
    np.testing.assert_allclose(moved(controls, x, 1.0), matrix @ x + shift, atol=1e-10)
    with pytest.raises(InputError, match="determinant -1"):
        polar_control([[0.0, 1.0], [1.0, 0.0]], [0.0, 0.0])


# ---------------------------------------------------------------------- the mean
FIELDS: dict[str, Any] = {
    "number": 0.5,
    "matrix": np.array([[0.3, -1.0], [0.8, -0.2]]),
    "layers": np.array([[[0.3, -1.0], [0.8, -0.2]], [[-0.5, 0.1], [0.0, 0.4]]]),
    "function": lambda t: np.array([[0.2, -1.0 - t], [np.cos(2.0 * t), -0.3]]),
}
POINTS: dict[str, Any] = {"number": (0.2, 1.0)}
POINTS |= {name: ([1.0, 0.0], [-0.3, 0.7]) for name in FIELDS if name != "number"}


@pytest.mark.parametrize("name", FIELDS)
def test_least_bias(name: str) -> None:
    """It arrives, and it has the least norm: the discrete one tends to it with order 2."""
    (m0, m1), w, final_time = POINTS[name], FIELDS[name], 1.3
    found = mean_steering(w, m0, m1, final_time)
    norms = []
    for layers in (8, 16, 32):
        controls = mean_control(w, m0, m1, final_time, layers)
        end = moved(controls, np.atleast_1d(np.asarray(m0, float)), final_time)
        np.testing.assert_allclose(end, np.atleast_1d(m1), atol=1e-9)
        norms.append(float(np.sum(controls.b**2)) * final_time / layers)
    errors = np.abs(np.array(norms) - found.squared_norm)
    orders = -np.diff(np.log2(errors))
    assert np.abs(orders - 2.0).max() < 0.1, (norms, found.squared_norm, orders)
    t = (np.arange(32) + 0.5) * final_time / 32
    np.testing.assert_allclose(found.b(t), controls.b, atol=3e-3)


def test_discrete_bias_is_the_least() -> None:
    """Every other bias of as many layers that arrives is larger: it is orthogonal to the kernel."""
    w = FIELDS["layers"]
    controls = mean_control(w, *POINTS["layers"], 1.0, 6)
    answers = []
    for layer in range(6):
        for i in range(2):
            b = np.zeros((6, 2))
            b[layer, i] = 1.0
            answers.append(moved(Controls({"W": controls.W, "b": b}), np.zeros(2), 1.0))
    a = np.array(answers).T
    kernel = np.linalg.svd(a)[2][2:]
    np.testing.assert_allclose(kernel @ controls.b.ravel(), 0.0, atol=1e-9)


def test_a_layer_that_turns_around_cannot_steer() -> None:
    turn = 2.0 * np.pi * np.array([[0.0, -1.0], [1.0, 0.0]])
    with pytest.raises(InputError, match=r"Raise layers\."):
        mean_control(turn, [0.0, 0.0], [1.0, 0.0], 1.0, 1)
    mean_control(turn, [0.0, 0.0], [1.0, 0.0], 1.0, 2)


@pytest.mark.parametrize(
    ("call", "where"),
    [
        (lambda: gaussian_control([0.0], [[1.0]], [0.0], [[-1.0]]), "covariance1: not a cov"),
        (lambda: gaussian_control([0.0], [[1.0]], [0.0], np.eye(2)), "covariance1: wrong shape"),
        (lambda: gaussian_control([0.0, 1.0], [[1.0]], [0.0], [[1.0]]), "mean0: not a vector"),
        (lambda: affine_control([[1.0, 2.0]], [0.0]), "matrix: not a square"),
        (lambda: mean_control(np.eye(3), [0.0, 1.0], [0.0, 0.0]), "w: wrong shape"),
        (lambda: mean_control(np.ones((3, 1, 1)), 0.0, 1.0, layers=4), "w: wrong number"),
        (lambda: mean_control(0.5, 0.0, 1.0, layers=0), "layers: wrong value; got 0"),
        (lambda: mean_control(0.5, 0.0, 1.0, -1.0), "final_time: wrong value; got -1"),
        (lambda: mean_steering(0.5, 0.0, 1.0, -1.0), "final_time: wrong value; got -1"),
        (lambda: gaussian_control(0.0, 1.0, 1.0, 1.0, 0.0), "final_time: wrong value; got 0"),
    ],
)
def test_mistakes_are_said(call: Callable[[], object], where: str) -> None:
    with pytest.raises(InputError, match=where):
        call()


# ---------------------------------------------------------------------- into a case
def test_exact_controls_start_a_case(tmp_path: Path) -> None:
    """As values, as a file with more layers, and as they are: the same J, which is almost zero."""
    constant = gaussian_control(0.0, 1 / 16, 1.0, 1 / 4)
    file = as_initial(prolong(constant, 2), tmp_path / "exact.v2")
    assert file["file"] == str(tmp_path / "exact.v2.npz")
    values = []
    for initial in (as_initial(constant), file, {"kind": "zero"}):
        case = make_case(
            "interval",
            mesh={"cells": [60], "lower": [-3.0], "upper": [5.5]},
            space={"degree": 4},
            time={"order": 4},
            network={"activation": "identity", "layers": 4},
            classes=[{"density": gaussian(0.0, 1 / 16)}],
            loss={"kind": "density_l2", "target": gaussian(1.0, 1 / 4)},
            penalty={"tikhonov": 0.0},
            initial=initial,
        )
        functional = ReducedFunctional(case, MPI.COMM_SELF)
        if initial["kind"] == "zero":
            functional.start_from(prolong(constant, 4))
        values.append(functional.value(functional.theta0))
    assert max(values) < 1e-9
    np.testing.assert_allclose(values, values[0], rtol=1e-6)
    with pytest.raises(InputError, match="file: missing"):
        as_initial(mean_control(0.5, 0.2, 1.0))
