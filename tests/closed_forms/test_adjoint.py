# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The adjoint and its gradient against closed forms (V9), superconvergence, controls over depth."""

from mpi4py import MPI

from collections.abc import Callable

import numpy as np
import pytest

from helpers import gaussian, l2_error, make_case, observed_orders
from mfresnet.arrays import Array
from mfresnet.case.case import Case
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory
from mfresnet.mesh.boxes import CELLS
from mfresnet.mesh.space import Space
from mfresnet.parallel import total
from mfresnet.verification.pathwise import pathwise_loss

RATES = np.array([-1.3, -0.9, -1.1])
TARGETS = np.array([0.7, -0.4, 0.3])


def inward(cell: str, n: int, degree: int, activation: str) -> Case:
    """Return a case whose velocity points inward all around the box."""
    d = CELLS[cell]
    return make_case(
        cell,
        mesh={"cells": [n] * d, "lower": [-1.6] * d, "upper": [1.6] * d},
        space={"degree": degree},
        network={"activation": activation, "layers": 1, "final_time": 0.7},
        classes=[
            {
                "density": gaussian([0.0] * d, (0.06 * np.eye(d)).tolist()),
                "target": TARGETS[:d].tolist(),
            }
        ],
        initial={"kind": "values", "W": np.diag(RATES[:d]).tolist(), "b": [0.0] * d},
    )


def moved(activation: str, x: Array) -> tuple[Array, Array]:
    """Return where points (d, n) are after the depth 0.7, and the derivative by component."""
    w = RATES[: len(x), None]
    grow, u0 = np.exp(0.7 * w), w * x
    if activation == "identity":
        return grow * x, grow * np.ones_like(x)
    u = np.arcsinh(grow * np.sinh(u0))
    return u / w, grow * np.cosh(u0) / np.sqrt(1.0 + grow**2 * np.sinh(u0) ** 2)


def gradient_error(space: Space, f: Array, exact: Callable[[Array], Array]) -> float:
    """Return the L2 norm of grad f - exact, cell by cell."""
    rule = space.cell_quadrature(2 * space.degree + 6)
    local = np.einsum("jqi,ci->cqj", rule.gradient, f[space.dofs[: space.n_owned_cells]])
    values = np.einsum("cqj,cqji->icq", local, rule.inverse)
    x = np.moveaxis(rule.x, -1, 0)
    difference = values - exact(x.reshape(len(x), -1)).reshape(values.shape)
    return float(np.sqrt(total(space.comm, np.sum(rule.weights * difference**2))[0]))


SIZES = {1: [18, 27, 40], 2: [8, 12, 18], 3: [4, 6, 8]}
ON_CELLS = [(cell, p) for cell, d in CELLS.items() for p in ((1, 2, 3) if d == 1 else (2,))]


@pytest.mark.parametrize("activation", ["identity", "tanh"])
@pytest.mark.parametrize(("cell", "degree"), ON_CELLS)
def test_adjoint_and_its_gradient(cell: str, degree: int, activation: str) -> None:
    """V9: psi(0) = loss(X(x)): order p + 1, its gradient order p."""
    d = CELLS[cell]
    y, errors, slopes = TARGETS[:d, None], [], []

    def psi(x: Array) -> Array:
        return 0.5 * np.sum((moved(activation, x)[0] - y) ** 2, axis=0)

    def gradient(x: Array) -> Array:
        end, slope = moved(activation, x)
        return (end - y) * slope

    for n in SIZES[d]:
        functional = ReducedFunctional(inward(cell, n, degree, activation), MPI.COMM_SELF)
        space = functional.problem.space
        found = Trajectory(functional, functional.theta0).adjoints()[0, 0]
        errors.append(l2_error(space, found, psi))
        slopes.append(gradient_error(space, found, gradient))
    if activation == "identity" and degree >= 2:
        # psi is a polynomial of degree 2: in space it is exact
        assert max(errors) < 1e-4, errors
        return
    orders, slope_orders = observed_orders(SIZES[d], errors), observed_orders(SIZES[d], slopes)
    assert abs(orders[-1] - (degree + 1)) < 0.5, (orders, errors)
    assert abs(slope_orders[-1] - degree) < 0.5, (slope_orders, slopes)


@pytest.mark.parametrize(
    ("cell", "degree"),
    [("interval", 1), ("interval", 2), ("quadrilateral", 1), ("triangle", 1)],
)
def test_linear_functionals_superconverge(cell: str, degree: int) -> None:
    """The loss has about the order 2 p + 1 where the density has p + 1."""
    d = CELLS[cell]
    sizes, errors = ([16, 24, 36] if d == 1 else [12, 18, 27]), []
    for n in sizes:
        functional = ReducedFunctional(inward(cell, n, degree, "tanh"), MPI.COMM_SELF)
        functional.set_steps(8 * functional.steps_per_layer)
        exact = pathwise_loss(functional, functional.theta0, 1e-9).loss
        errors.append(abs(functional.loss(functional.theta0) - exact))
    orders = observed_orders(sizes, errors)
    assert 2 * degree + 0.4 < orders[-1] < 2 * degree + 2.6, (orders, errors)


@pytest.mark.parametrize(("where", "order"), [(0.0, 1), (0.5, 2)])
def test_controls_that_depend_on_the_depth(where: float, order: int) -> None:
    """V2: w = 2 cos 2t, b = .3 e^{sin 2t}: order 1 in 1/L from layer starts, 2 from middles."""
    m0, y, counts, errors = 0.3, 0.9, [10, 20, 40], []
    end = np.exp(np.sin(2.0)) * (m0 + 0.3)
    exact = 0.5 * (np.exp(2.0 * np.sin(2.0)) * 0.04 + (end - y) ** 2)
    for layers in counts:
        case = make_case(
            "interval",
            mesh={"cells": [50], "lower": [-2.5], "upper": [5.0]},
            space={"degree": 3},
            time={"order": 4, "steps_per_layer": 2400 // layers},
            network={"activation": "identity", "layers": layers},
            classes=[{"density": gaussian(m0, 0.04), "target": y}],
        )
        functional = ReducedFunctional(case, MPI.COMM_SELF)
        t = (np.arange(layers) + where) / layers
        values = {
            "W": 2.0 * np.cos(2.0 * t)[:, None, None],
            "b": 0.3 * np.exp(np.sin(2.0 * t))[:, None],
        }
        loss = functional.loss(functional.controls.to_vector(values))
        errors.append(abs(loss - exact))
    orders = observed_orders(counts, errors)
    assert abs(orders[-1] - order) < 0.15, (orders, errors)
