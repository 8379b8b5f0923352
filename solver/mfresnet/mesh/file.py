# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The mesh of a case: a box, or from a file, gmsh (.msh) or XDMF (.xdmf), of one cell type."""

from __future__ import annotations

from mpi4py import MPI

import math
from pathlib import Path

import basix
import basix.ufl
import numpy as np
from dolfinx import mesh as dmesh
from scipy.spatial import cKDTree

from mfresnet.arrays import Array
from mfresnet.case import Case
from mfresnet.errors import InputError
from mfresnet.memory import available, in_units
from mfresnet.mesh import compat
from mfresnet.mesh.boxes import CELLS, box
from mfresnet.mesh.reader import read_arrays
from mfresnet.parallel import together

NAMES = {
    "line": "interval", "triangle": "triangle", "quad": "quadrilateral",
    "tetra": "tetrahedron", "hexahedron": "hexahedron",
}  # fmt: skip
"""Cell type in meshio -> ours."""
TENSOR = {"quadrilateral": [0, 1, 3, 2], "hexahedron": [0, 1, 3, 2, 4, 5, 7, 6]}
"""Vertices of files, around a face, in the order of the reference cell, along the axes."""
FLAT = 1e-12
"""Share of the size of the mesh that counts as nothing."""
CELL_BYTES, DOF_BYTES = 300, 500
"""Memory that a cell and a degree of freedom take at least."""
LARGEST = 1e100
"""Largest coordinate; the volume of a cell is a number too."""


def read(comm: MPI.Intracomm, path: Path, cell: str) -> dmesh.Mesh:
    """Return the mesh in a file; its groups and tags are ignored.

    Cells of a lower dimension (boundary facets that gmsh has saved) are left out.

    Args:
        comm: the communicator over which the cells are distributed.
        path: a file with a suffix in ``FORMATS``.
        cell: the expected cell type, a name in ``CELLS``.

    Raises:
        InputError: the file cannot be read, or its cells are mixed, curved, of another type than
            ``cell``, or lie in a space of a higher dimension, or do not fit together.

    Parallel: collective; rank 0 reads, facets between ranks have ghost cells.
    """
    x: Array = np.zeros((0, CELLS[cell]))
    cells: Array = np.zeros((0, 1), dtype=np.int64)
    with together(comm):
        if comm.rank == 0:
            x, cells = _load(path, cell)
    nodes = comm.bcast(cells.shape[1], root=0)
    if comm.rank != 0:
        cells = np.zeros((0, nodes), dtype=np.int64)
    element = basix.ufl.element("Lagrange", cell, 1, shape=(CELLS[cell],))
    return compat.create_mesh(comm, cells, x, element)


