# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Instabilities are caught where they start; narrow densities and near boundaries are reported."""

from mpi4py import MPI

from pathlib import Path

import numpy as np
import pytest

from helpers import gaussian, make_case, make_data_case, observed_orders
from mfresnet.errors import SolveError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.sweeps.balance import Balance
from mfresnet.functional.trajectory import Trajectory
from mfresnet.mesh.boxes import CELLS
from mfresnet.optimise.optimiser import minimise
from mfresnet.output.report import Exit, run_report
from mfresnet.training import Trained
from mfresnet.transport.steps import cfl
from mfresnet.verification.accuracy import LossError, Way
from mfresnet.verification.advice import APART, COARSE, FELT, damping, notes, undershoots, warnings


def unstable(monkeypatch: pytest.MonkeyPatch, cell: str, steps: int) -> ReducedFunctional:
    """Return J whose CFL condition is not looked at."""
    monkeypatch.setattr(cfl, "steps_needed", lambda *_: 1)
    d = CELLS[cell]
    case = make_case(
        cell,
        mesh={"cells": [{1: 60, 2: 16, 3: 8}[d]] * d},
        time={"steps_per_layer": steps},
        network={"layers": 8},
        initial={"kind": "values", "W": (2.0 * np.eye(d)).tolist(), "b": [0.4] * d},
    )
    return ReducedFunctional(case, MPI.COMM_SELF)


