# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Densities as targets, exact controls, the turnpike, Newton's tail, a wide network that splits."""

from mpi4py import MPI

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import gaussian, l2_error, make_case
from mfresnet.case.case import load
from mfresnet.data.laws.density import Gaussian
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory
from mfresnet.network.affine import gaussian_control
from mfresnet.optimise.optimiser import minimise

CASES = Path(__file__).parents[2] / "cases"


def on_the_line(loss: dict[str, Any], w: float, b: float, **sections: Any) -> ReducedFunctional:
    """Return J of N(0, 1/16) moved by the linear network w x + b in one layer."""
    case = make_case(
        "interval",
        mesh={"cells": [sections.pop("cells", 100)], "lower": [-3.0], "upper": [5.5]},
        space={"degree": 4},
        time={"order": 4},
        network={"activation": "identity", "layers": 1},
        classes=[{"density": gaussian(0.0, 1 / 16)}],
        loss=loss,
        penalty={"tikhonov": 0.0},
        initial={"kind": "values", "W": w, "b": b},
    )
    return ReducedFunctional(case, MPI.COMM_SELF)


REACHED = {"kind": "density_l2", "target": gaussian(1.0, 1 / 4)}


def test_distance_of_densities() -> None:
    """V13: 1/2 ||f - g||^2 and its derivative at w = .3, b = .4; zero at w = b = ln 2."""
    functional = on_the_line(REACHED, 0.3, 0.4)
    assert functional.value(functional.theta0) == pytest.approx(0.252789428531, rel=1e-8)
    np.testing.assert_allclose(
        functional.derivative(functional.theta0), [-0.548070632, -0.764767828], rtol=1e-7
    )
    exact = on_the_line(REACHED, np.log(2.0), np.log(2.0))
    assert exact.value(exact.theta0) < 1e-11


M0, C0 = np.array([-1.0, 0.0]), np.diag([0.25, 0.09])
M1, C1 = np.array([1.0, 0.5]), np.array([[0.16, 0.06], [0.06, 0.25]])


def steering(cells: int, initial: dict[str, Any], **sections: Any) -> ReducedFunctional:
    case = make_case(
        "quadrilateral",
        mesh={"cells": [cells, cells], "lower": [-3.7, -2.6], "upper": [3.4, 3.6]},
        network={"activation": "identity", "layers": 1},
        classes=[{"density": gaussian(M0.tolist(), C0.tolist())}],
        loss={"kind": "density_l2", "target": gaussian(M1.tolist(), C1.tolist())},
        penalty={"tikhonov": 0.0},
        initial=initial,
        **sections,
    )
    return ReducedFunctional(case, MPI.COMM_SELF)


def test_exact_control_of_gaussians() -> None:
    """V17: W = log M, b; the error at T tends to zero with order p + 1."""
    exact = gaussian_control(M0, C0, M1, C1)
    w, b = exact.W[0], exact.b[0]
    np.testing.assert_allclose(
        w, [[-0.246142568, 0.149804630], [0.149804630, 0.486669301]], rtol=1e-7
    )
    np.testing.assert_allclose(b, [1.977856919, 0.395060373], rtol=1e-8)
    target = Gaussian(mean=M1.tolist(), covariance=C1.tolist())
    errors = []
    for cells in (12, 24, 48):
        initial = {"kind": "values", "W": w.tolist(), "b": b.tolist()}
        functional = steering(cells, initial)
        f = Trajectory(functional, functional.theta0).densities()[-1, 0]
        errors.append(l2_error(functional.problem.space, f, target.density))
    orders = -np.diff(np.log2(errors))
    assert abs(orders[-1] - 3.0) < 0.35, (errors, orders)


@pytest.mark.parametrize("method", ["lmvm", "ntr"])
def test_training_from_zero_finds_an_exact_control(method: str) -> None:
    """V17 by training: at least as good as the closed form on the same mesh."""
    exact = gaussian_control(M0, C0, M1, C1)
    w, b = exact.W[0], exact.b[0]
    given = steering(12, {"kind": "values", "W": w.tolist(), "b": b.tolist()})
    functional = steering(
        12,
        {"kind": "zero"},
        training={"method": method, "gradient_tolerance": 1e-6},
    )
    result = minimise(functional)
    assert result.converged, result.message
    assert result.value <= given.value(given.theta0)


