# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What the derivatives that were asked for say of J'', and of how far J is from its least value.

Two evaluations have a step s and a change y of the derivative, y = J'' s. The inverse of the BFGS
matrix of the last pairs, H, begins with the least curvature s y / (s, s) among them: in directions
that no step went along J is taken to be as flat as anywhere. Then, with the derivative g,

    J - least J near by ~ g H g / 2.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from scipy.optimize import LbfgsInvHessProduct

from mfresnet.arrays import Array

PAIRS, FEWEST = 20, 8
"""Pairs that are kept, and without which nothing is known where there are more controls."""
ROUNDED = 1e-12
"""Cosine between s and y below which a pair is noise."""


class Memory:
    """What one minimisation leaves for the next one, of a J with about the same J''.

    Attributes:
        optimiser: what TAO has, with its own pairs; None before its first run.
    """

    def __init__(self) -> None:
        """Begin with no pairs."""
        self._pairs: deque[tuple[Array, Array]] = deque(maxlen=PAIRS)
        self._last: tuple[Array, Array] | None = None
        self.optimiser: Any = None

    def cut(self) -> None:
        """Begin with another J: its derivatives are not subtracted from those of the one before."""
        self._last = None

    def see(self, z: Array, derivative: Array) -> None:
        """Take an evaluation, in coordinates in which the inner product is the Euclidean one."""
        if self._last is not None:
            s, y = z - self._last[0], derivative - self._last[1]
            if s @ y > ROUNDED * np.sqrt((s @ s) * (y @ y)):
                self._pairs.append((s, y))
        self._last = z, derivative

    def excess(self, derivative: Array) -> float:
        """Return g H g / 2; infinity where little is known of the curvature."""
        if len(self._pairs) < min(FEWEST, derivative.size):
            return np.inf if derivative.any() else 0.0
        steps, changes = (np.array(each) for each in zip(*self._pairs, strict=True))
        least = np.min(np.sum(steps * changes, 1) / np.sum(steps * steps, 1))
        # The product begins with the identity: coordinates in which the least curvature is one.
        scaled = derivative / np.sqrt(least)
        product = LbfgsInvHessProduct(steps * np.sqrt(least), changes / np.sqrt(least))
        return float(max(0.5 * scaled @ product.matvec(scaled), 0.0))

    def forget(self) -> None:
        """Forget all, and give back what the optimiser holds, on all ranks in the same order."""
        self._pairs.clear()
        self.cut()
        if self.optimiser is not None:
            self.optimiser.destroy()
            self.optimiser = None
