# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Taylor rates of J, per activation, penalty and order, and the library's contract."""

from mpi4py import MPI

import numpy as np
import pytest

from helpers import few, gaussian, make_case
from mfresnet.arrays import Array
from mfresnet.errors import InputError, SolveError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory
from mfresnet.mesh.boxes import CELLS
from mfresnet.network.activations import ACTIVATIONS
from mfresnet.network.penalties import PENALTIES
from mfresnet.network.schemes import SCHEMES
from mfresnet.transport.operator.fluxes import FLUXES
from mfresnet.verification.taylor import taylor_test

STEPS = (2e-3, 1e-3, 5e-4, 2.5e-4)


def noise(functional: ReducedFunctional) -> Array:
    return np.random.default_rng(5).standard_normal(functional.controls.size)


def check_rates(functional: ReducedFunctional, theta: Array) -> None:
    """Along a random direction that agrees in sign with the gradient, so that R0 has order 1."""
    direction = np.abs(noise(functional)) * np.sign(functional.derivative(theta))
    test = taylor_test(functional.value, functional.derivative, theta, direction, STEPS)
    assert np.abs(test.rates() - [[1.0], [2.0]]).max() < 0.1, test.as_text()


def safe(activation: str) -> dict[str, object]:
    """Return initial controls; for relu W x + b stays above its kink on the whole box."""
    b = 4.0 if activation == "relu" else 0.2
    return {"kind": "values", "W": 0.9, "b": b}


