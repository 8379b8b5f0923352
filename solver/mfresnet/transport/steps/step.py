# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a time step is to a sweep, with its exact transpose and the tangents of both.

A step S carries the states g of all classes over dt. It starts from the densities f = L(g) of
``unlimited``, so that steps with the same L may follow one another:

    g_{n+1} = S(f_n) ,      f_n = L(g_n) .                                                  (18)

A tangent is the derivative along a change da of the coefficients (A is linear in them, so that
A' = A(da)), a change dg of the state, and whatever follows.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from mfresnet.arrays import Array
from mfresnet.transport.operator.coefficients import Coefficients
from mfresnet.transport.steps.unlimited import Density, Limiter


class Stages(NamedTuple):
    """The coefficients in one step and what it leaves for the way back; or a change of both.

    Attributes:
        a: the coefficients of the layer.
        y: the stages, (classes, s, n_owned); y[:, 0] is the state before the step.
    """

    a: Coefficients
    y: Array


class Adjoint(NamedTuple):
    """What the way back carries; or a change of it.

    Attributes:
        psi: the adjoint fields of the densities, (classes, n_owned), overwritten.
        source: cost of the outflow times the weights at boundary points, (classes, n_exit).
        weights: factors of the sensitivities, pi_k, (classes,).
        sensitivity: derivative of J in the coefficients of the layer, added to.
    """

    psi: Array
    source: Array
    weights: Array
    sensitivity: Coefficients


class Step(Protocol):
    """One time step of all classes.

    Attributes:
        dt: the time step.
        stages: number of fields s that a step leaves for each class.

    Parallel: all that carries is collective, the rates are local.
    """

    dt: float
    stages: int

    @property
    def limiter(self) -> Limiter:
        """L."""

    def forward(self, at: Stages, out: Array, left: Array) -> None:
        """Make one step.

        Args:
            at: the coefficients; y[:, 0] is read, the other stages are written.
            out: where the new states go, (classes, n_owned).
            left: mass that has left through each boundary point, (classes, n_exit), added to: the
                increment of the total mass is minus what is added, exactly.
        """

    def tangent(self, at: Stages, along: Stages, out: Array, left: Array) -> None:
        """Make the tangent of ``forward``.

        Args:
            at: what ``forward`` has left.
            along: the change of the coefficients; y[:, 0], that of the state, is read, the changes
                of the other stages are written.
            out: where the change of the new states goes, (classes, n_owned).
            left: change of the mass that has left, (classes, n_exit), added to.
        """

    def transpose(self, at: Stages, adjoint: Adjoint, after: Density) -> Density:
        """Replace psi after the step by psi before it, the transpose of ``tangent`` in L2.

        Args:
            at: what ``forward`` has left.
            adjoint: what is carried.
            after: the densities after the step.

        Returns:
            The densities before the step.
        """

    def transpose_tangent(
        self,
        at: Stages,
        along: Stages,
        adjoint: Adjoint,
        change: Adjoint,
        after: Density,
        dafter: Array,
    ) -> Density:
        """Do what ``transpose`` does and the same for the change of what is carried.

        Args:
            at: what ``forward`` has left.
            along: what ``tangent`` has left.
            adjoint: what is carried.
            change: its change.
            after: the densities after the step.
            dafter: the change of the states after the step, (classes, n_owned).

        Returns:
            The densities before the step.
        """

    def rate(self, velocity: Array, a: Coefficients) -> float:
        """Return the least 1 / dt of a layer on this rank, infinity where it is not finite.

        Args:
            velocity: v at the points of the operator, (d, n).
            a: the coefficients of v.
        """

    def rate_bound(self, velocity: float) -> float:
        """Return the least 1 / dt on this rank for velocities with |v_i| <= ``velocity``.

        For those that do not change their sign inside a cell; ``rate`` tells.
        """
