# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Samples of the classes of a case: at random, at the quantiles, and how they are weighted."""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case
from mfresnet.data import Samples
from mfresnet.errors import InputError


def weighted(samples: Samples, weights: Array) -> Samples:
    """Return the samples with weights whose sum in class k is pi_k, ``weights`` (classes,)."""
    sums = np.bincount(samples.y, samples.w, minlength=len(weights))
    return Samples(samples.x, samples.y, samples.w * (weights / sums)[samples.y])


def drawn(case: Case, n: int, seed: int = 0) -> Samples:
    """Return n random samples of each class of a case with [[classes]], of weight pi_k / n."""
    rng = np.random.default_rng(seed)
    return _stacked(case, [c.density.sample(n, rng) for c in case.classes])


def midpoints(case: Case, n: int) -> Samples:
    """Return n samples of each class on the line, of weight pi_k / n, at the quantiles.

    x_i has the mass (i - 1/2) / n below it: the best n points for the distance W1.

    Raises:
        InputError: the case is not on the line.
    """
    if case.dimension != 1:
        raise InputError(
            f"mesh.cell: quantiles exist on the line only; got {case.mesh.cell}, expected "
            "interval. Draw samples at random."
        )
    s = (np.arange(n) + 0.5) / n
    return _stacked(case, [c.density.quantile(s)[None] for c in case.classes])


def _stacked(case: Case, points: list[Array]) -> Samples:
    y = np.repeat(np.arange(len(points)), [x.shape[1] for x in points])
    return weighted(
        Samples(np.concatenate(points, axis=1), y, np.ones(y.size)), case.class_weights()
    )
