# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Seconds of the smoothing of samples with different preconditioners, in one process.

docker/run python3 benchmarks/smoothing.py
"""

from mpi4py import MPI
from petsc4py import PETSc

import time

import numpy as np

from mfresnet.data import deposit
from mfresnet.mesh import CELLS, HeatEquation, Space, box

MESHES = [
    ("quadrilateral", 48, 2),
    ("triangle", 32, 2),
    ("hexahedron", 10, 2),
    ("tetrahedron", 6, 2),
]
PRECONDITIONERS = {
    "icc": ("bjacobi", "icc"),
    "jacobi": ("jacobi", "none"),
    "hypre": ("hypre", "none"),
}


def main() -> None:
    """Print a row a mesh: the bandwidth is twice the cell size."""
    options = PETSc.Options("heat_")
    print(f"{'cells':>20} {'dofs':>8}" + "".join(f"{name:>10}" for name in PRECONDITIONERS))
    for cell, n, degree in MESHES:
        d = CELLS[cell]
        mesh = box(MPI.COMM_WORLD, cell, [n] * d, np.full(d, -5.0), np.full(d, 5.0))
        space = Space(mesh, degree)
        samples = np.random.default_rng(0).standard_normal((d, 400)) * 0.8
        f, heat, row = deposit(space, samples, "samples"), HeatEquation(space), []
        for outer, inner in PRECONDITIONERS.values():
            options["pc_type"], options["sub_pc_type"] = outer, inner
            start = time.perf_counter()
            heat.smooth(f, 20.0 / n)
            row.append(time.perf_counter() - start)
        heat.destroy()
        print(f"{cell + ' ' + str(n):>20} {space.n_global:8d}" + "".join(f"{s:10.2f}" for s in row))


if __name__ == "__main__":
    main()
