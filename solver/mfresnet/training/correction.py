# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Minimisation on a fine mesh by minimisations on a coarse one.

With the controls theta_k of iteration k, the coarse J_c and the fine J_f, the next ones minimise

    m_k(theta) = J_c(theta) + (J_f'(theta_k) - J_c'(theta_k)) theta

which has the derivative of J_f at theta_k and the curvature of J_c. So the error of the controls
falls by a factor of the size of the relative error of the coarse curvature, while the fine mesh is
asked for J and its derivative once an iteration (Nash's MG/OPT with two levels; the same idea as
defect correction). What m_k falls by says how far J_f(theta_k) is from its least value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import TrainingSection
from mfresnet.errors import SolveError, StepsError
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import (
    Functional,
    Iteration,
    Memory,
    OptimiseResult,
    Oracle,
    Search,
    Status,
    minimise,
)

INNER, CLOSE = 0.05, 0.2
"""Shares of what the model has gained, and of the distance that is wanted, at which it is near
enough to its least value."""
TINY = 1e-14
"""A norm of a gradient that is not reached."""
MOST = 60
"""Iterations on the coarse mesh for one on the fine mesh."""
WORTH, SHARE = 10.0, 0.5
"""Times what both J are apart, or the distance that is wanted, by which the linear part of a model
may fall, and the share that it may have in what the model falls by: beyond both the model follows
what the coarse J does not know."""
ROUNDS, SLOW = 4, 0.5
"""Most iterations on the fine mesh, and the share of what the model before it fell by above which
a model is no help: it has its least value in another valley, or the wrong curvature."""
TRUSTED, SHRINK, HALVINGS = 0.1, 0.3, 4
"""Least share of the predicted gain, the factor on a step that has less, and how often."""


def _of_coarse(name: str) -> Any:
    """Return an attribute that is that of the coarse J, also where a log counts answers there."""
    return property(lambda m: getattr(m.coarse, name), lambda m, n: setattr(m.coarse, name, n))


class Shifted:
    """m_k, a ``Functional``: a coarse J plus a linear function of the controls."""

    steps_per_layer = _of_coarse("steps_per_layer")
    forward_sweeps = _of_coarse("forward_sweeps")
    adjoint_sweeps = _of_coarse("adjoint_sweeps")
    hessian_actions = _of_coarse("hessian_actions")

    def __init__(self, coarse: Functional, shift: Array) -> None:
        """Keep both."""
        self.coarse, self.shift = coarse, shift
        self.comm, self.controls, self.theta0 = coarse.comm, coarse.controls, coarse.theta0
        limits = {"gradient_tolerance": TINY, "max_iterations": MOST}
        assert isinstance(coarse.training, TrainingSection)
        self.training = coarse.training.model_copy(update=limits)
        self.steps_given = coarse.steps_given

    def value(self, theta: Array, *, fixed_steps: bool = False) -> float:
        """Return m_k(theta)."""
        return self.coarse.value(theta, fixed_steps=fixed_steps) + float(self.shift @ theta)

    def derivative(self, theta: Array) -> Array:
        """Return its derivative."""
        return self.coarse.derivative(theta) + self.shift

    def hessian_action(self, theta: Array, h: Array) -> Array:
        """Return that of the coarse J."""
        return self.coarse.hessian_action(theta, h)

    def least_hamiltonian(self, theta: Array) -> Array:
        """Refuse: a linear function of the controls is no part of a Hamiltonian of densities."""
        raise NotImplementedError

    def steps_for(self, theta: Array) -> int:
        """Return how many time steps a layer needs."""
        return self.coarse.steps_for(theta)

    def make_room(self, needed: int) -> None:
        """Raise the time steps."""
        self.coarse.make_room(needed)


