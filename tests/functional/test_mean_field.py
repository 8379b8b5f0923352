# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The mean field of given controls, without training."""

from mpi4py import MPI

import numpy as np
import pytest
import ufl
from dolfinx import fem
from matplotlib.figure import Figure

import mfresnet
from helpers import gaussian
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory, mean_field
from mfresnet.network.particles import flow
from mfresnet.network.schemes import SCHEMES
from mfresnet.pictures.axes import plot_densities

LAYERS = 6


def bent(activation: str = "tanh") -> tuple[mfresnet.Case, mfresnet.Controls]:
    case = mfresnet.Case(
        mesh={"cell": "interval", "cells": [80], "lower": -4.0, "upper": 4.0},
        network={"activation": activation, "layers": 2},
        classes=[{"density": gaussian(-0.3, 0.05), "target": 0.0}],
    )
    t = (np.arange(LAYERS) + 0.5) / LAYERS
    w, b = np.cos(3.0 * t)[:, None, None], np.sin(3.0 * t)[:, None]
    return case, mfresnet.Controls({"W": w, "b": b})


@pytest.mark.smoke
def test_the_mean_is_that_of_the_particles() -> None:
    """The layers are those of the controls, not of the case."""
    case, controls = bent()
    found = mean_field(case, controls, MPI.COMM_SELF)
    x, mass = case.classes[0].density.nodes(200)
    path = flow(found.functional.network(found.theta), x, SCHEMES[4], 4)
    assert found.functional.controls.layers == LAYERS
    np.testing.assert_allclose(found.means(0)[:, 0], path[:, 0] @ mass / mass.sum(), atol=2e-6)


def test_functions_are_the_densities() -> None:
    case, controls = bent()
    found = mean_field(case, controls, MPI.COMM_SELF)
    arrays, functions = found.densities([0, -1]), found.functions([0, -1])
    for f, (function,) in zip(arrays[:, 0], functions, strict=True):
        assert isinstance(function, fem.Function)
        np.testing.assert_array_equal(function.x.array, f)
    mass = fem.assemble_scalar(fem.form(functions[-1][0] * ufl.dx))
    assert mass == pytest.approx(1.0, abs=1e-6)


def test_without_controls_it_is_the_initial_network() -> None:
    case, _ = bent()
    J = ReducedFunctional(case, MPI.COMM_SELF)
    ours = mean_field(case, comm=MPI.COMM_SELF).densities([-1])
    np.testing.assert_array_equal(ours, Trajectory(J, J.theta0).densities([-1]))


def test_wrong_controls_are_named() -> None:
    case, controls = bent()
    flat = mfresnet.Controls({"W": controls.W[:, 0], "b": controls.b})
    with pytest.raises(mfresnet.InputError, match=r"^controls\.W: wrong shape; got \(6, 1\), exp"):
        mean_field(case, flat, MPI.COMM_SELF)
    with pytest.raises(mfresnet.InputError, match=r"^controls\.b: wrong shape; got \(\), expected"):
        mean_field(case, mfresnet.Controls({"W": controls.W}), MPI.COMM_SELF)


@pytest.mark.parametrize("cell", ["interval", "quadrilateral"])
def test_densities_are_drawn_into_axes(cell: str) -> None:
    """In the frame that another depth had."""
    d = 1 if cell == "interval" else 2
    cloud = gaussian([-0.3] * d, (0.1 * np.eye(d)).tolist())
    case = mfresnet.Case(
        mesh={"cell": cell, "cells": [16] * d, "lower": [-4.0] * d, "upper": [4.0] * d},
        network={"layers": 2},
        classes=[{"density": cloud, "target": [1.0] * d}],
    )
    found = mean_field(case, comm=MPI.COMM_SELF)
    one, two = Figure().subplots(1, 2)
    low, high = plot_densities(one, found)
    assert np.all(low < 1.0) and np.all(high > 1.0)
    plot_densities(two, found, 0, (low, high))
    assert one.get_xlim() == two.get_xlim() == (low[0], high[0])
    assert one.lines and (d == 1) == (not one.collections)
