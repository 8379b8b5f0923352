# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""J, its derivative, training and errors: the world's ranks against one rank in one process."""

from mpi4py import MPI

import resource
from pathlib import Path

import numpy as np
import pytest
import pyvista

from helpers import few, gaussian, make_case, moments
from mfresnet.arrays import Array
from mfresnet.errors import InputError, SolveError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory
from mfresnet.losses.table import LOSSES
from mfresnet.mesh.boxes import CELLS
from mfresnet.optimise.optimiser import minimise
from mfresnet.output.fields import write_fields
from mfresnet.parallel import together
from mfresnet.transport.operator.coefficients import Coefficients
from mfresnet.transport.steps.limiter import LIMITERS

COMM = MPI.COMM_WORLD


def wavy(functional: ReducedFunctional) -> Array:
    return functional.theta0 + 0.3 * np.sin(np.arange(functional.controls.size))


@pytest.mark.smoke
@pytest.mark.parametrize("activation", ["tanh", "softplus"])
@pytest.mark.parametrize("cell", CELLS)
def test_value_and_derivative(cell: str, activation: str) -> None:
    case = make_case(cell, network={"activation": activation})
    alone, shared = ReducedFunctional(case, MPI.COMM_SELF), ReducedFunctional(case, COMM)
    theta = wavy(alone)
    assert shared.value(theta) == pytest.approx(alone.value(theta), rel=1e-10)
    expected = alone.derivative(theta)
    error = np.abs(shared.derivative(theta) - expected).max()
    assert error <= 1e-10 * np.abs(expected).max()


@pytest.mark.parametrize("kind", [name for name in LIMITERS if name != "none"])
@pytest.mark.parametrize("cell", CELLS)
def test_limited_densities(cell: str, kind: str) -> None:
    """J, derivative, Hessian action, mass and positivity with a limiter, off its kinks."""
    case = make_case(
        cell,
        mesh={"cells": [few(cell, 10, 4)] * CELLS[cell]},
        network={"layers": 2},
        time={"limiter": kind},
    )
    alone, shared = ReducedFunctional(case, MPI.COMM_SELF), ReducedFunctional(case, COMM)
    theta = wavy(alone)
    for functional in (alone, shared):
        functional.set_steps(functional.steps_for(theta))
    assert shared.steps_per_layer == alone.steps_per_layer
    h = np.cos(np.arange(theta.size))
    assert shared.value(theta) == pytest.approx(alone.value(theta), rel=1e-10)
    pairs = [
        (shared.derivative(theta), alone.derivative(theta)),
        (shared.hessian_action(theta, h), alone.hessian_action(theta, h)),
    ]
    for got, expected in pairs:
        assert np.abs(got - expected).max() <= 1e-10 * np.abs(expected).max()
    balance = Trajectory(shared, theta).balance()
    assert balance.min_density >= 0.0 and balance.error < 1e-13


@pytest.mark.parametrize("cell", CELLS)
def test_training(cell: str) -> None:
    case = make_case(
        cell,
        mesh={"cells": [few(cell, 8, 4)] * CELLS[cell]},
        space={"degree": few(cell, 2, 1)},
        penalty={"tikhonov": 0.3},
        training={"gradient_tolerance": 1e-7},
    )
    alone = minimise(ReducedFunctional(case, MPI.COMM_SELF))
    shared = minimise(ReducedFunctional(case, COMM))
    assert shared.converged and alone.converged
    assert shared.value == pytest.approx(alone.value, rel=1e-6)
    assert np.abs(shared.theta - alone.theta).max() <= 1e-4
    assert len({repr(v) for v in COMM.allgather(shared.theta.tobytes())}) == 1


LOSS: dict[str, dict[str, object]] = {
    "quadratic": {"running": 0.5},
    "cross_entropy": {},
    "squared_error": {},
    "density_l2": {"target": gaussian([0.1, 0.2], [[0.1, 0.0], [0.0, 0.2]])},
    "density_dual_h1": {"target": gaussian([0.1, 0.2], [[0.1, 0.0], [0.0, 0.2]])},
    "kullback_leibler": {"target": gaussian([0.1, 0.2], [[0.1, 0.0], [0.0, 0.2]])},
    "moments": {"mean": [0.1, 0.2], "covariance": [[0.1, 0.0], [0.0, 0.2]]},
}


@pytest.mark.parametrize("kind", LOSSES)
def test_losses_and_hessian_actions(kind: str) -> None:
    """With a wide block, and a box from which mass leaves."""
    case = make_case(
        "triangle",
        task=LOSSES[kind].tasks[0],
        mesh={"cells": [6, 6], "lower": [-1.0, -1.0], "upper": [1.2, 1.2]},
        network={"block": "wide", "width": 3, "layers": 2},
        loss={"kind": kind} | LOSS[kind],
        initial={"kind": "random", "seed": 4},
        time={"steps_per_layer": 44},
    )
    alone, shared = ReducedFunctional(case, MPI.COMM_SELF), ReducedFunctional(case, COMM)
    theta = alone.theta0
    assert shared.theta0.tobytes() == theta.tobytes()
    h = np.cos(np.arange(theta.size))
    assert shared.value(theta) == pytest.approx(alone.value(theta), rel=1e-10)
    for expected, given in (
        (alone.derivative(theta), shared.derivative(theta)),
        (alone.hessian_action(theta, h), shared.hessian_action(theta, h)),
    ):
        assert np.abs(given - expected).max() <= 1e-10 * np.abs(expected).max()
        assert len(set(COMM.allgather(given.tobytes()))) == 1