@pytest.mark.parametrize("penalty", [*PENALTIES, "none"])
@pytest.mark.parametrize("order", SCHEMES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_taylor(activation: str, order: int, penalty: str) -> None:
    weights = {name: 0.3 * (name == penalty) for name in PENALTIES}
    case = make_case(
        "interval",
        mesh={"upper": [8.0]} if activation == "relu" else {},
        space={"degree": min(order - 1, 2)},
        time={"order": order},
        network={"activation": activation},
        penalty=weights,
        initial=safe(activation),
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    functional.set_steps(2 * functional.steps_per_layer)
    check_rates(functional, functional.theta0 + 0.1 * noise(functional))


@pytest.mark.parametrize("activation", ["tanh", "sin", "sigmoid", "softplus", "identity"])
@pytest.mark.parametrize("cell", CELLS)
def test_taylor_from_zero(cell: str, activation: str) -> None:
    """Where plain upwind has no derivative: theta = 0."""
    case = make_case(
        cell,
        network={"activation": activation},
        initial={"kind": "zero"},
        mesh={"cells": [few(cell, 8, 4)] * CELLS[cell]},
        time={"steps_per_layer": 12},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    check_rates(functional, functional.theta0)


@pytest.mark.parametrize("trainable", [["W"], ["b"], ["b", "W"]])
@pytest.mark.parametrize("cell", CELLS)
def test_taylor_of_subsets(cell: str, trainable: list[str]) -> None:
    case = make_case(
        cell, network={"trainable": trainable}, mesh={"cells": [few(cell, 8, 4)] * CELLS[cell]}
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    check_rates(functional, functional.theta0 + 0.1 * noise(functional))


@pytest.mark.smoke
@pytest.mark.parametrize("flux", FLUXES)
@pytest.mark.parametrize("cell", CELLS)
def test_taylor_of_every_flux(cell: str, flux: str) -> None:
    """Plain upwind where no v.n changes its sign, the others where all of them do."""
    b = [3.0 if flux == "upwind" else 0.1] * CELLS[cell]
    case = make_case(
        cell,
        mesh={"cells": [few(cell, 8, 4)] * CELLS[cell]},
        space={"flux": flux},
        initial={"kind": "values", "W": (0.4 * np.eye(CELLS[cell])).tolist(), "b": b},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    functional.set_steps(2 * functional.steps_per_layer)
    check_rates(functional, functional.theta0)


def test_taylor_with_outflow() -> None:
    """The charge of the outflow is differentiated too."""
    case = make_case(
        "quadrilateral",
        mesh={"lower": [-1.0, -1.0], "upper": [1.2, 1.2], "cells": [8, 8]},
        initial={"kind": "values", "W": [[1.0, 0.2], [0.1, 1.0]], "b": [0.5, 0.4]},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    assert Trajectory(functional, functional.theta0).balance().outflow.max() > 0.05
    check_rates(functional, functional.theta0)


def test_hessian_action_leaves_nothing_for_the_next() -> None:
    """Where the mass that has left counts in the second derivative."""
    case = make_case(
        "interval",
        mesh={"lower": [-1.0], "upper": [1.2], "cells": [8]},
        classes=[{"density": {"kind": "gaussian", "mean": [0.3], "covariance": [[0.05]]}}],
        loss={"kind": "moments", "mean": [0.0]},
        initial={"kind": "values", "W": [[1.0]], "b": [0.5]},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    theta, h = functional.theta0, np.cos(np.arange(functional.theta0.size))
    assert Trajectory(functional, theta).balance().outflow.max() > 0.05
    first = functional.hessian_action(theta, h)
    np.testing.assert_array_equal(functional.hessian_action(theta, h), first)


@pytest.mark.parametrize("size", [1e308, np.inf, np.nan])
def test_what_is_not_finite_is_a_sentence(size: float) -> None:
    """Also where the penalty alone is too large, and in the derivatives."""
    functional = ReducedFunctional(make_case("interval"), MPI.COMM_SELF)
    theta, large = functional.theta0, np.full(functional.theta0.size, size)
    with pytest.raises(SolveError, match="not finite"), np.errstate(all="ignore"):
        functional.value(large)
    if size != 1e308:
        with pytest.raises(SolveError, match="not finite"), np.errstate(all="ignore"):
            functional.hessian_action(theta, large)
    assert np.isfinite(functional.derivative(theta)).all()


def test_steps_that_do_not_fit_leave_those_of_before() -> None:
    """Controls that ask for more steps than the memory holds are refused, and J goes on."""
    case = make_case("interval", network={"activation": "softplus", "layers": 2})
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    first = functional.value(functional.theta0)
    with pytest.raises((InputError, SolveError)):
        functional.value(np.full(functional.theta0.size, 1e12))
    with pytest.raises(InputError, match=r"resources\.memory"):
        functional.set_steps(10**13)
    assert functional.value(functional.theta0) == first


def test_gradient_is_the_riesz_representative() -> None:
    functional = ReducedFunctional(make_case("interval"), MPI.COMM_SELF)
    theta, h = functional.theta0, noise(functional)
    pairing = float(np.sum(functional.controls.weights * functional.gradient(theta) * h))
    assert pairing == pytest.approx(float(functional.derivative(theta) @ h), rel=1e-13)


def test_sweeps_are_counted_and_not_repeated() -> None:
    functional = ReducedFunctional(make_case("interval"), MPI.COMM_SELF)
    theta = functional.theta0
    functional.value(theta)
    functional.derivative(theta)
    functional.value(theta)
    assert (functional.forward_sweeps, functional.adjoint_sweeps) == (1, 1)
    theta = theta.copy()
    theta[0] += 0.1
    functional.value(theta)
    assert functional.forward_sweeps == 2


def test_what_follows_a_loss_does_not_depend_on_it() -> None:
    """A loss keeps no stages; derivative, Hessian action and densities make them again."""
    case = make_case("interval", time={"steps_per_layer": 8})
    first, second = (ReducedFunctional(case, MPI.COMM_SELF) for _ in range(2))
    theta, h = first.theta0, noise(first)
    wanted = (
        first.value(theta) - first.penalty(theta),
        first.derivative(theta),
        first.hessian_action(theta, h),
        Trajectory(first, theta).densities(),
    )
    for i, what in enumerate(wanted):
        second.value(theta + 0.1)
        assert second.loss(theta) == wanted[0]
        found = (
            lambda: second.loss(theta),
            lambda: second.derivative(theta),
            lambda: second.hessian_action(theta, h),
            lambda: Trajectory(second, theta).densities(),
        )[i]()
        assert np.array_equal(found, what)


def test_value_sees_controls_changed_in_place() -> None:
    functional = ReducedFunctional(make_case("interval"), MPI.COMM_SELF)
    theta = functional.theta0.copy()
    first = functional.value(theta)
    theta += 0.2
    assert functional.value(theta) != first


def test_classes_are_weighted() -> None:
    """J of two classes is the weighted sum of J of each."""
    sections = [
        {"density": gaussian(-0.4, 0.09), "target": -1.0},
        {"density": gaussian(0.5, 0.06), "target": 1.0},
    ]
    zero = {"tikhonov": 0.0}
    alone = [make_case("interval", classes=[s], penalty=zero) for s in sections]
    both = make_case(
        "interval",
        classes=[s | {"weight": w} for s, w in zip(sections, (0.3, 0.7), strict=True)],
        penalty=zero,
    )
    values = []
    for case in (*alone, both):
        functional = ReducedFunctional(case, MPI.COMM_SELF)
        values.append(functional.value(functional.theta0))
    assert values[2] == pytest.approx(0.3 * values[0] + 0.7 * values[1], rel=1e-13)


def test_box_without_corners_holds_the_mass() -> None:
    """Six standard deviations plus T: no mass leaves, whatever the controls are."""
    case = make_case("interval", mesh={"lower": None, "upper": None, "cells": [60]})
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    balance = Trajectory(functional, functional.theta0 + 2.0).balance()
    assert balance.outflow.max() < 1e-7
    lower, upper = functional.case.mesh.lower, functional.case.mesh.upper
    assert lower[0] == pytest.approx(-0.4 - 6 * 0.3 - 1.0)
    assert upper[0] == pytest.approx(0.5 + 6 * np.sqrt(0.06) + 1.0)


def test_steps_are_enough_for_the_initial_controls() -> None:
    """Also for a velocity that changes its sign in a cell: more flows out than its bound says."""
    case = make_case(
        "interval",
        mesh={"cells": [5]},
        network={"layers": 2},
        initial={"kind": "values", "W": 9.0, "b": 0.0},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    assert np.isfinite(functional.value(functional.theta0))
