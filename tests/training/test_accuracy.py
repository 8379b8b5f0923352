# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Trainings to an accuracy, against a finer mesh; and what is refused."""

from __future__ import annotations

from mpi4py import MPI

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import make_data_case
from mfresnet.case import Case, parse, populate
from mfresnet.errors import Exit, InputError, SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import Status
from mfresnet.output import case_of_run
from mfresnet.runs import run
from mfresnet.training import Trained, train_case
from mfresnet.training.accuracy import AccuracySearch
from mfresnet.training.discretisation import Discretisation, Model
from mfresnet.training.estimate import objective_error
from mfresnet.training.minimisation import Minimisation
from mfresnet.training.result import PAYS


def case_of(cell: str = "quadrilateral", **changes: Any) -> Case:
    """Return two Gaussian classes, one of them narrow."""
    d = {"interval": 1, "quadrilateral": 2, "triangle": 2}[cell]
    classes = [
        {
            "density": {"kind": "gaussian", "mean": [s] * d, "covariance": covariance(d, v)},
            "target": [1.5 * s] * d,
        }
        for s, v in ((-0.7, 0.12), (0.7, 0.06))
    ]
    mesh = {"cell": cell, "lower": [-3.0] * d, "upper": [3.0] * d}
    sections = {"mesh": mesh, "classes": classes, "network": {"layers": 3}, "accuracy": 2e-3}
    return parse(sections | {"penalty": {"tikhonov": 1e-2}} | changes)


def covariance(d: int, v: float) -> list[list[float]]:
    return [[v * (i == j) for j in range(d)] for i in range(d)]


def trained(case: Case) -> Trained:
    return train_case(case, populate(case, MPI.COMM_SELF), MPI.COMM_SELF)


@pytest.mark.smoke
@pytest.mark.parametrize("cell", ["interval", "quadrilateral", "triangle"])
def test_the_error_is_what_is_said(cell: str) -> None:
    """J against a mesh with twice the cells and a higher degree."""
    found = trained(case_of(cell))
    error, f = found.error, found.functional
    assert error is not None and error.reached and found.result.converged
    changes = {"cells": [2 * n for n in f.case.cells()]}
    finer = f.case.with_({"mesh": changes, "space": {"degree": f.case.space.degree + 1}})
    g = ReducedFunctional(finer, MPI.COMM_SELF)
    g.make_room(g.steps_for(found.result.theta))
    truth = g.value(found.result.theta)
    assert abs(error.value - truth) <= 2e-3 * truth
    assert abs(error.value - truth) <= 2.0 * error.size + 1e-6
    assert error.corrected == pytest.approx(truth, rel=1e-3)
    assert set(error.parts) == {"optimisation", "depth", "space"}
    assert found.stages[-1].error == pytest.approx(error.relative)


