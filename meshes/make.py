# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Write the example meshes of this folder.

Balls are made of a cube in the middle, with cells that bulge outwards, and of layers around it that
become spheres; the cells are graded, small in the middle and large at the boundary.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import meshio
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
HERE = Path(__file__).parent
AROUND = {1: [0, 1], 2: [0, 1, 3, 2], 3: [0, 1, 3, 2, 4, 5, 7, 6]}
"""Corners of a cell, from the order along the axes to that of mesh files."""
KINDS = {1: "line", 2: "quad", 3: "hexahedron"}


def cube(n: int, d: int) -> tuple[Array, Array]:
    """Return vertices and cells of the cube [-1, 1]^d with n cells a direction."""
    line = np.linspace(-1.0, 1.0, n + 1)
    x = np.stack(np.meshgrid(*[line] * d, indexing="ij"), axis=-1).reshape(-1, d)[:, ::-1]
    numbers = np.arange((n + 1) ** d).reshape((n + 1,) * d)
    corners = itertools.product((0, 1), repeat=d)
    parts = [numbers[tuple(slice(o, o + n) for o in offset)].ravel() for offset in corners]
    return x, np.stack(parts, axis=1)


def ball(n: int, d: int, radius: float, grading: float) -> tuple[Array, Array]:
    """Return a cube with n cells a direction, blown up to a ball.

    A point of the cube surface of half width s goes to a shape between that cube (s = 0) and the
    sphere (s = 1), at a distance that grows as s^grading.
    """
    x, cells = cube(n, d)
    s = np.abs(x).max(axis=1)
    length = np.linalg.norm(x, axis=1)
    safe = np.where(s > 0.0, s, 1.0)
    on_sphere = x / np.where(length > 0.0, length, 1.0)[:, None]
    on_cube = x / safe[:, None] / np.sqrt(d)
    share = s[:, None]
    shape = share * on_sphere + (1.0 - share) * on_cube
    return radius * (s**grading)[:, None] * shape, cells


def write(name: str, x: Array, cells: Array, kind: str, **options: object) -> None:
    """Write a mesh with coordinates in three directions, as mesh generators do."""
    points = np.zeros((len(x), 3))
    points[:, : x.shape[1]] = x
    meshio.Mesh(np.round(points, 12), [(kind, cells)]).write(HERE / name, **options)


def main() -> None:
    """Write all meshes."""
    t = np.linspace(-1.0, 1.0, 61)
    graded = 4.0 * np.sign(t) * np.abs(t) ** 1.4
    line = np.stack([np.arange(60), np.arange(1, 61)], axis=1)
    write("graded_interval.msh", graded[:, None], line, "line", file_format="gmsh22", binary=False)
    x, cells = ball(24, 2, 5.0, 1.3)
    write("disk.msh", x, cells[:, AROUND[2]], "quad", file_format="gmsh22", binary=False)
    triangles = np.concatenate([cells[:, [0, 1, 3]], cells[:, [0, 2, 3]]])
    write("disk_triangles.xdmf", x, triangles, "triangle", data_format="XML")
    x, cells = ball(10, 3, 4.0, 1.1)
    write("ball.msh", x, cells[:, AROUND[3]], "hexahedron", file_format="gmsh22", binary=False)


if __name__ == "__main__":
    main()
