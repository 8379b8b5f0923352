# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The initial controls of a case with its classes: prototypes begin at clusters."""

from __future__ import annotations

from mpi4py import MPI

from dataclasses import replace

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case, Population
from mfresnet.functional.nodes import quadrature
from mfresnet.losses import LOSSES
from mfresnet.network import HEADS, Controls

GIVEN = ("values", "file")
"""Kinds of [initial] that say what the head is."""


def initial_controls(
    case: Case, population: Population, comm: MPI.Intracomm, seed: int | None = None
) -> Controls:
    """Return the initial controls of a case, see ``Case.initial_controls``.

    Prototypes are the centres of the clusters that k-means finds in the mass of each class.

    Args:
        case: the case.
        population: its classes.
        comm: the communicator.
        seed: instead of initial.seed, also that of k-means.

    Parallel: collective; the clusters are those of rank 0.
    """
    controls = case.initial_controls(len(population.labels), seed)
    head = HEADS[LOSSES[case.loss.kind].scored_by(case.loss)]
    if head.start is None or not controls.head or case.initial_kind() in GIVEN:
        return controls
    found = None
    if comm.rank == 0:
        points = quadrature(case, population, 0)
        size, state = head.size(controls.of_head()), case.initial.seed if seed is None else seed
        classes = [
            clusters(points.of_class(k), points.w[points.y == k], size, state)
            for k in range(len(population.labels))
        ]
        parts = [(centres, mass) for centres, mass, _ in classes]
        spread = sum(inertia for _, _, inertia in classes) / len(points.x)
        found = head.start(parts, spread)
    found = comm.bcast(found)
    assert found is not None
    return replace(controls, values={**controls.values, **found})


def clusters(x: Array, w: Array, size: int, seed: int) -> tuple[Array, Array, float]:
    """Return the centres, (d, size), masses and the sum of the squared distances of points.

    Args:
        x: the points, (d, n).
        w: their masses, (n,).
        size: number of clusters; where there are fewer points some have several.
        seed: of the first centres.
    """
    from sklearn.cluster import KMeans  # takes as long as a small training

    number = min(size, x.shape[1])
    found = KMeans(number, n_init=1, random_state=seed).fit(x.T, sample_weight=w)
    mass = np.bincount(found.labels_, w, minlength=number)
    again = np.resize(np.arange(number), size)
    least, times = np.finfo(float).eps, np.bincount(again)
    shares: Array = np.maximum(mass, least)[again] / times[again]
    distances = np.sum((x - found.cluster_centers_.T[:, found.labels_]) ** 2, axis=0)
    return found.cluster_centers_.T[:, again], shares, float(w @ distances)
