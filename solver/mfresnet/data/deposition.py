# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""From samples to a density on the mesh: deposition, and how wide the kernels are.

The empirical measure of N samples has the L2 projection f with

    (f, phi_i) = 1/N sum_n phi_i(x_n) .                                                     (16)

It is smoothed by ``HeatEquation``: kernel density estimation as a PDE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.model_selection import KFold

from mfresnet.arrays import Array
from mfresnet.data.tables.dataset import Dataset, Samples
from mfresnet.data.tables.splits import FEWEST
from mfresnet.errors import InputError
from mfresnet.mesh import Locator, Space

CHUNK, TRIED, FOLDS = 100_000, 1000, 5
WIDTHS, FINER = np.geomspace(0.02, 3.0, 15), np.geomspace(0.76, 1.31, 7)
"""Bandwidths over those of Scott's rule from which the likelihood chooses, and over the likeliest
one of these, from which it chooses again."""
SHARP = 0.08
"""Largest bandwidth of the rule ``sharp`` over the standard deviation of all classes together:
wider kernels blur the borders between classes more than they are known by."""


def scott(n: float, d: int) -> float:
    """Return n^(-1/(d+4)), Scott's factor of the standard deviation."""
    return float(n ** (-1.0 / (d + 4)))


def silverman(n: float, d: int) -> float:
    """Return (n (d + 2) / 4)^(-1/(d+4)), Silverman's factor of the standard deviation."""
    return float((n * (d + 2) / 4.0) ** (-1.0 / (d + 4)))


BANDWIDTHS: dict[str, Callable[[float, int], float]] = {"scott": scott, "silverman": silverman}
"""Rule -> (number of samples, d) -> bandwidth over the standard deviation."""


def bandwidth(rule: str | float, dataset: Dataset, k: int) -> float:
    """Return the bandwidth for class k: one number for all directions.

    A rule is applied to the root mean square of the standard deviations of the d coordinates, with
    Kish's effective number n of samples. ``likelihood`` is the h with the largest likelihood of
    samples of the class that are left out in turn: it is found with n' of at most ``TRIED``
    samples, and h (n / n')^(-1/(d+4)) is taken, the rate of the best bandwidth; ``sharp`` is the
    same, of at most ``SHARP`` standard deviations of all classes together.
    """
    if not isinstance(rule, str):
        return float(rule)
    d, inside = dataset.dimension, dataset.moments
    deviation = _deviation(inside.covariance(bias=False)[k])
    n = float(inside.effective_count()[k])
    if rule in BANDWIDTHS:
        return BANDWIDTHS[rule](n, d) * deviation
    train, mine = dataset.train, (dataset.train.y == k) & (dataset.train.w > 0.0)
    width = _likeliest(train.x[:, mine].T, train.w[mine], deviation) * scott(n, d)
    if rule == "sharp":
        return min(width, SHARP * _deviation(inside.together().covariance()[0]))
    return width


def _deviation(covariance: Array) -> float:
    """Return the root mean square of the standard deviations of the coordinates."""
    return float(np.sqrt(np.mean(np.diagonal(covariance))))


def _likeliest(x: Array, w: Array, deviation: float) -> float:
    """Return the bandwidth of the largest cross-validated likelihood over Scott's factor.

    Equal samples are one, so that those of a rounded table do not make one another likely.

    Args:
        x: the samples of a class, (n, d).
        w: their weights, (n,), positive.
        deviation: their standard deviation; ``WIDTHS`` times it and Scott's factor are tried.
    """
    chosen = np.random.default_rng(0).permutation(len(x))[:TRIED]
    x, same = np.unique(x[chosen], axis=0, return_inverse=True)
    w = np.bincount(same.ravel(), w[chosen])
    if len(x) < FEWEST:
        return deviation
    folds = list(KFold(min(FOLDS, len(x)), shuffle=True, random_state=0).split(x))
    likeliest = deviation
    for widths in (WIDTHS, FINER):
        found = sum(_log_likelihood(x, w, likeliest * widths, *fold) for fold in folds)
        likeliest *= float(widths[np.argmax(found)])
    return likeliest


def _log_likelihood(x: Array, w: Array, factors: Array, inside: Array, out: Array) -> Array:
    """Return that of the samples ``out`` by kernels at those ``inside``, one for each factor."""
    d, scale = x.shape[1], scott(float(w[inside].sum() ** 2 / np.sum(w[inside] ** 2)), x.shape[1])
    squares = cdist(x[out], x[inside], "sqeuclidean")
    nearest = squares.min(axis=1)
    squares -= nearest[:, None]  # so that no kernel of a sample far from all others is zero
    found = []
    for h in factors * scale:
        kernels = np.exp(-0.5 / h**2 * squares) @ w[inside]
        found.append(w[out] @ (np.log(kernels) - 0.5 * nearest / h**2 - d * np.log(h)))
    return np.array(found)


def deposit(space: Space, rounds: Iterable[Samples], labels: Sequence[str]) -> Array:
    """Return the L2 projection of the empirical measure of every class, eq. (16).

    Args:
        space: the DG space.
        rounds: the samples, in parts that are the same on all ranks.
        labels: names of the classes.

    Returns:
        Densities of mass one, (classes, n_owned).

    Raises:
        InputError: samples lie outside of the mesh.

    Parallel: collective.
    """
    locator, n = Locator(space), space.n_local
    moments, weight = np.zeros((len(labels), n)), np.zeros(len(labels))
    for part in rounds:
        for start in range(0, part.x.shape[1], CHUNK):
            piece = slice(start, start + CHUNK)
            x, y, w = part.x[:, piece], part.y[piece], part.w[piece]
            cells, reference, found = locator.find(x)
            if not found.all():
                _outside(x, y, found, labels)
            mine = np.flatnonzero(cells >= 0)
            values = space.tabulate(reference[mine])[0] * w[mine, None]
            places = space.dofs[cells[mine]] + n * y[mine, None].astype(np.int64)
            moments += np.bincount(places.ravel(), values.ravel(), minlength=moments.size).reshape(
                moments.shape
            )
            weight += np.bincount(y, w, minlength=len(labels))
    return moments[:, : space.n_owned] / (weight[:, None] * space.mass)


def _outside(x: Array, y: Array, found: Array, labels: Sequence[str]) -> None:
    first = int(np.argmin(found))
    raise InputError(
        f"mesh: samples outside of it; got one of class {labels[int(y[first])]} at "
        f"({', '.join(f'{v:.4g}' for v in x[:, first])}), expected all of them inside. Omit "
        "mesh.lower and mesh.upper, or enlarge them."
    )