def test_minimum_norm_steering_of_the_mean() -> None:
    """V16: b(t) = e^{w(T-t)} (y - e^{wT} m0)/G; min int b^2 = .261448824877, order 2 in 1/L."""
    w, m0, y = 0.5, 0.2, 1.0
    weight = 1e-6
    found = []
    for layers in (4, 8, 16):
        case = make_case(
            "interval",
            mesh={"cells": [24], "lower": [-2.0], "upper": [3.0]},
            space={"degree": 3},
            network={"activation": "identity", "layers": layers, "trainable": ["b"]},
            classes=[{"density": gaussian(m0, 0.04)}],
            loss={"kind": "moments", "mean": y},
            penalty={"tikhonov": weight},
            initial={"kind": "values", "W": w, "b": 0.0},
            training={"method": "ntr", "gradient_tolerance": 1e-11},
        )
        functional = ReducedFunctional(case, MPI.COMM_SELF)
        theta = minimise(functional).theta
        found.append(functional.penalty(theta) / (0.5 * weight))
    errors = np.abs(np.array(found) - 0.261448824877)
    orders = -np.diff(np.log2(errors))
    assert np.abs(orders - 2.0).max() < 0.1, (found, orders)
    assert found[-1] + (found[-1] - found[-2]) / 3.0 == pytest.approx(0.261448824877, rel=1e-5)


def test_turnpike() -> None:
    """V23: m - y = (m0 - y) cosh((T-t)/sqrt(gamma)) / cosh(T/sqrt(gamma)), order 2 in 1/L."""
    m0, y, gamma, final_time = 0.5, 1.5, 0.05, 2.0
    errors = []
    for layers in (8, 16, 32):
        case = make_case(
            "interval",
            mesh={"cells": [12], "lower": [-1.5], "upper": [3.5]},
            space={"degree": 3},
            network={
                "activation": "identity",
                "layers": layers,
                "trainable": ["b"],
                "final_time": final_time,
            },
            classes=[{"density": gaussian(m0, 0.09)}],
            loss={"kind": "moments", "mean": y, "terminal": 0.0, "running": 1.0},
            penalty={"tikhonov": gamma},
            initial={"kind": "zero"},
            training={"method": "ntr", "gradient_tolerance": 1e-9},
        )
        functional = ReducedFunctional(case, MPI.COMM_SELF)
        result = minimise(functional)
        assert result.converged
        b = functional.controls.from_vector(result.theta).b[:, 0]
        mean = m0 + np.concatenate([[0.0], np.cumsum(b)]) * functional.controls.layer_time
        t = np.linspace(0.0, final_time, layers + 1)
        scale = np.sqrt(gamma)
        exact = y + (m0 - y) * np.cosh((final_time - t) / scale) / np.cosh(final_time / scale)
        errors.append(np.abs(mean - exact).max())
    orders = -np.diff(np.log2(errors))
    assert abs(orders[-1] - 2.0) < 0.2, (errors, orders)
    assert errors[-1] < 2e-3


def newton(method: str) -> list[float]:
    """Return the gradient norms over the iterations on a regular case."""
    functional = on_the_line(REACHED, 0.55, 0.6, cells=30)
    data = functional.case.model_dump(exclude_none=True)
    data["training"] |= {"method": method, "gradient_tolerance": 1e-12, "max_iterations": 12}
    functional = ReducedFunctional(type(functional.case).model_validate(data), MPI.COMM_SELF)
    return [row.gradient_norm for row in minimise(functional).history]


def test_quadratic_tail_of_newton() -> None:
    """|g_{k+1}| <= C |g_k|^2 down to rounding; the table is printed on failure."""
    norms = np.array(newton("ntr"))
    ratios = norms[1:] / norms[:-1] ** 2
    rows = [f"{k:3d} {n:12.4e} {r:10.3f}" for k, (n, r) in enumerate(zip(norms[1:], ratios))]  # noqa: B905
    table = "\n".join(["  k        |g_k|  |g_k| / |g_{k-1}|^2", *rows])
    assert norms[0] > 0.1 and norms[-1] < 1e-12 and len(norms) <= 8, table
    assert ratios[norms[:-1] > 1e-8].max() < 5.0, table


def test_wide_network_splits_a_gaussian() -> None:
    """The case two_modes_2d on fewer cells: relative L2 error below 5 %."""
    settings = ["mesh.cells=[14, 14]", "network.width=8", "training.max_iterations=60"]
    functional = ReducedFunctional(load(CASES / "two_modes_2d.toml", settings), MPI.COMM_SELF)
    theta = minimise(functional).theta
    assert Trajectory(functional, theta).loss_report()["relative_l2_error"][0] < 0.05
