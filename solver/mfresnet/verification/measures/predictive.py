# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Where the label of a sample lies beside its prediction: quantiles from the joint density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional
from mfresnet.parallel import maximum, total
from mfresnet.trained import TrainedNetwork

PARTS = {2: 4, 3: 2}
"""Dimension -> parts of a cell in each direction, each with a quadrature rule of its own."""
FINE = (400, 800)
"""Intervals of the prediction and of the error in which the mass is counted."""
GROUPS = 24
"""Most groups of predictions, of equal mass, each with a distribution of its own."""
LIGHT = 1e-10
"""Share of the largest mass below which a node is left out."""
CHUNK = 50_000


@dataclass(frozen=True)
class PredictiveLaw:
    """The distribution of the error y - s of a prediction s, for every prediction.

    Between the groups, and beyond the first and the last, the quantiles are interpolated and
    constant.

    Attributes:
        centres: the mean prediction of each group, increasing, (groups,).
        edges: errors, increasing, (n + 1,).
        below: the probability of an error below each of these, (groups, n + 1).
    """

    centres: Array
    edges: Array
    below: Array

    def quantiles(self, prediction: Array, levels: Sequence[float]) -> Array:
        """Return quantiles of the label, prediction (n,) -> (n, levels)."""
        columns = []
        for level in levels:
            errors = [np.interp(level, row, self.edges) for row in self.below]
            columns.append(prediction + np.interp(prediction, self.centres, errors))
        return np.stack(columns, axis=1)


def predictive_law(functional: ReducedFunctional, network: TrainedNetwork) -> PredictiveLaw:
    """Return the distribution of the error of a network under the joint density f(0, x, y).

    The masses of a quadrature rule are counted by the prediction s(x) and by the error y - s(x),
    in the units of the label. The density is that of the samples smoothed by the bandwidth h: the
    variance of the label is larger by h^2, so that an interval holds rather more than it says.

    Args:
        functional: J, of task regression.
        network: the network.

    Parallel: collective; the same on all ranks.
    """
    problem, dataset = functional.problem, functional.population.dataset
    assert dataset is not None
    space, comm = problem.space, functional.comm
    rule = space.cell_quadrature(space.cell_degree, PARTS[space.dimension])
    x: Array = rule.x.reshape(-1, space.dimension).T
    density = np.maximum(space.at_quadrature(problem.f0[0], rule.basis), 0.0)
    mass: Array = (rule.weights * density).ravel()
    heavy = mass > LIGHT * maximum(comm, [mass.max(initial=0.0)])[0]
    x, mass = x[:, heavy], mass[heavy]
    given = np.empty(len(mass))
    for first in range(0, len(mass), CHUNK):
        part = slice(first, first + CHUNK)
        given[part] = network.read(network.carry(x[:-1, part]))
    error = dataset.shift[-1] + dataset.back[-1, -1] * x[-1] - given
    ends = [v.max(initial=-np.inf) for v in (-given, given, -error, error)]
    low, high, least, most = maximum(comm, ends) * [-1.0, 1.0, -1.0, 1.0]
    ranges = [(low, max(high, np.nextafter(low, np.inf))), (least, most)]
    counted, edges, errors = np.histogram2d(given, error, FINE, ranges, weights=mass)
    masses: Array = total(comm, counted.ravel()).reshape(FINE)
    return _grouped(masses, 0.5 * (edges[1:] + edges[:-1]), errors)


def _grouped(counted: Array, middles: Array, errors: Array) -> PredictiveLaw:
    """Return the law of masses by prediction and error, (predictions, errors)."""
    mass = counted.sum(axis=1)
    before = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
    group = np.minimum((before * GROUPS).astype(int), GROUPS - 1)
    used = [group == g for g in range(GROUPS) if mass[group == g].sum() > 0.0]
    rows = np.array([counted[rows].sum(axis=0) for rows in used])
    below = np.cumsum(rows, axis=1) / rows.sum(axis=1, keepdims=True)
    return PredictiveLaw(
        centres=np.array([np.average(middles[rows], weights=mass[rows]) for rows in used]),
        edges=errors,
        below=np.concatenate([np.zeros((len(used), 1)), below], axis=1),
    )
