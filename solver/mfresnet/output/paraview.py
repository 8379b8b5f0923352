# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Files for ParaView: fields of a space, in the equispaced discontinuous Lagrange basis.

ParaView draws this basis as it is; the cell means beside it are right for integrals. A new format
is one row of ``FORMATS``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import basix.ufl
import numpy as np
from dolfinx import fem, io
from dolfinx import mesh as dmesh

from mfresnet.arrays import Array
from mfresnet.mesh import Space

Pair = tuple[fem.Function, fem.Function]


class Format(ABC):
    """Functions that fields of a space are written through, and how their file is opened.

    Parallel: every method but ``nodes`` is collective.
    """

    def __init__(self, space: Space, mesh: dmesh.Mesh) -> None:
        """Make the spaces on a mesh that has the owned cells of ``space`` in the same order."""
        self.space = space
        self._element = basix.ufl.element(
            "Lagrange",
            space.cell,
            max(space.degree, 1),
            lagrange_variant=basix.LagrangeVariant.equispaced,
            discontinuous=True,
        )
        self._points = self._element.basix_element.points
        self._table = space.tabulate(self._points)[0]
        self._nodal = fem.functionspace(mesh, self._element)
        vector = basix.ufl.blocked_element(self._element, shape=(space.dimension,))
        self._vector = fem.functionspace(mesh, vector)
        self._means = self._nodal

    @abstractmethod
    def open(self, stem: Path, functions: Sequence[fem.Function]) -> Any:
        """Return the file of some functions; it has ``write(t)`` and ``close()``."""

    def scalar(self, name: str) -> Pair:
        """Return the functions for a field and for its cell means."""
        return fem.Function(self._nodal, name=name), fem.Function(self._means, name=f"{name}_mean")

    def set_scalar(self, functions: Pair, f: Array) -> None:
        """Fill both functions from the degrees of freedom f, (n_owned,)."""
        space, (nodal, means) = self.space, functions
        cells = slice(0, space.n_owned_cells)
        local = f[space.dofs[cells]]
        nodal.x.array[self._nodal.dofmap.list[cells]] = local @ self._table.T
        integrals = np.einsum("ci,ci->c", local, space.integral[space.dofs[cells]])
        means.x.array[self._means.dofmap.list[cells]] = (integrals / space.cell_volume)[:, None]
        nodal.x.scatter_forward()
        means.x.scatter_forward()

    def vector(self, name: str) -> fem.Function:
        """Return the function for a vector field."""
        return fem.Function(self._vector, name=name)

    def nodes(self) -> Array:
        """Return the points where a vector field is given, (d, owned cells * points)."""
        x, _ = self.space.map_points(slice(0, self.space.n_owned_cells), self._points)
        return np.ascontiguousarray(x.reshape(-1, self.space.dimension).T)

    def set_vector(self, function: fem.Function, v: Array) -> None:
        """Fill a vector function from its values at ``nodes``, (d, n)."""
        d, cells = len(v), slice(0, self.space.n_owned_cells)
        dofs = self._vector.dofmap.list[cells].ravel()
        function.x.array.reshape(-1, d)[dofs] = v.T
        function.x.scatter_forward()


class Pvd(Format):
    """VTK's own files, .pvd; ghost cells are marked in them, and cell means are cell data."""

    def __init__(self, space: Space) -> None:
        """Write on the mesh of the space."""
        super().__init__(space, space.mesh)
        self._means = fem.functionspace(space.mesh, ("DG", 0))

    def open(self, stem: Path, functions: Sequence[fem.Function]) -> Any:
        """Return the file."""
        return _PvdFile(self.space, stem.with_suffix(".pvd"), functions)


class _PvdFile:
    def __init__(self, space: Space, path: Path, functions: Sequence[fem.Function]) -> None:
        self._file, self._functions = io.VTKFile(space.comm, str(path), "w"), list(functions)

    def write(self, t: float) -> None:
        self._file.write_function(self._functions, t)

    def close(self) -> None:
        self._file.close()


class Bp(Format):
    """ADIOS2, .bp: few files on many ranks, for ParaView's ADIOS2VTXReader.

    A file of this format does not mark ghost cells, so that it is written on a mesh without any.
    All functions in it share one element: cell means have the same value in all nodes of a cell.
    """

    def __init__(self, space: Space) -> None:
        """Write on the mesh of the cells that the ranks own."""
        owned = np.arange(space.n_owned_cells, dtype=np.int32)
        super().__init__(space, dmesh.create_submesh(space.mesh, space.dimension, owned)[0])

    def open(self, stem: Path, functions: Sequence[fem.Function]) -> Any:
        """Return the file, of version 4 of the format, which that reader knows."""
        path = str(stem.with_suffix(".bp"))
        return io.VTXWriter(self.space.comm, path, list(functions), "BP4")


FORMATS: dict[str, type[Pvd] | type[Bp]] = {".pvd": Pvd, ".bp": Bp}
"""Ending -> how fields are written."""
