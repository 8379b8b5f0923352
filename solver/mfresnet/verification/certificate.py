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

from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.network import ACTIVATIONS
from mfresnet.verification.accuracy import LossError, loss_error
from mfresnet.verification.bounds.table import lower_bound
from mfresnet.verification.findings import Check, at_most
from mfresnet.verification.identities import ROUNDING, pairing, transpose
from mfresnet.verification.taylor import TaylorTest, taylor_test

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
TINY = float(np.finfo(float).tiny)
NOISE = 1e-10
"""Share of J below which a Taylor remainder is rounding."""


def certify(
    functional: ReducedFunctional, theta: Array | None = None, allowed: float = 0.0
) -> list[Check]:
    """Return the certificate of a case.

    Args:
        functional: J; its number of time steps is raised when the controls need it.
        theta: the controls, the initial ones when not given.
        allowed: the error of J that a training was asked for, where that is more than what a loss
            is held to without one.

    Parallel: collective.
    """
    theta = functional.theta0 if theta is None else theta
    make_room(functional, theta)
    found = [check for make in CHECKS for check in make(functional, theta)]
    error = loss_error(functional, theta, allowed=allowed)
    guards = [error.forgive(check) for make in GUARDS for check in make(functional, theta)]
    return [*found, outflow(functional, theta, error), *guards, error.check()]


def make_room(functional: ReducedFunctional, theta: Array) -> None:
    """Raise the time steps where theta needs more, also where the case gives their number."""
    functional.make_room(functional.steps_for(theta))


# ---------------------------------------------------------------------- the derivative
def taylor(functional: ReducedFunctional, theta: Array) -> list[Check]:
    """Find the orders of the Taylor remainders near theta, in a direction of increase.

    Near and not at theta, where the derivative of a trained network is nearly zero.
    """
    network = functional.case.network
    smooth = ACTIVATIONS[network.activation].smooth and functional.case.space.flux != "upwind"
    smooth = smooth and functional.problem.limiter.smooth
    noise = np.sin(1.0 + 7.0 * np.arange(theta.size) ** 2)
    near, steps = theta + NEAR * noise, functional.steps_per_layer
    make_room(functional, near)
    j = functional.value(near)
    direction = (0.5 + np.abs(noise)) * np.sign(functional.derivative(near))
    for e in TAYLOR_STEPS:
        make_room(functional, near + e * direction)
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
    """Compare the mass at T and that which has left with the mass at 0."""
    error = Trajectory(functional, theta).balance().error
    return [
        at_most("mass balance", error, 10.0 * ROUNDING, "A defect of mfresnet, please report it.")
    ]


def outflow(functional: ReducedFunctional, theta: Array, error: LossError) -> Check:
    """Return the mass that leaves; a trace of it does not matter where the loss is right."""
    mesh, left = functional.case.mesh, abs(Trajectory(functional, theta).balance().largest_outflow)
    limit = error.outflow_limit(mesh.outflow_tolerance)
    return at_most("outflow", left, limit, f"Mass leaves the mesh. {mesh.larger}.")


def resolution(functional: ReducedFunctional, theta: Array) -> list[Check]:
    """Look at the initial mass and at the least density."""
    case, report = functional.case, Trajectory(functional, theta).balance()
    return [
        at_most(
            "initial mass: distance from 1",
            float(np.abs(functional.problem.initial_mass - 1.0).max()),
            max(case.mesh.outflow_tolerance, ACCURACY * UNDERSHOOT),
            f"The mesh does not hold or resolve the densities. {case.mesh.larger}.",
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
def half_step(functional: ReducedFunctional, theta: Array) -> list[Check]:
    """Compare the loss with that of half the time step."""
    name, steps = "loss against half the time step", functional.steps_per_layer
    loss = functional.loss(theta)
    try:
        functional.set_steps(2 * steps)
        other = functional.loss(theta)
    except InputError as error:
        functional.set_steps(steps)
        return [Check(name, None, ACCURACY, True, f"Not compared: {error}")]
    functional.set_steps(steps)
    text = "The time step is too long. Raise time.steps_per_layer or time.order."
    return [at_most(name, abs(other - loss) / max(abs(other), TINY), ACCURACY, text)]


def reachable(functional: ReducedFunctional, theta: Array) -> list[Check]:
    """Compare the loss with what no network of the class can reach."""
    name, training = "loss below its lower bound", functional.case.training
    lower = -math.inf if training.lower is None else training.lower
    upper = math.inf if training.upper is None else training.upper
    if np.any(theta < lower) or np.any(theta > upper):
        return [Check(name, None, ACCURACY, True, "Does not apply: controls outside the bounds.")]
    bound = lower_bound(functional.problem)
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
)
"""What has to hold whatever the mesh resolves."""
GUARDS: tuple[Callable[[ReducedFunctional, Array], list[Check]], ...] = (
    resolution,
    half_step,
    reachable,
)
"""What shows that the loss may be wrong; it does not matter where the loss is right."""
