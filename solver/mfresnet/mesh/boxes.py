# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Meshes: boxes of every cell type."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Sequence

from dolfinx import mesh as dmesh

from mfresnet.arrays import Array

CELLS: dict[str, int] = {
    "interval": 1, "triangle": 2, "quadrilateral": 2, "tetrahedron": 3, "hexahedron": 3
}  # fmt: skip
"""Cell type -> dimension d."""


def box(
    comm: MPI.Intracomm,
    cell: str,
    cells: Sequence[int],
    lower: Array,
    upper: Array,
) -> dmesh.Mesh:
    """Return the box [lower, upper] with ``cells`` cells in each direction.

    Args:
        comm: the communicator over which the cells are distributed.
        cell: a name in ``CELLS``.
        cells: number of cells per direction, length d.
        lower: least coordinates, length d.
        upper: greatest coordinates, length d.

    Parallel: collective; facets between ranks have ghost cells, which the transport needs.
    """
    shared = dmesh.GhostMode.shared_facet
    if CELLS[cell] == 1:
        return dmesh.create_interval(comm, cells[0], [lower[0], upper[0]], ghost_mode=shared)
    create = dmesh.create_rectangle if CELLS[cell] == 2 else dmesh.create_box
    kind = getattr(dmesh.CellType, cell)
    return create(comm, [list(lower), list(upper)], list(cells), kind, ghost_mode=shared)
