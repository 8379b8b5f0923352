# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The densities with a formula of their own: normal, truncated normal, uniform."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from numpy.random import Generator
from pydantic import AfterValidator, BeforeValidator
from scipy import stats
from scipy.special import gamma

from mfresnet.arrays import Array
from mfresnet.data.laws.kind import DensityKind
from mfresnet.data.laws.rules import Rule, ball_rule, box_rule, directions
from mfresnet.schema import FiniteFloat, PositiveFloat, Vector

REACH = 6.0
"""Standard deviations after which a Gaussian counts as zero."""
TAIL = 8.0
"""Standard deviations up to which there are quadrature points of a Gaussian."""


def _as_matrix(value: Any) -> Any:
    return [[value]] if isinstance(value, int | float) and not isinstance(value, bool) else value


def _positive_definite(matrix: list[list[float]]) -> list[list[float]]:
    if any(len(row) != len(matrix) for row in matrix):
        raise ValueError("expected a square matrix")
    array = np.array(matrix)
    if not np.allclose(array, array.T) or np.linalg.eigvalsh(array).min() <= 0.0:
        raise ValueError("expected a symmetric matrix with positive eigenvalues")
    return matrix


Covariance = Annotated[
    list[list[FiniteFloat]], BeforeValidator(_as_matrix), AfterValidator(_positive_definite)
]
"""A matrix of a case file, symmetric and positive definite; a number where d = 1."""


class Gaussian(DensityKind):
    """The normal density N(mean, covariance)."""

    kind: Literal["gaussian"] = "gaussian"
    mean: Vector
    covariance: Covariance

    def density(self, x: Array) -> Array:
        """Return the density at points x, (d, n) -> (n,)."""
        covariance, z = np.array(self.covariance), x - np.array(self.mean)[:, None]
        exponent = -0.5 * np.sum(z * np.linalg.solve(covariance, z), axis=0)
        return np.exp(exponent) / np.sqrt(np.linalg.det(2.0 * math.pi * covariance))

    def sample(self, n: int, rng: Generator) -> Array:
        """Return n random points, (d, n)."""
        factor = np.linalg.cholesky(np.array(self.covariance))
        return np.array(self.mean)[:, None] + factor @ rng.standard_normal((len(self.mean), n))

    def nodes(self, n: int) -> Rule:
        """Return about n points a direction, (d, m), with their masses, (m,)."""
        factor, ones = np.linalg.cholesky(np.array(self.covariance)), np.ones(len(self.mean))
        z, weights = box_rule(-TAIL * ones, TAIL * ones, n)
        mass = weights * np.exp(-0.5 * np.sum(z**2, axis=0))
        return np.array(self.mean)[:, None] + factor @ z, mass / mass.sum()

    def extent(self) -> tuple[Array, Array]:
        """Return the corners of a box that holds the mass, up to 6 standard deviations."""
        std = REACH * np.sqrt(np.diag(self.covariance))
        return np.array(self.mean) - std, np.array(self.mean) + std

    def dimensions(self) -> dict[str, int]:
        """Return the dimension that each parameter implies."""
        return {"mean": len(self.mean), "covariance": len(self.covariance)}

    @property
    def jumps(self) -> bool:
        """No."""
        return False

    def log_density(self, x: Array) -> Array:
        """Return the logarithm of the density, finite far outside too."""
        law = stats.multivariate_normal(self.mean, self.covariance)
        return np.atleast_1d(law.logpdf(x.T))

    def normal(self) -> tuple[Array, Array]:
        """Return the mean and Cholesky's factor of the covariance."""
        return np.array(self.mean), np.linalg.cholesky(np.array(self.covariance))

    def law(self) -> Any:
        """Return the normal distribution."""
        return stats.norm(self.mean[0], np.sqrt(self.covariance[0][0]))


