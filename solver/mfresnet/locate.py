# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The cell and the reference coordinates of many points at once, on any mesh, on all ranks."""

from __future__ import annotations

from mpi4py import MPI

import numpy as np

from mfresnet.arrays import Array, Indices
from mfresnet.space import SIMPLICES, Space

INSIDE = 1e-9
"""How far outside of the reference cell a point may lie and still belong to it."""
NEWTON_STEPS = 8
NOWHERE = np.iinfo(np.int64).max


class Locator:
    """Finds points by a uniform grid of buckets, each with the cells whose bounding box touches it.

    A bucket has the mean size of a cell. The buckets lie half a cell off, so that on a box of equal
    cells each meets 2^d of them and not 3^d.
    """

    def __init__(self, space: Space) -> None:
        """Sort the owned cells into buckets."""
        self.space = space
        n, d = space.n_owned_cells, space.dimension
        # The input numbers of the cells do not depend on the partition: they decide between the
        # cells around a facet, so that a point on it belongs to one cell on any number of ranks.
        self._keys = np.asarray(space.mesh.topology.original_cell_index[:n], dtype=np.int64)
        corners = space.cell_nodes()
        self._affine = space.cell in SIMPLICES or _parallel(corners)
        low, high = corners.min(axis=1, initial=np.inf), corners.max(axis=1, initial=-np.inf)
        self._low = low.min(axis=0, initial=np.inf)
        self._high = high.max(axis=0, initial=-np.inf)
        if n == 0:
            return
        self._step = (high - low).mean(axis=0)
        self._corner = self._low - 0.5 * self._step
        self._shape = np.ceil((self._high - self._corner) / self._step).astype(np.int64) + 1
        straight = space.cell in SIMPLICES or corners.shape[1] == 2**d
        pad = (1e-9 if straight else 0.1) * self._step
        self._fill(self._bucket(low - pad), self._bucket(high + pad))
        reference = np.zeros((1, d))
        x, jacobian = space.map_points(slice(0, n), reference)
        self._origin, self._inverse = x[:, 0], np.linalg.inv(jacobian[:, 0])

    def _bucket(self, x: Array) -> Array:
        index = np.floor((x - self._corner) / self._step).astype(np.int64)
        return np.clip(index, 0, self._shape - 1)

    def _fill(self, first: Array, last: Array) -> None:
        """Set the table (buckets, most cells in one) of cells in the order of their keys."""
        spans = last - first + 1
        cells, numbers = [], []
        for offset in np.ndindex(*spans.max(axis=0)):
            here = np.flatnonzero((np.array(offset) < spans).all(axis=1))
            index = first[here] + offset
            cells.append(here)
            numbers.append(np.ravel_multi_index(tuple(index.T), tuple(self._shape)))
        cell, number = np.concatenate(cells), np.concatenate(numbers)
        order = np.lexsort((self._keys[cell], number))
        cell, number = cell[order], number[order]
        counts = np.bincount(number, minlength=int(np.prod(self._shape)))
        slot = np.arange(len(cell)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._table = np.full((len(counts), int(counts.max())), -1, dtype=np.int32)
        self._table[number, slot] = cell

    def find(self, x: Array) -> tuple[Indices, Array, Array]:
        """Return which points lie in owned cells, in which, and where.

        Args:
            x: points as columns, (d, n), the same on all ranks.

        Returns:
            The local cell of every point, -1 when another rank has it or none, (n,); reference
            coordinates, (n, d); whether the point is in a cell of any rank, (n,).

        Parallel: collective.
        """
        points = np.ascontiguousarray(x.T)
        cell, reference = self._find_local(points)
        key = np.where(cell >= 0, self._keys[cell] if len(self._keys) else NOWHERE, NOWHERE)
        comm = self.space.comm
        least = key
        if comm.size > 1:
            least = np.empty_like(key)
            comm.Allreduce(key, least, op=MPI.MIN)
            cell = np.where(key == least, cell, -1).astype(np.int32)
        return cell, reference, least < NOWHERE

    def _find_local(self, points: Array) -> tuple[Indices, Array]:
        cell = np.full(len(points), -1, dtype=np.int32)
        reference = np.zeros(points.shape)
        pad = 1e-9 * (self._high - self._low)
        near = ((points >= self._low - pad) & (points <= self._high + pad)).all(axis=1)
        waiting = np.flatnonzero(near)
        if not waiting.size:
            return cell, reference
        number = np.ravel_multi_index(tuple(self._bucket(points[waiting]).T), tuple(self._shape))
        for slot in range(self._table.shape[1]):
            candidate = self._table[number, slot]
            there = candidate >= 0
            waiting, number, candidate = waiting[there], number[there], candidate[there]
            local = self._pull_back(points[waiting], candidate)
            inside = self._inside(local)
            found = waiting[inside]
            cell[found], reference[found] = candidate[inside], local[inside]
            waiting, number = waiting[~inside], number[~inside]
        return cell, reference

    def _pull_back(self, x: Array, cells: Indices) -> Array:
        """Return the reference coordinates of x in the given cells, by Newton's method."""
        local = np.einsum("nji,ni->nj", self._inverse[cells], x - self._origin[cells])
        if self._affine:
            return local
        local = np.full_like(local, 0.5)
        for _ in range(NEWTON_STEPS):
            at, jacobian = self.space.map_each(cells, local)
            step = np.linalg.solve(jacobian, (x - at)[..., None])[..., 0]
            local = np.clip(local + step, -1.0, 2.0)
        return local

    def _inside(self, local: Array) -> Array:
        most = local.sum(axis=1) if self.space.cell in SIMPLICES else local.max(axis=1)
        inside: Array = (local.min(axis=1) >= -INSIDE) & (most <= 1.0 + INSIDE)
        return inside


def _parallel(corners: Array) -> bool:
    """Return whether all cells, (n, corners, d), are parallelepipeds."""
    n, vertices, d = corners.shape
    if vertices != 2**d:
        return False
    edges = corners - corners[:, :1]
    # Corner v of the reference cell has the coordinates that the bits of v say.
    bits = (np.arange(vertices)[:, None] >> np.arange(d)) & 1
    expected = np.einsum("vi,nid->nvd", bits, edges[:, 1 << np.arange(d)])
    return bool(np.abs(edges - expected).max(initial=0.0) <= 1e-12 * np.abs(edges).max(initial=1.0))
