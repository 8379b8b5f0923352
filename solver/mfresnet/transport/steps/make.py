# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How the step of a sweep is made: of one term of the equation, or of several in turn."""

from __future__ import annotations

from collections.abc import Sequence

from mfresnet.arrays import Array
from mfresnet.network import Scheme
from mfresnet.transport.fused.march import FusedMarch
from mfresnet.transport.fused.transport import FusedTransport
from mfresnet.transport.operator.coefficients import Coefficients
from mfresnet.transport.operator.transport import Transport
from mfresnet.transport.steps.horner import HornerStep
from mfresnet.transport.steps.limited import LimitedStep
from mfresnet.transport.steps.limiter import ZhangShu
from mfresnet.transport.steps.march import March, OneByOne
from mfresnet.transport.steps.step import Adjoint, Stages, Step
from mfresnet.transport.steps.unlimited import Density, Limiter


def make_march(transport: Transport, scheme: Scheme, dt: float, limiter: Limiter) -> March:
    """Return the steps of a layer: compiled where operator and limiter allow it, or one by one.

    Args:
        transport: the operator.
        scheme: the scheme.
        dt: the time step.
        limiter: L.
    """
    if isinstance(transport, FusedTransport) and not isinstance(limiter, ZhangShu):
        return FusedMarch(transport, scheme, dt)
    return OneByOne(transport, make_step(transport, scheme, dt, limiter))


def make_step(transport: Transport, scheme: Scheme, dt: float, limiter: Limiter) -> Step:
    """Return the step of the continuity equation with its operator.

    Args:
        transport: the operator.
        scheme: the scheme.
        dt: the time step.
        limiter: L.
    """
    if isinstance(limiter, ZhangShu):
        return LimitedStep(transport, scheme, dt, limiter)
    return HornerStep(transport, scheme, dt, limiter)


class Split:
    """The steps S_1, ..., S_n of several terms in turn, a ``Step``.

        g_{n+1} = S_n( L( ... S_1( L(g_n) ) ) ) .                                           (19)

    The states between them are the first stages of the steps. Of second order in dt where the
    terms are symmetric, as [half a step of one, a step of the other, half a step of the one] are.
    """

    def __init__(self, steps: Sequence[Step], dt: float) -> None:
        """Keep the steps, all with the same limiter, that make a step dt of the equation."""
        self.steps, self.dt, self.limiter = tuple(steps), dt, steps[0].limiter
        self.stages = sum(step.stages for step in steps)
        ends = [sum(step.stages for step in steps[: i + 1]) for i in range(len(steps))]
        self._parts = [slice(i - step.stages, i) for step, i in zip(steps, ends, strict=True)]

    def _each(self, stages: Stages) -> list[Stages]:
        """Return the stages of every step."""
        return [Stages(stages.a, stages.y[:, part]) for part in self._parts]

    @staticmethod
    def _ends(each: Sequence[Stages], out: Array) -> list[Array]:
        """Return where the states after every step are."""
        return [*(stages.y[:, 0] for stages in each[1:]), out]

    def forward(self, at: Stages, out: Array, left: Array) -> None:
        """Make one step after the other, see ``Step.forward``."""
        each = self._each(at)
        for step, here, end in zip(self.steps, each, self._ends(each, out), strict=True):
            step.forward(here, end, left)

    def tangent(self, at: Stages, along: Stages, out: Array, left: Array) -> None:
        """Make the tangents one after the other, see ``Step.tangent``."""
        each, changes = self._each(at), self._each(along)
        parts = zip(self.steps, each, changes, self._ends(changes, out), strict=True)
        for step, here, there, end in parts:
            step.tangent(here, there, end, left)

    def transpose(self, at: Stages, adjoint: Adjoint, after: Density) -> Density:
        """Go through the steps in the other order, see ``Step.transpose``."""
        for step, here in reversed(list(zip(self.steps, self._each(at), strict=True))):
            after = step.transpose(here, adjoint, after)
        return after

    def transpose_tangent(
        self,
        at: Stages,
        along: Stages,
        adjoint: Adjoint,
        change: Adjoint,
        after: Density,
        dafter: Array,
    ) -> Density:
        """Go through the steps in the other order, see ``Step.transpose_tangent``."""
        each, changes = self._each(at), self._each(along)
        parts = list(zip(self.steps, each, changes, self._ends(changes, dafter), strict=True))
        for step, here, there, end in reversed(parts):
            after = step.transpose_tangent(here, there, adjoint, change, after, end)
        return after

    def rate(self, velocity: Array, a: Coefficients) -> float:
        """Return the largest rate; that of a part of dt must be scaled by it already."""
        return max(step.rate(velocity, a) for step in self.steps)

    def rate_bound(self, velocity: float) -> float:
        """Return the largest bound."""
        return max(step.rate_bound(velocity) for step in self.steps)