class TruncatedGaussian(DensityKind):
    """An isotropic normal density cut off outside of |x - mean| < radius, of mass one."""

    kind: Literal["truncated_gaussian"] = "truncated_gaussian"
    mean: Vector
    std: PositiveFloat
    radius: PositiveFloat

    def density(self, x: Array) -> Array:
        """Return the density at points x, (d, n) -> (n,)."""
        d, variance = len(self.mean), self.std**2
        squared = np.sum((x - np.array(self.mean)[:, None]) ** 2, axis=0)
        inside = stats.chi2.cdf(self.radius**2 / variance, d)
        value = np.exp(-0.5 * squared / variance) / (2.0 * math.pi * variance) ** (d / 2)
        return np.where(squared < self.radius**2, value / inside, 0.0)

    def sample(self, n: int, rng: Generator) -> Array:
        """Return n random points, (d, n): the radius by the inverse of its distribution."""
        d, variance = len(self.mean), self.std**2
        inside = stats.chi2.cdf(self.radius**2 / variance, d)
        radius = np.sqrt(variance * stats.chi2.ppf(inside * rng.random(n), d))
        return np.array(self.mean)[:, None] + radius * directions(d, n, rng)

    def nodes(self, n: int) -> Rule:
        """Return about n points a direction, (d, m), with their masses, (m,)."""
        z, weights = ball_rule(len(self.mean), n)
        z = z * min(self.radius, TAIL * self.std)
        mass = weights * np.exp(-0.5 * np.sum(z**2, axis=0) / self.std**2)
        return np.array(self.mean)[:, None] + z, mass / mass.sum()

    def extent(self) -> tuple[Array, Array]:
        """Return the corners of the box around the support."""
        return np.array(self.mean) - self.radius, np.array(self.mean) + self.radius

    def dimensions(self) -> dict[str, int]:
        """Return the dimension that each parameter implies."""
        return {"mean": len(self.mean)}

    def law(self) -> Any:
        """Return the truncated normal distribution."""
        reach = self.radius / self.std
        return stats.truncnorm(-reach, reach, self.mean[0], self.std)


class UniformBox(DensityKind):
    """The uniform density on the box [lower, upper]."""

    kind: Literal["uniform_box"] = "uniform_box"
    lower: Vector
    upper: Vector

    def density(self, x: Array) -> Array:
        """Return the density at points x, (d, n) -> (n,)."""
        lower, upper = np.array(self.lower)[:, None], np.array(self.upper)[:, None]
        inside = np.all((x >= lower) & (x < upper), axis=0)
        return inside / float(np.prod(upper - lower))

    def sample(self, n: int, rng: Generator) -> Array:
        """Return n random points, (d, n)."""
        lower, upper = np.array(self.lower)[:, None], np.array(self.upper)[:, None]
        return lower + (upper - lower) * rng.random((len(lower), n))

    def extent(self) -> tuple[Array, Array]:
        """Return the corners."""
        return np.array(self.lower), np.array(self.upper)

    def dimensions(self) -> dict[str, int]:
        """Return the dimension that each parameter implies."""
        return {"lower": len(self.lower), "upper": len(self.upper)}

    def law(self) -> Any:
        """Return the uniform distribution."""
        return stats.uniform(self.lower[0], self.upper[0] - self.lower[0])


class UniformBall(DensityKind):
    """The uniform density on the ball |x - mean| < radius."""

    kind: Literal["uniform_ball"] = "uniform_ball"
    mean: Vector
    radius: PositiveFloat

    def density(self, x: Array) -> Array:
        """Return the density at points x, (d, n) -> (n,)."""
        d = len(self.mean)
        volume = math.pi ** (d / 2) / float(gamma(d / 2 + 1)) * self.radius**d
        squared = np.sum((x - np.array(self.mean)[:, None]) ** 2, axis=0)
        return (squared < self.radius**2) / volume

    def sample(self, n: int, rng: Generator) -> Array:
        """Return n random points, (d, n)."""
        d = len(self.mean)
        radius = self.radius * rng.random(n) ** (1.0 / d)
        return np.array(self.mean)[:, None] + radius * directions(d, n, rng)

    def nodes(self, n: int) -> Rule:
        """Return about n points a direction, (d, m), with their masses, (m,)."""
        z, mass = ball_rule(len(self.mean), n)
        return np.array(self.mean)[:, None] + self.radius * z, mass / mass.sum()

    def extent(self) -> tuple[Array, Array]:
        """Return the corners of the box around the ball."""
        return np.array(self.mean) - self.radius, np.array(self.mean) + self.radius

    def dimensions(self) -> dict[str, int]:
        """Return the dimension that each parameter implies."""
        return {"mean": len(self.mean)}

    def law(self) -> Any:
        """Return the uniform distribution."""
        return stats.uniform(self.mean[0] - self.radius, 2.0 * self.radius)
