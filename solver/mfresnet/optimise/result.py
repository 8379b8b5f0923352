# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What an optimiser needs of J, what it finds, and why it stops."""

from __future__ import annotations

from mpi4py import MPI

import math
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from mfresnet.arrays import Array

PATIENCE, ROUNDING = 10, 1e-14
"""Iterations without a relative gain of J above rounding, or of the gradient, before a stop."""


class Training(Protocol):
    """How J is minimised: the section [training] of a case."""

    @property
    def method(self) -> str:
        """A name in ``METHODS``."""

    @property
    def max_iterations(self) -> int:
        """Most iterations."""

    @property
    def gradient_tolerance(self) -> float:
        """L2(0, T) norm of the gradient at which J counts as least."""

    @property
    def lower(self) -> float | None:
        """Lower bound on every control."""

    @property
    def upper(self) -> float | None:
        """Upper bound on every control."""


class InnerProduct(Protocol):
    """The inner product sum_i weights_i theta_i eta_i of the controls, that of L2(0, T)."""

    @property
    def size(self) -> int:
        """Number of controls."""

    @property
    def weights(self) -> Array:
        """The weights, (size,)."""

    def riesz(self, derivative: Array) -> Array:
        """Return the gradient of a derivative."""

    def norm(self, theta: Array) -> float:
        """Return the norm of controls."""


class Functional(Protocol):
    """A function J of flat controls theta, (size,), the same on all ranks.

    Attributes:
        theta0: the initial controls.
        forward_sweeps: number of forward sweeps so far.
        adjoint_sweeps: number of backward sweeps so far.
        hessian_actions: number of Hessian actions so far.
        steps_per_layer: time steps in a layer.

    Parallel: every method is collective.
    """

    theta0: Array
    forward_sweeps: int
    adjoint_sweeps: int
    hessian_actions: int
    steps_per_layer: int

    @property
    def comm(self) -> MPI.Intracomm:
        """The communicator."""

    @property
    def controls(self) -> InnerProduct:
        """The space of the controls."""

    @property
    def training(self) -> Training:
        """How J is minimised."""

    @property
    def steps_given(self) -> bool:
        """Whether the number of steps is the user's, so that it must not be raised."""

    def value(self, theta: Array, *, fixed_steps: bool = False) -> float:
        """Return J(theta); raise StepsError where it needs more steps and they are fixed."""

    def derivative(self, theta: Array) -> Array:
        """Return the derivative at theta, a dual vector."""

    def hessian_action(self, theta: Array, h: Array) -> Array:
        """Return J''(theta) h, a dual vector."""

    def least_hamiltonian(self, theta: Array) -> Array:
        """Return the minimiser of the Hamiltonian along the sweeps of theta."""

    def steps_for(self, theta: Array) -> int:
        """Return how many time steps a layer needs with theta."""

    def make_room(self, needed: int) -> None:
        """Raise the time steps in a layer above ``needed`` where there are fewer."""


class Status(Enum):
    """Why the optimiser stopped; the value is what the user reads."""

    CONVERGED = "The gradient norm is below the tolerance."
    ACCURATE = "The accuracy that was asked for is reached."
    ENOUGH = "The objective falls by less than this mesh is worth."
    INACCURATE = "Not converged: the accuracy that was asked for is not reached."
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

    @property
    def good(self) -> bool:
        """Whether it is what was asked for."""
        return self in (Status.CONVERGED, Status.ACCURATE)


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
        excess: how far J is from its least value near by, as the derivatives on the way say;
            infinity where they say nothing.
    """

    theta: Array
    value: float
    gradient_norm: float
    status: Status
    history: tuple[Iteration, ...]
    refused: tuple[str, ...] = ()
    excess: float = math.inf

    @property
    def iterations(self) -> int:
        """Number of iterations."""
        return self.history[-1].iteration if self.history else 0

    @property
    def converged(self) -> bool:
        """Whether the gradient tolerance was met, or the accuracy where one was asked for."""
        return self.status.good

    @property
    def message(self) -> str:
        """One sentence for the user, with the last cause of a refused trial point."""
        if self.converged or not self.refused:
            return self.status.value
        return f"{self.status.value} The last refused trial point: {self.refused[-1]}"
