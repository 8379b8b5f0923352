# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Many samples in bins that are finer than their kernels, so that a mesh sees few points.

The samples of a bin become one at their mean, and all kernels become wider by the variance that is
lost in the bins: masses, means and, over all of a class, the mean variance stay as they are.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mfresnet.arrays import Array
from mfresnet.data import Dataset, Samples

MANY = 50_000
"""Number of samples from which on they are put into bins."""
FINE = 1 / 3
"""Width of a bin over that of a kernel."""
MOST = 2_000_000
"""Most bins: where there are more, nothing is won."""
PENDING = 1_000_000
"""Bins of parts that are merged together, at least."""


def binned_samples(dataset: Dataset, widths: Array) -> tuple[Samples | None, Array]:
    """Return few samples in place of many, and the widths of their kernels.

    Args:
        dataset: the samples.
        widths: of the kernels of its classes, (classes,).

    Returns:
        The samples and the widths, (classes,); no samples and the widths that were given where the
        dataset has few, kernels have no width, or bins would be as many as samples.

    Parallel: collective; the same on all ranks.
    """
    if dataset.counts[0] < MANY or not (widths > 0.0).all():
        return None, widths
    bins = [
        Bins(extent[0], extent[1], FINE * h)
        for extent, h in zip(dataset.extent, widths, strict=True)
    ]
    if not all(each.numbered for each in bins):
        return None, widths
    for part in dataset.rounds():
        for k, each in enumerate(bins):
            mine = part.y == k
            each.add(part.x[:, mine], part.w[mine])
        if sum(each.size for each in bins) > MOST:
            return None, widths
    x, w, lost = zip(*(each.points() for each in bins), strict=True)
    y = np.repeat(np.arange(len(w)), [mass.size for mass in w])
    return Samples(np.hstack(x), y, np.concatenate(w)), np.sqrt(widths**2 + lost)


class Bins:
    """Bins of the same width in a box, and what is in them, which comes part by part.

    Attributes:
        numbered: whether there is a number for every bin of the box.
    """

    def __init__(self, low: Array, high: Array, size: float) -> None:
        """Begin without samples.

        Args:
            low: least coordinates, (d,).
            high: greatest ones, (d,).
            size: width of a bin.
        """
        self._low, self._width = low, size
        counts = np.floor((high - low) / size) + 1.0
        self.numbered = bool(np.prod(counts) < 2.0**62)
        self._strides: Array = np.ones(len(low), dtype=np.int64)
        if self.numbered:
            np.cumprod(counts[:-1].astype(np.int64), out=self._strides[1:])
        none: tuple[Array, Array] = np.zeros(0, dtype=np.int64), np.zeros((1 + 2 * len(low), 0))
        self._parts = [none]

    @property
    def size(self) -> int:
        """Number of bins that are known to have samples."""
        return len(self._parts[0][0])

    def add(self, x: Array, w: Array) -> None:
        """Add samples x, (d, n), of weights w, (n,)."""
        places = (x - self._low[:, None]) / self._width
        whole = np.floor(places)
        rest = places - whole - 0.5
        keys = self._strides @ whole.astype(np.int64)
        self._parts.append(_summed(keys, np.stack([w, *(w * rest), *(w * rest**2)])))
        if sum(len(keys) for keys, _ in self._parts) > PENDING + 2 * self.size:
            self._merge()

    def _merge(self) -> None:
        keys, sums = (np.concatenate(a, axis=-1) for a in zip(*self._parts, strict=True))
        self._parts = [_summed(keys, sums)]

    def points(self) -> tuple[Array, Array, float]:
        """Return the mean of every bin, (d, m), its mass, (m,), and the variance that is lost.

        The latter is the mean over the samples and the directions of the variance in the bins.
        """
        self._merge()
        keys, sums = self._parts[0]
        used = sums[0] > 0.0
        order = np.flatnonzero(used)[np.argsort(keys[used])]
        keys, (mass, *rest), d = keys[order], sums[:, order], len(self._low)
        first, second = np.array(rest[:d]) / mass, np.array(rest[d:]) / mass
        lost = float(np.sum(mass * (second - first**2)) / (d * mass.sum())) * self._width**2
        counts = np.empty((d, keys.size))
        for i in reversed(range(d)):
            counts[i], keys = np.divmod(keys, self._strides[i])
        return self._low[:, None] + (counts + 0.5 + first) * self._width, mass, lost


def _summed(keys: Array, values: Array) -> tuple[Array, Array]:
    """Return each key once, (m,), and the sums of the values with it, (rows, m)."""
    numbers, once = pd.factorize(keys)
    return once, np.array([np.bincount(numbers, row, len(once)) for row in values])
