# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The cell and the reference coordinates of many points at once, on any mesh, on all ranks."""

from __future__ import annotations

from mpi4py import MPI

import numpy as np

from mfresnet.arrays import Array, Indices
from mfresnet.mesh.pieces import CONVERGED, SLACK, Pieces
from mfresnet.mesh.space import SIMPLICES, Space

STEPS, NEWTON = 48, 8
"""Most steps to a point, and how many of every 32 are of Newton's method."""
CROWDED = 4
"""Most buckets for each piece, so that a graded mesh has not too many."""
NOWHERE = np.iinfo(np.int64).max


class Locator:
    """Finds points by a uniform grid of buckets, each with the pieces whose box touches it.

    A bucket has the mean size of a piece. The buckets lie half a piece off, so that on a box of
    equal cells each meets 2^d of them and not 3^d.
    """

    def __init__(self, space: Space) -> None:
        """Sort the pieces of the owned cells into buckets."""
        self.space = space
        n, d = space.n_owned_cells, space.dimension
        # The input numbers of the cells do not depend on the partition: they decide between the
        # cells around a facet, so that a point on it belongs to one cell on any number of ranks.
        self._keys = np.asarray(space.mesh.topology.original_cell_index[:n], dtype=np.int64)
        self._pieces = pieces = Pieces.of(space)
        self._any_bent = bool(pieces.bent.any())
        self._low = pieces.low.min(axis=0, initial=np.inf)
        self._high = pieces.high.max(axis=0, initial=-np.inf)
        if n == 0:
            return
        step = (pieces.high - pieces.low).mean(axis=0)
        wanted = float(np.prod((self._high - self._low) / step + 1.0))
        self._step = step * max(1.0, wanted / (CROWDED * len(pieces.cell))) ** (1.0 / d)
        self._corner = self._low - 0.5 * self._step
        self._shape = np.ceil((self._high - self._corner) / self._step).astype(np.int64) + 1
        self._fill(self._bucket(pieces.low), self._bucket(pieces.high))

    def _bucket(self, x: Array) -> Array:
        index = np.floor((x - self._corner) / self._step).astype(np.int64)
        return np.clip(index, 0, self._shape - 1)

    def _fill(self, first: Array, last: Array) -> None:
        """Set the pieces of every bucket, in the order of the keys of their cells."""
        sizes = last - first + 1
        counts = sizes.prod(axis=1)
        piece = np.repeat(np.arange(len(first)), counts)
        rest = np.arange(len(piece)) - np.repeat(np.cumsum(counts) - counts, counts)
        index = np.empty((len(piece), first.shape[1]), dtype=np.int64)
        for axis in range(first.shape[1]):
            rest, offset = np.divmod(rest, sizes[piece, axis])
            index[:, axis] = first[piece, axis] + offset
        number = np.ravel_multi_index(tuple(index.T), tuple(self._shape))
        order = np.lexsort((piece, self._keys[self._pieces.cell[piece]], number))
        self._members = piece[order]
        self._counts = np.bincount(number, minlength=int(np.prod(self._shape)))
        self._starts = np.cumsum(self._counts) - self._counts

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
        near = ((points >= self._low) & (points <= self._high)).all(axis=1)
        waiting = np.flatnonzero(near)
        if not waiting.size:
            return cell, reference
        number = np.ravel_multi_index(tuple(self._bucket(points[waiting]).T), tuple(self._shape))
        start, count = self._starts[number], self._counts[number]
        for slot in range(int(count.max())):
            there = slot < count
            waiting, start, count = waiting[there], start[there], count[there]
            candidate = self._members[start + slot]
            local, inside = self._pull_back(points[waiting], candidate)
            found = waiting[inside]
            cell[found], reference[found] = self._pieces.cell[candidate[inside]], local[inside]
            waiting, start, count = waiting[~inside], start[~inside], count[~inside]
        return cell, reference

    def _pull_back(self, x: Array, candidate: Indices) -> tuple[Array, Array]:
        """Return reference coordinates of x in the cells of pieces, and whether it lies there."""
        pieces = self._pieces
        local = np.einsum("nji,ni->nj", pieces.inverse[candidate], x - pieces.origin[candidate])
        inside = self._inside(local, pieces.slack[candidate])
        bent = np.flatnonzero(pieces.bent[candidate]) if self._any_bent else np.empty(0, int)
        if bent.size:
            inside[bent] = False
            piece, near = candidate[bent], local[bent]
            distance = np.abs(near - pieces.middle[piece]).max(axis=1)
            most = pieces.half[piece] * (1.0 + pieces.bend[piece]) + pieces.slack[piece]
            bent = bent[distance <= most]
            local[bent], inside[bent] = self._newton(x[bent], candidate[bent], local[bent])
        return local, inside

    def _newton(self, x: Array, candidate: Indices, local: Array) -> tuple[Array, Array]:
        """Improve reference coordinates by Newton's method, kept in the piece.

        Steps with the derivative at the middle, which bring every point of the piece nearer, help
        where those of Newton's method do not. A point belongs to the cell where the last step is as
        small as rounding: the length of a step is that of the residual in the reference cell.
        """
        pieces = self._pieces
        cell, slack = pieces.cell[candidate], pieces.slack[candidate]
        last = CONVERGED + slack - SLACK
        reach = (pieces.half[candidate] + 2.0 * slack)[:, None]
        low, high = pieces.middle[candidate] - reach, pieces.middle[candidate] + reach
        local = np.clip(local, low, high)
        length = np.full(len(x), np.inf)
        busy = np.arange(len(x))
        for number in range(STEPS):
            at, jacobian = self.space.map_each(cell[busy], local[busy])
            residual = (x[busy] - at)[..., None]
            if number % 32 < NEWTON:
                step = np.linalg.solve(jacobian, residual)[..., 0]
            else:
                step = (pieces.inverse[candidate[busy]] @ residual)[..., 0]
            after = np.clip(local[busy] + step, low[busy], high[busy])
            moved = np.abs(after - local[busy]).max(axis=1)
            local[busy], length[busy] = after, np.abs(step).max(axis=1)
            busy = busy[moved > last[busy]]
            if not busy.size:
                break
        return local, (length <= last) & self._inside(local, slack)

    def _inside(self, local: Array, slack: Array) -> Array:
        if self.space.cell in SIMPLICES:
            most = np.maximum(-local.min(axis=1), local.sum(axis=1) - 1.0)
        else:
            most = np.abs(local - 0.5).max(axis=1) - 0.5
        inside: Array = most <= slack
        return inside
