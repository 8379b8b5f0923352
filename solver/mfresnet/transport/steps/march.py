# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Several time steps of a layer in one call, forward and back, and the tangents of both.

What a sweep carries from layer to layer are states, and what a march makes of them is its own
matter: their memory has ``size`` numbers a class, and f = L(g), see ``unlimited``, gives the
densities. A march of single steps is ``OneByOne``; ``fused`` has one that is compiled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mfresnet.arrays import Array
from mfresnet.transport.operator.coefficients import Coefficients
from mfresnet.transport.operator.transport import Transport
from mfresnet.transport.steps.step import Adjoint, Stages, Step
from mfresnet.transport.steps.unlimited import Density, Limiter


@dataclass(slots=True)
class Steps:
    """The coefficients in a layer and what steps in it leave for the way back; or changes of both.

    Where nothing is left for the way back, the steps share their memory.

    Attributes:
        a: the coefficients of the layer.
        y: the stages, (steps, classes, s, size); y[:, :, 0] are the states before the steps.
        left: mass that has left before each step, (steps, classes, n_exit).
        made: what a march has made of them for its own use, kept with them.
    """

    a: Coefficients
    y: Array
    left: Array
    made: Any = None


class March(Protocol):
    """The time steps of a layer.

    Attributes:
        dt: the time step.
        stages: number of fields s that a step leaves for each class.
        size: length of a state.

    Parallel: all that carries is collective, the rates and the norms are local.
    """

    dt: float
    stages: int
    size: int

    @property
    def limiter(self) -> Limiter:
        """L."""

    def forward(self, at: Steps, states: Array, left: Array) -> Array:
        """Make the steps.

        Args:
            at: the coefficients; stages and left are written.
            states: (classes, size), replaced.
            left: mass that has left through each boundary point, (classes, n_exit), added to.

        Returns:
            ``squares`` before every step, (steps, classes).
        """

    def tangent(self, at: Steps, along: Steps, states: Array, left: Array) -> None:
        """Make the tangents of the steps.

        Args:
            at: what ``forward`` has left.
            along: the change of the coefficients; the changes of the rest are written.
            states: change of the states, (classes, size), replaced.
            left: change of the mass that has left, (classes, n_exit), added to.
        """

    def transpose(self, at: Steps, adjoint: Adjoint, after: Density) -> Density:
        """Replace psi after the steps by psi before them, see ``Step.transpose``.

        Here psi is kept as the states are, (classes, size), see ``Limiter.packed``.

        Returns:
            The densities before the first of the steps.
        """

    def transpose_tangent(
        self,
        at: Steps,
        along: Steps,
        adjoint: Adjoint,
        change: Adjoint,
        after: Density,
        dafter: Array,
    ) -> Density:
        """Do the same for the change of what is carried, see ``Step.transpose_tangent``."""

    def squares(self, states: Array) -> Array:
        """Return the part of this rank in (g, g) of the states, (classes,)."""

    def rate(self, velocity: Array, a: Coefficients) -> float:
        """Return the least 1 / dt of a layer, see ``Step.rate``."""

    def rate_bound(self, velocity: float) -> float:
        """Return the least 1 / dt for bounded velocities, see ``Step.rate_bound``."""


class OneByOne:
    """The steps of a ``Step`` one after the other, a ``March``."""

    def __init__(self, transport: Transport, step: Step) -> None:
        """Keep the operator and the step."""
        self.step, self.dt, self.stages = step, step.dt, step.stages
        self.size, self._mass = transport.space.n_owned, transport.space.mass

    @property
    def limiter(self) -> Limiter:
        """That of the step."""
        return self.step.limiter

    def forward(self, at: Steps, states: Array, left: Array) -> Array:
        """Make the steps, see ``March.forward``."""
        norms = np.empty((len(at.y), len(states)))
        for y, before, squares in zip(at.y, at.left, norms, strict=True):
            y[:, 0], before[:], squares[:] = states, left, self.squares(states)
            self.step.forward(Stages(at.a, y), states, left)
        return norms

    def tangent(self, at: Steps, along: Steps, states: Array, left: Array) -> None:
        """Make the tangents, see ``March.tangent``."""
        for y, dy, before in zip(at.y, along.y, along.left, strict=True):
            dy[:, 0], before[:] = states, left
            self.step.tangent(Stages(at.a, y), Stages(along.a, dy), states, left)

    def transpose(self, at: Steps, adjoint: Adjoint, after: Density) -> Density:
        """Go back through the steps, see ``March.transpose``."""
        for y in at.y[::-1]:
            after = self.step.transpose(Stages(at.a, y), adjoint, after)
        return after

    def transpose_tangent(
        self,
        at: Steps,
        along: Steps,
        adjoint: Adjoint,
        change: Adjoint,
        after: Density,
        dafter: Array,
    ) -> Density:
        """Go back with the changes, see ``March.transpose_tangent``."""
        for y, dy in zip(at.y[::-1], along.y[::-1], strict=True):
            here, there = Stages(at.a, y), Stages(along.a, dy)
            after = self.step.transpose_tangent(here, there, adjoint, change, after, dafter)
            dafter = dy[:, 0]
        return after

    def squares(self, states: Array) -> Array:
        """Return (g, g), see ``March.squares``."""
        return np.array([np.dot(row * row, self._mass) for row in states])

    def rate(self, velocity: Array, a: Coefficients) -> float:
        """Return that of the step."""
        return self.step.rate(velocity, a)

    def rate_bound(self, velocity: float) -> float:
        """Return that of the step."""
        return self.step.rate_bound(velocity)
