# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The constant matrices B and C of the transport operator, once, at construction."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from mfresnet.arrays import Array, Indices
from mfresnet.facets import Facets
from mfresnet.space import Space


def assemble(
    space: Space, interior: Facets, exterior: Facets, order: Array, *, values: bool
) -> tuple[sp.csr_array, sp.csr_array]:
    """Return B and C of eq. (6), one row a point, one column a local degree of freedom.

    C: values at cell points, traces at facet points from the first and the second side, traces at
    boundary points. B: derivatives in each direction times the weights, minus the jump times the
    weights, minus the trace times the weights.

    Args:
        space: the space.
        interior: the interior facets.
        exterior: the boundary facets.
        order: numbers of the cell points in the order of the rows.
        values: whether C has the rows of the cell points.
    """
    rule, cells = space.quadrature, np.arange(space.n_owned_cells, dtype=np.int32)
    traces = [_dense(space, interior.basis[i], interior.cells[i]) for i in range(2)]
    exit_trace = _dense(space, exterior.basis[0], exterior.cells[0])
    jump = sp.diags_array(-interior.weights.ravel()) @ (traces[0] - traces[1])
    exit_jump = sp.diags_array(-exterior.weights.ravel()) @ exit_trace
    slopes = [_slope(space, cells, i)[order] for i in range(space.dimension)]
    inside = []
    if values:
        shape = (len(cells), *rule.basis.shape)
        inside = [_dense(space, np.broadcast_to(rule.basis, shape), cells)]
    c = sp.vstack([*inside, *traces, exit_trace], format="csr")
    return sp.vstack([*slopes, jump, exit_jump], format="csr"), c


def _slope(space: Space, cells: Indices, i: int) -> sp.csr_array:
    """Return the derivatives in direction i times the weights, sparse along the lines of points."""
    rule = space.quadrature
    point, dof = np.nonzero((rule.gradient != 0.0).any(axis=0))
    values = np.zeros((len(cells), len(point)))
    for j, gradient in enumerate(rule.gradient):
        values += (rule.weights * rule.inverse[:, :, j, i])[:, point] * gradient[point, dof]
    counts = np.bincount(point, minlength=len(rule.basis))
    return _rows(space, values, space.dofs[cells][:, dof], np.tile(counts, len(cells)))


def _dense(space: Space, values: Array, cells: Indices) -> sp.csr_array:
    """Return the matrix with ``values`` (cells, points, dofs)."""
    columns = np.repeat(space.dofs[cells], values.shape[1], axis=0)
    return _rows(space, values, columns, np.full(len(columns), values.shape[2]))


def _rows(space: Space, values: Array, columns: Indices, counts: Array) -> sp.csr_array:
    pointer = np.concatenate([[0], np.cumsum(counts)])
    shape = (len(counts), space.n_local)
    return sp.csr_array((values.ravel(), columns.ravel(), pointer), shape=shape)
