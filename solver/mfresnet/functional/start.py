# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The initial controls of a case with its classes: prototypes begin at clusters."""

from __future__ import annotations

from mpi4py import MPI

from dataclasses import replace

from mfresnet.case import Case, Population, at_clusters
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
        size, state = head.size(controls.of_head()), case.initial.seed if seed is None else seed
        found = at_clusters(head, quadrature(case, population, 0), size, state)
    found = comm.bcast(found)
    assert found is not None
    return replace(controls, values={**controls.values, **found})
