# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The certificate: what anyone can check about the numbers of their own case.

Every row of ``CHECKS`` is a name and a function that returns what it found, the limit it has to
keep, and what to do when it does not. The controls are those of a run, or the initial ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mfresnet.activations import ACTIVATIONS
from mfresnet.arrays import Array
from mfresnet.case import Case
from mfresnet.errors import InputError, SolveError, StepsError
from mfresnet.findings import Check, at_most
from mfresnet.functional import ReducedFunctional
from mfresnet.identities import ROUNDING, pairing, transpose
from mfresnet.pathwise import pathwise_loss
from mfresnet.reachability import lower_bound
from mfresnet.schemes import SCHEMES
from mfresnet.verify import TaylorTest, taylor_test

ACCURACY = 1e-3
"""Relative change of the loss that is taken as its error."""
UNDERSHOOT = 1e-2
"""Share of the largest density that the least one may lie below zero."""
RATE = 0.1
"""How far the rate of a Taylor remainder may be from its order."""
TAYLOR_STEPS = (4e-3, 2e-3, 1e-3)
SHRINKS = (1.0, 1 / 8, 1 / 64)
NEAR = 0.2
"""How far from the given controls the Taylor test is made."""
NOISE = 1e-10
"""Share of J below which a Taylor remainder is rounding."""


def certify(functional: ReducedFunctional, theta: Array | None = None) -> list[Check]:
    """Return the certificate of a case.

    Args:
        functional: J; its number of time steps is raised when the controls need it.
        theta: the controls, the initial ones when not given.

    Parallel: collective.
    """
    theta = functional.theta0 if theta is None else theta
    with_steps(functional, theta)
    return [check for make in CHECKS for check in make(functional, theta)]


def with_steps(functional: ReducedFunctional, theta: Array) -> float:
    """Return J(theta), with as many time steps as it takes."""
    try:
        return functional.value(theta)
    except StepsError as error:
        functional.set_steps(math.ceil(1.25 * error.needed))
        return functional.value(theta)


# ---------------------------------------------------------------------- the derivative
def taylor(functional: ReducedFunctional, theta: Array) -> list[Check]:
    """Find the orders of the Taylor remainders near theta, in a direction of increase.

    Near and not at theta, where the derivative of a trained network is nearly zero.
    """
    network = functional.case.network
    smooth = ACTIVATIONS[network.activation].smooth and functional.case.space.flux != "upwind"
    smooth = smooth and functional.limiter.smooth
    noise = np.sin(1.0 + 7.0 * np.arange(theta.size) ** 2)
    near, steps = theta + NEAR * noise, functional.steps_per_layer
    j = with_steps(functional, near)
    direction = (0.5 + np.abs(noise)) * np.sign(functional.derivative(near))
    for e in TAYLOR_STEPS:
        with_steps(functional, near + e * direction)
    # Where J has little curvature in the direction, the next order spoils a rate until the steps
    # are small.
    for shrink in SHRINKS:
        test = taylor_test(
            functional.value,
            functional.derivative,
            near,
            direction,
            [e * shrink for e in TAYLOR_STEPS],
            functional.hessian_action,
        )
        rates = [_worst_rate(test, order, NOISE * abs(j)) for order in range(3)]
        if max(abs(rate - order - 1.0) for order, rate in enumerate(rates)) <= RATE:
            break
    found = []
    for order, rate in enumerate(rates):
        name, goal = f"Taylor remainder {order}: rate", order + 1.0
        passed = abs(rate - goal) <= RATE or not (smooth or order == 0)
        sentence = ""
        if abs(rate - goal) > RATE:
            sentence = "J is not smooth here: its activation, flux or limiter has kinks."
            if smooth:
                sentence = "The derivative is not that of J, or J oscillates: refine mesh and time."
        found.append(Check(name, rate, goal, passed, sentence, f"within {RATE} of"))
    functional.set_steps(steps)
    return found


def _worst_rate(test: TaylorTest, order: int, noise: float) -> float:
    """Return the rate farthest from order + 1 among remainders that are not rounding."""
    rates, goal = test.rates()[order], order + 1.0
    counted = rates[test.remainders[order][1:] > noise]
    return float(counted[np.argmax(np.abs(counted - goal))]) if counted.size else goal


# ---------------------------------------------------------------------- the solution
def balance(functional: ReducedFunctional, theta: Array) -> list[Check]:
    """Look at mass, outflow and the least density."""
    case, report = functional.case, functional.balance(theta)
    tolerance = case.mesh.outflow_tolerance
    worst = float(np.abs(functional.initial_mass - 1.0).max())
    return [
        at_most(
            "mass balance", report.error, 10.0 * ROUNDING, "A defect of mfresnet, please report it."
        ),
        at_most(
            "initial mass: distance from 1",
            worst,
            max(tolerance, ACCURACY * UNDERSHOOT),
            f"The mesh does not hold or resolve the densities. {case.mesh.larger}.",
        ),
        at_most(
            "outflow",
            abs(report.largest_outflow),
            tolerance,
            f"Mass leaves the mesh. {case.mesh.larger}.",
        ),
        at_most(
            "undershoot over the largest density",
            max(0.0, -report.min_density / report.max_density),
            UNDERSHOOT,
            f"The densities are not resolved. {case.mesh.finer} or raise space.degree.",
        ),
    ]


