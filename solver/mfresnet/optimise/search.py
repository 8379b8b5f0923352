# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What every optimiser shares: what it asks of J, and what it keeps while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import SolveError, StepsError
from mfresnet.optimise.curvature import Memory
from mfresnet.optimise.result import (
    PATIENCE,
    ROUNDING,
    Functional,
    Iteration,
    OptimiseResult,
    Status,
)
from mfresnet.parallel import together

CLOSE = 4
"""A trial point with more than this many times the steps of the best iterate is refused."""


class Oracle:
    """What an optimiser asks of J; another one may answer from a log."""

    def evaluate(self, functional: Functional, theta: Array) -> tuple[float, Array]:
        """Return J and its derivative at theta."""
        value = functional.value(theta, fixed_steps=True)
        return value, functional.derivative(theta)

    def hessian_action(self, functional: Functional, theta: Array, h: Array) -> Array:
        """Return J''(theta) h."""
        return functional.hessian_action(theta, h)

    def least_hamiltonian(self, functional: Functional, theta: Array) -> Array:
        """Return the controls of the least Hamiltonian with the densities and adjoints of theta."""
        return functional.least_hamiltonian(theta)


class Search:
    """The state of one minimisation over its restarts.

    Attributes:
        functional: J.
        oracle: what answers for it.
        theta: the best controls so far.
        best: J there, infinity before the first evaluation of a start.
        history: the iterates.
        refused: causes of trial points at which J could not be computed.
        offset: number of the iteration at which the present start began.
        memory: what is known of J''.
        recycled: whether the optimiser begins with what it has learnt of the J before.
    """

    def __init__(
        self,
        functional: Functional,
        theta0: Array | None,
        on_iteration: Callable[[Iteration], None] | None,
        oracle: Oracle,
        enough: Enough | None = None,
        memory: Memory | None = None,
    ) -> None:
        """Begin at theta0, moved into the bounds."""
        self.recycled, self.memory = memory is not None, memory or Memory()
        training = functional.training
        self.functional, self.oracle, self._on_iteration = functional, oracle, on_iteration
        self._enough = enough
        self.lower = -np.inf if training.lower is None else training.lower
        self.upper = np.inf if training.upper is None else training.upper
        self.theta = self.project(functional.theta0 if theta0 is None else theta0)
        self.history: list[Iteration] = []
        self.refused: list[str] = []
        self._blocked = False
        self._scale = np.sqrt(functional.controls.weights)
        self._derivative: Array | None = None
        self._start = time.perf_counter()
        self.begin()

    @property
    def bounded(self) -> bool:
        """Whether the controls have bounds."""
        return bool(np.isfinite(self.lower) or np.isfinite(self.upper))

    def project(self, theta: Array) -> Array:
        """Return theta moved into the bounds."""
        return np.clip(theta, self.lower, self.upper)

    def norm(self, theta: Array, derivative: Array) -> float:
        """Return the L2(0, T) norm of the gradient, with bounds of the projected gradient."""
        controls = self.functional.controls
        return controls.norm(self.project(theta - controls.riesz(derivative)) - theta)

    def begin(self) -> None:
        """Start, or start again, from the best iterate."""
        self.offset = self.history[-1].iteration if self.history else 0
        self.best, self._gains = np.inf, 0
        self._least = [np.inf, np.inf]
        self.memory.cut()

    def evaluate(self, theta: Array) -> tuple[float, Array] | None:
        """Return J and its derivative; None when they cannot be computed, with the cause kept.

        Raises:
            StepsError: more time steps are needed, and start again.
            SolveError: J cannot be computed where the start begins.
        """
        try:
            with together(self.functional.comm):
                value, derivative = self.oracle.evaluate(self.functional, theta)
        except SolveError as error:
            if not np.isfinite(self.best) or self._restarts(error):
                raise
            self.refused.append(str(error))
            self._blocked = not isinstance(error, StepsError)
            return None
        self._blocked = False
        self.memory.see(theta * self._scale, derivative / self._scale)
        if value < self.best:
            self.best, self.theta, self._derivative = value, theta, derivative
        return value, derivative

    @property
    def excess(self) -> float:
        """How far J is from its least value near by, see ``Memory``; at least the last gain."""
        theta, derivative = self.theta, self._derivative
        if derivative is None or not self.history:
            return np.inf
        held = (theta <= self.lower) & (derivative > 0.0)
        held |= (theta >= self.upper) & (derivative < 0.0)
        before, now = (self.history[i].objective for i in (-min(2, len(self.history)), -1))
        return max(self.memory.excess(np.where(held, 0.0, derivative) / self._scale), before - now)

    def _restarts(self, error: SolveError) -> bool:
        if not isinstance(error, StepsError):
            return False
        if self.functional.steps_given:
            return False
        return error.needed <= CLOSE * self.functional.steps_for(self.theta)

    def record(self, iteration: int, value: float, norm: float) -> None:
        """Append an iterate to the history; a restart's first one is there already."""
        if self.history and iteration == 0:
            return
        f = self.functional
        row = Iteration(
            iteration + self.offset,
            float(value),
            float(norm),
            f.forward_sweeps,
            f.adjoint_sweeps,
            f.hessian_actions,
            time.perf_counter() - self._start,
        )
        self.history.append(row)
        self._count_gains(row)
        if self._on_iteration is not None:
            self._on_iteration(row)

    def _count_gains(self, row: Iteration) -> None:
        value, norm = self._least
        gain = row.objective < value - ROUNDING * abs(value) or row.gradient_norm < norm
        self._gains = 0 if gain else self._gains + 1
        self._least = [min(value, row.objective), min(norm, row.gradient_norm)]

    @property
    def stagnated(self) -> bool:
        """Whether there was no gain for ``PATIENCE`` iterations."""
        return self._gains >= PATIENCE

    @property
    def over(self) -> Status | None:
        """Why to stop after an iteration, where it is not for a small gradient."""
        if self._enough is not None and self._enough(self):
            return Status.ENOUGH
        return Status.STAGNATED if self.stagnated else None

    def result(self, theta: Array, value: float, norm: float, status: Status) -> OptimiseResult:
        """Return what was found."""
        if status is Status.LINE_SEARCH and self._blocked:
            status = Status.NON_FINITE
        history, refused = tuple(self.history), tuple(self.refused)
        return OptimiseResult(
            theta, float(value), float(norm), status, history, refused, self.excess
        )


Enough = Callable[[Search], bool]
"""(The search so far) -> whether what is left is not worth it."""


@dataclass(frozen=True)
class Method:
    """One optimiser.

    Attributes:
        run: minimises, from the best iterate of a search.
        bounds: whether it keeps bounds on the controls.
        hessian: whether it needs Hessian actions.
        frozen: whether it minimises the Hamiltonian, for which the derivative in the coefficients
            of every layer is kept: only densities have one, and it has a least value only with
            bounds or the Tikhonov penalty.
        bounded_twin: the method in its place where there are bounds that it does not keep.
    """

    run: Callable[[Search], OptimiseResult]
    bounds: bool = False
    hessian: bool = False
    frozen: bool = False
    bounded_twin: str | None = None
