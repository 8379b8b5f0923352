# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Files for ParaView: fields of a space, in the equispaced discontinuous Lagrange basis.

ParaView draws this basis as it is; the cell means beside it are right for integrals. A new format
is one row of ``FORMATS``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import basix.ufl
import numpy as np
from dolfinx import cpp, fem, io
from dolfinx import mesh as dmesh

from mfresnet.arrays import Array
from mfresnet.mesh import Space
from mfresnet.output.vtk_files import (
    LAGRANGE,
    LINEAR,
    Column,
    cells_piece,
    column,
    write_collection,
)

SERIES, EARLIER = "fields.pvd", ("density.pvd", "adjoint.pvd", "velocity.pvd")
"""The data set of a run, and other names of the same."""
UNITS = {"density": "1/volume", "adjoint": "loss", "mass_share": "1", "velocity": "length/depth"}
"""First word of the name of a field -> its unit, in coordinates of the mesh."""


@dataclass(frozen=True)
class Snapshot:
    """The fields at one depth, on the cells of this rank.

    Attributes:
        t: the depth.
        layer: the number of the layer that starts there, L at T.
        scalars: name -> degrees of freedom, (n_owned,).
        shares: name -> values at the nodes, (cells, nodes).
        velocity: values at the nodes, (d, cells * nodes); at T that of the last layer.
        last: whether this is T.
    """

    t: float
    layer: int
    scalars: Mapping[str, Array]
    shares: Mapping[str, Array]
    velocity: Array
    last: bool


class Nodes:
    """The nodes of the basis that fields are written in."""

    def __init__(self, space: Space) -> None:
        """Tabulate the basis of the space at them."""
        self.space = space
        self.element = basix.ufl.element(
            "Lagrange",
            space.cell,
            max(space.degree, 1),
            lagrange_variant=basix.LagrangeVariant.equispaced,
            discontinuous=True,
        )
        self.reference = self.element.basix_element.points
        self._table = space.tabulate(self.reference)[0]

    def values(self, f: Array) -> Array:
        """Return a field at the nodes, (n_owned,) -> (cells, nodes)."""
        return self.space.at_quadrature(f, self._table)

    def means(self, f: Array) -> Array:
        """Return the means of a field over the cells, (n_owned,) -> (cells,)."""
        dofs = self.space.dofs[: self.space.n_owned_cells]
        return np.sum(f[dofs] * self.space.integral[dofs], axis=1) / self.space.cell_volume

    def places(self) -> Array:
        """Return the nodes as columns, (d, cells * nodes)."""
        x, _ = self.space.map_points(slice(0, self.space.n_owned_cells), self.reference)
        return np.ascontiguousarray(x.reshape(-1, self.space.dimension).T)


class Format(ABC):
    """Files of a run in one format.

    Parallel: every method is collective.
    """

    @abstractmethod
    def __init__(self, nodes: Nodes, labels: Sequence[str], directory: Path) -> None:
        """Take where the fields are given and the labels of the classes."""

    @abstractmethod
    def write(self, snapshot: Snapshot) -> None:
        """Add the fields at one depth."""

    @abstractmethod
    def close(self) -> None:
        """End the files."""


