# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Wasserstein distances: exact on the line, by assignment or by projections in more dimensions.

On the line, with the quantile functions Q of two laws,

    W_p^p = int_0^1 |Q_1(s) - Q_2(s)|^p ds .                                                (22)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import norm

from mfresnet.arrays import Array
from mfresnet.data import DensityKind
from mfresnet.mesh import Space

NODES = 8
"""Points of Gauss's rule in each half of a quantile interval."""
PARTS = 32
"""Parts of a cell between which the distribution function is linear."""
LINE = np.linspace(-8.0, 8.0, 40001)


@dataclass(frozen=True)
class Law:
    """A law on the line.

    Attributes:
        quantile: Q, (n,) -> (n,).
        distribution: F, the mass below, (n,) -> (n,).
    """

    quantile: Callable[[Array], Array]
    distribution: Callable[[Array], Array]


def of_density(density: DensityKind) -> Law:
    """Return the law of an analytic density on the line."""
    return Law(density.quantile, density.below)


def moved(law: Law, forward: Callable[[Array], Array], back: Callable[[Array], Array]) -> Law:
    """Return the law after an increasing map, given with its inverse."""
    return Law(lambda s: forward(law.quantile(s)), lambda x: law.distribution(back(x)))


def on_mesh(space: Space, f: Array) -> Law:
    """Return the law of a density on an interval mesh that one rank has wholly.

    The distribution function is exact at ``PARTS`` points of a cell and linear in between; where
    undershoots make it fall it is kept constant.

    Args:
        space: the space, of dimension 1.
        f: degrees of freedom, (n_owned,).
    """
    rule = space.cell_quadrature(space.degree, PARTS)
    values = rule.weights * space.at_quadrature(f, rule.basis)
    nodes = space.cell_nodes()[:, :, 0]
    order = np.argsort(nodes.min(axis=1))
    low, high = nodes.min(axis=1)[order], nodes.max(axis=1)[order]
    # the parts of a cell stand in the direction of its own coordinate
    masses = values.reshape(len(values), PARTS, -1).sum(axis=2)[order]
    turned = (nodes[:, 0] > nodes[:, -1])[order]
    masses[turned] = masses[turned, ::-1]
    ends = low[:, None] + (high - low)[:, None] * (np.arange(PARTS) + 1.0) / PARTS
    x = np.concatenate([low[:1], ends.ravel()])
    below = np.maximum.accumulate(np.concatenate([[0.0], np.cumsum(masses)]))
    below /= below[-1]
    return Law(lambda s: np.interp(s, below, x), lambda y: np.interp(y, x, below))


def between(one: Law, two: Law, order: float = 1.0) -> float:
    """Return W_p of two laws by (22), with s = Phi(z) and the trapezoidal rule in z."""
    s, weight = norm.cdf(LINE), norm.pdf(LINE) * (LINE[1] - LINE[0])
    inside = (s > 0.0) & (s < 1.0)
    gap = np.abs(one.quantile(s[inside]) - two.quantile(s[inside]))
    return float(np.sum(weight[inside] * gap**order) ** (1.0 / order))


def to_samples(x: Array, law: Law, order: float = 1.0) -> float:
    """Return W_p of the law and N points of mass 1/N each, by Gauss's rule in (22).

    Args:
        x: the points, (N,).
        law: the law.
        order: p.
    """
    x, n = np.sort(x), x.size
    first = np.arange(n) / n
    # |Q - x_i| has a kink where Q passes the point
    kink = np.clip(law.distribution(x), first, first + 1.0 / n)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    total = 0.0
    for low, high in ((first, kink), (kink, first + 1.0 / n)):
        s = low[:, None] + (high - low)[:, None] * (0.5 + 0.5 * nodes)
        s = np.clip(s, np.finfo(float).tiny, 1.0 - np.finfo(float).epsneg)
        gap = np.abs(law.quantile(s.ravel()).reshape(s.shape) - x[:, None])
        total += float(np.sum((high - low)[:, None] * (0.5 * weights) * gap**order))
    return total ** (1.0 / order)


def by_assignment(x: Array, y: Array, order: float = 1.0) -> float:
    """Return W_p of two sets of N points of mass 1/N each, (d, N), by the best assignment."""
    cost = cdist(x.T, y.T) ** order
    return float(cost[linear_sum_assignment(cost)].mean() ** (1.0 / order))
