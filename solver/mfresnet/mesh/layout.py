# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The cells of a rank in blocks of as many as a vector register holds, for compiled loops.

Fields are [block][degree of freedom][lane]: a register holds the same degree of freedom of the
cells of a block. Facet points are [block][facet point][lane], as each cell sees its own facets;
behind them come, one after the other, those of cells of other ranks, the boundary points of the
mesh, and one that stands for nothing. On intervals, quadrilaterals and hexahedra degrees of
freedom, cell points and facet points are numbered along lines, the first direction fastest.
"""

from __future__ import annotations

from mpi4py import MPI

import numpy as np

from mfresnet.arrays import Array
from mfresnet.mesh.facets import Facets, reference_points
from mfresnet.mesh.space import SIMPLICES, Space

ALIGNMENT = 64
UNIT = ALIGNMENT // 8
"""Of the coordinates of the middles of cells, for their order."""


def aligned(*shape: int) -> Array:
    """Return zeros at an address that suits vector registers."""
    count = int(np.prod(shape))
    memory = np.empty(8 * count + ALIGNMENT, dtype=np.uint8)
    memory[:] = 0
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + 8 * count].view(np.float64).reshape(shape)


class Layout:
    """Where degrees of freedom and points are.

    Attributes:
        space: the space.
        lanes: cells of a block.
        blocks: number of blocks; in the last one lanes may be empty.
        halo: number of blocks, the first ones, that hold the cells with facets of other ranks.
        size: length of a field.
        sides: number of places of facet points.
        dofs: the number in the basis of every degree of freedom of a cell, (dofs,).
        points: the number in the rule of every point of a cell, (points,).
        facet_points: the number of every facet point of a cell among those of the reference
            facets, one facet after the other, (facet points,).
        cells: the cell in every lane, (blocks lanes,); a cell of this rank in empty ones.
        filled: whether there is a cell in the lane, (blocks lanes,).
        place: where every degree of freedom of this rank is in a field, (n_owned,).
        inside, outside: where the points of interior facets are as their first and second side see
            them, (n_facet,).
        exits: where the boundary points are as their cells see them, (n_exit,).
        behind: the other side of every facet point of the blocks, (blocks facet points lanes,).
        neighbours: the ranks of other cells, and for each the places of what is sent.
        received: for each of the neighbours the slice of places that it fills.

    Parallel: construction is collective.
    """

    def __init__(self, space: Space, interior: Facets, exterior: Facets, lanes: int) -> None:
        """Number everything."""
        self.space, self.lanes = space, lanes
        self._number_cells(interior)
        self._number_dofs()
        self._number_facet_points(interior, exterior)

    def _number_cells(self, interior: Facets) -> None:
        n, lanes = self.space.n_owned_cells, self.lanes
        shared = np.zeros(n, dtype=bool)
        between = (interior.cells >= n).any(axis=0)
        mine = interior.cells[:, between]
        shared[mine[mine < n]] = True
        near = _in_rows(self.space)
        order = np.concatenate([near[shared[near]], near[~shared[near]]])
        self.blocks, self.halo = -(-n // lanes), -(-int(shared.sum()) // lanes)
        total = self.blocks * lanes
        self.filled = np.arange(total) < n
        self.cells = order[np.minimum(np.arange(total), max(n - 1, 0))]
        self._lane = np.empty(n, dtype=np.int64)
        self._lane[order] = np.arange(n)

    def _number_dofs(self) -> None:
        space = self.space
        basis, n = space.quadrature.basis, space.basis.dim
        if space.cell in SIMPLICES:
            self.dofs, self.points = np.arange(n), np.arange(len(basis))
        else:
            reference, _ = space.reference_rule(space.cell_degree)
            self.points = np.lexsort(np.round(reference, 9).T)
            self.dofs = np.argmax(basis[self.points], axis=1)
        self.size = self.blocks * n * self.lanes
        self.place = np.empty(space.n_owned, dtype=np.int64)
        cells = np.arange(space.n_owned_cells)
        self.place[space.dofs[: space.n_owned_cells, self.dofs]] = self._places(
            cells[:, None], np.arange(n), n
        )

    def _places(self, cells: Array, number: Array, per_cell: int) -> Array:
        """Return [block][number][lane] of numbers in cells."""
        block, lane = np.divmod(self._lane[cells], self.lanes)
        return (block * per_cell + number) * self.lanes + lane

    def _number_facet_points(self, interior: Facets, exterior: Facets) -> None:
        space = self.space
        references = reference_points(space)
        every = np.concatenate(references)
        if space.cell in SIMPLICES:
            self.facet_points: Array = np.arange(len(every))
        else:
            which = np.repeat(np.arange(len(references)), len(references[0]))
            self.facet_points = _by_direction(every, which)
        per_cell = len(every)
        kernel = np.argsort(self.facet_points).reshape(len(references), -1)
        own = self.blocks * per_cell * self.lanes

        n = space.n_owned_cells
        sides = []
        ghosts = [np.flatnonzero(side >= n) for side in interior.cells]
        self._find_neighbours(interior)
        filled = own
        for side in range(2):
            cells, local = interior.cells[side], interior.local[side]
            here, number = cells < n, kernel[local[:, None], interior.order[side]]
            place = np.empty(number.shape, dtype=np.int64)
            place[here] = self._places(cells[here, None], number[here], per_cell)
            sides.append(place)
        width = interior.weights.shape[1]
        self.received = []
        for facets, outer in zip(self._shared, self._outer, strict=True):
            numbers = filled + np.arange(facets.size * width).reshape(-1, width)
            for side in range(2):
                mine = outer == side
                sides[side][facets[mine]] = numbers[mine]
            self.received.append(slice(filled, filled + facets.size * width))
            filled += facets.size * width
        assert filled == own + width * sum(g.size for g in ghosts)
        self.neighbours = [
            (rank, np.where((outer == 0)[:, None], sides[1][facets], sides[0][facets]).ravel())
            for rank, facets, outer in zip(self._ranks, self._shared, self._outer, strict=True)
        ]
        self.inside, self.outside = (place.ravel() for place in sides)
        number = kernel[exterior.local[0][:, None], exterior.order[0]]
        self.exits = self._places(exterior.cells[0][:, None], number, per_cell).ravel()
        self.leaving = slice(filled, filled + self.exits.size)
        # from one class to the next, where vector registers like it; the last one is nobody's
        self.sides = -(-(self.leaving.stop + 1) // UNIT) * UNIT
        behind = np.full(self.sides, self.sides - 1, dtype=np.int32)
        behind[self.inside], behind[self.outside] = self.outside, self.inside
        behind[self.exits] = np.arange(self.leaving.start, self.leaving.stop)
        self.behind = np.ascontiguousarray(behind[:own])
        self.own = own

    def _find_neighbours(self, interior: Facets) -> None:
        """Sort the facets shared with every other rank in an order that both ranks have."""
        space = self.space
        n, index_map = space.n_owned_cells, space.mesh.topology.index_map(space.dimension)
        outer = np.where(interior.cells[0] >= n, 0, 1)
        between = np.flatnonzero((interior.cells >= n).any(axis=0))
        ghosts = interior.cells[outer[between], between]
        owners = index_map.owners[ghosts - n] if len(between) else np.empty(0, dtype=int)
        numbers = index_map.local_to_global(interior.cells[:, between].ravel().astype(np.int32))
        first, second = numbers.reshape(2, -1)
        order = np.lexsort([second, first, owners])
        self._ranks = [int(r) for r in np.unique(owners)]
        self._shared = [between[order[owners[order] == r]] for r in self._ranks]
        self._outer = [outer[facets] for facets in self._shared]
        requests, got = [], []
        for rank, facets in zip(self._ranks, self._shared, strict=True):
            x = np.ascontiguousarray(interior.x[facets])
            got.append(np.empty_like(x))
            requests += [space.comm.Irecv(got[-1], rank), space.comm.Isend(x, rank)]
        MPI.Request.Waitall(requests)
        for facets, x in zip(self._shared, got, strict=True):
            assert np.allclose(interior.x[facets], x, rtol=1e-12, atol=1e-12)

    def cell_points(self) -> Array:
        """Return all points of the cells, those of an empty lane somewhere, (d, n)."""
        x = self.space.quadrature.x[:, self.points]
        return self.of_points(np.moveaxis(x, -1, 0))

    def of_points(self, values: Array) -> Array:
        """Return values (..., cells, points) as [block][point][lane], (..., n)."""
        *rest, _, points = values.shape
        lanes = values[..., self.cells, :].reshape(*rest, self.blocks, self.lanes, points)
        result = np.swapaxes(lanes, -1, -2)
        return np.ascontiguousarray(result).reshape(*rest, self.blocks * points * self.lanes)


def _in_rows(space: Space) -> Array:
    """Return the cells row by row, the rows as high as cells are on average.

    What a row leaves for the next one is read in the order in which it was written, as processors
    expect it.
    """
    nodes = space.cell_nodes()
    if not len(nodes):
        return np.arange(0)
    middles, extent = nodes.mean(axis=1), np.ptp(nodes, axis=1).mean(axis=0)
    low = middles.min(axis=0) - 0.5 * extent
    rows = np.floor((middles[:, 1:] - low[1:]) / extent[1:])
    return np.lexsort(np.column_stack([middles[:, 0], rows]).T)


def _by_direction(points: Array, facet: Array) -> Array:
    """Return the facet points of a reference product cell by direction, end, and along lines."""
    key = np.empty(points.shape)
    for number in np.unique(facet):
        here = facet == number
        x = np.round(points[here], 9)
        # all points have the same coordinate in this direction, 0 or 1
        j = int(np.argmin(np.ptp(x, axis=0) + np.abs(np.abs(x[0] - 0.5) - 0.5)))
        key[here, 0] = 2 * j + x[0, j]
        key[here, 1:] = np.delete(x, j, axis=1)[:, ::-1]
    return np.lexsort(key.T[::-1])
