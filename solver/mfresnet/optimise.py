# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Minimisation of J by PETSc TAO in the inner product of L2(0, T)."""

from __future__ import annotations

from petsc4py import PETSc

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import InputError, SolveError, lookup
from mfresnet.functional import ReducedFunctional
from mfresnet.methods import METHODS
from mfresnet.sweep import StepsError

RAISE = 1.25
"""Factor on the steps that a violated CFL condition asks for, before the restart."""
CLOSE = 4
"""A trial point that needs more than this many times the steps is refused instead."""
LOWEST = 1e200
"""Minus this, with a zero gradient, is what TAO gets when it has to stop."""


class Status(Enum):
    """Why the optimiser stopped; the value is what the user reads."""

    CONVERGED = "The gradient norm is below the tolerance."
    ITERATIONS = "Not converged: the iteration limit was reached. Raise training.max_iterations."
    LINE_SEARCH = (
        "Not converged: no lower objective along the search direction. "
        "Raise training.gradient_tolerance or refine time and mesh."
    )
    DIVERGED = "Not converged: the optimiser has given up. Try another training.method."
    OTHER_TEST = (
        "Not converged to the gradient tolerance: another stopping test of TAO was met. "
        "Check the -tao_ options."
    )


@dataclass(frozen=True)
class Iteration:
    """One iterate: number, J, L2(0, T) norm of its gradient, sweeps and seconds so far."""

    iteration: int
    objective: float
    gradient_norm: float
    forward_sweeps: int
    adjoint_sweeps: int
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


Evaluate = Callable[[ReducedFunctional, Array], tuple[float, Array]]


def evaluate(functional: ReducedFunctional, theta: Array) -> tuple[float, Array]:
    """Return J and its derivative at theta."""
    return functional.value(theta), functional.derivative(theta)


def minimise(
    functional: ReducedFunctional,
    theta0: Array | None = None,
    *,
    on_iteration: Callable[[Iteration], None] | None = None,
    evaluate: Evaluate = evaluate,
) -> OptimiseResult:
    """Minimise J(theta) as the [training] section of the case says.

    TAO works on z = sqrt(weights) theta, so that its Euclidean inner product is that of L2(0, T).
    Options ``-tao_...`` of PETSc's database apply. When a trial point asks for more time steps
    than a layer has, their number is raised and TAO starts again from the best iterate.

    Args:
        functional: J.
        theta0: where to start, ``functional.theta0`` when not given.
        on_iteration: called after every iteration, on all ranks.
        evaluate: returns J and its derivative; another one may answer from a log.

    Raises:
        InputError: a method that is unknown or needs what it does not get.
        SolveError: J cannot be computed at theta0.
        StepsError: the case gives a number of time steps that is too small at theta0.

    Parallel: collective. All controls live on rank 0 of PETSc's vectors, so that the iterates do
    not depend on the number of ranks.
    """
    run = _Run(functional, theta0, on_iteration, evaluate)
    while True:
        try:
            return run.solve()
        except StepsError as error:
            if functional.case.time.steps_per_layer is not None:
                raise
            functional.set_steps(int(np.ceil(RAISE * error.needed)))


