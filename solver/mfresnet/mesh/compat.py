# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The differences between the supported DOLFINx versions, and its options for compiling forms."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable
from typing import Any

import basix
import numpy as np
from dolfinx import mesh as dmesh
from numpy.typing import NDArray


def _geometry(mesh: dmesh.Mesh, name: str) -> Any:
    """Return geometry.cmap or geometry.dofmap; 0.10 and later keep lists of them."""
    plural = getattr(mesh.geometry, name + "s", None)
    return getattr(mesh.geometry, name) if plural is None else plural[0]


def geometry_dofmap(mesh: dmesh.Mesh) -> NDArray[np.int32]:
    """Return the geometry nodes of every local cell, shape (cells with ghosts, nodes)."""
    return np.asarray(_geometry(mesh, "dofmap"))


def _shared_facets() -> Callable[..., Any]:
    """Return the partitioner with ghost cells across facets; 0.10 wants the cells of a facet."""
    try:
        return dmesh.create_cell_partitioner(dmesh.GhostMode.shared_facet, 2)
    except TypeError:
        return dmesh.create_cell_partitioner(dmesh.GhostMode.shared_facet)


def create_mesh(
    comm: MPI.Intracomm,
    cells: NDArray[np.int64],
    x: NDArray[np.float64],
    element: Any,
    partitioner: Callable[..., Any] | None = None,
) -> dmesh.Mesh:
    """Return a mesh with ghost cells across facets; 0.10 has exchanged two arguments."""
    partitioner = partitioner or _shared_facets()
    return dmesh.create_mesh(comm=comm, cells=cells, x=x, e=element, partitioner=partitioner)


def coordinate_element(mesh: dmesh.Mesh) -> basix.finite_element.FiniteElement:
    """Return the scalar basix element of the coordinate map."""
    cmap = _geometry(mesh, "cmap")
    cell = getattr(basix.CellType, mesh.topology.cell_name())
    return basix.create_element(
        basix.ElementFamily.P, cell, cmap.degree, basix.LagrangeVariant(cmap.variant)
    )
