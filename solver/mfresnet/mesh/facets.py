# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The facets of the owned cells: their cells, quadrature points, normals and measure."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Iterator
from dataclasses import dataclass

import basix
import numpy as np
from numpy.typing import NDArray

from mfresnet.arrays import Array, Indices, determinants, inverses
from mfresnet.errors import SolveError
from mfresnet.mesh.space import Space, chop, refuse_places

CHUNK = 2_000
"""Facets at a time where their points are made."""


@dataclass(frozen=True)
class Facets:
    """Quadrature on a set of facets, arrays over facets and the points of each.

    Attributes:
        cells: the cells on the sides, (sides, facets); the normal points out of the first.
        local: the number of the facet in those cells, (sides, facets).
        order: the number of every point among those of the reference facet, as each side counts
            them, (sides, facets, points).
        tables: the basis at the points of every reference facet, (facets of a cell, points, dofs).
        x: points, (facets, points, d).
        weights: weight times the facet measure, (facets, points).
        normals: unit normals, (facets, points, d).
        owned: whether this rank counts the facet, (facets,).
    """

    cells: Indices
    local: Array
    order: Array
    tables: Array
    x: Array
    weights: Array
    normals: Array
    owned: NDArray[np.bool_]

    def traces(self, side: int, part: slice) -> Array:
        """Return the basis of one side at the points of some facets, (facets, points, dofs)."""
        return self.tables[self.local[side, part, None], self.order[side, part]]


def find_facets(space: Space) -> tuple[Facets, Facets]:
    """Return the interior and the exterior facets of the owned cells.

    A facet between two ranks is in the list of both; it belongs to the rank of the cell with the
    lower global index, which is also the first side, so that both ranks have the same normal.

    Raises:
        SolveError: cells across a facet are missing on this rank (mesh without ghost cells).
        InputError: the cells on the sides of a facet overlap.

    Parallel: collective.
    """
    topology, d = space.mesh.topology, space.dimension
    topology.create_connectivity(d - 1, d)
    topology.create_connectivity(d, d - 1)
    to_cells = topology.connectivity(d - 1, d)
    count = np.diff(to_cells.offsets)
    first = to_cells.array[to_cells.offsets[:-1]]
    last = to_cells.array[to_cells.offsets[1:] - 1]
    touched = (first < space.n_owned_cells) | (last < space.n_owned_cells)
    exterior = np.flatnonzero(touched & (count == 1)).astype(np.int32)
    interior = np.flatnonzero(touched & (count == 2)).astype(np.int32)
    _check_exterior(space, exterior)

    cell_map = topology.index_map(d)
    indices = np.arange(cell_map.size_local + cell_map.num_ghosts, dtype=np.int32)
    to_global = cell_map.local_to_global(indices)
    swap = to_global[first[interior]] > to_global[last[interior]]
    one, two = first[interior], last[interior]
    sides = np.stack([np.where(swap, two, one), np.where(swap, one, two)])
    inside = _tabulate(space, interior, sides)
    _check_sides(space, inside)
    return inside, _tabulate(space, exterior, first[None, exterior])


def _check_exterior(space: Space, exterior: Indices) -> None:
    """Compare the number of boundary facets with 2 facets - (sides of all cells)."""
    topology, d = space.mesh.topology, space.dimension
    everything = topology.index_map(d - 1).size_global
    local = np.array([space.n_owned_cells * _facets_per_cell(space), len(exterior)])
    sides, found = space.comm.allreduce(local, op=MPI.SUM)
    expected = 2 * everything - sides
    if found != expected:
        raise SolveError(
            f"mesh: cells across facets between ranks are missing; got {found} boundary facets, "
            f"expected {expected}. Create the mesh with ghost_mode=GhostMode.shared_facet."
        )


def _check_sides(space: Space, facets: Facets) -> None:
    """Refuse facets whose second cell does not lie where the normal points to."""
    outward = basix.cell.facet_outward_normals(space.basis.cell_type)
    inside = np.zeros(len(facets.owned), dtype=bool)
    for index, here in _alike(facets.local[1]):
        middle = reference_points(space)[index].mean(axis=0)
        _, jacobian = space.map_points(facets.cells[1, here], middle[None])
        leaving = jacobian[:, 0] @ outward[index]
        inside[here] = np.sum(leaving * facets.normals[here].mean(axis=1), axis=1) >= 0.0
    middles = facets.x[inside & facets.owned].mean(axis=1)
    refuse_places(space.comm, middles, "facets whose cells overlap")


