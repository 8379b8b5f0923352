# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Where points lie, on meshes of every shape, on however many ranks the tests run."""

from mpi4py import MPI

from collections.abc import Callable
from pathlib import Path

import basix.ufl
import numpy as np
import pytest

from helpers import MATRIX, bend, corners_and_cells, few
from mfresnet.arrays import Array
from mfresnet.mesh import compat
from mfresnet.mesh.boxes import CELLS
from mfresnet.mesh.file import read
from mfresnet.mesh.locate import Locator
from mfresnet.mesh.pieces import Pieces
from mfresnet.mesh.space import SIMPLICES, Space
from mfresnet.parallel import total
from mfresnet.pictures.raster import Raster

COMM = MPI.COMM_WORLD
MESHES = Path(__file__).parents[2] / "meshes"
FILES = {
    "graded_interval.msh": "interval", "disk.msh": "quadrilateral",
    "disk_triangles.xdmf": "triangle", "ball.msh": "hexahedron",
}  # fmt: skip


def sheared(x: Array) -> Array:
    """A linear map that turns cubes into flat parallelepipeds."""
    d = x.shape[1]
    return (x + 3.0 * np.roll(x, 1, axis=1) * (np.arange(d) > 0)) @ MATRIX[:d, :d].T


def sliver(x: Array) -> Array:
    """Cells that are ten thousand times as long as wide, and oblique."""
    size = np.where(np.arange(x.shape[1]) == 0, 1.0, 1e-4)
    return sheared(bend(x) * size)


def graded(x: Array) -> Array:
    """The ratio of the largest and the smallest width is 10^6."""
    return np.sinh(15.0 * x) / np.sinh(15.0)


def distant(x: Array) -> Array:
    """Small cells far from the origin, where coordinates are rounded."""
    return bend(x) * 1e-4 + 1e3


def twisted(x: Array) -> Array:
    """A part of a ring, in space a turn that grows with the height: faces that bend."""
    if x.shape[1] == 1:
        return bend(x)
    if x.shape[1] == 2:
        return (1.5 + x[:, :1]) * np.stack([np.cos(x[:, 1]), np.sin(x[:, 1])], axis=1)
    cosine, sine = np.cos(0.9 * x[:, 2]), np.sin(0.9 * x[:, 2])
    return np.stack([cosine * x[:, 0] - sine * x[:, 1], sine * x[:, 0] + cosine * x[:, 1], x[:, 2]],
                    axis=1)  # fmt: skip


def pointed(x: Array) -> Array:
    """Cells that have nearly no width at one end, as in a pencil."""
    if x.shape[1] == 1:
        return x + 0.999 * x**2 / 2.0
    y = x.copy()
    y[:, 0] *= 1.0 + 1e-4 - x[:, -1]
    return y


SHAPES = {
    f.__name__: f for f in (sheared, sliver, graded, distant, bend, twisted, pointed)
}  # fmt: skip


def mapped(
    cell: str, n: int, shape: Callable[[Array], Array], degree: int = 1, comm: MPI.Intracomm = COMM
) -> Space:
    """Return the space on a box under a map, with cells of geometry of a degree."""
    d = CELLS[cell]
    x, cells = corners_and_cells(cell, n)
    if degree > 1:
        # nodes of every cell, of which those in one place are one
        element = basix.create_element(
            basix.ElementFamily.P, getattr(basix.CellType, cell), degree,
            basix.LagrangeVariant.equispaced,
        )  # fmt: skip
        straight = basix.create_element(
            basix.ElementFamily.P, getattr(basix.CellType, cell), 1
        ).tabulate(0, element.points)[0, :, :, 0]
        # corners of the helper vary fastest in the last direction, those of cells in the first
        order = np.arange(2**d).reshape((2,) * d).transpose().ravel()
        nodes = np.einsum("qv,cvi->cqi", straight, x[cells[:, order]])
        x, numbers = np.unique(nodes.reshape(-1, d).round(9), axis=0, return_inverse=True)
        cells = numbers.reshape(len(cells), -1)
    x = shape(x)
    if comm.rank != 0:
        x, cells = x[:0], cells[:0]
    coordinates = basix.ufl.element("Lagrange", cell, degree, shape=(d,))
    return Space(compat.create_mesh(comm, cells.astype(np.int64), x, coordinates), 1)


