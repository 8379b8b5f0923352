# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Meshes from files, on however many ranks the tests run."""

from mpi4py import MPI

import contextlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import basix.ufl
import meshio
import numpy as np
import pytest

from helpers import bend, corners_and_cells, few, inner, moments, shaped_mesh
from mfresnet.case.case import load
from mfresnet.data.laws.density import Gaussian, project
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.mesh import compat
from mfresnet.mesh.boxes import CELLS
from mfresnet.mesh.file import NAMES, TENSOR, read
from mfresnet.mesh.reader import FORMATS
from mfresnet.mesh.space import Space
from mfresnet.transport.fused.transport import FusedTransport

COMM = MPI.COMM_WORLD
ROOT = Path(__file__).parents[2]
IN_FILES = {ours: theirs for theirs, ours in NAMES.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return one directory for all ranks."""
    return Path(COMM.bcast(str(tmp_path), root=0))


WRITTEN = {".msh": "gmsh22", ".xdmf": "xdmf"}


def write(path: Path, points: Any, cells: Any, kind: str = "") -> Path:
    """Write a mesh on rank 0, with a third coordinate as mesh generators do."""
    if COMM.rank == 0:
        x = np.zeros((len(points), 3))
        x[:, : np.shape(points)[1]] = points
        # the mesh formats are noisy about tags that are missing
        with contextlib.redirect_stdout(io.StringIO()):
            meshio.Mesh(x, cells).write(path, kind or WRITTEN[path.suffix])
    COMM.Barrier()
    return path


@pytest.mark.smoke
@pytest.mark.parametrize("kind", ["gmsh22", "gmsh", "xdmf"])
@pytest.mark.parametrize("cell", CELLS)
def test_mesh_of_a_file_is_the_mesh(cell: str, kind: str, folder: Path) -> None:
    """Boundary facets and vertices of no cell in the file do not matter."""
    n = few(cell, 8, 4)
    x, cells = corners_and_cells(cell, n)
    numbering = TENSOR.get(cell, list(range(cells.shape[1])))
    x = np.concatenate([bend(x), 9.0 * np.ones((1, CELLS[cell]))])
    blocks = [(IN_FILES[cell], cells[:, numbering])]
    if kind == "gmsh22":
        blocks.insert(0, ("vertex", np.array([[0], [1]])))
    suffix = next(end for end, name in FORMATS.items() if kind.startswith(name))
    path = write(folder / f"mesh{suffix}", x, blocks, kind)
    f0 = Gaussian(mean=[0.1] * CELLS[cell], covariance=(0.03 * np.eye(CELLS[cell])).tolist())
    found = []
    for mesh in (read(COMM, path, cell), shaped_mesh(MPI.COMM_SELF, cell, n, "perturbed")):
        space = Space(mesh, 1)
        transport = FusedTransport(space)
        a = transport.coefficients(np.tanh(transport.points), transport.new_coefficients())
        f, mass = project(f0, space, "f0")
        change = transport.apply(f, a).copy()
        _, mean, covariance = moments(space, f)
        found.append([space.n_global, mass, *mean, *covariance.ravel(), inner(space, f, change)])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-11, atol=1e-13)


QUAD = [[0, 1, 2, 3]]
SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
MISTAKES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no file": (lambda folder: folder / "none.msh", r"cannot be read \(No such file"),
    "format": (lambda folder: folder / "mesh.vtu", r"unknown format.*\.msh or \.xdmf"),
    "other cells": (
        lambda folder: write(folder / "a.msh", SQUARE, [("triangle", [[0, 1, 2]])]),
        r"got triangle in a\.msh, expected quadrilateral only\. Set mesh\.cell to triangle",
    ),
    "mixed": (
        lambda folder: write(
            folder / "a.msh",
            [*SQUARE, [2.0, 0.0]],
            [("quad", [[0, 1, 2, 3]]), ("triangle", [[1, 4, 2]])],
        ),
        "got quadrilateral and triangle in .*Mesh with one type of cell",
    ),
    "curved": (
        lambda folder: write(
            folder / "a.msh", [*SQUARE, *(SQUARE + [0.5, 0.1])], [("quad8", [list(range(8))])]
        ),
        "got quad8 .*Mesh with straight cells",
    ),
    "surface": (
        lambda folder: write(
            folder / "a.msh", np.c_[SQUARE, [0.0, 0.0, 0.0, 0.1]], [("quad", [[0, 1, 2, 3]])]
        ),
        "cells that are not flat",
    ),
    "twice": (
        lambda folder: write(folder / "a.msh", SQUARE, [("quad", [[0, 1, 2, 3], [1, 2, 3, 0]])]),
        r"cells that are there twice; got 1 in a\.msh.*one physical group",
    ),
    "overlap": (
        lambda folder: write(
            folder / "a.msh",
            [*SQUARE, [2.0, 0.0], [2.0, 1.0], [3.0, 0.0], [3.0, 1.0]],
            [("quad", [[0, 1, 2, 3], [1, 4, 5, 2], [1, 6, 7, 2]])],
        ),
        "facets of more than two cells; got 1 in",
    ),
    "crack": (
        lambda folder: write(
            folder / "a.msh",
            [*SQUARE, *(SQUARE + [1.0, 1e-14])],
            [("quad", [[0, 1, 2, 3], [4, 5, 6, 7]])],
        ),
        "two vertices in one place; got 2 such places in .*Merge them",
    ),
    "no number": (
        lambda folder: write(folder / "a.xdmf", [*SQUARE[:3], [0, np.nan]], [("quad", QUAD)]),
        "coordinates that are not finite; got 1 in",
    ),
    "no vertex": (
        lambda folder: write(folder / "a.xdmf", SQUARE[:3], [("quad", QUAD)]),
        r"vertices that are not there; got numbers from 0 to 3 in a\.xdmf, expected 0 to 2\.",
    ),
    "vertex twice": (
        lambda folder: write(folder / "a.xdmf", SQUARE, [("quad", [[0, 1, 2, 2]])]),
        "a cell that has a vertex twice; got one in",
    ),
    "far away": (
        lambda folder: write(folder / "a.xdmf", [*SQUARE[:3], [0, 1e300]], [("quad", QUAD)]),
        "coordinates that are not finite; got 1 in",
    ),
    "points only": (
        lambda folder: write(folder / "a.xdmf", SQUARE, [("vertex", [[0], [1]])]),
        "no cells in",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_files(name: str, folder: Path) -> None:
    """One sentence, on all ranks."""
    make, text = MISTAKES[name]
    with pytest.raises(InputError, match=f"^mesh.file: .*{text}") as caught:
        read(COMM, make(folder), "quadrilateral")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cell", CELLS)
def test_folded_cells_are_an_error(cell: str) -> None:
    """A vertex that is moved along an edge of length 1/2: not far, onto another one, beyond it."""
    element = basix.ufl.element("Lagrange", cell, 1, shape=(CELLS[cell],))
    for moved in (0.1, 0.5, 0.9):
        x, cells = corners_and_cells(cell, 4)
        x[np.argmin(np.linalg.norm(x, axis=1)), 0] += moved
        given = (x, cells) if COMM.rank == 0 else (x[:0], cells[:0])
        mesh = compat.create_mesh(COMM, given[1].astype(np.int64), given[0], element)
        if moved == 0.1:
            assert FusedTransport(Space(mesh, 1)).space.cell == cell
            continue
        overlap = "facets whose cells overlap"
        with pytest.raises(
            InputError, match=rf"^mesh: (folded or flat {cell} cells|{overlap}); got \d+, one"
        ):
            FusedTransport(Space(mesh, 1))


def test_file_that_is_no_mesh(folder: Path) -> None:
    path = folder / "a.msh"
    if COMM.rank == 0:
        shutil.copy(ROOT / "pyproject.toml", path)
    COMM.Barrier()
    with pytest.raises(InputError, match=r"mesh\.file: cannot be read"):
        read(COMM, path, "triangle")


@pytest.mark.parametrize(
    ("name", "cell", "volume"),
    [
        ("graded_interval.msh", "interval", 8.0),
        ("disk.msh", "quadrilateral", 25.0 * np.pi),
        ("disk_triangles.xdmf", "triangle", 25.0 * np.pi),
        ("ball.msh", "hexahedron", 256.0 / 3.0 * np.pi),
    ],
)
def test_meshes_of_the_project(name: str, cell: str, volume: float) -> None:
    """Of the right size, up to the straight edges at the boundary, and graded."""
    space = Space(read(COMM, ROOT / "meshes" / name, cell), 1)
    total = COMM.allreduce(float(space.cell_volume.sum()))
    assert 0.93 * volume < total <= volume * (1.0 + 1e-12)
    largest = COMM.allreduce(space.cell_volume.max(initial=0.0), op=MPI.MAX)
    least = COMM.allreduce(space.cell_volume.min(initial=np.inf), op=MPI.MIN)
    assert least > 0.0 and largest > 2.0 * least


def test_case_with_a_mesh_from_a_file() -> None:
    """The path is relative to the case file; J and its derivative do not depend on the ranks."""
    case = load(ROOT / "cases/disk_2d.toml", ["space.degree=1", "network.layers=2"])
    alone, shared = ReducedFunctional(case, MPI.COMM_SELF), ReducedFunctional(case, COMM)
    theta = alone.theta0
    assert shared.value(theta) == pytest.approx(alone.value(theta), rel=1e-12)
    expected = alone.derivative(theta)
    np.testing.assert_allclose(shared.derivative(theta), expected, atol=1e-11)