def _facets_per_cell(space: Space) -> int:
    return len(basix.topology(space.basis.cell_type)[space.dimension - 1])


def _tabulate(space: Space, facets: Indices, cells: Indices) -> Facets:
    references = reference_points(space)
    local = np.array([_numbers(space, facets, side) for side in cells], dtype=np.int8)
    x, weights, normals = _geometry(space, cells[0], local[0], references)
    order = np.empty((*local.shape, len(references[0])), dtype=np.int16)
    order[0] = np.arange(order.shape[-1])
    for side in range(1, len(cells)):
        _match(space, x, cells[side], local[side], references, order[side])
    return Facets(
        cells=cells,
        local=local,
        order=order,
        tables=np.array([space.tabulate(points)[0] for points in references]),
        x=x,
        weights=weights,
        normals=normals,
        owned=cells[0] < space.n_owned_cells,
    )


def _numbers(space: Space, facets: Indices, cells: Indices) -> Array:
    """Return the number of each facet among those of its cell, (facets,)."""
    d, per_cell = space.dimension, _facets_per_cell(space)
    of_cell = space.mesh.topology.connectivity(d, d - 1).array.reshape(-1, per_cell)
    return np.argmax(of_cell[cells] == facets[:, None], axis=1)


def _alike(local: Array) -> Iterator[tuple[int, Array]]:
    """Yield a number of a facet in its cell and facets that have it, not too many at once."""
    for index in range(local.max(initial=-1) + 1):
        here = np.flatnonzero(local == index)
        for start in range(0, len(here), CHUNK):
            yield index, here[start : start + CHUNK]


def _geometry(
    space: Space, cells: Indices, local: Array, references: list[Array]
) -> tuple[Array, Array, Array]:
    """Return points, weights and normals of the facets as seen from ``cells``."""
    kind, d = space.basis.cell_type, space.dimension
    outward = basix.cell.facet_outward_normals(kind)
    corners, vertices = basix.geometry(kind), basix.topology(kind)[d - 1]
    _, rule_weights = facet_rule(space)
    shape = (len(cells), len(rule_weights))
    x, weights, normals = np.empty((*shape, d)), np.empty(shape), np.empty((*shape, d))
    for index, here in _alike(local):
        corner = corners[vertices[index]]
        tangents = corner[1:d] - corner[0]
        x[here], jacobian = space.map_points(cells[here], references[index])
        inverse = inverses(jacobian)
        # Nanson: n ds = |det J| J^-T n_ref ds_ref
        scaled = np.einsum("fqji,j->fqi", inverse, outward[index])
        scaled *= np.abs(determinants(jacobian))[..., None]
        length = np.linalg.norm(scaled, axis=-1)
        normals[here] = chop(scaled / length[..., None])
        weights[here] = length * rule_weights * np.sqrt(np.linalg.det(tangents @ tangents.T))
    return x, weights, normals


def reference_points(space: Space) -> list[Array]:
    """Return the quadrature points of every facet of the reference cell, (n, d) each."""
    kind, d = space.basis.cell_type, space.dimension
    points, _ = facet_rule(space)
    corners = [basix.geometry(kind)[v] for v in basix.topology(kind)[d - 1]]
    return [corner[0] + points @ (corner[1:d] - corner[0]) for corner in corners]


def facet_rule(space: Space) -> tuple[Array, Array]:
    """Return points and weights of the quadrature on the reference facet."""
    kind = space.basis.cell_type
    facet = basix.cell.subentity_types(kind)[space.dimension - 1][0]
    if space.dimension == 1:
        return np.zeros((1, 0)), np.ones(1)
    return basix.make_quadrature(facet, space.facet_degree)


def _match(
    space: Space, x: Array, cells: Indices, local: Array, references: list[Array], order: Array
) -> None:
    """Set ``order`` to which point of the reference facet of ``cells`` each point of x is."""
    for index, here in _alike(local):
        other, _ = space.map_points(cells[here], references[index])
        distance = np.linalg.norm(x[here][:, :, None] - other[:, None], axis=-1)
        order[here] = np.argmin(distance, axis=-1)
