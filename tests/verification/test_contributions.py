# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The parts of the cells in the error of J are together the difference to the richer space."""

from __future__ import annotations

from mpi4py import MPI

import numpy as np
import pytest

from mfresnet.case import parse
from mfresnet.functional import ReducedFunctional
from mfresnet.verification.accuracy import another
from mfresnet.verification.contributions import cell_errors


@pytest.mark.parametrize("cell", ["quadrilateral", "triangle"])
def test_the_parts_are_the_difference_to_the_richer_space(cell: str) -> None:
    d = 2
    classes = [
        {
            "density": {
                "kind": "gaussian",
                "mean": [s] + [0.0] * (d - 1),
                "covariance": (0.15 * np.eye(d)).tolist(),
            },
            "target": [1.5 * s] + [0.0] * (d - 1),
        }
        for s in (-0.7, 0.7)
    ]
    mesh = {
        "cell": cell,
        "cells": [22] * d,
        "lower": [-6.0] * d,
        "upper": [6.0] * d,
    }
    f = ReducedFunctional(
        parse({"mesh": mesh, "classes": classes, "network": {"layers": 3}, "space": {"degree": 1}}),
        MPI.COMM_SELF,
    )
    theta = f.theta0 + 0.1 * np.cos(np.arange(f.theta0.size))
    f.make_room(f.steps_for(theta))
    parts = cell_errors(f, theta)
    richer = another(f, theta, {"space": {"degree": f.case.space.degree + 1}})
    difference = f.loss(theta) - richer.loss(theta)
    assert parts.shape == (f.problem.space.n_owned_cells,)
    assert parts.sum() == pytest.approx(difference, rel=0.05, abs=1e-9)
    assert np.abs(parts).max() > abs(difference) / parts.size
