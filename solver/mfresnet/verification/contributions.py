# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Where the error of J sits: what every cell has of it, by dual weighted residuals.

On the same cells with one degree more let F_i be what layer i makes of a density, psi_i the adjoint
at its start and f_i the density of the mesh there, which that space holds exactly. Then

    J+ - J = sum_k pi_k ( psi_0 . (f+_0 - f_0) + sum_i psi_{i+1} . (F_i(f_i) - f_{i+1}) )

where the dot is the integral over the mesh, and the part of a cell is that over the cell. It holds
exactly for a loss that is linear in the density at T, to first order for the others; mass that has
left the mesh and the rule in depth of a running loss have no cell and are not in it.
"""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import SolveError
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.mesh import Space
from mfresnet.verification.accuracy import another

SAME = 1e-10
"""Distance of nodes over the size of the mesh that is rounding."""


def cell_errors(functional: ReducedFunctional, theta: Array) -> Array:
    """Return the part of every owned cell in J - J+, (cells,).

    Args:
        functional: J.
        theta: the controls.

    Returns:
        One number a cell; their sum over all ranks is about the error of J. Where it is large in
        magnitude narrower cells or a higher degree pay; parts of unlike sign cancel.

    Raises:
        InputError: the memory does not hold the richer space.
        SolveError: the richer space has the cells in another order.

    Parallel: collective.
    """
    degree = functional.case.space.degree
    richer = another(functional, theta, {"space": {"degree": degree + 1}})
    coarse, fine = functional.problem.space, richer.problem.space
    functional.make_room(functional.steps_for(theta))
    along = Trajectory(functional, theta).densities()
    there = embedded(along, coarse, fine)
    made = Trajectory(richer, theta)
    adjoints = made.adjoints()
    residuals = np.concatenate(
        [[richer.problem.f0 - there[0]], made.layers_from(there[:-1]) - there[1:]]
    )
    weights = richer.problem.class_weights[:, None] * fine.mass
    products = np.sum(weights * adjoints * residuals, axis=(0, 1))
    return -products[fine.dofs[: fine.n_owned_cells]].sum(axis=1)


def embedded(f: Array, coarse: Space, fine: Space) -> Array:
    """Return fields of a space in one of a higher degree on the same cells, (..., n_owned).

    Raises:
        SolveError: the cells of the other space are others, or in another order.
    """
    here, there = coarse.cell_nodes(), fine.cell_nodes()
    if here.shape != there.shape or not np.abs(here - there).max(initial=0.0) <= SAME * np.abs(
        here
    ).max(initial=1.0):
        raise SolveError("the cells of two spaces on the same mesh are not in the same order.")
    points, _ = fine.reference_rule(2 * fine.degree)
    to, *_ = np.linalg.lstsq(fine.tabulate(points)[0], coarse.tabulate(points)[0], rcond=None)
    found = np.zeros((*f.shape[:-1], fine.n_owned))
    found[..., fine.dofs[: fine.n_owned_cells]] = f[..., coarse.dofs[: coarse.n_owned_cells]] @ to.T
    return found
