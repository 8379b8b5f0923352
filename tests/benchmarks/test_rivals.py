# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What the comparison with peers stands on: rivals that we wrote, and how they are measured."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.peers import annotated, exactness, growth, mean_field_codes
from benchmarks.peers.maximum_principle import Method, Mixed, Particles, Upwind, shoot
from benchmarks.peers.mean_field_codes import EXCESS, LAYERS, OURS, PROBLEMS, TIKHONOV


def methods() -> dict[str, Method]:
    """Return methods whose sweeps are transposes of each other."""
    line, plane = PROBLEMS["1-D"], PROBLEMS["2-D"]
    return {
        "particles on the line": Particles(line, LAYERS, 2, 50, 0),
        "particles in the plane": Particles(plane, LAYERS, 1, 50, 0),
        "upwind on the line": Upwind(line, LAYERS, 41, line.half),
        "upwind in the plane": Upwind(plane, LAYERS, 21, plane.half),
    }


@pytest.mark.parametrize("name", list(methods()))
def test_hamiltonians_have_the_derivative_of_the_loss(name):
    method, rng = methods()[name], np.random.default_rng(1)
    d = method.problem.d
    W, H = rng.standard_normal((2, LAYERS, d, d))
    slope = 0.0
    for steps, weight, h in zip(method.sweep(W)[1], W, H, strict=True):
        for s in steps:
            bent = 1.0 - np.tanh(s.x @ weight.T) ** 2
            slope += method.h * np.sum(((s.w[:, None] * s.p * bent).T @ s.x) * h)
    step = 1e-5
    ahead, behind = (method.sweep(W + sign * step * H)[0] for sign in (1, -1))
    assert slope == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)


def test_grids_keep_mass():
    method = methods()["upwind in the plane"]
    W = np.random.default_rng(2).standard_normal((LAYERS, 2, 2))
    for f in method.forward(W):
        assert f.min() >= 0.0
        assert f.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("make", "bound"),
    [
        (lambda p: Particles(p, LAYERS, 2, 1000, 0), 1e-3),
        (lambda p: Upwind(p, LAYERS, 100, p.half), 1e-3),
        (lambda p: Mixed(p, LAYERS, 50, p.half, 1000), 1e-2),
    ],
)
def test_shooting_comes_near_the_optimum_on_the_line(make, bound):
    problem = PROBLEMS["1-D"]
    best = mean_field_codes.least(problem)
    seconds, courses = zip(*shoot(make(problem), TIKHONOV, 20.0), strict=True)
    assert list(seconds) == sorted(seconds)
    assert 0.0 <= mean_field_codes.true_loss(problem, courses[-1]) / best - 1.0 < bound


def test_least_loss_is_a_minimum():
    problem = PROBLEMS["2-D"]
    best, rng = mean_field_codes.least(problem), np.random.default_rng(3)
    W = np.zeros((LAYERS, 2, 2))
    assert best < mean_field_codes.true_loss(problem, W)
    course = mean_field_codes.ours(problem, 1e-3, best)
    assert all(excess > -1e-9 for _, excess in course)
    assert all(
        mean_field_codes.true_loss(problem, rng.standard_normal(W.shape)) > best for _ in range(3)
    )


def test_a_bound_is_reached_when_it_is_kept():
    course = [(1.0, 0.5), (2.0, 5e-4), (3.0, 5e-3), (4.0, 5e-4)]
    assert mean_field_codes.reached(course) == [2.0, 4.0, None]


def test_ratios_say_what_was_not_reached():
    ours = {"kind": OURS, "reached": [0.1, 0.2, 0.4]}
    rival = {"kind": "upwind", "reached": [0.05, 40.0, None]}
    found = [mean_field_codes.ratio([ours, rival], "upwind", i, 60.0) for i in range(len(EXCESS))]
    assert found == [(0.5, True), (200.0, True), (150.0, False)]
    assert [mean_field_codes.times(one) for one in found] == ["0.5", "200", "not in 150"]
    assert mean_field_codes.ratio([rival], "upwind", 0, 60.0) is None


def test_derivatives_of_ours_are_exact():
    for errors in exactness.measure_at(5).values():
        assert errors["mfresnet, samples"] < 1e-11
        assert errors["mfresnet, density"] < 1e-9
        for name, error in errors.items():
            if "BacksolveAdjoint" in name or "odeint_adjoint, euler" in name:
                assert error > 1e-3


def test_the_derivative_beside_dolfinx_adjoint_is_in_its_order():
    value, derivative = annotated.by_mfresnet(8)
    value(0)
    slopes = derivative()
    assert slopes.size == 6 * annotated.PROBLEM["layers"]
    step = 10**5  # in parts of 1e-9, of the first bias
    difference = (value(step) - value(-step)) / (2e-9 * step)
    assert slopes[4] == pytest.approx(difference, rel=1e-6)


def test_sizes_are_measured_in_a_process_of_their_own():
    row = growth.run({"cells": 6, "layers": 2})
    assert row["dofs"] == 6 * 6 * 9
    assert row["stages"] >= 2 * 4
    assert 0.0 < row["value"] < row["both"]
    assert row["memory"] > 0


def test_slopes_are_those_of_powers():
    assert growth.slope([1.0, 2.0, 4.0, 8.0], [3.0, 12.0, 48.0, 192.0]) == pytest.approx(2.0)
