# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Wasserstein distances against closed forms and against each other."""

from mpi4py import MPI

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from mfresnet.data.laws.density import Gaussian, UniformBox, project
from mfresnet.mesh.boxes import box
from mfresnet.mesh.space import Space
from mfresnet.runs.studies.wasserstein import (
    between,
    by_assignment,
    moved,
    of_density,
    on_mesh,
    to_samples,
)

RNG = np.random.default_rng(1)
UNIT = of_density(UniformBox(lower=0.0, upper=1.0))


def test_of_gaussians() -> None:
    """W2^2 = (m - n)^2 + (s - r)^2, and W1 = W2 = |m - n| for equal variances."""
    values = ((0.2, 0.04), (-0.5, 0.25), (1.0, 0.04))
    one, two, three = (of_density(Gaussian(mean=m, covariance=v)) for m, v in values)
    assert between(one, two, 2.0) == pytest.approx(np.hypot(0.7, 0.3), rel=1e-9)
    assert between(one, three, 1.0) == pytest.approx(0.8, rel=1e-9)
    assert between(one, one) == 0.0


def test_midpoints_of_the_unit_interval() -> None:
    """1/(4N) and 1/(2 sqrt(3) N); after x -> 2 x - 1 twice that."""
    x = (np.arange(50) + 0.5) / 50
    twice = moved(UNIT, lambda x: 2.0 * x - 1.0, lambda y: 0.5 * (y + 1.0))
    for p, expected in ((1.0, 1 / 200), (2.0, 1 / (100 * np.sqrt(3)))):
        assert to_samples(RNG.permutation(x), UNIT, p) == pytest.approx(expected, rel=1e-13)
        assert to_samples(2.0 * x - 1.0, twice, p) == pytest.approx(2.0 * expected, rel=1e-13)


def test_samples_against_many_points() -> None:
    x = RNG.uniform(-0.5, 1.5, 40)
    fine = (np.arange(200_000) + 0.5) / 200_000
    assert to_samples(x, UNIT) == pytest.approx(wasserstein_distance(x, fine), rel=1e-5)


@pytest.mark.parametrize("degree", [0, 3])
def test_of_a_density_on_the_mesh(degree: int) -> None:
    """Two Gaussians projected onto an interval mesh; the distance is that of the Gaussians."""
    space = Space(box(MPI.COMM_SELF, "interval", [80], np.array([-4.0]), np.array([4.0])), degree)
    rows = [Gaussian(mean=-0.5, covariance=0.09), Gaussian(mean=0.4, covariance=0.25)]
    one, two = (on_mesh(space, project(g, space, "f")[0]) for g in rows)
    s = np.linspace(0.01, 0.99, 40)
    tolerance = 1e-2 if degree == 0 else 1e-5
    np.testing.assert_allclose(one.quantile(s), of_density(rows[0]).quantile(s), atol=tolerance)
    np.testing.assert_allclose(one.distribution(one.quantile(s)), s, atol=1e-12)
    assert between(one, two, 2.0) == pytest.approx(np.hypot(0.9, 0.2), rel=tolerance)


def test_by_assignment() -> None:
    """In the plane a shift costs its length; on the line it is the distance of sorted points."""
    x, y = RNG.standard_normal((2, 60)), RNG.standard_normal((2, 60))
    shift = np.array([[0.3], [-0.4]])
    assert by_assignment(x, x[:, ::-1] + shift, 2.0) == pytest.approx(0.5)
    assert by_assignment(x[:1], y[:1]) == pytest.approx(wasserstein_distance(x[0], y[0]))