@pytest.mark.parametrize("method", ["ntr", "bnls", "forward_backward", "maximum_principle"])
def test_training_by_every_kind_of_method(method: str) -> None:
    # the fixed point is slow near the end
    tolerance = 2e-2 if method == "maximum_principle" else 1e-4
    training = {"method": method, "gradient_tolerance": tolerance}
    if method == "bnls":
        training["upper"] = 3.0
    case = make_case("interval", training=training, network={"layers": 2})
    alone = minimise(ReducedFunctional(case, MPI.COMM_SELF))
    shared = minimise(ReducedFunctional(case, COMM))
    assert shared.converged and alone.converged
    assert shared.value == pytest.approx(alone.value, rel=1e-6)
    assert len(set(COMM.allgather(shared.theta.tobytes()))) == 1


def test_derivative_is_the_same_on_every_rank() -> None:
    functional = ReducedFunctional(make_case("triangle"), COMM)
    bits = COMM.allgather(functional.derivative(wavy(functional)).tobytes())
    assert len(set(bits)) == 1


def test_error_of_one_rank_is_raised_on_all() -> None:
    with pytest.raises(InputError, match="only here"), together(COMM):
        if COMM.rank == COMM.size - 1:
            raise InputError("only here")


def test_lost_density_is_an_error_on_all_ranks() -> None:
    case = make_case("quadrilateral", mesh={"lower": [5.0, 5.0], "upper": [6.0, 6.0]})
    with pytest.raises(InputError, match=r"classes\.0\.density"):
        ReducedFunctional(case, COMM)


def test_value_that_is_not_finite_is_an_error_on_all_ranks() -> None:
    functional = ReducedFunctional(make_case("interval"), COMM)
    if COMM.rank == 0:
        functional.problem.f0[0, 3] = np.nan
    with pytest.raises(SolveError, match="at the start"):
        functional.value(functional.theta0)


def test_place_where_a_value_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    time = {"steps_per_layer": 5, "order": 3}
    sections = {"time": time, "resources": {"operator": "petsc"}}
    functional = ReducedFunctional(make_case("interval", **sections), COMM)
    transport, calls = functional.problem.transport, []
    apply = transport.apply

    def broken(f: Array, a: Coefficients) -> Array:
        calls.append(1)
        result = apply(f, a)
        # two classes, three stages, five steps: this is step 2 of layer 2
        if COMM.rank == COMM.size - 1 and len(calls) == 2 * 3 * 6 + 5:
            result[0] = np.nan
        return result

    monkeypatch.setattr(transport, "apply", broken)
    with pytest.raises(SolveError, match="after step 2 of layer 2"):
        functional.value(functional.theta0)


@pytest.mark.parametrize("cell", [cell for cell, d in CELLS.items() if d > 1])
def test_fields_integrate_right_in_vtk(cell: str, tmp_path: Path) -> None:
    """Mass and first moment of what ParaView reads, over all ranks, without the ghost cells."""
    case, d = make_case(cell), CELLS[cell]
    functional = ReducedFunctional(case, COMM)
    directory = Path(COMM.bcast(str(tmp_path), root=0))
    write_fields(functional, functional.theta0, directory)
    f = Trajectory(functional, functional.theta0).densities()[-1, 1]
    mass, mean, _ = moments(functional.problem.space, f)
    COMM.Barrier()
    if COMM.rank == 0:
        reader = pyvista.PVDReader(directory / "density.pvd")
        reader.set_active_time_value(reader.time_values[-1])
        mesh = reader.read()[0]
        # a mask: VTK's own extraction of cells crashes at times after MPI was initialised
        counted = mesh.cell_data.get("vtkGhostType", np.zeros(mesh.n_cells)) == 0
        assert counted.sum() == functional.problem.space.mesh.topology.index_map(d).size_global
        volumes = mesh.compute_cell_sizes().cell_data["Area" if d == 2 else "Volume"][counted]
        means = mesh.cell_data["density_1_mean"][counted]
        assert np.sum(volumes * means) == pytest.approx(mass, rel=1e-10)
        centre = np.sum(volumes * means * mesh.cell_centers().points[counted, 0])
        assert centre == pytest.approx(mean[0], abs=0.02 if d == 2 else 0.05)
        assert mesh.point_data["density_1"].max() == pytest.approx(peak(functional, f), rel=0.05)
    else:
        peak(functional, f)
    COMM.Barrier()


@pytest.mark.parametrize("cell", ["interval", "quadrilateral"])
@pytest.mark.parametrize("room", [100, 6000])
def test_fields_without_room_are_one_sentence(cell: str, room: int, tmp_path: Path) -> None:
    """On all ranks, and no file is left that is cut off in silence."""
    functional = ReducedFunctional(make_case(cell, mesh={"cells": [30] * CELLS[cell]}), COMM)
    directory = Path(COMM.bcast(str(tmp_path), root=0))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(SolveError, match=r"^output\.fields: the fields cannot be written; got"):
            write_fields(functional, functional.theta0, directory)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    write_fields(functional, functional.theta0, directory)


def peak(functional: ReducedFunctional, f: Array) -> float:
    values = functional.problem.space.at_points(f, functional.problem.space.basis.points)[1]
    return float(COMM.allreduce(values.max(initial=0.0), op=MPI.MAX))
