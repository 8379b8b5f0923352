# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The initial controls of a case: prototypes begin at clusters, units where they fit numbers."""

from __future__ import annotations

from mpi4py import MPI

from dataclasses import replace

from mfresnet.case import Case, Population, at_clusters
from mfresnet.functional.nodes import quadrature
from mfresnet.losses import LOSSES
from mfresnet.network import HEADS, Controls
from mfresnet.tasks import TASKS

GIVEN = ("values", "file")
"""Kinds of [initial] that say what the head is."""


def initial_controls(
    case: Case, population: Population, comm: MPI.Intracomm, seed: int | None = None
) -> Controls:
    """Return the initial controls of a case, see ``Case.initial_controls``.

    Prototypes are the centres of the clusters that k-means finds in the mass of each class; hidden
    units for a number bend at random places, and their heights fit the joint density best.

    Args:
        case: the case.
        population: its classes.
        comm: the communicator.
        seed: instead of initial.seed, also that of k-means.

    Parallel: collective; the clusters are those of rank 0.
    """
    controls = case.initial_controls(len(population.labels), seed)
    head = HEADS[LOSSES[case.loss.kind].scored_by(case.loss)]
    still = TASKS[case.task].still
    known = head.fitted if still else head.start
    if known is None or not controls.head or case.initial_kind() in GIVEN:
        return controls
    found = None
    if comm.rank == 0:
        size, state = head.size(controls.of_head()), case.initial.seed if seed is None else seed
        points = quadrature(case, population, 0)
        if still and head.fitted is not None:
            found = head.fitted(points.x[:-1], points.x[-1], points.w, size, state)
        else:
            found = at_clusters(head, points, size, state)
    found = comm.bcast(found)
    assert found is not None
    return replace(controls, values={**controls.values, **found})
