# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What an analytic density is: its values, random points, its box, and its law on the line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from mfresnet.arrays import Array
from mfresnet.data.laws.rules import Rule, box_rule
from mfresnet.errors import InputError
from mfresnet.schema import Model

HALVINGS = 60


class DensityKind(Model, ABC):
    """A density in closed form; a kind is a class with its parameters and a ``kind`` of its own.

    Attributes:
        part: whether a mixture may have it as a component.
        boxed: whether corners ``lower`` and ``upper`` that are left out are those of the mesh.
    """

    part: ClassVar[bool] = True
    boxed: ClassVar[bool] = False
    kind: Any

    @property
    def jumps(self) -> bool:
        """Whether it has jumps or kinks, so that it needs many quadrature points."""
        return True

    @abstractmethod
    def density(self, x: Array) -> Array:
        """Return the density at points x, (d, n) -> (n,)."""

    @abstractmethod
    def sample(self, n: int, rng: Generator) -> Array:
        """Return n random points, (d, n)."""

    @abstractmethod
    def extent(self) -> tuple[Array, Array]:
        """Return the corners of a box that holds the mass."""

    @abstractmethod
    def dimensions(self) -> dict[str, int]:
        """Return the dimension that each parameter implies."""

    def nodes(self, n: int) -> Rule:
        """Return about n points a direction, (d, m), with their masses, (m,), of sum one."""
        x, weights = box_rule(*self.extent(), n)
        mass = weights * self.density(x)
        return x, mass / mass.sum()

    def log_density(self, x: Array) -> Array:
        """Return the logarithm of the density at points x, (d, n) -> (n,)."""
        with np.errstate(divide="ignore"):
            return np.log(self.density(x))

    def normal(self) -> tuple[Array, Array] | None:
        """Return a and A for which a + A z has this density, z standard normal; None for none."""
        return None

    # ------------------------------------------------------------------ on the line
    def law(self) -> Any:
        """Return the distribution of scipy on the line.

        Raises:
            InputError: there is none.
        """
        raise InputError(
            f"density.kind: no quantiles on the line; got {self.kind}, expected a kind that has "
            "them. Draw samples at random."
        )

    def below(self, x: Array) -> Array:
        """Return the mass below points of the line, (n,) -> (n,)."""
        below: Array = self.law().cdf(x)
        return below

    def quantile(self, s: Array) -> Array:
        """Return where on the line the mass s is below, 0 < s < 1, (n,) -> (n,)."""
        quantile: Array = self.law().ppf(s)
        return quantile


def inverse(below: Callable[[Array], Array], s: Array, low: Array, high: Array) -> Array:
    """Return where a distribution function has the values s, by halving, (n,) -> (n,).

    Args:
        below: the distribution function.
        s: the values.
        low: points where it is smaller.
        high: points where it is larger.
    """
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        less = below(middle) < s
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return 0.5 * (low + high)
