# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Checks that a user can run: the Taylor test of the derivative and of the Hessian action."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array
from mfresnet.columns import plain


@dataclass(frozen=True)
class TaylorTest:
    """Remainders of J along a direction h at decreasing steps e, and their rates.

    Attributes:
        steps: e.
        remainders: row k holds |J(theta + e h) minus its Taylor polynomial of order k|, of order
            e^(k+1); k = 0, 1, and 2 when the Hessian action was given, (k, steps).
    """

    steps: Array
    remainders: Array

    def rates(self) -> Array:
        """Return the observed orders of each remainder between neighbouring steps."""
        return np.diff(np.log(self.remainders), axis=1) / np.diff(np.log(self.steps))

    def as_text(self) -> str:
        """Return the remainders and rates as lines of text."""
        orders = range(len(self.remainders))
        titles = ["step", *(f"R{k}" for k in orders), *(f"rate R{k}" for k in orders)]
        rates = [["" for _ in orders], *([f"{r:.3f}" for r in row] for row in self.rates().T)]
        rows = [
            [f"{e:.2e}", *(f"{r:.4e}" for r in row), *rate]
            for e, row, rate in zip(self.steps, self.remainders.T, rates, strict=True)
        ]
        return plain(rows, "n" * len(titles), titles)


def taylor_test(
    value: Callable[[Array], float],
    derivative: Callable[[Array], Array],
    theta: Array,
    direction: Array,
    steps: Sequence[float] = (1e-2, 5e-3, 2.5e-3, 1.25e-3),
    hessian_action: Callable[[Array, Array], Array] | None = None,
) -> TaylorTest:
    """Return the Taylor remainders of J at theta.

    Args:
        value: J.
        derivative: dJ, the dual vector.
        theta: where, (n,).
        direction: h, (n,), the same on all ranks.
        steps: decreasing e.
        hessian_action: (theta, h) -> J'' h, for the remainder of third order.

    Parallel: collective when ``value`` is.
    """
    j, slope = value(theta), float(derivative(theta) @ direction)
    e = np.array(steps)
    remainders = [np.array([value(theta + step * direction) - j for step in steps])]
    remainders.append(remainders[0] - e * slope)
    if hessian_action is not None:
        curvature = float(hessian_action(theta, direction) @ direction)
        remainders.append(remainders[1] - 0.5 * e**2 * curvature)
    return TaylorTest(e, np.abs(remainders))
