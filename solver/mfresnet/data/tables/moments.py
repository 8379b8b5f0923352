# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Weighted means and covariances of classes of points, merged without cancellation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array


@dataclass(frozen=True)
class Moments:
    """Moments of every class.

    Attributes:
        count: number of points, (classes,).
        weight: sum of the weights, (classes,).
        squares: sum of the squared weights, (classes,).
        mean: weighted means, (classes, m).
        spread: sum of w (x - mean)(x - mean)^T, (classes, m, m).
    """

    count: Array
    weight: Array
    squares: Array
    mean: Array
    spread: Array

    def merged(self, other: Moments) -> Moments:
        """Return the moments of both sets of points together."""
        weight = self.weight + other.weight
        share = np.divide(other.weight, weight, out=np.zeros_like(weight), where=weight > 0.0)
        step = other.mean - self.mean
        cross = (self.weight * share)[:, None, None] * (step[:, :, None] * step[:, None])
        return Moments(
            self.count + other.count,
            weight,
            self.squares + other.squares,
            self.mean + share[:, None] * step,
            self.spread + other.spread + cross,
        )

    def together(self) -> Moments:
        """Return the moments of all classes as one, arrays of length one."""
        parts = [
            Moments(*(a[k : k + 1] for a in vars(self).values())) for k in range(len(self.count))
        ]
        return merge(parts)

    def covariance(self, bias: bool = True) -> Array:
        """Return the covariances, (classes, m, m), over w or (not bias) over w (1 - 1/n_eff)."""
        divisor = self.weight if bias else self.weight - self.squares / self.weight
        return self.spread / divisor[:, None, None]

    def effective_count(self) -> Array:
        """Return Kish's number of samples, (sum w)^2 / sum w^2, (classes,)."""
        return self.weight**2 / self.squares


def moments(x: Array, y: Array, w: Array, n_classes: int) -> Moments:
    """Return the moments of points x, (n, m), of the classes y with weights w, (n,)."""
    m = x.shape[1]
    result = Moments(
        np.bincount(y, minlength=n_classes).astype(float),
        np.bincount(y, w, minlength=n_classes),
        np.bincount(y, w**2, minlength=n_classes),
        np.zeros((n_classes, m)),
        np.zeros((n_classes, m, m)),
    )
    for k in range(n_classes):
        here = y == k
        if result.weight[k] > 0.0:
            at, weights = x[here], w[here]
            result.mean[k] = weights @ at / result.weight[k]
            offset = at - result.mean[k]
            result.spread[k] = (offset * weights[:, None]).T @ offset
    return result


def merge(parts: Iterable[Moments]) -> Moments:
    """Return the moments of all parts together, merged in their order."""
    first, *others = parts
    for other in others:
        first = first.merged(other)
    return first
