# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The files of ADIOS2, read back block by block: every cell once, with the right fields."""

from mpi4py import MPI

from pathlib import Path

import adios2
import numpy as np
import pytest

from helpers import make_case, moments
from mfresnet.arrays import Array
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory
from mfresnet.mesh.boxes import CELLS
from mfresnet.output.fields import write_fields
from mfresnet.parallel import together

COMM = MPI.COMM_WORLD
LINE = np.array([1.0, 1.0, 4.0]) / 6.0
WEIGHTS = {
    "interval": LINE,
    "triangle": np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]) / 3.0,
    "quadrilateral": np.repeat([1.0, 4.0, 16.0], [4, 4, 1]) / 36.0,
    "tetrahedron": np.repeat([-1.0, 4.0], [4, 6]) / 20.0,
    "hexahedron": np.repeat([1.0, 4.0, 16.0, 64.0], [8, 12, 6, 1]) / 216.0,
}
"""Simpson's rule and those of the simplices, exact for degree 2, by VTK's order of the nodes."""


def read(path: Path, names: list[str]) -> list[dict[str, Array]]:
    """Return nodes of cells (cells, nodes, ...) at every depth, all blocks one after the other."""
    found = []
    with adios2.Stream(str(path), "r") as stream:
        for _ in stream:
            engine, parts = stream.engine, {name: [] for name in ["geometry", *names]}
            cells = stream.inquire_variable("connectivity")
            for block in range(len(engine.blocks_info("connectivity", stream.current_step()))):
                cells.set_block_selection(block)
                nodes = stream.read(cells)[:, 1:]
                for name, rows in parts.items():
                    variable = stream.inquire_variable(name)
                    variable.set_block_selection(block)
                    rows.append(stream.read(variable)[nodes])
            found.append({name: np.concatenate(rows) for name, rows in parts.items()})
    return found


def volumes(cell: str, x: Array) -> Array:
    """Return the volumes of cells that are affine, from their corners by VTK's order."""
    d = CELLS[cell]
    last = {"quadrilateral": [1, 3], "hexahedron": [1, 3, 4]}.get(cell, range(1, d + 1))
    edges = np.stack([x[:, i, :d] - x[:, 0, :d] for i in last], axis=-1)
    simplex = {"triangle": 2.0, "tetrahedron": 6.0}
    return np.abs(np.linalg.det(edges)) / simplex.get(cell, 1.0)


@pytest.mark.smoke
@pytest.mark.parametrize("cell", CELLS)
def test_fields_integrate_right(cell: str, tmp_path: Path) -> None:
    """Mass, first moment and mean velocity on all ranks together, without any ghost cell."""
    case, d = make_case(cell), CELLS[cell]
    functional = ReducedFunctional(case, COMM)
    directory = Path(COMM.bcast(str(tmp_path), root=0))
    theta = functional.theta0 + 0.1
    write_fields(functional, theta, directory, [".bp"])
    f, space = Trajectory(functional, theta).densities()[-1, 1], functional.problem.space
    mass, mean, _ = moments(space, f)
    COMM.Barrier()
    with together(COMM):
        if COMM.rank == 0:
            steps = read(directory / "density.bp", ["density_1", "density_1_mean"])
            assert len(steps) == functional.controls.layers + 1
            nodes = steps[-1]
            size = volumes(cell, nodes["geometry"])
            assert len(size) == space.mesh.topology.index_map(d).size_global
            assert size.sum() == pytest.approx(5.5**d)
            weights = size[:, None] * WEIGHTS[cell]
            for name in ("density_1", "density_1_mean"):
                assert np.sum(weights * nodes[name][..., 0]) == pytest.approx(mass, rel=1e-12)
            moment = np.sum(weights * nodes["density_1"][..., 0] * nodes["geometry"][..., 0])
            assert moment / mass == pytest.approx(mean[0], abs=0.05)
            v = read(directory / "velocity.bp", ["velocity"])
            assert len(v) == functional.controls.layers
            x, network = v[2]["geometry"][..., :d].reshape(-1, d).T, functional.network(theta)
            expected = network.velocity(x, 2).T.reshape(*size.shape, -1, d)
            np.testing.assert_allclose(v[2]["velocity"][..., :d], expected, atol=1e-14)
    psi = Trajectory(functional, theta).adjoints()[0, 0]
    peak = COMM.allreduce(space.at_points(psi, space.basis.points)[1].max(initial=0.0), op=MPI.MAX)
    with together(COMM):
        if COMM.rank == 0:
            nodes = read(directory / "adjoint.bp", ["adjoint_0"])[0]
            assert nodes["adjoint_0"].max() == pytest.approx(peak, rel=0.2)
