# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The density f of the state g that a sweep carries: f = L(g) with a limiter L, f = g without.

A limiter that does nothing is a limiter too, so that who carries states need not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mfresnet.arrays import Array
from mfresnet.mesh import Space


class Density(Protocol):
    """The densities of the states of all classes, with their first and second derivatives there."""

    @property
    def f(self) -> Array:
        """L(g), (classes, n_owned)."""

    def tangent(self, dg: Array) -> Array:
        """Return L'(g) dg, (classes, n_owned)."""

    def transpose(self, psi: Array) -> None:
        """Replace psi by the transpose of L'(g) in L2, (classes, n_owned)."""

    def transpose_tangent(self, dg: Array, psi: Array, dpsi: Array) -> None:
        """Replace psi as ``transpose`` does, and dpsi by its change along dg and dpsi."""

    def kept(self) -> Density:
        """Return the derivatives with memory of their own, for when that of g is used again."""


class Limiter(Protocol):
    """What makes a density of a state.

    Attributes:
        smooth: whether L is twice continuously differentiable.
        positive: whether L needs positive cell means, and gives densities that are positive.

    Parallel: ``start`` is collective, all else local.
    """

    smooth: bool
    positive: bool

    def packed(self, f: Array) -> Array:
        """Return fields (classes, n_owned) as states keep them, (classes, size)."""

    def unpacked(self, x: Array) -> Array:
        """Return fields that are kept as states, (classes, n_owned)."""

    def densities(self, states: Array) -> Array:
        """Return L(g), (classes, n_owned); it may be the array that was given."""

    def density(self, states: Array) -> Density:
        """Return L(g) with its derivatives; the states, (classes, n_owned), are not copied."""

    def least(self, f: Array) -> float:
        """Return the least value of a density at the points where L acts on this rank."""

    def start(self, f: Array) -> Array:
        """Return an initial density f such that L can be applied, (n_owned,). Collective."""


@dataclass(frozen=True)
class Same:
    """f = g.

    Attributes:
        f: the densities, (classes, n_owned).
    """

    f: Array

    def tangent(self, dg: Array) -> Array:
        """Return dg."""
        return dg

    def transpose(self, psi: Array) -> None:
        """Leave psi as it is."""

    def transpose_tangent(self, dg: Array, psi: Array, dpsi: Array) -> None:
        """Leave psi and dpsi as they are."""

    def kept(self) -> Same:
        """Return itself: the derivatives need no memory."""
        return self


class Unlimited:
    """The limiter that does nothing."""

    smooth, positive = True, False

    def __init__(self, space: Space) -> None:
        """Need nothing."""

    def packed(self, f: Array) -> Array:
        """Return f."""
        return f

    def unpacked(self, x: Array) -> Array:
        """Return x."""
        return x

    def densities(self, states: Array) -> Array:
        """Return the states."""
        return states

    def density(self, states: Array) -> Same:
        """Return the states."""
        return Same(states)

    def least(self, f: Array) -> float:
        """Return infinity: it acts nowhere."""
        return np.inf

    def start(self, f: Array) -> Array:
        """Return f."""
        return f
