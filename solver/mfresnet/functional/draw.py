# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Samples of the classes of a case, at random or at the quantiles; all weighted and shared out."""

from __future__ import annotations

from mpi4py import MPI

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case, Population
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


def shared(given: Samples | None, population: Population, d: int, comm: MPI.Intracomm) -> Samples:
    """Return the samples of this rank, with weights of sum one over all of them.

    Args:
        given: all samples, the same on all ranks; the training samples of [data] when None.
        population: the classes.
        d: the dimension of the points.
        comm: the communicator.

    Raises:
        InputError: there are none, or shapes, classes or weights are wrong.
    """
    n_classes = len(population.labels)
    if given is None:
        dataset = population.dataset
        if dataset is None:
            raise InputError(
                "samples: none; got a case with classes, expected samples or a case with "
                "[data]. Take drawn(case, n) or midpoints(case, n)."
            )
        given = weighted(dataset.train, population.weights)
    if given.x.shape != (d, given.y.size) or given.w.shape != given.y.shape:
        raise InputError(
            f"samples: wrong shape; got {given.x.shape} for {given.y.size} classes and "
            f"{given.w.size} weights, expected ({d}, n) and n each. Give a column a sample."
        )
    if not given.y.size or not 0 <= given.y.min() <= given.y.max() < n_classes:
        raise InputError(
            f"samples: wrong classes; got {given.y.size} samples of the classes "
            f"{np.unique(given.y).tolist()}, expected some, of 0 to {n_classes - 1}. "
            "Number the classes from 0 and leave none of them out."
        )
    if not (np.isfinite(given.w).all() and given.w.min() >= 0.0 and given.w.sum() > 0.0):
        raise InputError(
            f"samples: wrong weights; got {given.w.min():.3g} to {given.w.max():.3g}, expected "
            "finite ones that are not negative, of a positive sum. "
            "Give a weight of 0 to samples that do not count."
        )
    mine = slice(comm.rank, None, comm.size)
    x = np.ascontiguousarray(given.x[:, mine], dtype=float)
    return Samples(x, given.y[mine], given.w[mine] / given.w.sum())
