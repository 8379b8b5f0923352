# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The error of the loss is what it is said to be, and a run says so before it has converged."""

from mpi4py import MPI

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from helpers import gaussian, make_case, make_data_case
from mfresnet.arrays import Array
from mfresnet.case.case import Case, parse
from mfresnet.data.laws.density import KINDS
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.mesh.boxes import CELLS
from mfresnet.output.report import Exit
from mfresnet.runs.runner import run
from mfresnet.verification.accuracy import RIGHT, WRONG, LossError, Way, loss_error
from mfresnet.verification.certificate import certify
from mfresnet.verification.findings import at_most
from mfresnet.verification.pathwise import pathwise_loss

DENSITIES: dict[str, dict[str, Any]] = {
    "gaussian": {"mean": [0.2, -0.1], "covariance": [[0.2, 0.1], [0.1, 0.3]]},
    "truncated_gaussian": {"mean": [0.2, -0.1], "std": 0.5, "radius": 0.7},
    "uniform_box": {"lower": [-0.3, 0.1], "upper": [0.5, 0.4]},
    "uniform_ball": {"mean": [0.2, -0.1], "radius": 0.7},
    "expression": {
        "lower": [-2.0, -2.0],
        "upper": [2.0, 2.0],
        "expression": "exp(-x[0]**2 - 9 * x[1]**2)",
    },
}
DENSITIES["mixture"] = {
    "components": [
        {"weight": w, "density": {"kind": k} | DENSITIES[k]}
        for w, k in ((1.0, "gaussian"), (3.0, "uniform_ball"))
    ]
}