class _Run:
    """The state of one minimisation over the restarts of TAO."""

    def __init__(
        self,
        functional: ReducedFunctional,
        theta0: Array | None,
        on_iteration: Callable[[Iteration], None] | None,
        evaluate: Evaluate,
    ) -> None:
        self.functional, self.on_iteration, self.evaluate = functional, on_iteration, evaluate
        self.theta = (functional.theta0 if theta0 is None else theta0).copy()
        self.scale = np.sqrt(functional.controls.weights)
        self.history: list[Iteration] = []
        self.refused: list[str] = []
        self.best = np.inf
        self.error: BaseException | None = None
        self.start = time.perf_counter()

    def solve(self) -> OptimiseResult:
        """Run TAO once from the best iterate."""
        functional = self.functional
        comm, training = functional.comm, functional.case.training
        n = functional.controls.size
        self.offset = self.history[-1].iteration if self.history else 0
        self.best = np.inf
        z = PETSc.Vec().createMPI((n if comm.rank == 0 else 0, n), comm=comm)
        gradient = z.duplicate()
        tao = PETSc.TAO().create(comm)
        owned = [z, gradient]
        try:
            tao.setType(training.method)
            tao.setObjectiveGradient(self._objective_gradient, gradient)
            tao.setMonitor(self._monitor)
            tao.setTolerances(gatol=training.gradient_tolerance, grtol=0.0, gttol=0.0)
            tao.setMaximumIterations(training.max_iterations - self.offset)
            if training.lower is not None or training.upper is not None:
                owned += self._set_bounds(tao, z)
            self._put(z, self.theta * self.scale)
            tao.setSolution(z)
            tao.setFromOptions()
            self._check_type(tao)
            tao.solve()
            if self.error is not None:
                error, self.error = self.error, None
                raise error
            theta = self._get(z) / self.scale
            _, value, norm, *_ = tao.getSolutionStatus()
            status = self._status(tao)
        finally:
            tao.destroy()
            for vector in owned:
                vector.destroy()
        history, refused = tuple(self.history), tuple(self.refused)
        return OptimiseResult(theta, float(value), float(norm), status, history, refused)

    def _set_bounds(self, tao: PETSc.TAO, z: PETSc.Vec) -> list[PETSc.Vec]:
        training, bounds = self.functional.case.training, []
        for value, infinite in ((training.lower, -np.inf), (training.upper, np.inf)):
            bound = z.duplicate()
            self._put(bound, (infinite if value is None else value) * self.scale)
            bounds.append(bound)
        self.theta = np.clip(self.theta, training.lower, training.upper)
        tao.setVariableBounds(*bounds)
        return bounds

    def _check_type(self, tao: PETSc.TAO) -> None:
        name = tao.getType()
        method = lookup(METHODS, name, "-tao_type")
        training = self.functional.case.training
        if (training.lower is not None or training.upper is not None) and not method.bounds:
            raise InputError(
                f"-tao_type: cannot keep training.lower and training.upper; got {name}, expected "
                f"one of {', '.join(n for n, m in METHODS.items() if m.bounds)}. Choose one."
            )

    # ------------------------------------------------------------------ vectors on rank 0
    def _put(self, vector: PETSc.Vec, values: Array) -> None:
        # On every rank, also with no entries: PETSc keeps norms until a vector is touched, and a
        # rank that still has one would miss the reduction of the others.
        vector.setArray(values[: vector.local_size])

    def _get(self, vector: PETSc.Vec) -> Array:
        values = np.empty(vector.size)
        if self.functional.comm.rank == 0:
            values[:] = vector.array_r
        self.functional.comm.Bcast(values, root=0)
        return values

    # ------------------------------------------------------------------ callbacks
    # No exception leaves a callback: PETSc runs code between the place where Python's error is set
    # and the place where it is read, and a garbage collection there ends in a crash.
    def _objective_gradient(self, tao: PETSc.TAO, z: PETSc.Vec, gradient: PETSc.Vec) -> float:
        if self.error is not None:
            return self._end(tao, self.error, gradient)
        theta = self._get(z) / self.scale
        try:
            value, derivative = self.evaluate(self.functional, theta)
        except StepsError as error:
            first = not np.isfinite(self.best)
            given = self.functional.case.time.steps_per_layer is not None
            close = error.needed <= CLOSE * self.functional.steps_per_layer
            if first or (close and not given):
                return self._end(tao, error, gradient)
            return self._refuse(error, gradient)
        except SolveError as error:
            if not np.isfinite(self.best):
                return self._end(tao, error, gradient)
            return self._refuse(error, gradient)
        except BaseException as error:
            return self._end(tao, error, gradient)
        if value < self.best:
            self.best, self.theta = value, theta
        self._put(gradient, derivative / self.scale)
        return value

    def _refuse(self, error: SolveError, gradient: PETSc.Vec) -> float:
        """Return a large finite J, from which the line search steps back, and keep the cause."""
        self.refused.append(str(error))
        gradient.zeroEntries()
        return 1e6 * (1.0 + abs(self.best))

    def _end(self, tao: PETSc.TAO, error: BaseException, gradient: PETSc.Vec) -> float:
        """Keep an error that ``solve`` raises, and return a J at which every TAO type stops."""
        self.error = error
        tao.setConvergedReason(PETSc.TAO.ConvergedReason.DIVERGED_USER)
        gradient.zeroEntries()
        return -LOWEST

    def _monitor(self, tao: PETSc.TAO) -> None:
        iteration, value, norm, *_ = tao.getSolutionStatus()
        if self.error is not None or (self.history and iteration == 0):
            return
        row = Iteration(
            iteration + self.offset,
            float(value),
            float(norm),
            self.functional.forward_sweeps,
            self.functional.adjoint_sweeps,
            time.perf_counter() - self.start,
        )
        self.history.append(row)
        if self.on_iteration is not None:
            try:
                self.on_iteration(row)
            except BaseException as error:
                self.error = error
                tao.setConvergedReason(PETSc.TAO.ConvergedReason.DIVERGED_USER)

    def _status(self, tao: PETSc.TAO) -> Status:
        reason = tao.getConvergedReason()
        reasons = PETSc.TAO.ConvergedReason
        if reason == reasons.CONVERGED_GATOL:
            return Status.CONVERGED
        if reason in (reasons.DIVERGED_MAXITS, reasons.DIVERGED_MAXFCN):
            return Status.ITERATIONS
        if reason in (reasons.DIVERGED_LS_FAILURE, reasons.DIVERGED_TR_REDUCTION):
            return Status.LINE_SEARCH
        return Status.OTHER_TEST if reason > 0 else Status.DIVERGED
