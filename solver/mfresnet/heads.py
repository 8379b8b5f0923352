# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The linear head: from points at T to scores, classes and probabilities. NumPy only.

A loss with a trainable head brings its own H and h. Without one the class is that of the nearest
target, which is a linear head as well: |x - y_k|^2 is least where y_k . x - |y_k|^2 / 2 is largest.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import softmax

from mfresnet.arrays import Array

Head = Mapping[str, Array]


def scores(x: Array, head: Head) -> Array:
    """Return z = H x + h, (d, n) -> (classes, n): the class of a point is the largest.

    Args:
        x: points at T as columns, (d, n).
        head: H, (classes, d), and h, (classes,).
    """
    return head["H"] @ x + head["h"][:, None]


def decide(x: Array, head: Head) -> Array:
    """Return the number of the class of points x, (d, n) -> (n,)."""
    return np.argmax(scores(x, head), axis=0)


def probabilities(x: Array, head: Head) -> Array:
    """Return softmax(z), (d, n) -> (classes, n)."""
    return softmax(scores(x, head), axis=0)


def of_targets(targets: Array) -> dict[str, Array]:
    """Return the head that decides by the nearest of the targets, (classes, d)."""
    return {"H": np.array(targets), "h": -0.5 * np.sum(targets**2, axis=1)}