def reference_points(cell: str, n: int) -> Array:
    """Return points inside of the reference cell and on its boundary, (n, d)."""
    rng, d = np.random.default_rng(8), CELLS[cell]
    if cell in SIMPLICES:
        weights = rng.dirichlet(np.ones(d + 1), size=n)
        weights[: n // 4, 0] = 0.0
        return weights[:, 1:] / weights.sum(axis=1, keepdims=True)
    points = rng.uniform(size=(n, d))
    points[: n // 4, 0] = points[: n // 4, 0].round()
    return points


def check(space: Space, n: int = 30) -> None:
    """Every point of every cell is found once, on one rank, and its place leads back to it."""
    x, _ = space.map_points(slice(0, space.n_owned_cells), reference_points(space.cell, n))
    points = np.concatenate(COMM.allgather(x.reshape(-1, space.dimension)))
    points = np.random.default_rng(4).permutation(points)[:6000]
    cells, reference, found = Locator(space).find(points.T)
    assert found.all(), f"{np.sum(~found)} of {len(points)} are lost"
    np.testing.assert_array_equal(total(COMM, (cells >= 0).astype(float)), 1.0)
    mine = np.flatnonzero(cells >= 0)
    back, _ = space.map_each(cells[mine], reference[mine])
    nodes = space.cell_nodes()
    size = np.ptp(nodes, axis=1).max(axis=1)[cells[mine]]
    rounding = 1e-14 * np.abs(nodes).max(initial=0.0)
    far = np.abs(back - points[mine]).max(axis=1)
    assert (far <= 1e-10 * size + rounding).all(), far.max()
    assert (reference[mine] >= -2e-9 - rounding / 1e-6).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cell", CELLS)
def test_every_point_of_a_straight_cell_is_found(cell: str, shape: str) -> None:
    check(mapped(cell, few(cell, 7, 4), SHAPES[shape]))


@pytest.mark.parametrize("degree", [2, 3])
@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell not in SIMPLICES])
def test_every_point_of_a_curved_cell_is_found(cell: str, degree: int) -> None:
    """Their faces lie outside of the box of their corners, and of the box of their nodes."""
    for shape in (bend, twisted, sheared):
        check(mapped(cell, few(cell, 3, 2), shape, degree))


@pytest.mark.parametrize("name", FILES)
def test_every_point_of_a_mesh_file_is_found(name: str) -> None:
    check(Space(read(COMM, MESHES / name, FILES[name]), 1))


def test_points_outside_are_not_found() -> None:
    """In the box of the disk, and outside of it; the area of what is found is that of the mesh."""
    space = Space(read(COMM, MESHES / "disk.msh", "quadrilateral"), 1)
    angle = np.linspace(0.0, 2.0 * np.pi, 2000)
    around = np.array([np.cos(angle), np.sin(angle)])
    locator = Locator(space)
    assert not locator.find(5.0 * (1.0 + 1e-6) * around)[2].any()
    assert locator.find(4.9 * around)[2].all()
    lower, upper = space.bounds()
    raster = Raster(space, lower, upper, 400)
    area = float(total(COMM, space.cell_volume.sum())[0])
    found = raster.inside.mean() * float(np.prod(upper - lower))
    assert found == pytest.approx(area, rel=1e-3)


def test_a_point_has_the_same_cell_on_any_number_of_ranks() -> None:
    """Points on facets belong to the first of their cells in the order of the file."""
    alone, shared = (
        Space(read(comm, MESHES / "disk.msh", "quadrilateral"), 1) for comm in (MPI.COMM_SELF, COMM)
    )
    nodes = alone.cell_nodes()
    x = np.concatenate([nodes[:, 0], nodes[:, :2].mean(axis=1), nodes[:, 1:3].mean(axis=1)])
    first = Locator(alone).find(x.T)[0]
    cells = Locator(shared).find(x.T)[0]
    mine = np.flatnonzero(cells >= 0)
    np.testing.assert_array_equal(
        np.asarray(shared.mesh.topology.original_cell_index)[cells[mine]],
        np.asarray(alone.mesh.topology.original_cell_index)[first[mine]],
    )


def test_few_pieces_and_each_in_its_box() -> None:
    """A cell that is nearly affine is one piece; every piece lies in its box."""
    for cell, expected in (("quadrilateral", 1.0), ("hexahedron", 1.0)):
        pieces = Pieces.of(mapped(cell, 4, sheared, comm=MPI.COMM_SELF))
        assert len(pieces.cell) / 4.0 ** CELLS[cell] == expected
        assert not pieces.bent.any()
    space = mapped("quadrilateral", 3, twisted, 3, MPI.COMM_SELF)
    pieces = Pieces.of(space)
    shift = 2.0 * reference_points("quadrilateral", 50) - 1.0
    for local in pieces.middle[None] + pieces.half[:, None] * shift[:, None]:
        x, _ = space.map_each(pieces.cell, local)
        assert ((x >= pieces.low) & (x <= pieces.high)).all()
