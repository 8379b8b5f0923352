# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Iterations of the optimality system: a forward sweep, a backward sweep, new controls.

forward_backward   theta <- theta - s gradient J: steepest descent in L2(0, T), as in the paper;
maximum_principle  theta <- theta + tau (theta_H - theta), theta_H the minimiser of the Hamiltonian
                   with densities and adjoints of theta: the damped fixed point.

Both damp by Armijo's rule J(theta + step) <= J(theta) + 1e-4 J'(theta)[step].
"""

from __future__ import annotations

from collections.abc import Callable

from mfresnet.arrays import Array
from mfresnet.optimise.result import ROUNDING, OptimiseResult, Status
from mfresnet.optimise.search import Search

SLOPE, SHRINK, SMALLEST = 1e-4, 0.5, 1e-12
"""Armijo's constant, the factor on refused steps, and the least factor that is tried."""


def forward_backward(search: Search) -> OptimiseResult:
    """Run steepest descent with Armijo's rule; the first length to try is Barzilai and Borwein's.

    With bounds every trial point is projected into them.
    """
    controls = search.functional.controls
    before: list[tuple[Array, Array]] = []

    def path(theta: Array, derivative: Array) -> Callable[[float], Array]:
        gradient, length = controls.riesz(derivative), 1.0
        if before:
            step, change = theta - before[-1][0], derivative - before[-1][1]
            curvature = float(step @ change)
            length = controls.norm(step) ** 2 / curvature if curvature > 0.0 else 1.0
        before[:] = [(theta, derivative)]
        return lambda tau: search.project(theta - tau * length * gradient)

    return _descend(search, path)


def maximum_principle(search: Search) -> OptimiseResult:
    """Run the damped fixed point; where it does not lead downhill, a step along the gradient."""
    functional, controls = search.functional, search.functional.controls

    def path(theta: Array, derivative: Array) -> Callable[[float], Array]:
        towards = search.oracle.least_hamiltonian(functional, theta) - theta
        if float(derivative @ towards) < 0.0:
            return lambda tau: theta + tau * towards
        gradient = controls.riesz(derivative)
        return lambda tau: search.project(theta - tau * gradient)

    return _descend(search, path, remember=True)


def _descend(
    search: Search,
    path: Callable[[Array, Array], Callable[[float], Array]],
    *,
    remember: bool = False,
) -> OptimiseResult:
    """Go down along the paths tau -> trial point, tau = 1, 1/2, 1/4, ...

    Args:
        search: where from.
        path: (theta, derivative) -> the path from theta.
        remember: whether to begin with twice the last tau instead of 1.
    """
    accepted = 1.0
    training, theta = search.functional.training, search.theta
    answer = search.evaluate(theta)
    for iteration in range(training.max_iterations - search.offset + 1):
        assert answer is not None  # the first one raises, the others are accepted
        value, derivative = answer
        norm = search.norm(theta, derivative)
        search.record(iteration, value, norm)
        if norm <= training.gradient_tolerance:
            return search.result(theta, value, norm, Status.CONVERGED)
        if (over := search.over) is not None:
            return search.result(theta, value, norm, over)
        if iteration + search.offset == training.max_iterations:
            break
        trial, tau = path(theta, derivative), min(1.0, 2.0 * accepted) if remember else 1.0
        while True:
            point = trial(tau)
            answer = search.evaluate(point)
            gain = -SLOPE * float(derivative @ (point - theta)) - ROUNDING * abs(value)
            if answer is not None and answer[0] <= value - gain:
                break
            tau *= SHRINK
            if tau < SMALLEST:
                return search.result(theta, value, norm, Status.LINE_SEARCH)
        theta, accepted = point, tau
    return search.result(theta, value, norm, Status.ITERATIONS)
