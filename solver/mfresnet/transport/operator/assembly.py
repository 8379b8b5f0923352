# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The constant matrices B and C of the transport operator, once, at construction."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from mfresnet.arrays import Array, Indices
from mfresnet.mesh import Facets, Space

BLOCK = 1 << 19
"""Entries at a time before those that are zero are left out."""


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
    traces = [_rows(space, _traces(space, interior, side)) for side in range(2)]
    exit_trace = _rows(space, _traces(space, exterior, 0))
    jump = sp.diags_array(-interior.weights.ravel()) @ (traces[0] - traces[1])
    exit_jump = sp.diags_array(-exterior.weights.ravel()) @ exit_trace
    slopes = [_rows(space, _slopes(space, i))[order] for i in range(space.dimension)]
    inside = [_rows(space, _values(space))] if values else []
    c = sp.vstack([*inside, *traces, exit_trace], format="csr")
    return sp.vstack([*slopes, jump, exit_jump], format="csr"), c


def transposed(matrix: sp.csr_array, factors: Array) -> sp.csr_array:
    """Return diag(factors) times the transpose of the first columns of a matrix."""
    result = matrix[:, : len(factors)].T.tocsr()
    result.data *= np.repeat(factors, np.diff(result.indptr))
    return result


Entries = tuple[Array, Indices, Array]
"""Values and columns, (entries,), and the number of entries of every row, (rows,)."""


def _parts(n: int, size: int) -> Iterator[slice]:
    """Yield parts of n things of ``size`` entries each; one empty part of nothing."""
    step = max(1, BLOCK // size)
    for start in range(0, max(1, n), step):
        yield slice(start, min(n, start + step))


def _slopes(space: Space, i: int) -> Iterator[Entries]:
    """Yield the derivatives in direction i times the weights, sparse along the lines of points."""
    rule = space.quadrature
    point, dof = np.nonzero((rule.gradient != 0.0).any(axis=0))
    counts = np.bincount(point, minlength=len(rule.basis))
    for cells in _parts(space.n_owned_cells, max(1, len(point))):
        weights, inverse = rule.weights[cells], rule.inverse[cells]
        values = np.zeros((len(weights), len(point)))
        for j, gradient in enumerate(rule.gradient):
            values += (weights * inverse[:, :, j, i])[:, point] * gradient[point, dof]
        yield values.ravel(), space.dofs[cells][:, dof].ravel(), np.tile(counts, len(weights))


def _values(space: Space) -> Iterator[Entries]:
    """Yield the values at the points of the cells."""
    basis = space.quadrature.basis
    for cells in _parts(space.n_owned_cells, basis.size):
        dofs = space.dofs[cells]
        yield _dense(np.broadcast_to(basis, (len(dofs), *basis.shape)), dofs)


def _traces(space: Space, facets: Facets, side: int) -> Iterator[Entries]:
    """Yield the traces from one side at the points of the facets."""
    cells = facets.cells[side]
    for part in _parts(len(cells), facets.tables[0].size):
        yield _dense(facets.traces(side, part), space.dofs[cells[part]])


def _dense(values: Array, dofs: Indices) -> Entries:
    """Return the entries of ``values`` (cells, points, dofs)."""
    columns = np.repeat(dofs, values.shape[1], axis=0)
    return values.ravel(), columns.ravel(), np.full(len(columns), values.shape[2])


def _rows(space: Space, blocks: Iterator[Entries]) -> sp.csr_array:
    """Return the matrix of the rows that come in blocks, without entries that are zero."""
    parts = zip(*(_without_zeros(*block) for block in blocks), strict=True)
    values, columns, counts = map(np.concatenate, parts)
    pointer = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return sp.csr_array((values, columns, pointer), shape=(len(counts), space.n_local))


def _without_zeros(values: Array, columns: Indices, counts: Array) -> Entries:
    kept = values != 0.0
    ends = np.concatenate([[0], np.cumsum(kept)])[np.cumsum(counts)]
    return values[kept], columns[kept], np.diff(ends, prepend=0)