@pytest.mark.parametrize("cell", CELLS)
def test_instability_is_caught(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before a value overflows, with the place."""
    functional = unstable(monkeypatch, cell, 1)
    with pytest.raises(SolveError, match=r"grows faster .* after step 1 of layer \d+; got L2 norm"):
        functional.value(functional.theta0)


def test_what_the_velocity_does_is_no_instability() -> None:
    """A density that is pressed together into a cell or two."""
    case = make_case(
        "interval",
        mesh={"cells": [40]},
        network={"layers": 6, "final_time": 3.0},
        classes=[{"density": gaussian(0.1, 0.09), "target": 1.0}],
        initial={"kind": "values", "W": -20.0, "b": 0.0},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    densities = Trajectory(functional, functional.theta0).densities()
    squared = np.einsum("lki,i->lk", densities**2, functional.problem.space.mass)
    assert np.sqrt(squared[-1, 0] / squared[0, 0]) > 2.0


RIGHT = LossError(1.0, 0.0, (Way("points", 1.0001),), (), "Use more mesh.cells")
OFF = LossError(1.0, 0.0, (Way("points", 1.1),), (), "Use more mesh.cells")


def narrowing(cells: int, degree: int = 2) -> ReducedFunctional:
    """V8: tanh, w = -2: the density narrows by more than e^-2."""
    case = make_case(
        "interval",
        mesh={"cells": [cells], "lower": [-2.6], "upper": [2.6]},
        space={"degree": degree},
        classes=[{"density": gaussian(0.0, 0.16), "target": 0.0}],
        initial={"kind": "values", "W": -2.0, "b": 0.0},
    )
    return ReducedFunctional(case, MPI.COMM_SELF)


def test_a_density_narrower_than_the_cells_is_reported() -> None:
    """V8: the width at T is about 0.06; it takes cells of that size."""
    messages = {}
    for cells in (13, 104):
        functional = narrowing(cells)
        theta = functional.theta0
        shares = damping(functional, theta)
        balance, apart = Trajectory(functional, theta).balance(), np.zeros(1)
        messages[cells] = notes(functional, shares, apart, RIGHT)
        assert warnings(functional, balance, shares, apart, RIGHT) == []
        assert (shares[0] > COARSE) == (cells == 13), shares
    assert len(messages[13]) == 1 and messages[104] == []
    assert "class 0 becomes narrower than the cells" in messages[13][0]


def test_a_narrow_density_is_a_warning_where_the_loss_suffers() -> None:
    """Where the loss is not right, and so where nothing could be compared."""
    functional = narrowing(13)
    balance, shares = Trajectory(functional, functional.theta0).balance(), np.array([2.0 * COARSE])
    far = np.array([2.0 * APART])
    said = warnings(functional, balance, shares, far, OFF)
    assert [s for s in said if "got 1 on the mesh and 1.1 by points" in s] == said[:1]
    assert len([s for s in said if "narrower" in s or "does not end where" in s]) == 2
    assert notes(functional, shares, far, OFF) == []
    unknown = LossError(1.0, 0.0, (), ("Not compared: too little memory.",), "")
    assert len(warnings(functional, balance, shares, far, unknown)) == 2
    assert notes(functional, shares, far, unknown) == [unknown.sentence()]
    assert warnings(functional, balance, shares, far, RIGHT) == []
    assert len(notes(functional, shares, far, RIGHT)) == 2


def test_no_note_says_that_a_wrong_loss_is_right() -> None:
    """Mean and spread agree with the points to 1 %, and the loss is off by 17 %."""
    case = make_case(
        "interval",
        mesh={"cells": [112], "lower": None, "upper": None, "outflow_tolerance": 1e-4},
        space={"degree": 1},
        network={"layers": 10, "final_time": 2.0},
        classes=[{"density": gaussian(-0.8, 0.04), "target": 0.8}],
        penalty={"tikhonov": 1e-4},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    report, status = run_report(Trained(functional, minimise(functional), ()), None, 0.0)
    assert status is Exit.NOT_CONVERGED and report.status == "loss_error"
    relative = report.objective.loss_error.relative
    assert relative is not None and relative > 0.05
    assert report.notes == [] and report.warnings


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_order_of_the_share_that_is_lost(degree: int) -> None:
    """2 p + 1."""
    sizes, shares = [160, 240, 360], []
    for cells in sizes:
        functional = narrowing(cells, degree)
        shares.append(damping(functional, functional.theta0)[0])
    orders = observed_orders(sizes, shares)
    assert abs(orders[-1] - (2 * degree + 1)) < 0.45, (orders, shares)


def test_share_is_what_the_square_of_the_norm_loses() -> None:
    """With a constant velocity the L2 norm changes by nothing else."""
    case = make_case(
        "quadrilateral",
        mesh={"cells": [10, 10], "lower": [-3.0, -3.0], "upper": [3.0, 3.0]},
        time={"steps_per_layer": 20},
        network={"layers": 40, "activation": "identity"},
        classes=[{"density": gaussian([-0.5, 0.0], [[0.1, 0.0], [0.0, 0.1]]), "target": [0, 0]}],
        initial={"kind": "values", "W": [[0.0, 0.0], [0.0, 0.0]], "b": [0.8, 0.3]},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    f = Trajectory(functional, functional.theta0).densities()
    squared = np.einsum("lki,i->lk", f**2, functional.problem.space.mass)
    lost = -np.log(squared[-1, 0] / squared[0, 0])
    assert damping(functional, functional.theta0)[0] == pytest.approx(lost, rel=0.05)


def near_the_boundary(tolerance: float) -> ReducedFunctional:
    """A density that is moved to the boundary of the mesh."""
    case = make_case(
        "interval",
        mesh={"cells": [60], "lower": [-2.0], "upper": [2.0], "outflow_tolerance": tolerance},
        classes=[{"density": gaussian(0.0, 0.09), "target": 0.0, "label": "a"}],
        initial={"kind": "values", "W": 0.0, "b": 5.0},
    )
    return ReducedFunctional(case, MPI.COMM_SELF)


def test_mass_near_the_boundary_is_reported() -> None:
    functional = near_the_boundary(1e-3)
    balance = Trajectory(functional, functional.theta0).balance()
    assert FELT < balance.outflow[0] < 1e-3
    unknown = LossError(1.0, 0.0, (), (), "")
    assert warnings(functional, balance, np.zeros(1), np.zeros(1), RIGHT) == []
    found = warnings(functional, balance, np.zeros(1), np.zeros(1), unknown)
    assert len(found) == 1
    assert found[0].startswith("mesh: class a reaches the boundary; got ")
    assert "within mesh.outflow_tolerance = 0.001, but expected below 0.0001" in found[0]
    assert found[0].endswith("Enlarge mesh.lower and mesh.upper.")


@pytest.mark.parametrize(
    ("outflow", "tolerance", "expected"),
    [
        (-2.04e-6, 1e-5, None), (-1.96e-7, 1e-6, None), (9e-7, 1e-6, None), (9e-5, 1e-3, None),
        (-2e-4, 1e-3, "2.0e-04"), (0.03, 0.1, "3.0e-02"), (2e-3, 1e-3, None),
    ],
)  # fmt: skip
def test_outflow_is_reported_as_a_magnitude_that_matters(
    outflow: float, tolerance: float, expected: str | None
) -> None:
    """What the tolerance allows is no warning, until the loss feels it; above it the run fails."""
    balance = Balance(np.ones(1), np.ones(1), np.array([outflow]), 0.0, 1.0)
    unknown = LossError(1.0, 0.0, (), (), "")
    found = warnings(near_the_boundary(tolerance), balance, np.zeros(1), np.zeros(1), unknown)
    if expected is None:
        assert found == []
    else:
        assert f"got {expected} of its mass over it, within " in found[0]
        assert f"= {tolerance:g}," in found[0]


def test_undershoots_that_leave_are_outflow() -> None:
    """A balance below zero is as wrong as one above."""
    zero = np.zeros(2)
    report = Balance(zero + 1.0, zero + 1.0, np.array([1e-9, -3e-4]), -0.1, 1.0)
    assert report.largest_outflow == -3e-4


def test_undershoots_of_samples(tmp_path: Path) -> None:
    """Of a kernel that is narrower than the cells and their degree resolve."""
    found = {}
    for degree, bandwidth, limiter in (
        (2, 0.05, "none"), (2, 0.3, "none"), (0, 0.05, "none"), (2, 0.05, "zhang_shu")
    ):  # fmt: skip
        case = make_data_case(
            tmp_path,
            space={"degree": degree},
            data={"bandwidth": bandwidth},
            time={"limiter": limiter},
        )
        functional = ReducedFunctional(case, MPI.COMM_SELF)
        found[degree, bandwidth, limiter] = undershoots(functional.problem)
    narrow = found.pop((2, 0.05, "none"))
    assert len(narrow) == len(functional.population.labels)
    assert narrow[0].startswith("data.bandwidth: 0.05 is too small for the cells")
    assert not any(found.values())
