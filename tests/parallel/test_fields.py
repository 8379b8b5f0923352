# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""VTK's files, read by VTK: every cell once, the right fields, active ones named, right masses."""

from mpi4py import MPI

from pathlib import Path

import numpy as np
import pytest
import pyvista

from helpers import make_case, make_data_case, moments
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory
from mfresnet.mesh.boxes import CELLS
from mfresnet.output.fields import write_fields
from mfresnet.output.fields_reader import read_fields
from mfresnet.parallel import together

COMM = MPI.COMM_WORLD


@pytest.mark.smoke
@pytest.mark.parametrize("degree", [0, 2])
@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell != "interval"])
def test_masses_and_velocity(cell: str, degree: int, tmp_path: Path) -> None:
    """At every depth, on all ranks together, without ghost cells."""
    functional = ReducedFunctional(make_case(cell, space={"degree": degree}), COMM)
    d, space = CELLS[cell], functional.problem.space
    directory = Path(COMM.bcast(str(tmp_path), root=0)) / "fields"
    with together(COMM):
        if COMM.rank == 0:
            directory.mkdir()
    theta = functional.theta0 + 0.1
    write_fields(functional, theta, directory)
    f = Trajectory(functional, theta).densities()
    masses = np.array([[moments(space, fk)[0] for fk in ft] for ft in f])
    psi = functional.problem.space.at_quadrature(Trajectory(functional, theta).adjoints())
    top = COMM.allreduce(psi[0, 0].max(initial=-np.inf), op=MPI.MAX)
    with together(COMM):
        if COMM.rank == 0:
            run = read_fields(directory.parent)
            series = run["fields"]
            assert series.n_blocks == functional.controls.layers + 1
            number = space.mesh.topology.index_map(d).size_global
            for n, grid in enumerate(series):
                assert grid.n_cells == number
                assert grid.active_scalars_name == "density_0"
                assert grid.active_vectors_name == "velocity"
                sizes = grid.compute_cell_sizes()
                size = sizes["Volume" if d == 3 else "Area"]
                assert size.sum() == pytest.approx(5.5**d, rel=1e-12)
                found = [size @ grid[f"density_{k}_mean"] for k in range(2)]
                np.testing.assert_allclose(found, masses[n], rtol=1e-10)
                layer = min(n, functional.controls.layers - 1)
                v = functional.network(theta).velocity(grid.points[:, :d].T, layer)
                np.testing.assert_allclose(grid["velocity"][:, :d], v.T, atol=1e-6)
                for k in range(2):
                    share = grid[f"mass_share_{k}"]
                    assert 0.0 <= share.min() < 0.3
                    assert share.max() == pytest.approx(1.0, abs=1e-3)
                    order = np.argsort(grid[f"density_{k}"])
                    assert (np.diff(share[order]) <= 1e-6).all()
            assert series[0]["adjoint_0"].max() == pytest.approx(top, rel=0.3)
            # nodes lie where their cells are: the middle of the nodes is that of the corners
            middle = grid.cell_centers().points
            first = np.array([grid.get_cell(i).points.mean(axis=0) for i in range(20)])
            np.testing.assert_allclose(first, middle[:20], atol=1e-6)
            assert set(run.keys()) == {"fields", "samples", "trajectories", "targets"}
            lines = run["trajectories"]
            assert lines.n_lines > 0
            assert set(np.unique(lines["class"])) == {0, 1}
            assert lines["depth"].max() == pytest.approx(functional.controls.final_time)


def test_plane_of_the_line(tmp_path: Path) -> None:
    """Mass and steps inside layers, over place and depth."""
    case = make_case("interval", time={"steps_per_layer": 5})
    functional = ReducedFunctional(case, COMM)
    directory = Path(COMM.bcast(str(tmp_path), root=0)) / "fields"
    with together(COMM):
        if COMM.rank == 0:
            directory.mkdir()
    theta = functional.theta0 + 0.1
    write_fields(functional, theta, directory)
    adjoints = Trajectory(functional, theta).adjoints()[0, 0]
    x, psi = functional.problem.space.at_points(adjoints, np.array([[0.0]]))
    at = np.concatenate(COMM.allgather(np.column_stack([x.ravel(), psi.ravel()])))
    with together(COMM):
        if COMM.rank == 0:
            grid = read_fields(directory.parent)["fields"][0]
            depths = np.unique(grid.points[:, 1])
            assert len(depths) > functional.controls.layers * 2
            assert depths[-1] == pytest.approx(functional.controls.final_time)
            sizes = grid.compute_cell_sizes()["Area"]
            middle = grid.point_data_to_cell_data()["density_1"]
            assert sizes @ middle == pytest.approx(depths[-1], rel=0.05)
            start = grid.points[:, 1] == 0.0
            for place, value in at[:5]:
                here = start & np.isclose(grid.points[:, 0], place)
                assert np.abs(grid["adjoint_0"][here] - value).min() < 1e-5


def test_classes_without_targets_have_none(tmp_path: Path) -> None:
    """And samples are those of the table."""
    COMM.Barrier()
    if COMM.rank:
        return
    case = make_data_case(tmp_path, mesh={"cells": [12, 12]}, loss={"kind": "cross_entropy"})
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    (tmp_path / "fields").mkdir()
    write_fields(functional, functional.theta0, tmp_path / "fields")
    run = read_fields(tmp_path)
    assert "targets" not in run.keys()  # noqa: SIM118
    train = functional.population.dataset.train
    first = run["samples"][0]
    assert first.n_points == min(train.y.size, 500)
    np.testing.assert_allclose(np.sort(first.points[:, 0]), np.sort(train.x[0]), atol=1e-12)
    assert isinstance(run, pyvista.MultiBlock)
    (tmp_path / "fields/fields_000001.pvtu").unlink()
    with pytest.raises(InputError, match=r"cannot be read \(fields_000001\.pvtu: No such file"):
        read_fields(tmp_path)
    with pytest.raises(InputError, match=r"output\.fields = true"):
        read_fields(tmp_path / "nothing")


def test_plane_of_one_cell(tmp_path: Path) -> None:
    """All ranks but one have nothing to write."""
    directory = Path(COMM.bcast(str(tmp_path), root=0)) / "fields"
    mesh = {"cells": [1], "lower": [-9.0], "upper": [9.0], "outflow_tolerance": 1.0}
    even = {"density": {"kind": "uniform_box", "lower": -9.0, "upper": 9.0}, "target": 0.0}
    functional = ReducedFunctional(make_case("interval", mesh=mesh, classes=[even]), COMM)
    with together(COMM):
        if COMM.rank == 0:
            directory.mkdir()
    write_fields(functional, functional.theta0, directory)
    with together(COMM):
        if COMM.rank == 0:
            assert read_fields(directory.parent)["fields"].n_blocks == 1