def test_points_stand_where_no_mesh_has_a_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Undershoots on every mesh: a table keeps what its points have found, others have nothing."""

    def fail(*_: Any) -> None:
        raise SolveError("undershoots on every mesh")

    mesh = {"cells": None, "max_cells": 200}
    table = make_data_case(tmp_path, accuracy={"relative": 1e-2}, mesh=mesh)
    with monkeypatch.context() as patched:
        patched.setattr(Minimisation, "minimise", fail)
        found = trained(table)
        with pytest.raises(SolveError, match="undershoots on every mesh"):
            trained(case_of().with_({"mesh": {"max_cells": 200}}))
    assert found.error is None and found.result.status is Status.INACCURATE
    assert found.refusal() == "undershoots on every mesh"
    assert [stage.points is not None for stage in found.stages] == [True] * len(found.stages)
    first, last = found.result.history[0], found.result.value
    assert last < 0.9 * first.objective


def test_too_few_cells_are_said(tmp_path: Path) -> None:
    case = case_of("interval", accuracy=1e-10)
    case = case.with_({"mesh": {"max_cells": 20}})
    result = run(case, tmp_path / "run", comm=MPI.COMM_SELF)
    assert result.exit is Exit.NOT_CONVERGED
    assert result.report.message.startswith("accuracy: not reached; got a relative error of J of ")
    assert "mesh.max_cells = 20" in result.report.message


def test_a_run_keeps_its_mesh(tmp_path: Path) -> None:
    result = run(case_of("interval"), tmp_path / "run", comm=MPI.COMM_SELF)
    report = json.loads((tmp_path / "run/run.json").read_text())
    assert result.exit is Exit.CONVERGED and report["status"] == "accurate"
    assert report["accuracy"]["reached"] and not report["warnings"]
    case = case_of_run(tmp_path / "run")
    assert case.cells() == report["discretisation"]["mesh"]["cells"]
    assert ReducedFunctional(case, MPI.COMM_SELF).problem.space.n_global == report["dofs"]


def test_a_run_keeps_the_box_that_it_has_found(tmp_path: Path) -> None:
    """Where no corners are given: J of the run directory is that of the run."""
    case = case_of("interval").with_({"mesh": {"lower": None, "upper": None}})
    result = run(case, tmp_path / "run", comm=MPI.COMM_SELF)
    again = ReducedFunctional(case_of_run(tmp_path / "run"), MPI.COMM_SELF)
    again.make_room(again.steps_for(result.theta))
    assert again.value(result.theta) == pytest.approx(result.report.objective.total, rel=1e-12)


def test_what_it_chooses_cannot_be_given() -> None:
    with pytest.raises(InputError, match=r"^accuracy: chooses mesh\.cells itself; got \[8\], exp"):
        case_of("interval", mesh={"cell": "interval", "cells": [8], "lower": [-3], "upper": [3]})


def test_without_a_mesh_of_the_user_there_is_an_accuracy() -> None:
    free = case_of("interval").with_({"accuracy": None})
    found = [case.wanted_accuracy() for case in (free, case_of("interval"))]
    assert [each and each.relative for each in found] == [1e-3, 2e-3]
    for given in ({"mesh": {"cells": [9]}}, {"time": {"steps_per_layer": 3}}):
        assert free.with_(given).wanted_accuracy() is None


def test_a_run_without_cells_chooses_them(tmp_path: Path) -> None:
    run(case_of("interval").with_({"accuracy": None}), tmp_path / "run", comm=MPI.COMM_SELF)
    report = json.loads((tmp_path / "run/run.json").read_text())
    assert report["accuracy"]["asked"] == 1e-3
    assert report["discretisation"]["mesh"]["cells"] != [32]


def test_densities_that_jump_have_a_low_order_at_first() -> None:
    """A box wants many more cells of degree 1 than a Gaussian; its error is what is said."""
    box = {"kind": "uniform_box", "lower": [-1.0], "upper": [0.0]}
    classes = [{"density": box, "target": [1.0]}]
    found = trained(case_of("interval", classes=classes, accuracy=5e-3))
    f, error = found.functional, found.error
    assert error is not None and error.reached
    finer = f.case.with_({"mesh": {"cells": [4 * f.case.cells()[0]]}})
    truth = ReducedFunctional(finer, MPI.COMM_SELF)
    truth.make_room(truth.steps_for(found.result.theta))
    assert abs(error.value / truth.value(found.result.theta) - 1.0) <= 5e-3


def test_a_part_that_nobody_knows_is_at_most_the_objective() -> None:
    """And a number in run.json, which has no infinity."""
    f = ReducedFunctional(case_of("interval").with_({"accuracy": None}), MPI.COMM_SELF)
    found = objective_error(f, f.theta0, 1e-2, 1.0, np.inf)
    assert found.parts["optimisation"].size == pytest.approx(f.value(f.theta0))


def test_the_model_of_the_error() -> None:
    """Orders 2 p + 1, until two meshes show a lower one."""
    model, at = Model(case_of()), Discretisation((8, 8), 2)
    assert model.predicted(at, 1e-2, at.refined(2.0)) == pytest.approx(1e-2 / 2**5)
    chosen = model.choose(at, 1e-2, 1e-4)
    assert chosen is not None and model.predicted(at, 1e-2, chosen) <= 1e-4
    model.learn(at, 0.5, at.refined(2.0), 0.4)
    assert model.rate(4) == 9.0, "these meshes do not see the densities"
    model.learn(at, 1e-2, at.refined(2.0), 5e-3)
    assert model.rate(4) == 9.0, "once may be chance"
    model.learn(at, 1e-2, at.refined(2.0), 5e-3)
    assert model.rate(4) == pytest.approx(1.0)
    model.learn(at, 1e-2, at.refined(2.0), 5e-4)
    assert model.rate(4) == 9.0, "it was no jump"
    model.learn(at, 1e-3, at.refined(2.0), 2e-3)
    doubted = model.choose(at, 2e-3, 1e-5)
    assert doubted is not None and doubted.cells == (12, 12), "two errors of unlike sign"


def test_the_order_in_depth_follows_the_degree() -> None:
    """time.order is the least one; without a stable scheme of it there is one of the next order."""
    case = case_of(time={"order": 2}, space={"degree": 1})
    assert Discretisation((8, 8), 1).of(case).time.order == 2
    assert Discretisation((8, 8), 3).of(case).time.order == 3


def test_a_run_keeps_its_order_in_depth(tmp_path: Path) -> None:
    """That of the case would not be stable with the degree that was chosen."""
    run(case_of(time={"order": 2}, space={"degree": 1}), tmp_path / "run", comm=MPI.COMM_SELF)
    case = case_of_run(tmp_path / "run")
    assert case.space.degree > 1 and case.time.order > 2


def test_meshes_that_say_nothing_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """J is off by half of it on one mesh after the other: it is said after three of them."""
    monkeypatch.setattr(AccuracySearch, "_difference", lambda *given: 0.5)
    found = trained(case_of("interval", space={"degree": 1}))
    meshes = [stage for stage in found.stages if stage.cells]
    assert found.limit == PAYS and len(meshes) == 3


def test_a_small_error_is_enough_however_small_j_is() -> None:
    """With an absolute part the mesh is as coarse as that allows, and the error is below it."""
    strict, loose = (
        trained(case_of("interval", accuracy=accuracy))
        for accuracy in (1e-6, {"relative": 1e-6, "absolute": 2e-3})
    )
    assert strict.error is not None and loose.error is not None
    assert loose.error.reached and loose.error.size <= 2e-3
    assert loose.error.relative == pytest.approx(loose.error.size / 2000.0)
    assert "as J is small" in loose.error.sentence()
    sizes = [found.functional.problem.space.n_global for found in (loose, strict)]
    assert sizes[0] < sizes[1]


def test_accuracies_are_written_as_they_are_read() -> None:
    short, both = case_of("interval"), {"relative": 1e-2, "absolute": 1e-3}
    assert "accuracy = 0.002" in short.to_toml()
    long = case_of("interval", accuracy=both)
    assert parse(tomllib.loads(long.to_toml())) == long
    for given, where in ((2.0, "relative"), ({"absolute": -1.0}, "absolute")):
        with pytest.raises(InputError, match=rf"^accuracy\.{where}: "):
            case_of("interval", accuracy=given)
