# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The mesh that a training to an accuracy begins with: as coarse as the initial densities allow."""

from __future__ import annotations

from mpi4py import MPI

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case, Population
from mfresnet.mesh import MESHES, Space
from mfresnet.parallel import total
from mfresnet.training.discretisation import GROWTH, Discretisation, coarsest

HIDDEN = 0.1
"""Share of the square of the L2 norm of the initial densities that the first mesh may miss."""
SPREADS = 3.0
"""Least standard deviations of the samples of a class, in any direction, in the first cells."""
MARGIN, ROUND = 0.15, 100.0
"""Share of the extent of the paths of the points that the box has beyond them; it ends at multiples
of a hundredth, the same ones on any number of ranks."""
SMALLER = 0.95
"""Factor on a ratio that would take too many cells."""


def first_mesh(case: Case, population: Population, comm: MPI.Intracomm) -> Discretisation:
    """Return the coarsest mesh that sees the initial densities.

    Densities of samples: cells of a few of the least standard deviations. Others: by what their
    projections have of the squares of their norms, as the projections on cells of half the width
    have at least as much.

    Parallel: collective.
    """

    def hidden(at: Discretisation) -> float:
        seen, all_ = (_squares(d.of(case), population, comm) for d in (at, at.refined(2.0)))
        return float(np.max(1.0 - seen / all_))

    lower, upper = case.corners(population.extent)
    at = coarsest(case, tuple(upper - lower))
    if at.cells and population.dataset is not None:
        variances = np.linalg.eigvalsh(population.dataset.moments.covariance()).min(axis=1)
        spread = np.sqrt((variances + np.asarray(population.bandwidths) ** 2).min())
        ratio = np.max((upper - lower) / at.cells) / (SPREADS * spread)
        return narrower(case, at, float(ratio))
    while at.cells and hidden(at) > HIDDEN:
        following = narrower(case, at, GROWTH)
        if following == at:
            break
        at = following
    return at


def narrower(case: Case, at: Discretisation, ratio: float) -> Discretisation:
    """Return cells that are narrower by a ratio, or by as much of it as mesh.max_cells allows."""
    wanted = at.refined(ratio)
    while wanted.count > case.mesh.max_cells and ratio > 1.0:
        ratio *= SMALLER
        wanted = at.refined(ratio)
    return wanted if at.count < wanted.count <= case.mesh.max_cells else at


def in_box(case: Case, extent: Array, paths: Array) -> Case:
    """Return the case in a box that holds densities and paths, their corners (2, d) each."""
    margin = MARGIN * (paths[1] - paths[0])
    lower = np.minimum(extent[0], np.floor((paths[0] - margin) * ROUND) / ROUND)
    upper = np.maximum(extent[1], np.ceil((paths[1] + margin) * ROUND) / ROUND)
    return case.with_({"mesh": {"lower": lower.tolist(), "upper": upper.tolist()}})


def no_finer(case: Case) -> str:
    """Return why there is no finer mesh."""
    mesh = case.mesh
    if MESHES[mesh.kind].grid:
        return (
            f"More than mesh.max_cells = {mesh.max_cells} cells would be needed. Raise "
            "mesh.max_cells or accuracy."
        )
    return f"{mesh.finer} or raise accuracy."


def _squares(case: Case, population: Population, comm: MPI.Intracomm) -> Array:
    """Return the squares of the L2 norms of the projections of the initial densities."""
    corners = case.corners(population.extent)
    mesh = MESHES[case.mesh.kind].make(comm, case.mesh, case.cells(), corners)
    space = Space(mesh, case.space.degree)
    f, _ = population.project(space)
    return total(comm, (f * f) @ space.mass)