class Vtk(Format):
    """VTK's own files: one data set with all fields, without ghost cells, a file a rank and depth.

    Densities are in double precision, what is only looked at in single precision.
    """

    def __init__(self, nodes: Nodes, labels: Sequence[str], directory: Path) -> None:
        """Encode what is the same at all depths."""
        space = nodes.space
        self._nodes, self._directory, self._comm = nodes, directory, space.comm
        self._entries: list[tuple[float, str]] = []
        count = len(nodes.reference)
        kinds = LINEAR if space.degree < 2 else LAGRANGE
        self._kind = kinds[space.cell]
        kind = cpp.mesh.to_type(space.cell)
        order = np.argsort(cpp.io.perm_vtk(kind, count))
        self._lists = np.arange(space.n_owned_cells * count).reshape(-1, count)[:, order]
        x = nodes.places().T
        self._points = [column("Points", np.pad(x, ((0, 0), (0, 3 - space.dimension))))]
        first = f"density_{labels[0]}"
        self._active = {
            "PointData": {"Scalars": first, "Vectors": "velocity"},
            "CellData": {"Scalars": f"{first}_mean"},
        }

    def write(self, snapshot: Snapshot) -> None:
        """Write the files of this depth."""
        d, number = self._nodes.space.dimension, len(self._entries)
        of_points: list[Column] = []
        of_cells: list[Column] = []
        for name, f in snapshot.scalars.items():
            unit = UNITS[name.partition("_")[0]]
            values = self._nodes.values(f).ravel()
            exact = name.startswith("density")
            of_points.append(column(name, values if exact else values.astype("f4"), unit))
            of_cells.append(column(f"{name}_mean", self._nodes.means(f), unit))
        for name, share in snapshot.shares.items():
            of_points.append(column(name, share.ravel().astype("f4"), UNITS["mass_share"]))
        v = np.pad(snapshot.velocity.T.astype("f4"), ((0, 0), (0, 3 - d)))
        of_points.append(column("velocity", v, UNITS["velocity"]))
        depth = [column("TimeValue", np.array([snapshot.t]))]
        fields = {"PointData": of_points, "CellData": of_cells, "FieldData": depth}
        piece = cells_piece(self._points, self._lists, self._kind, fields, self._active)
        stem = f"fields_{number:06d}"
        piece.write(self._directory / f"{stem}_{self._comm.rank}.vtu")
        if self._comm.rank == 0:
            names = [f"{stem}_{rank}.vtu" for rank in range(self._comm.size)]
            piece.write_header(self._directory / f"{stem}.pvtu", names)
        self._entries.append((snapshot.t, f"{stem}.pvtu"))

    def close(self) -> None:
        """Write the list of all depths."""
        if self._comm.rank == 0:
            for name in (SERIES, *EARLIER):
                write_collection(self._directory / name, self._entries)


class Bp(Format):
    """ADIOS2, .bp: few files on many ranks, for ParaView's ADIOS2VTXReader.

    A file of this format does not mark ghost cells, so that it is written on a mesh without any,
    in version 4, which that reader knows. All functions in it share one element: cell means have
    the same value in all nodes of a cell, and densities, adjoints and velocity have files of their
    own.
    """

    def __init__(self, nodes: Nodes, labels: Sequence[str], directory: Path) -> None:
        """Make the functions on the mesh of the cells that the ranks own, and open the files."""
        self._nodes, space = nodes, nodes.space
        owned = np.arange(space.n_owned_cells, dtype=np.int32)
        mesh = dmesh.create_submesh(space.mesh, space.dimension, owned)[0]
        scalar = fem.functionspace(mesh, nodes.element)
        blocked = basix.ufl.blocked_element(nodes.element, shape=(space.dimension,))
        vector = fem.functionspace(mesh, blocked)
        velocity = fem.Function(vector, name="velocity")
        self._functions: dict[str, fem.Function] = {"velocity": velocity}
        self._files: dict[str, Any] = {}
        for stem in ("density", "adjoint"):
            names = [f"{stem}_{label}{end}" for label in labels for end in ("", "_mean")]
            made = {name: fem.Function(scalar, name=name) for name in names}
            self._functions |= made
            self._open(directory, stem, list(made.values()))
        self._open(directory, "velocity", [velocity])
        self._lists = {"scalar": scalar.dofmap.list[owned], "vector": vector.dofmap.list[owned]}

    def _open(self, directory: Path, stem: str, functions: Sequence[fem.Function]) -> None:
        path = str(directory / f"{stem}.bp")
        self._files[stem] = io.VTXWriter(self._nodes.space.comm, path, list(functions), "BP4")

    def write(self, snapshot: Snapshot) -> None:
        """Write a step of each file; the velocity has none at T."""
        for name, f in snapshot.scalars.items():
            for end, values in (
                ("", self._nodes.values(f)),
                ("_mean", self._nodes.means(f)[:, None]),
            ):
                function = self._functions[name + end]
                function.x.array[self._lists["scalar"]] = values
                function.x.scatter_forward()
        function, d = self._functions["velocity"], self._nodes.space.dimension
        function.x.array.reshape(-1, d)[self._lists["vector"].ravel()] = snapshot.velocity.T
        function.x.scatter_forward()
        for stem, file in self._files.items():
            if stem != "velocity" or not snapshot.last:
                file.write(snapshot.t)

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


FORMATS: dict[str, type[Format]] = {".pvd": Vtk, ".bp": Bp}
"""Ending -> how fields are written."""
