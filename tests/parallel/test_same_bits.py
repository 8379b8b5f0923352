# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The same run on the same ranks has the same bits: nothing depends on the moment."""

from mpi4py import MPI

import hashlib

import numpy as np

from helpers import make_case
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.mesh.boxes import box
from mfresnet.optimise.optimiser import minimise

MESHES, RUNS = 100, 10
"""With several threads PT-Scotch cut one mesh in 25 to 50 in another way."""


def digests(arrays: list[np.ndarray]) -> set[str]:
    """Return the digests of all ranks."""
    own = {hashlib.sha256(a.tobytes()).hexdigest() for a in arrays}
    return max(MPI.COMM_WORLD.allgather(own), key=len)


def test_mesh_is_cut_in_the_same_way_every_time() -> None:
    coordinates = []
    for _ in range(MESHES):
        mesh = box(MPI.COMM_WORLD, "quadrilateral", [24, 24], [-1.0, -1.0], [1.0, 1.0])
        coordinates.append(mesh.geometry.x.copy())
    assert len(digests(coordinates)) == 1


def test_trainings_have_the_same_controls() -> None:
    """Each with a mesh, a space and an operator of its own."""
    thetas = []
    for _ in range(RUNS):
        case = make_case("quadrilateral", training={"max_iterations": 3}, network={"layers": 2})
        thetas.append(minimise(ReducedFunctional(case, MPI.COMM_WORLD)).theta)
    assert len(digests(thetas)) == 1
