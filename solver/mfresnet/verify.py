# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Checks that a user can run: the Taylor test of the derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array


@dataclass(frozen=True)
class TaylorTest:
    """Remainders of J along a direction h at decreasing steps e, and their rates.

    Attributes:
        steps: e.
        zeroth: |J(theta + e h) - J(theta)|, of order e.
        first: |J(theta + e h) - J(theta) - e dJ[h]|, of order e^2.
    """

    steps: Array
    zeroth: Array
    first: Array

    def rates(self) -> tuple[Array, Array]:
        """Return the observed orders of both remainders between neighbouring steps."""
        scale = np.diff(np.log(self.steps))
        return np.diff(np.log(self.zeroth)) / scale, np.diff(np.log(self.first)) / scale

    def table(self) -> str:
        """Return the remainders and rates as lines of text."""
        lines = [f"{'step':>10} {'R0':>12} {'R1':>12} {'rate R0':>8} {'rate R1':>8}"]
        rates = [("", ""), *((f"{a:.3f}", f"{b:.3f}") for a, b in zip(*self.rates(), strict=True))]
        rows = zip(self.steps, self.zeroth, self.first, rates, strict=True)
        lines += [f"{e:10.2e} {r0:12.4e} {r1:12.4e} {a:>8} {b:>8}" for e, r0, r1, (a, b) in rows]
        return "\n".join(lines)


def taylor_test(
    value: Callable[[Array], float],
    derivative: Callable[[Array], Array],
    theta: Array,
    direction: Array,
    steps: Sequence[float] = (1e-2, 5e-3, 2.5e-3, 1.25e-3),
) -> TaylorTest:
    """Return the Taylor remainders of J at theta.

    Args:
        value: J.
        derivative: dJ, the dual vector.
        theta: where, (n,).
        direction: h, (n,), the same on all ranks.
        steps: decreasing e.

    Parallel: collective when ``value`` is.
    """
    j, slope = value(theta), float(derivative(theta) @ direction)
    difference = np.array([value(theta + e * direction) - j for e in steps])
    array = np.array(steps)
    return TaylorTest(array, np.abs(difference), np.abs(difference - array * slope))
