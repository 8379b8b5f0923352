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

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import SolveError, StepsError
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import (
    Enough,
    Functional,
    Iteration,
    OptimiseResult,
    Oracle,
    Search,
    Status,
    minimise,
)

WINDOW = 3
"""Iterations over which a gain is looked at."""
INNER = 0.05
"""Share of what the model has gained so far below which its minimisation stops."""
TINY = 1e-14
"""A norm of a gradient that is not reached."""
ROUNDS = 8
"""Iterations on the fine mesh before it is minimised on itself."""
TRUSTED, SHRINK, HALVINGS = 0.1, 0.3, 4
"""Least share of the predicted gain, the factor on a step that has less, and how often."""


class Shifted:
    """m_k, a ``Functional``: a coarse J plus a linear function of the controls."""

    def __init__(self, coarse: ReducedFunctional, shift: Array) -> None:
        """Keep both."""
        self.coarse, self.shift = coarse, shift
        self.comm, self.controls, self.theta0 = coarse.comm, coarse.controls, coarse.theta0
        self.training = coarse.training.model_copy(update={"gradient_tolerance": TINY})
        self.steps_given = coarse.steps_given
        self._counted()

    def _counted(self) -> None:
        f = self.coarse
        self.steps_per_layer = f.steps_per_layer
        self.forward_sweeps, self.adjoint_sweeps = f.forward_sweeps, f.adjoint_sweeps
        self.hessian_actions = f.hessian_actions

    def value(self, theta: Array, *, fixed_steps: bool = False) -> float:
        """Return m_k(theta)."""
        found = self.coarse.value(theta, fixed_steps=fixed_steps) + float(self.shift @ theta)
        self._counted()
        return found

    def derivative(self, theta: Array) -> Array:
        """Return its derivative."""
        found = self.coarse.derivative(theta) + self.shift
        self._counted()
        return found

    def hessian_action(self, theta: Array, h: Array) -> Array:
        """Return that of the coarse J."""
        found = self.coarse.hessian_action(theta, h)
        self._counted()
        return found

    def least_hamiltonian(self, theta: Array) -> Array:
        """Refuse: a linear function of the controls is no part of a Hamiltonian of densities."""
        raise NotImplementedError

    def steps_for(self, theta: Array) -> int:
        """Return how many time steps a layer needs."""
        return self.coarse.steps_for(theta)

    def make_room(self, needed: int) -> None:
        """Raise the time steps."""
        self.coarse.make_room(needed)
        self._counted()


@dataclass(frozen=True)
class Corrected:
    """What was found on the fine mesh.

    Attributes:
        result: the controls.
        left: how far J is from its least value near them, as far as its gains say.
    """

    result: OptimiseResult
    left: float

    @staticmethod
    def of(result: OptimiseResult) -> Corrected:
        """Return a result with what its last iterations have gained."""
        values = [row.objective for row in result.history[-1 - WINDOW :]]
        return Corrected(result, max(values) - values[-1])


def evaluate(oracle: Oracle, f: Functional, theta: Array) -> tuple[float, Array]:
    """Return J and its derivative, with more time steps where they are needed."""
    try:
        return oracle.evaluate(f, theta)
    except StepsError as error:
        if f.steps_given:
            raise
        f.make_room(error.needed)
        return oracle.evaluate(f, theta)


def gains_less(
    share: float = 0.0, relative: float = 0.0, of_first: float = 0.0, size: float = 0.0
) -> Enough:
    """Return whether the last iterations have gained less than the largest of some sizes.

    Args:
        share: of all that was gained.
        relative: of J.
        of_first: of J at first.
        size: itself.
    """

    def enough(history: Sequence[Iteration]) -> bool:
        if len(history) <= WINDOW:
            return False
        first, before, now = (history[i].objective for i in (0, -1 - WINDOW, -1))
        sizes = share * (first - now), relative * abs(now), of_first * abs(first), size
        return before - now <= max(sizes)

    return enough


class Correction:
    """The iteration between two meshes.

    Attributes:
        fine: the fine J.
        coarse: the coarse J.
        aim: distance of J from its least value that is wanted.

    Parallel: collective.
    """

    def __init__(
        self,
        fine: ReducedFunctional,
        coarse: ReducedFunctional,
        aim: float,
        oracle: Oracle,
        on_iteration: Callable[[Iteration], None] | None = None,
    ) -> None:
        """Keep all."""
        self.fine, self.coarse, self.aim, self.oracle = fine, coarse, aim, oracle
        self._on_iteration = on_iteration

    def run(self, theta: Array) -> Corrected:
        """Return the controls of the least fine J near theta.

        Raises:
            SolveError: J cannot be computed there.
        """
        search = Search(self.fine, theta, self._on_iteration, self.oracle)
        riesz, norm_of = self.fine.controls.riesz, self.fine.controls.norm
        value, derivative = evaluate(self.oracle, self.fine, theta)
        for number in range(ROUNDS):
            norm = norm_of(search.project(theta - riesz(derivative)) - theta)
            search.record(number, value, norm)
            step = self._model(theta, derivative)
            if step is None:
                break
            trial, left = step
            small = norm <= self.fine.training.gradient_tolerance
            if left <= self.aim or small:
                status = Status.CONVERGED if small else Status.ENOUGH
                return Corrected(search.result(theta, value, norm, status), left)
            better = self._towards(theta, value, trial - theta, left)
            if better is None:
                break
            theta, value, derivative = better
        return directly(self.fine, theta, self.aim, self.oracle, self._on_iteration)

    def _model(self, theta: Array, derivative: Array) -> tuple[Array, float] | None:
        """Return the minimiser of the model and what the model falls by; None where it has none."""
        try:
            _, coarse = evaluate(self.oracle, self.coarse, theta)
            model = Shifted(self.coarse, derivative - coarse)
            enough = gains_less(INNER, size=0.1 * self.aim)
            found = minimise(model, theta, oracle=self.oracle, enough=enough)
        except SolveError:
            return None
        return found.theta, found.history[0].objective - found.value

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


def directly(
    f: ReducedFunctional,
    theta: Array,
    aim: float,
    oracle: Oracle,
    on_iteration: Callable[[Iteration], None] | None = None,
) -> Corrected:
    """Minimise J as it is, until the last iterations gain less than is wanted.

    Args:
        f: J.
        theta: where to start.
        aim: distance of J from its least value that is wanted.
        oracle: what answers for J.
        on_iteration: called after every iteration.

    Parallel: collective.
    """
    enough = gains_less(size=aim)
    return Corrected.of(minimise(f, theta, on_iteration=on_iteration, oracle=oracle, enough=enough))
