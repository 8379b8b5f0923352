# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Corrections on a fine mesh by a coarse one, against the minimisation of the fine J itself."""

from __future__ import annotations

from mpi4py import MPI

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from mfresnet.case import parse
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import Oracle, Search, Status, minimise
from mfresnet.training.correction import Correction, Shifted


def functional(cells: int, degree: int) -> ReducedFunctional:
    """Return J of two Gaussian classes on the line."""
    classes = [
        {
            "density": {"kind": "gaussian", "mean": [s], "covariance": [[0.1]]},
            "target": [1.5 * s],
        }
        for s in (-0.7, 0.7)
    ]
    mesh = {"cell": "interval", "cells": [cells], "lower": [-3.0], "upper": [3.0]}
    sections = {"mesh": mesh, "classes": classes, "space": {"degree": degree}}
    sections |= {"network": {"layers": 4}, "penalty": {"tikhonov": 1e-2}}
    return ReducedFunctional(parse(sections), MPI.COMM_SELF)


def test_few_derivatives_on_the_fine_mesh() -> None:
    """It ends by itself, not by the minimisation that it falls back to."""
    fine, coarse = functional(60, 3), functional(14, 2)
    least = minimise(functional(60, 3)).value
    found = Correction(fine, coarse, 1e-7, Oracle()).run(fine.theta0)
    assert found.status is Status.ENOUGH and found.excess <= 1e-7
    assert found.value - least <= 1e-6
    assert fine.adjoint_sweeps <= 8


def test_the_model_has_the_derivative_of_the_fine_objective() -> None:
    fine, coarse = functional(40, 2), functional(16, 2)
    theta = fine.theta0 + 0.3
    model = Shifted(coarse, fine.derivative(theta) - coarse.derivative(theta))
    np.testing.assert_allclose(model.derivative(theta), fine.derivative(theta), rtol=1e-12)
    h, e = np.cos(np.arange(theta.size)), 1e-5
    slope = (model.value(theta + e * h) - model.value(theta - e * h)) / (2.0 * e)
    assert slope == pytest.approx(float(model.derivative(theta) @ h), rel=1e-6)


def test_a_model_is_left_where_its_linear_part_makes_the_fall() -> None:
    """Beyond what both J are apart, as it follows what the coarse J does not know there."""
    coarse = functional(14, 2)
    correction = Correction(functional(30, 2), coarse, 1e-3, Oracle())
    shift, start = np.ones(coarse.theta0.size), coarse.theta0
    for trusted, by_shift, left in ((0.1, 0.3, True), (0.1, 0.19, False), (0.4, 0.3, False)):
        theta = start - by_shift / start.size
        fallen = SimpleNamespace(objective=1.0)
        search = SimpleNamespace(history=[fallen], best=0.6, theta=theta, excess=np.inf)
        correction._trusted = trusted
        assert correction._near(shift, start, cast(Search, search)) is left
