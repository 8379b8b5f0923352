# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Long horizons and stiff controls: a right answer, or a sentence on what is not resolved."""

from mpi4py import MPI

import numpy as np
import pytest

from helpers import gaussian, make_case
from mfresnet.errors import SolveError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory
from mfresnet.mesh.boxes import CELLS
from mfresnet.network.activations import ACTIVATIONS
from mfresnet.verification.accuracy import loss_error
from mfresnet.verification.advice import APART, damping, drift, warnings

RIGHT = 0.02
"""Relative error of the loss that goes without a sentence."""


def stiff(
    activation: str, w: float, final_time: float, layers: int, cells: int = 60
) -> ReducedFunctional:
    """Return J on a box that holds the mass where the velocity has a bound, else on [-4, 4]."""
    bounded = np.isfinite(ACTIVATIONS[activation].bound)
    corners = {"lower": None, "upper": None} if bounded else {"lower": [-4.0], "upper": [4.0]}
    case = make_case(
        "interval",
        mesh={"cells": [cells]} | corners,
        network={"activation": activation, "layers": layers, "final_time": final_time},
        classes=[{"density": gaussian(0.3, 0.04), "target": 1.0}],
        initial={"kind": "values", "W": w, "b": 0.1},
    )
    return ReducedFunctional(case, MPI.COMM_SELF)


def judge(functional: ReducedFunctional) -> tuple[float, list[str]]:
    """Return the relative error of the loss against points, and what the user is told."""
    theta = functional.theta0
    try:
        functional.make_room(functional.steps_for(theta))
        functional.value(theta)
    except SolveError as error:
        return np.inf, [str(error)]
    balance = Trajectory(functional, theta).balance()
    with np.errstate(over="ignore", invalid="ignore"):
        apart = drift(functional, theta)
    found = loss_error(functional, theta, ways=1)
    told = warnings(functional, balance, damping(functional, theta), apart, found)
    if balance.outflow.max() > functional.case.mesh.outflow_tolerance:
        told.append("mesh.outflow_tolerance")
    assert balance.error < 1e-12
    assert np.isfinite(functional.derivative(theta)).all()
    return found.relative, told


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("w", [50.0, -50.0, 5.0, -5.0])
def test_stiff_controls(activation: str, w: float) -> None:
    """|W| up to 50: steep velocities, contraction below h, expansion out of the box."""
    cells = 16 if not np.isfinite(ACTIVATIONS[activation].bound) and abs(w) > 5.0 else 60
    error, told = judge(stiff(activation, w, 1.0, 4, cells))
    assert told or error < RIGHT, error


@pytest.mark.parametrize(("w", "activation"), [(1.0, "tanh"), (-1.0, "relu"), (-50.0, "tanh")])
def test_long_horizon(w: float, activation: str) -> None:
    """T = 20 by 200 layers."""
    error, told = judge(stiff(activation, w, 20.0, 200))
    assert told or error < RIGHT, error


def test_the_sentence_names_what_is_not_resolved() -> None:
    error, told = judge(stiff("tanh", 50.0, 1.0, 4))
    assert error > 3e-3
    assert [s for s in told if "does not end where the network moves its points" in s]
    error, told = judge(stiff("tanh", 50.0, 1.0, 4, cells=1000))
    assert error < 0.002 and not told


@pytest.mark.parametrize("cell", CELLS)
def test_drift_of_a_resolved_density_is_small(cell: str) -> None:
    d = CELLS[cell]
    wide = {1: 0.09, 2: 0.09, 3: 0.36}[d]  # five cells a direction in space
    classes = [
        {"density": gaussian([m] * d, (wide * np.eye(d)).tolist()), "target": [m] * d}
        for m in (-0.4, 0.5)
    ]
    case = make_case(
        cell, mesh={"lower": [-4.0] * d, "upper": [4.5] * d} if d == 3 else {},
        network={"layers": 2}, classes=classes, space={"degree": 3}, time={"order": 4},
    )  # fmt: skip
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    functional.make_room(functional.steps_for(functional.theta0))
    apart = drift(functional, functional.theta0)
    assert apart.shape == (2,) and (apart < APART).all(), apart
