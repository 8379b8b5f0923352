# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What every optimiser shares: what it asks, what it records, and why it stops."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from mfresnet.arrays import Array
from mfresnet.cfl import StepsError
from mfresnet.errors import SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.hamiltonian import Hamiltonian
from mfresnet.parallel import together
from mfresnet.particle_functional import ParticleFunctional

Functional = ReducedFunctional | ParticleFunctional
"""J of densities, or of samples."""
CLOSE = 4
"""A trial point with more than this many times the steps of the best iterate is refused."""
PATIENCE, ROUNDING = 10, 1e-14
"""Iterations without a relative gain of J above rounding, or of the gradient, before a stop."""


class Status(Enum):
    """Why the optimiser stopped; the value is what the user reads."""

    CONVERGED = "The gradient norm is below the tolerance."
    ITERATIONS = "Not converged: the iteration limit was reached. Raise training.max_iterations."
    STAGNATED = (
        f"Not converged: neither objective nor gradient norm has improved in {PATIENCE} "
        "iterations. Raise training.gradient_tolerance or refine time and mesh."
    )
    LINE_SEARCH = (
        "Not converged: no lower objective along the search direction. "
        "Raise training.gradient_tolerance or refine time and mesh."
    )
    NON_FINITE = (
        "Not converged: the objective is not finite at the last trial points. Add bounds "
        "training.lower and training.upper or raise penalty.tikhonov."
    )
    DIVERGED = "Not converged: the optimiser has given up. Try another training.method."
    OTHER_TEST = (
        "Not converged to the gradient tolerance: another stopping test of TAO was met. "
        "Check the -tao_ options."
    )


@dataclass(frozen=True)
class Iteration:
    """One iterate: number, J, L2(0, T) norm of its gradient, work and seconds so far."""

    iteration: int
    objective: float
    gradient_norm: float
    forward_sweeps: int
    adjoint_sweeps: int
    hessian_actions: int
    seconds: float


@dataclass(frozen=True)
class OptimiseResult:
    """What ``minimise`` found.

    Attributes:
        theta: the controls, (size,).
        value: J there.
        gradient_norm: L2(0, T) norm of the gradient; with bounds, of the projected gradient.
        status: why it stopped.
        history: the iterates.
        refused: sentences for trial points at which J could not be computed, most recent last.
    """

    theta: Array
    value: float
    gradient_norm: float
    status: Status
    history: tuple[Iteration, ...]
    refused: tuple[str, ...] = ()

    @property
    def iterations(self) -> int:
        """Number of iterations."""
        return self.history[-1].iteration

    @property
    def converged(self) -> bool:
        """Whether the gradient tolerance was met."""
        return self.status is Status.CONVERGED

    @property
    def message(self) -> str:
        """One sentence for the user, with the last cause of a refused trial point."""
        if self.converged or not self.refused:
            return self.status.value
        return f"{self.status.value} The last refused trial point: {self.refused[-1]}"


class Oracle:
    """What an optimiser asks of J; another one may answer from a log."""

    def evaluate(self, functional: Functional, theta: Array) -> tuple[float, Array]:
        """Return J and its derivative at theta."""
        return functional.value(theta), functional.derivative(theta)

    def hessian_action(self, functional: Functional, theta: Array, h: Array) -> Array:
        """Return J''(theta) h."""
        return functional.hessian_action(theta, h)

    def least_hamiltonian(self, functional: Functional, theta: Array) -> Array:
        """Return the controls of the least Hamiltonian with the densities and adjoints of theta."""
        assert isinstance(functional, ReducedFunctional)  # samples refuse this method
        return Hamiltonian(functional, theta).minimiser()


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
    """

    def __init__(
        self,
        functional: Functional,
        theta0: Array | None,
        on_iteration: Callable[[Iteration], None] | None,
        oracle: Oracle,
    ) -> None:
        """Begin at theta0, moved into the bounds."""
        training = functional.case.training
        self.functional, self.oracle, self._on_iteration = functional, oracle, on_iteration
        self.lower = -np.inf if training.lower is None else training.lower
        self.upper = np.inf if training.upper is None else training.upper
        self.theta = self.project(functional.theta0 if theta0 is None else theta0)
        self.history: list[Iteration] = []
        self.refused: list[str] = []
        self._blocked = False
        self._start = time.perf_counter()
        self.begin()

    @property
    def bounded(self) -> bool:
        """Whether the controls have bounds."""
        return bool(np.isfinite(self.lower) or np.isfinite(self.upper))

    def project(self, theta: Array) -> Array:
        """Return theta moved into the bounds."""
        return np.clip(theta, self.lower, self.upper)

    def begin(self) -> None:
        """Start, or start again, from the best iterate."""
        self.offset = self.history[-1].iteration if self.history else 0
        self.best, self._gains = np.inf, 0
        self._least = [np.inf, np.inf]

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
        if value < self.best:
            self.best, self.theta = value, theta
        return value, derivative

    def _restarts(self, error: SolveError) -> bool:
        if not isinstance(error, StepsError):
            return False
        if self.functional.case.time.steps_per_layer is not None:
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

    def result(self, theta: Array, value: float, norm: float, status: Status) -> OptimiseResult:
        """Return what was found."""
        if status is Status.LINE_SEARCH and self._blocked:
            status = Status.NON_FINITE
        history, refused = tuple(self.history), tuple(self.refused)
        return OptimiseResult(theta, float(value), float(norm), status, history, refused)