def _load(path: Path, cell: str) -> tuple[Array, Array]:
    """Return vertices (n, d) and cells (m, vertices of a cell)."""
    points, blocks = read_arrays(path)
    dimension = max((block.dimension for block in blocks if len(block.vertices)), default=0)
    if dimension == 0:
        raise InputError(f"mesh.file: no cells in {path}, expected a mesh. Mesh the domain first.")
    blocks = [block for block in blocks if block.dimension == dimension]
    kinds = sorted({block.kind for block in blocks})
    known = [NAMES.get(kind, kind) for kind in kinds]
    if known != [cell]:
        hint = f"Set mesh.cell to {known[0]}." if known[0] in CELLS else "Mesh with straight cells."
        raise InputError(
            f"mesh.file: other cells than mesh.cell; got {' and '.join(known)} in {path.name}, "
            f"expected {cell} only. {hint if len(known) == 1 else 'Mesh with one type of cell.'}"
        )
    cells = np.concatenate([block.vertices for block in blocks])
    if cells.min() < 0 or cells.max() >= len(points):
        raise InputError(
            f"mesh.file: cells of vertices that are not there; got numbers from {cells.min()} to "
            f"{cells.max()} in {path.name}, expected 0 to {len(points) - 1}. Write the file again."
        )
    if (np.diff(np.sort(cells, axis=1), axis=1) == 0).any():
        raise InputError(
            f"mesh.file: a cell that has a vertex twice; got one in {path.name}, expected none. "
            "Write the file again."
        )
    # vertices that no cell has, such as the centres of circles, are left out
    used, cells = np.unique(cells, return_inverse=True)
    cells = cells.reshape(-1, blocks[0].vertices.shape[1]).astype(np.int64)
    x, d = points[used], CELLS[cell]
    if not (np.abs(x) <= LARGEST).all():
        raise InputError(
            f"mesh.file: coordinates that are not finite; got {np.sum(~(np.abs(x) <= LARGEST))} in "
            f"{path.name}, expected numbers up to {LARGEST:g} only. Write the file again."
        )
    if x.shape[1] < d or np.ptp(x[:, d:], axis=0).max(initial=0.0) > FLAT * np.ptp(x):
        raise InputError(
            f"mesh.file: {cell} cells that are not flat; got coordinates in {x.shape[1]} directions"
            f" in {path.name}, expected {d}. Mesh a domain of dimension {d}."
        )
    if cell in TENSOR:
        cells = cells[:, TENSOR[cell]]
    x = np.ascontiguousarray(x[:, :d])
    _check_neighbours(path.name, cell, x, cells)
    return x, cells


def _check_neighbours(name: str, cell: str, x: Array, cells: Array) -> None:
    """Refuse cells that are there twice, facets of three cells, and vertices in one place."""
    # a sum of random numbers, one for each vertex, is the same for the same vertices only
    number = np.random.default_rng(0).integers(2**63, size=len(x), dtype=np.uint64)[cells]
    facets = basix.topology(getattr(basix.CellType, cell))[-2]
    twice = len(cells) - len(np.unique(number.sum(axis=1)))
    _, shared = np.unique([number[:, f].sum(axis=1) for f in facets], return_counts=True)
    if twice:
        raise InputError(
            f"mesh.file: cells that are there twice; got {twice} in {name}, expected every cell "
            "once. Put each into one physical group only."
        )
    if shared.max() > 2:
        raise InputError(
            f"mesh.file: facets of more than two cells; got {np.sum(shared > 2)} in {name}, "
            "expected none. Mesh a domain whose parts do not overlap."
        )
    near = cKDTree(x).query_pairs(FLAT * float(np.ptp(x, axis=0).max()), output_type="ndarray")
    if len(near):
        raise InputError(
            f"mesh.file: two vertices in one place; got {len(near)} such places in {name}, "
            "expected none: no mass would pass between their cells. Merge them."
        )


def _check_memory(case: Case, comm: MPI.Intracomm) -> None:
    """Refuse a box that cannot fit into the memory, before DOLFINx counts its cells in integers."""
    p, d, cell = case.space.degree, case.dimension, case.mesh.cell
    boxes = math.prod(case.cells())
    cells = boxes * (1 if cell in TENSOR or d == 1 else math.factorial(d))
    n = (p + 1) ** d if cell in TENSOR else math.comb(p + d, d)
    needed = cells * (CELL_BYTES + n * (DOF_BYTES + 16 * max(1, len(case.classes))))
    room = available(comm)
    if needed > room:
        raise InputError(
            f"mesh.cells: too many for the memory; got {cells:.3g} cells of degree {p} that take "
            f"at least {in_units(needed)}, expected at most {in_units(room)}. Use fewer."
        )


def create(case: Case, extent: Array, comm: MPI.Intracomm) -> dmesh.Mesh:
    """Return the mesh of a case.

    Args:
        case: the case.
        extent: corners of a box that holds the initial mass, (2, d).
        comm: the communicator.

    Parallel: collective.
    """
    if case.mesh.file is not None:
        return read(comm, case.mesh.file, case.mesh.cell)
    _check_memory(case, comm)
    return box(comm, case.mesh.cell, case.cells(), *case.corners(extent))
