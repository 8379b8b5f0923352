# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""J by points: their masses and moments, and that J by them is that of the population."""

from __future__ import annotations

from mpi4py import MPI

import numpy as np
import pytest

from mfresnet.case import Case, parse, populate
from mfresnet.functional import ReducedFunctional, quadrature
from mfresnet.functional.nodes import binned
from mfresnet.optimise import Oracle, minimise
from mfresnet.training.minimisation import Minimisation
from mfresnet.training.points import LARGEST, PointSets
from mfresnet.training.result import History
from mfresnet.verification import pathwise_loss

MESH_1D = {"cell": "interval", "lower": [-3.0], "upper": [3.0], "cells": [24]}
CELLS = {1: "interval", 2: "quadrilateral", 3: "hexahedron"}


def case_of(d: int, **changes: object) -> Case:
    """Return two Gaussian classes of unlike weight."""
    spread = np.diag([0.1, 0.2, 0.3][:d]).tolist()
    classes = [
        {
            "density": {"kind": "gaussian", "mean": [s] * d, "covariance": spread},
            "target": [1.5 * s] * d,
            "weight": 0.3 if s < 0 else 0.7,
        }
        for s in (-0.6, 0.6)
    ]
    mesh = {"cell": CELLS[d], "lower": [-3.0] * d, "upper": [3.0] * d, "cells": [6] * d}
    sections = {"mesh": mesh, "classes": classes, "network": {"layers": 2, "final_time": 0.5}}
    return parse(sections | {"penalty": {"tikhonov": 1e-2}} | changes)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_points_have_the_masses_and_moments_of_the_densities(d: int) -> None:
    case = case_of(d)
    points = quadrature(case, populate(case, MPI.COMM_SELF), 1)
    assert points.w.min() > 0.0
    for k, share in enumerate((0.3, 0.7)):
        w, x = points.w[points.y == k], points.of_class(k)
        mean, sign = x @ w / w.sum(), 2 * k - 1
        assert w.sum() == pytest.approx(share)
        np.testing.assert_allclose(mean, 0.6 * sign, atol=1e-12)
        spread = (x - mean[:, None]) * w @ (x - mean[:, None]).T / w.sum()
        np.testing.assert_allclose(spread, np.diag([0.1, 0.2, 0.3][:d]), rtol=5e-3, atol=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_larger_sets_say_j_of_the_population(d: int) -> None:
    case = case_of(d)
    f = ReducedFunctional(case, MPI.COMM_SELF)
    exact = pathwise_loss(f, f.theta0).loss + f.penalty(f.theta0)
    sets = PointSets(case, f.population, f.controls.initial, MPI.COMM_SELF)
    errors = [abs(value(f.theta0) / exact - 1.0) for value in sets.all()[:3]]
    assert errors[0] < 1e-2 and errors[-1] < 5e-4
    assert errors[-1] < 0.3 * errors[0]


@pytest.mark.parametrize("d", [1, 2, 3])
def test_bins_keep_mass_mean_and_variance(d: int) -> None:
    """With the variance of the kernel; and are no more than what was asked for."""
    rng = np.random.default_rng(3)
    x, w, width = rng.standard_normal((d, 500)) ** 3, rng.random(500), 0.3
    points, masses = binned(x, w, width, 0.6, 40)
    assert points.shape[1] <= 40 * 2 * d and masses.sum() == pytest.approx(w.sum())
    mean, of = points @ masses / w.sum(), x @ w / w.sum()
    np.testing.assert_allclose(mean, of, atol=1e-12)
    variance = (points - mean[:, None]) ** 2 @ masses / w.sum()
    np.testing.assert_allclose(variance, (x - of[:, None]) ** 2 @ w / w.sum() + width**2)
    alone, _ = binned(x, w, width, 1e-9, 1e9)
    assert alone.shape[1] == 500 * 2 * d, "every sample has a bin of its own"


def test_points_that_do_not_settle_are_no_model() -> None:
    """Their controls are kept as a start; where they settle they are a model."""
    case = case_of(1, training={"gradient_tolerance": 1e-6})
    for alike, settles in ((1e-2, True), (0.0, False)):
        f = ReducedFunctional(case, MPI.COMM_SELF)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mfresnet.training.minimisation.ALIKE", alike)
            steps = Minimisation(Oracle(), History(None, None))
            start = f.theta0
            assert steps.by_points(f) and f.value(f.theta0) < f.value(start)
        assert (steps.points is not None) == settles
        steps.forget()


def test_controls_of_points_that_more_points_leave_alone_are_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where corrections do not end; the distance from the least J is said, and the gradient."""
    monkeypatch.setattr("mfresnet.training.correction.TRUSTED", 1e9)
    f = ReducedFunctional(case_of(1, mesh=MESH_1D), MPI.COMM_SELF)
    steps = Minimisation(Oracle(), History(None, None))
    steps.by_points(f)
    found = steps.minimise(f, lambda value: 1e-4 * value, None)
    steps.forget()
    assert found.excess <= 3e-4 * found.value and found.iterations == 0
    assert steps.points is not None and 0 < steps.points.number <= LARGEST[1]
    least = minimise(f, found.theta)
    assert found.value - least.value <= 1e-3 * least.value