def density(kind: str) -> Any:
    return KINDS[kind].model_validate({"kind": kind} | DENSITIES[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_points_of_a_density_have_its_moments(kind: str) -> None:
    """Against 10^5 random points of the same density, which another code draws."""
    f, rng = density(kind), np.random.default_rng(3)
    x, mass = f.nodes(30)
    samples = f.sample(100_000, rng)
    assert mass.sum() == pytest.approx(1.0, abs=1e-12) and (mass >= 0.0).all()
    for moment in (lambda x: x[0], lambda x: x[1], lambda x: x[0] ** 2, lambda x: x[0] * x[1]):
        values = moment(samples)
        error = 5.0 * values.std() / np.sqrt(values.size)
        assert mass @ moment(x) == pytest.approx(values.mean(), abs=error)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("kind", ["truncated_gaussian", "uniform_ball"])
def test_points_of_balls(kind: str, d: int) -> None:
    """E |x|^2 = d / (d + 2) on the unit ball; a wide Gaussian that is cut off is the same."""
    keys = {"mean": [0.0] * d, "radius": 1.0} | ({"std": 1e3} if kind != "uniform_ball" else {})
    x, mass = KINDS[kind].model_validate(keys).nodes(12)  # type: ignore[attr-defined]
    assert mass @ np.sum(x**2, axis=0) == pytest.approx(d / (d + 2), abs=1e-6)
    assert mass @ x[0] == pytest.approx(0.0, abs=1e-12)


def shifted(cell: str, cells: int, degree: int, **sections: Any) -> ReducedFunctional:
    """Return J of a Gaussian that tanh moves and narrows."""
    d = CELLS[cell]
    covariance = (0.12 * np.eye(d)).tolist()
    data: dict[str, Any] = {
        "mesh": {"cells": [cells] * d, "lower": [-2.5] * d, "upper": [2.5] * d},
        "space": {"degree": degree},
        "classes": [{"density": gaussian([-0.2] * d, covariance), "target": [0.4] * d}],
        "initial": {"kind": "values", "W": (-0.8 * np.eye(d)).tolist(), "b": [0.3] * d},
    }
    return ReducedFunctional(make_case(cell, **(data | sections)), MPI.COMM_SELF)


@pytest.mark.parametrize("cell", CELLS)
def test_two_ways_agree_on_every_cell_type(cell: str) -> None:
    functional = shifted(cell, {1: 14, 2: 9, 3: 5}[CELLS[cell]], 1)
    error = loss_error(functional, functional.theta0)
    points, finer = error.ways
    assert finer.how == "cells of half the size"
    effectivity = (error.loss - finer.loss) / error.error
    assert 0.5 < effectivity < 1.4, (error, effectivity)
    assert error.confirmed and points.spread < 1e-3 * abs(error.error)


def test_density_losses_are_held_to_two_discretisations() -> None:
    loss = {"kind": "density_l2", "target": gaussian(0.1, 0.05)}
    coarse, fine = (shifted("interval", n, 2, loss=loss) for n in (12, 96))
    found = [loss_error(f, f.theta0) for f in (coarse, fine)]
    for error in found:
        assert [w.how for w in error.ways] == ["cells of half the size", "degree 3"]
    truth = found[1].ways[0].loss
    assert found[0].error / (found[0].loss - truth) == pytest.approx(1.0, abs=0.3)
    assert found[1].right and not found[0].right


def test_running_losses_have_points_too() -> None:
    loss = {"terminal": 0.5, "running": 2.0}
    functional = shifted("interval", 60, 3, loss=loss, time={"order": 4, "steps_per_layer": 40})
    found = pathwise_loss(functional, functional.theta0)
    assert functional.loss(functional.theta0) == pytest.approx(found.loss, rel=1e-5)


def test_samples_have_their_kernels(tmp_path: Path) -> None:
    """Those whose kernels feel the boundary have the density on the mesh."""
    tight = {"lower": [-4.0, -4.0], "upper": [4.0, 4.0], "outflow_tolerance": 1e-2}
    boxes = {"points that the network moves": {}, "points of the density on the mesh": tight}
    for words, mesh in boxes.items():
        functional = ReducedFunctional(make_data_case(tmp_path, mesh=mesh), MPI.COMM_SELF)
        error = loss_error(functional, functional.theta0)
        assert words in error.sentence()
        assert len(error.ways) == 2 and error.right, error


def test_what_the_numbers_mean() -> None:
    def found(*losses: float, floor: float = 0.0) -> LossError:
        return LossError(1.0, floor, tuple(Way(str(w), w) for w in losses), (), "Refine")

    assert found(1.001, 1.001).right and found(1.001, 1.001).confirmed
    assert found(1.02, 1.018).wrong and found(1.02, 1.018).confirmed
    assert found(1.0001, 1.02).wrong and not found(1.0001, 1.02).confirmed
    assert "no two ways agree" in found(1.0001, 1.02).sentence()
    assert found(1.02, floor=1e3).right
    assert not found().right and not found().wrong and found().check().passed
    failing = at_most("a", 2.0, 1.0, "Mend it.")
    assert found(1.0).forgive(failing).passed
    assert "Without effect" in found(1.0).forgive(failing).sentence
    assert found(1.02).forgive(failing) is failing
    assert RIGHT < WRONG


def test_what_was_asked_for_is_what_the_loss_is_held_to() -> None:
    """A training to an accuracy of 2e-2 is right, and verified, where J is right to that."""

    def found(bound: float) -> LossError:
        return LossError(1.0, 0.0, (Way("points", 1.012), Way("cells", 1.011)), (), "Refine", bound)

    assert found(0.02).right and not found(0.02).wrong and found(0.02).check().passed
    assert found(0.02).check().limit == 0.02
    assert not found(0.01).right and found(0.01).wrong and not found(0.01).check().passed
    assert found(0.02).outflow_limit(1e-6) == pytest.approx(2e-3)
    assert found(0.01).outflow_limit(1e-6) == 1e-6
    functional = shifted("interval", 14, 1)
    plain = loss_error(functional, functional.theta0)
    asked = loss_error(functional, functional.theta0, allowed=0.1 * plain.loss)
    assert not plain.right and plain.bound == RIGHT
    assert asked.right and asked.bound == pytest.approx(0.1)
    lines = {check.name: check for check in certify(functional, allowed=0.1 * plain.loss)}
    assert lines["loss: relative error"].passed


# ---------------------------------------------------------------------- runs
def truth(case: Case, controls: dict[str, Array]) -> float:
    """Return the loss of one Gaussian on the line or in the plane, by an adaptive method."""
    z, w = np.polynomial.hermite_e.hermegauss(60)
    d, density, dt = case.dimension, case.classes[0].density, 1.0 / case.network.layers
    points = np.stack([g.ravel() for g in np.meshgrid(*[z] * d)])
    mass = np.prod([g.ravel() for g in np.meshgrid(*[w] * d)], axis=0)
    x = np.array(density.mean)[:, None] + np.linalg.cholesky(density.covariance) @ points
    for weight, bias in zip(controls["W"], controls["b"], strict=True):
        moved = solve_ivp(
            lambda t, y, W=weight, b=bias: np.tanh(W @ y.reshape(d, -1) + b[:, None]).ravel(),
            (0.0, dt * case.network.final_time), x.ravel(), rtol=1e-8, atol=1e-10,
        )  # fmt: skip
        x = moved.y[:, -1].reshape(d, -1)
    squared = np.sum((x - np.array(case.classes[0].target)[:, None]) ** 2, axis=0)
    return float(0.5 * mass @ squared / mass.sum())


@pytest.mark.parametrize(
    ("cell", "cells", "degree", "variance", "distance"),
    [("interval", 28, 2, 0.04, 1.2), ("interval", 57, 1, 0.103, 0.2), ("triangle", 8, 2, 0.1, 0.6)],
)
def test_a_loss_that_the_mesh_cannot_carry_does_not_converge(
    cell: str, cells: int, degree: int, variance: float, distance: float, tmp_path: Path
) -> None:
    d = CELLS[cell]
    case = parse(
        {
            "mesh": {"cell": cell, "cells": [cells] * d, "outflow_tolerance": 1e-2},
            "space": {"degree": degree},
            "network": {"final_time": 2.0},
            "time": {"order": 3, "stages": 3},
            "classes": [
                {
                    "density": gaussian([0.0] * d, (variance * np.eye(d)).tolist()),
                    "target": [distance] * d,
                }
            ],
            "penalty": {"tikhonov": 1e-4},
            "training": {"max_iterations": 60, "gradient_tolerance": 1e-4},
            "output": {"fields": False, "pictures": False},
        }
    )
    result = run(case, tmp_path / "run", comm=MPI.COMM_SELF)
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    controls = functional.controls.from_vector(result.theta).values
    exact, objective = truth(functional.case, controls), result.report["objective"]
    off = abs(objective["loss"] - exact) / exact
    said = objective["loss_error"]
    assert off > WRONG
    assert said["relative"] == pytest.approx(off, rel=0.02)
    assert result.exit is Exit.NOT_CONVERGED
    assert result.report["status"] == "loss_error"
    assert said["sentence"] in result.report["message"]
    assert not result.report["notes"]