def courant(functional: ReducedFunctional, theta: Array) -> list[Check]:
    """Return the time step over the largest stable one."""
    used = functional.sweep.dt * functional.rate(theta)
    return [at_most("time step over its limit", used, 1.0 + 1e-12, "Raise time.steps_per_layer.")]


# ---------------------------------------------------------------------- the objective
def _changed(
    name: str, functional: ReducedFunctional, theta: Array, other: float, otherwise: str
) -> Check:
    """Compare two losses, relative to the larger one of the loss and that of the initial controls.

    A training may make the loss as small as its error on the mesh.
    """
    loss = functional.loss(theta)
    size = max(abs(loss), abs(_loss_before_training(functional)), np.finfo(float).tiny)
    return at_most(name, abs(other - loss) / size, ACCURACY, otherwise)


def _loss_before_training(functional: ReducedFunctional) -> float:
    steps = functional.steps_per_layer
    with_steps(functional, functional.theta0)
    loss = functional.loss(functional.theta0)
    functional.set_steps(steps)
    return loss


def next_degree(functional: ReducedFunctional, theta: Array) -> list[Check]:
    """Compare the loss with that of another degree: the next one, that below for the last."""
    case, degree = functional.case, functional.case.space.degree
    other = degree + 1 if degree < 6 else degree - 1
    order = min(s for s in SCHEMES if s >= case.time.order and other in SCHEMES[s].cfl)
    name, finer = f"loss against degree {other}", _with_settings(case, degree=other, order=order)
    try:
        refined = ReducedFunctional(finer, functional.comm)
        with_steps(refined, theta)
    except InputError as error:
        return [_left_out(name, error)]
    value = refined.loss(theta)
    text = f"The mesh is too coarse. {case.mesh.finer} or raise space.degree."
    return [_changed(name, functional, theta, value, text)]


def _left_out(name: str, error: InputError) -> Check:
    """Return the line of a comparison for which the memory of the case, say, is too little."""
    return Check(name, None, ACCURACY, True, f"Not compared: {error}")


def _with_settings(case: Case, degree: int, order: int) -> Case:
    data = case.model_dump(exclude_none=True)
    data["space"]["degree"], data["time"]["order"] = degree, order
    data["time"].pop("steps_per_layer", None)
    return Case.model_validate(data)


def half_step(functional: ReducedFunctional, theta: Array) -> list[Check]:
    """Compare the loss with that of half the time step."""
    name, steps = "loss against half the time step", functional.steps_per_layer
    try:
        functional.set_steps(2 * steps)
        value = functional.loss(theta)
    except InputError as error:
        functional.set_steps(steps)
        return [_left_out(name, error)]
    functional.set_steps(steps)
    text = "The time step is too long. Raise time.steps_per_layer or time.order."
    return [_changed(name, functional, theta, value, text)]


def particles(functional: ReducedFunctional, theta: Array) -> list[Check]:
    """Compare the loss with that of points that the network moves, without any mesh in between."""
    name = "loss against particles"
    try:
        value = pathwise_loss(functional, theta)
    except SolveError as error:
        return [Check(name, None, ACCURACY, True, str(error))]
    finer = functional.case.mesh.finer
    text = f"Density and network disagree. {finer}, raise space.degree or enlarge the mesh."
    return [_changed(name, functional, theta, value, text)]


def reachable(functional: ReducedFunctional, theta: Array) -> list[Check]:
    """Compare the loss with what no network of the class can reach."""
    name, training = "loss below its lower bound", functional.case.training
    lower = -math.inf if training.lower is None else training.lower
    upper = math.inf if training.upper is None else training.upper
    if np.any(theta < lower) or np.any(theta > upper):
        return [Check(name, None, ACCURACY, True, "Does not apply: controls outside the bounds.")]
    bound = lower_bound(functional)
    if bound is None:
        return [Check(name, None, ACCURACY, True, "Does not apply: no argument bounds this loss.")]
    below = max(0.0, 1.0 - functional.loss(theta) / bound.value)
    finer = functional.case.mesh.finer
    text = (
        f"No network can do that ({bound.name}). {finer}, raise space.degree or enlarge the mesh."
    )
    return [at_most(name, below, ACCURACY, text)]


CHECKS: tuple[Callable[[ReducedFunctional, Array], list[Check]], ...] = (
    transpose,
    pairing,
    taylor,
    balance,
    courant,
    next_degree,
    half_step,
    particles,
    reachable,
)
