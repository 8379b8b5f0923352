# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Densities by a formula on several ranks are those on one, and so are their mistakes."""

from mpi4py import MPI

import numpy as np
import pytest

from helpers import make_case
from mfresnet.data.laws.expression import Expression
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.mesh.boxes import box
from mfresnet.mesh.space import Space


@pytest.mark.smoke
def test_value_and_derivative() -> None:
    """A ring and a density with a jump, one the mixture of formulas."""
    ring = {"kind": "expression", "expression": "exp(-(hypot(x[0], x[1]) - 1)**2 / 0.05)"}
    half = ring | {"expression": "(x[1] > 0.3) * exp(-x[0]**2 / 0.1)", "upper": [1.0, 1.0]}
    both = [{"weight": 1.0, "density": ring}, {"weight": 2.0, "density": half}]
    classes = [
        {"density": {"kind": "mixture", "components": both}, "target": [1.0, 0.5]},
        {"density": ring, "target": [0.0, 0.0]},
    ]
    case = make_case("quadrilateral", classes=classes, network={"layers": 2})
    alone, shared = (ReducedFunctional(case, comm) for comm in (MPI.COMM_SELF, MPI.COMM_WORLD))
    theta = 0.7 * alone.theta0
    assert shared.value(theta) == pytest.approx(alone.value(theta), rel=1e-10)
    expected = alone.derivative(theta)
    error = np.abs(shared.derivative(theta) - expected).max()
    assert error < 1e-10 * np.abs(expected).max()


def test_a_value_that_one_rank_finds() -> None:
    """Every rank raises the error of the rank whose cells hold the point."""
    space = Space(box(MPI.COMM_SELF, "interval", [30], np.full(1, -2.5), np.full(1, 3.0)), 2)
    node = float(space.cell_quadrature(12, 8).x[20, 3, 0])
    text = f"abs(x[0] - {node!r}) ** -0.3"
    density = Expression(expression=text, lower=-2.5, upper=3.0)
    case = make_case(
        "interval", mesh={"cells": [30]}, classes=[{"density": density, "target": 0.0}]
    )
    with pytest.raises(
        InputError, match=r"^classes\.0\.density\.expression: .* not inf at x = \(1"
    ):
        ReducedFunctional(case, MPI.COMM_WORLD)