def evaluate(oracle: Oracle, f: Functional, theta: Array) -> tuple[float, Array]:
    """Return J and its derivative, with more time steps where they are needed."""
    try:
        return oracle.evaluate(f, theta)
    except StepsError as error:
        if f.steps_given:
            raise
        f.make_room(error.needed)
        return oracle.evaluate(f, theta)


class Correction:
    """The iteration between two meshes.

    Attributes:
        fine: the fine J.
        coarse: the coarse J.
        aim: distance of J from its least value that is wanted.
        memory: what is known of J''.

    Parallel: collective.
    """

    def __init__(
        self,
        fine: ReducedFunctional,
        coarse: Functional,
        aim: float,
        oracle: Oracle,
        on_iteration: Callable[[Iteration], None] | None = None,
        memory: Memory | None = None,
    ) -> None:
        """Keep all."""
        self.fine, self.coarse, self.aim, self.oracle = fine, coarse, aim, oracle
        self._on_iteration, self.memory = on_iteration, memory
        self._before = self._trusted = np.inf

    def run(self, theta: Array) -> OptimiseResult:
        """Return the controls of the least fine J near theta, with what is left of it.

        Where the model is no help the iteration ends early, and ``excess`` is more than ``aim``.

        Raises:
            SolveError: J cannot be computed there.
        """
        search = Search(self.fine, theta, self._on_iteration, self.oracle)
        value, derivative = evaluate(self.oracle, self.fine, theta)
        status, excess = Status.STAGNATED, np.inf
        self._before = np.inf
        apart = abs(value - self.coarse.value(theta))
        self._trusted = WORTH * max(apart, self.aim)
        for number in range(ROUNDS):
            norm = search.norm(theta, derivative)
            search.record(number, value, norm)
            if norm <= self.fine.training.gradient_tolerance:
                status = Status.CONVERGED
                break
            if excess > self.aim:
                step = self._model(theta, derivative)
                if step is None:
                    break
                trial, excess = step
            if excess <= self.aim:
                status = Status.ENOUGH
                break
            if excess > SLOW * self._before:
                break
            better = self._towards(theta, value, trial - theta, excess)
            if better is None:
                break
            missed = abs(value - better[1] - excess)
            theta, value, derivative = better
            excess, self._before = max(missed, self._left(derivative)), excess
        return replace(search.result(theta, value, norm, status), excess=excess)

    def _model(self, theta: Array, derivative: Array) -> tuple[Array, float] | None:
        """Return the minimiser of the model and what the model falls by; None where it has none."""
        try:
            _, coarse = evaluate(self.oracle, self.coarse, theta)
            model = Shifted(self.coarse, derivative - coarse)
            found = minimise(
                model,
                theta,
                oracle=self.oracle,
                enough=partial(self._near, model.shift, theta),
                memory=self.memory,
            )
        except SolveError:
            return None
        return found.theta, found.history[0].objective - found.value + found.excess

    def _near(self, shift: Array, start: Array, search: Search) -> bool:
        """Return whether the model is near enough to its least value, or falls by too much."""
        gained = search.history[0].objective - search.best
        by_shift = shift @ (start - search.theta)
        if gained > SLOW * self._before or by_shift > max(self._trusted, SHARE * gained):
            return True
        return search.excess <= max(INNER * gained, CLOSE * self.aim)

    def _left(self, derivative: Array) -> float:
        """Return how far J is from its least value, as the derivatives of the model say."""
        scale = np.sqrt(self.fine.controls.weights)
        return np.inf if self.memory is None else self.memory.excess(derivative / scale)

    def _towards(
        self, theta: Array, value: float, step: Array, gain: float
    ) -> tuple[Array, float, Array] | None:
        """Return controls on the way to those of the model that gain as it says, and J there."""
        length = 1.0
        for _ in range(HALVINGS):
            try:
                found, derivative = evaluate(self.oracle, self.fine, theta + length * step)
            except SolveError:
                found = np.inf
            if value - found >= TRUSTED * length * gain:
                return theta + length * step, found, derivative
            length *= SHRINK
        return None
