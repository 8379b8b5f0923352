# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Kinds of mesh: name -> how it is made, the keys that it takes, what helps where it is too small.

[mesh] is here too; the row of a kind may bring keys of its own.
"""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from dolfinx import mesh as dmesh

from mfresnet.arrays import Array
from mfresnet.mesh.boxes import CELLS, box
from mfresnet.mesh.file import read
from mfresnet.schema import Count, Counts, File, Model, Name, NonNegativeFloat, Vector


class MeshSection(Model):
    """[mesh]: the keys that every kind has; a kind may refuse some, see ``MeshKind``.

    Attributes:
        kind: a name in ``MESHES``.
        file: the file that it is read from.
        cell: a name in ``CELLS``.
        cells: cells per direction.
        lower: least coordinates.
        upper: greatest coordinates.
        outflow_tolerance: mass of a class that may leave.
        max_cells: most boxes of a mesh that an accuracy chooses.
    """

    kind: str = "box"
    file: File | None = None
    cell: Annotated[str, Name(CELLS)] = "quadrilateral"
    cells: Counts | None = None
    lower: Vector | None = None
    upper: Vector | None = None
    outflow_tolerance: NonNegativeFloat = 1e-6
    max_cells: Count = 250_000

    @property
    def larger(self) -> str:
        """What to do when the mesh does not hold the mass."""
        return MESHES[self.kind].larger

    @property
    def finer(self) -> str:
        """What to do when the mesh does not resolve something."""
        return MESHES[self.kind].finer


@dataclass(frozen=True)
class MeshKind:
    """One kind of mesh.

    Attributes:
        make: (communicator, [mesh], cells per direction, the two corners) -> the mesh; collective.
        larger: what to do when the mesh does not hold the mass.
        finer: what to do when it does not resolve something.
        grid: whether mesh.cells cells per direction fill the box from mesh.lower to mesh.upper;
            what is left out of these is filled in. Others refuse these keys.
        file: whether it needs mesh.file. Others refuse it.
        section: the model of [mesh] for this kind.
    """

    make: Callable[[MPI.Intracomm, Any, Sequence[int], tuple[Array, Array]], dmesh.Mesh]
    larger: str
    finer: str
    grid: bool = False
    file: bool = False
    section: type[MeshSection] = MeshSection


MESHES: dict[str, MeshKind] = {
    "box": MeshKind(
        lambda comm, mesh, cells, corners: box(comm, mesh.cell, cells, *corners),
        larger="Enlarge mesh.lower and mesh.upper",
        finer="Use more mesh.cells",
        grid=True,
    ),
    "file": MeshKind(
        lambda comm, mesh, *_: read(comm, mesh.file, mesh.cell),
        larger="Use a larger mesh",
        finer="Use a finer mesh",
        file=True,
    ),
}
"""Name -> a kind of mesh."""


class UnknownMesh(Model, extra="allow"):
    """[mesh] of a kind that is not in the table."""

    kind: Annotated[str, Name(MESHES)]


def mesh_section(value: Any) -> type[Model]:
    """Return the model of [mesh] for its content."""
    kind = value.get("kind", "box") if isinstance(value, dict) else "box"
    known = isinstance(kind, str) and kind in MESHES
    return MESHES[kind].section if known else UnknownMesh
