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
"""Least standard deviations of the samples of a class in a cell of the first mesh."""


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
        variances = population.dataset.moments.covariance().diagonal(0, 1, 2)
        widths = np.asarray(population.bandwidths)[:, None]
        spread = np.sqrt((variances + widths**2).min())
        ratio = np.max((upper - lower) / at.cells) / (SPREADS * spread)
        return narrower(case, at, float(ratio))
    while at.cells and hidden(at) > HIDDEN:
        following = narrower(case, at, GROWTH)
        if following == at:
            break
        at = following
    return at


def narrower(case: Case, at: Discretisation, ratio: float) -> Discretisation:
    """Return cells that are narrower by a ratio, the same where there would be too many."""
    wanted = at.refined(ratio)
    return wanted if at.count < wanted.count <= case.mesh.max_cells else at


def _squares(case: Case, population: Population, comm: MPI.Intracomm) -> Array:
    """Return the squares of the L2 norms of the projections of the initial densities."""
    corners = case.corners(population.extent)
    mesh = MESHES[case.mesh.kind].make(comm, case.mesh, case.cells(), corners)
    space = Space(mesh, case.space.degree)
    f, _ = population.project(space)
    return total(comm, (f * f) @ space.mass)
