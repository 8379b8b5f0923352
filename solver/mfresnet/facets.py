# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The facets of the owned cells: their cells, quadrature points, normals and measure."""

from __future__ import annotations

from mpi4py import MPI

from dataclasses import dataclass

import basix
import numpy as np
from numpy.typing import NDArray

from mfresnet.arrays import Array, Indices
from mfresnet.errors import SolveError
from mfresnet.space import Space, chop

CHUNK = 20_000


@dataclass(frozen=True)
class Facets:
    """Quadrature on a set of facets, arrays over facets and the points of each.

    Attributes:
        cells: the cells on the sides, (sides, facets); the normal points out of the first.
        basis: traces of the basis from each side, (sides, facets, points, dofs per cell).
        x: points, (facets, points, d).
        weights: weight times the facet measure, (facets, points).
        normals: unit normals, (facets, points, d).
        owned: whether this rank counts the facet, (facets,).
    """

    cells: Indices
    basis: Array
    x: Array
    weights: Array
    normals: Array
    owned: NDArray[np.bool_]


def find_facets(space: Space) -> tuple[Facets, Facets]:
    """Return the interior and the exterior facets of the owned cells.

    A facet between two ranks is in the list of both; it belongs to the rank of the cell with the
    lower global index, which is also the first side, so that both ranks have the same normal.

    Raises:
        SolveError: cells across a facet are missing on this rank (mesh without ghost cells).

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
    return _tabulate(space, interior, sides), _tabulate(space, exterior, first[None, exterior])


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


def _facets_per_cell(space: Space) -> int:
    return len(basix.topology(space.basis.cell_type)[space.dimension - 1])


def _tabulate(space: Space, facets: Indices, cells: Indices) -> Facets:
    x, weights, normals, basis = _side(space, facets, cells[0])
    bases = [basis]
    for other in cells[1:]:
        x_other, _, _, basis_other = _side(space, facets, other)
        order = _match(x, x_other)
        bases.append(np.take_along_axis(basis_other, order[:, :, None], axis=1))
    return Facets(
        cells=cells,
        basis=np.stack(bases),
        x=x,
        weights=weights,
        normals=normals,
        owned=cells[0] < space.n_owned_cells,
    )


def _side(space: Space, facets: Indices, cells: Indices) -> tuple[Array, Array, Array, Array]:
    """Return points, weights, normals and basis of the facets as seen from ``cells``."""
    kind, d = space.basis.cell_type, space.dimension
    of_cell = space.mesh.topology.connectivity(d, d - 1)
    per_cell = _facets_per_cell(space)
    local = np.argmax(of_cell.array.reshape(-1, per_cell)[cells] == facets[:, None], axis=1)
    outward = basix.cell.facet_outward_normals(kind)
    corners, vertices = basix.geometry(kind), basix.topology(kind)[d - 1]
    _, rule_weights = _facet_rule(space)
    references = reference_points(space)
    n = len(rule_weights)
    x, weights = np.empty((len(facets), n, d)), np.empty((len(facets), n))
    normals, basis = np.empty((len(facets), n, d)), np.empty((len(facets), n, space.basis.dim))
    for index in range(per_cell):
        here = np.flatnonzero(local == index)
        corner = corners[vertices[index]]
        tangents = corner[1:d] - corner[0]
        reference = references[index]
        x[here], jacobian = space.map_points(cells[here], reference)
        inverse = np.linalg.inv(jacobian)
        # Nanson: n ds = |det J| J^-T n_ref ds_ref
        scaled = np.einsum("fqji,j->fqi", inverse, outward[index])
        scaled *= np.abs(np.linalg.det(jacobian))[..., None]
        length = np.linalg.norm(scaled, axis=-1)
        normals[here] = chop(scaled / length[..., None])
        weights[here] = length * rule_weights * np.sqrt(np.linalg.det(tangents @ tangents.T))
        basis[here] = space.tabulate(reference)[0]
    return x, weights, normals, basis


def reference_points(space: Space) -> list[Array]:
    """Return the quadrature points of every facet of the reference cell, (n, d) each."""
    kind, d = space.basis.cell_type, space.dimension
    points, _ = _facet_rule(space)
    corners = [basix.geometry(kind)[v] for v in basix.topology(kind)[d - 1]]
    return [corner[0] + points @ (corner[1:d] - corner[0]) for corner in corners]


def _facet_rule(space: Space) -> tuple[Array, Array]:
    kind = space.basis.cell_type
    facet = basix.cell.subentity_types(kind)[space.dimension - 1][0]
    if space.dimension == 1:
        return np.zeros((1, 0)), np.ones(1)
    return basix.make_quadrature(facet, space.facet_degree)


def _match(x: Array, other: Array) -> NDArray[np.int64]:
    """Return for every point of x the index of the same point in ``other``, facet by facet."""
    order = np.empty(x.shape[:2], dtype=np.int64)
    for start in range(0, len(x), CHUNK):
        part = slice(start, start + CHUNK)
        distance = np.linalg.norm(x[part, :, None] - other[part, None], axis=-1)
        order[part] = np.argmin(distance, axis=-1)
    return order
