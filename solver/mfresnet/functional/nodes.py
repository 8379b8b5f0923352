# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Few points with masses in place of the initial densities."""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case, Population
from mfresnet.data import Samples
from mfresnet.mesh import kernel_rule

NODES, BINS = {1: 160, 2: 36, 3: 20}, {1: 100, 2: 300, 3: 600}
"""Dimension -> nodes a direction, and most bins of a class, of the smallest set."""
GROWTH = 1.5
"""Times as many a direction in every further set; it has one step a layer more, too."""
LIGHT, LIGHTER = 1e-3, 6.0
"""Share of the mass of a class that the lightest nodes, which are left out, may have in the
smallest set, and how much less in every further one."""
ALIKE = 1.0 - 1e-9
"""Ratio of masses that differ by rounding."""
WIDTHS = 2.0
"""Width of a bin of the smallest set in those of the kernel."""
RADII, MEANS = 2, 4000
"""Radii of the rule for the kernels, and most samples that are not put into bins, of the smallest
set that tends to a density of samples."""


def quadrature(case: Case, population: Population, number: int) -> Samples:
    """Return a quadrature of the initial densities: points with masses, of sum pi_k in class k.

    Densities in closed form: their nodes. Those of samples, in the smallest set: the samples in a
    bin become points that have their mass, mean and variance, with that of the kernel, in every
    direction; in further sets bins have the kernels themselves, see ``smoothed``.

    Args:
        case: the case.
        population: its classes.
        number: that of the set.
    """
    dataset, d, growth = population.dataset, case.dimension, GROWTH**number
    x, mass = [], []
    for k, share in enumerate(population.weights):
        if dataset is None:
            points, masses = case.classes[k].density.nodes(round(NODES[d] * growth))
            sizes = np.sort(masses)
            light = np.cumsum(sizes) <= LIGHT / LIGHTER**number * masses.sum()
            heavy = masses >= ALIKE * sizes[np.count_nonzero(light)]  # all that are as heavy
            points, masses = points[:, heavy], masses[heavy]
        else:
            assert population.bandwidths is not None
            if number:
                widths = np.asarray(population.bandwidths)
                points, masses = smoothed(dataset.train, widths, k, number - 1, BINS[d])
            else:
                own = dataset.train.y == k
                width, samples = float(population.bandwidths[k]), dataset.train
                x_k, w_k = samples.x[:, own], samples.w[own]
                points, masses = binned(x_k, w_k, width, WIDTHS * width, BINS[d])
        x.append(points)
        mass.append(share * masses / masses.sum())
    y = np.repeat(np.arange(len(x)), [points.shape[1] for points in x])
    return Samples(np.hstack(x), y, np.concatenate(mass))


def smoothed(
    samples: Samples, widths: Array, k: int, number: int, most: float = MEANS
) -> tuple[Array, Array]:
    """Return points with masses in place of the density of class k, the sum of its kernels.

    Args:
        samples: those of all classes.
        widths: of their kernels, (classes,).
        k: the class.
        number: that of the set, which tends to the density.
        most: samples that are not put into bins, in the smallest set.

    Returns:
        The points, (d, m), and their masses, (m,).
    """
    own, width = samples.y == k, float(widths[k])
    x, w = samples.x[:, own], samples.w[own]
    d, growth = len(x), GROWTH**number
    r, share = kernel_rule(d, RADII + number)
    reach: Array = np.full(x.shape, width)
    if w.size > most * growth**d:
        x, w, variance = bins(x, w, width / growth, most * growth**d)
        reach = np.sqrt(variance + width**2)
    points = x[:, :, None] + reach[:, :, None] * r[:, None, :]
    return points.reshape(d, -1), np.outer(w, share).ravel()


def binned(x: Array, w: Array, width: float, size: float, most: float) -> tuple[Array, Array]:
    """Return few points in place of many samples under kernels.

    A bin with the mean c and the variances v has points c +- sqrt(d (v_i + width^2)) e_i of equal
    masses: polynomials of degree 2 without mixed terms are integrated as by the samples.

    Args:
        x: the samples, (d, n).
        w: their weights, (n,).
        width: standard deviation of the kernel.
        size: width of a bin.
        most: most bins; they are made wider where there are more.

    Returns:
        The points, (d, m), and their masses, (m,).
    """
    mean, mass, variance = bins(x, w, size, most)
    d = len(mean)
    reach = np.sqrt(d * (variance + width**2))
    steps = np.concatenate([np.eye(d), -np.eye(d)])[:, :, None] * reach
    points = mean + steps
    return np.hstack(list(points)), np.tile(mass / (2 * d), 2 * d)


def bins(x: Array, w: Array, size: float, most: float) -> tuple[Array, Array, Array]:
    """Return the means of samples in bins, (d, m), their masses, (m,), and variances, (d, m).

    Args:
        x: the samples, (d, n).
        w: their weights, (n,).
        size: width of a bin.
        most: most bins; they are made wider where there are more.
    """
    while True:
        at = np.zeros(x.shape[1], dtype=np.int64)
        for row in x:  # numbered anew by every direction: no number is larger than n^2
            _, cells = np.unique(np.floor((row - row.min()) / size), return_inverse=True)
            _, at = np.unique(at * len(at) + cells, return_inverse=True)
        mass = np.bincount(at, w)
        if mass.size <= most:
            break
        size *= GROWTH
    mean = np.array([np.bincount(at, w * row) for row in x]) / mass
    variance = np.array([np.bincount(at, w * row) for row in (x - mean[:, at]) ** 2]) / mass
    return mean, mass, variance
