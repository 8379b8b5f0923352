# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Analytic densities, and their projection onto the space.

Every kind is one model that carries its parameters, its density, the box and points of its mass. In
1-D plain numbers are accepted for vectors and matrices. A new kind is one class in ``Density``.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from numpy.random import Generator
from pydantic import AfterValidator, BeforeValidator, Field, PositiveFloat
from scipy.special import gamma
from scipy.stats import chi2

from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.expression import Expression
from mfresnet.models import FiniteFloat, Model, Vector
from mfresnet.parallel import together, total
from mfresnet.rules import Rule, ball_rule, box_rule, directions
from mfresnet.space import Space

REACH = 6.0
"""Standard deviations after which a Gaussian counts as zero."""
TAIL = 8.0
"""Standard deviations up to which there are quadrature points of a Gaussian."""
SMOOTH_DEGREE, SUBDIVISIONS, LARGEST_LOSS = 8, 8, 0.05


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


class Gaussian(Model):
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


class TruncatedGaussian(Model):
    """An isotropic normal density cut off outside of |x - mean| < radius, of mass one."""

    kind: Literal["truncated_gaussian"] = "truncated_gaussian"
    mean: Vector
    std: PositiveFloat
    radius: PositiveFloat

    def density(self, x: Array) -> Array:
        """Return the density at points x, (d, n) -> (n,)."""
        d, variance = len(self.mean), self.std**2
        squared = np.sum((x - np.array(self.mean)[:, None]) ** 2, axis=0)
        inside = chi2.cdf(self.radius**2 / variance, d)
        value = np.exp(-0.5 * squared / variance) / (2.0 * math.pi * variance) ** (d / 2)
        return np.where(squared < self.radius**2, value / inside, 0.0)

    def sample(self, n: int, rng: Generator) -> Array:
        """Return n random points, (d, n): the radius by the inverse of its distribution."""
        d, variance = len(self.mean), self.std**2
        inside = chi2.cdf(self.radius**2 / variance, d)
        radius = np.sqrt(variance * chi2.ppf(inside * rng.random(n), d))
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


class UniformBox(Model):
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

    def nodes(self, n: int) -> Rule:
        """Return about n points a direction, (d, m), with their masses, (m,)."""
        x, mass = box_rule(np.array(self.lower), np.array(self.upper), n)
        return x, mass / mass.sum()

    def extent(self) -> tuple[Array, Array]:
        """Return the corners."""
        return np.array(self.lower), np.array(self.upper)

    def dimensions(self) -> dict[str, int]:
        """Return the dimension that each parameter implies."""
        return {"lower": len(self.lower), "upper": len(self.upper)}


class UniformBall(Model):
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


Simple = Annotated[
    Gaussian | TruncatedGaussian | UniformBox | UniformBall | Expression,
    Field(discriminator="kind"),
]


class Component(Model):
    """One part of a mixture."""

    weight: PositiveFloat
    density: Simple


class Mixture(Model):
    """The weighted mean of densities; the weights are divided by their sum."""

    kind: Literal["mixture"] = "mixture"
    components: Annotated[list[Component], Field(min_length=1)]

    def density(self, x: Array) -> Array:
        """Return the density at points x, (d, n) -> (n,)."""
        weights = np.array([c.weight for c in self.components])
        return weights / weights.sum() @ np.array([c.density.density(x) for c in self.components])

    def sample(self, n: int, rng: Generator) -> Array:
        """Return n random points, (d, n), in random order."""
        weights = np.array([c.weight for c in self.components])
        counts = map(int, rng.multinomial(n, weights / weights.sum()))
        pairs = zip(self.components, counts, strict=True)
        points = np.concatenate([c.density.sample(m, rng) for c, m in pairs], axis=1)
        return points[:, rng.permutation(n)]

    def nodes(self, n: int) -> Rule:
        """Return about n points a direction, (d, m), with their masses, (m,)."""
        weights = np.array([c.weight for c in self.components])
        parts = [c.density.nodes(n) for c in self.components]
        mass = [w * m for w, (_, m) in zip(weights / weights.sum(), parts, strict=True)]
        return np.concatenate([x for x, _ in parts], axis=1), np.concatenate(mass)

    def extent(self) -> tuple[Array, Array]:
        """Return the corners of the box around all components."""
        lower, upper = zip(*(c.density.extent() for c in self.components), strict=True)
        return np.min(lower, axis=0), np.max(upper, axis=0)

    def dimensions(self) -> dict[str, int]:
        """Return the dimension that each parameter implies."""
        return {
            f"components.{i}.density.{name}": d
            for i, c in enumerate(self.components)
            for name, d in c.density.dimensions().items()
        }


Density = Annotated[
    Gaussian | TruncatedGaussian | UniformBox | UniformBall | Expression | Mixture,
    Field(discriminator="kind"),
]
KINDS: dict[str, type[Model]] = {
    model.model_fields["kind"].default: model
    for model in (Gaussian, TruncatedGaussian, UniformBox, UniformBall, Expression, Mixture)
}
"""Kind -> model."""


def project(density: Any, space: Space, where: str) -> tuple[Array, float]:
    """Return the L2 projection f_i = (1/M_i) int density phi_i, and its mass.

    A smooth density is integrated with a rule of degree 2p + 8 and keeps the mass that it has on
    the mesh. A density that jumps is integrated with a rule repeated in 8 parts per direction, and
    divided by its mass.

    Args:
        density: a model of this module.
        space: the DG space.
        where: place of the density in the case file, for messages.

    Returns:
        f, (n_owned,), and the mass of the projection before any division.

    Raises:
        InputError: more than 5 % of the mass lies outside of the mesh, or a formula is no density.

    Parallel: collective.
    """
    jumping = jumps(density)
    degree = 2 * space.degree + SMOOTH_DEGREE
    subdivisions = SUBDIVISIONS if jumping else 1
    with together(space.comm):
        try:
            f = space.integrate(density.density, degree, subdivisions) / space.mass
        except InputError as error:
            raise InputError(f"{where}.{error}") from None
    mass = float(total(space.comm, space.integral @ f)[0])
    if abs(1.0 - mass) > LARGEST_LOSS:
        raise InputError(
            f"{where}: the mesh does not hold or resolve the density; got mass {mass:.3g} on it, "
            "expected 1. Make the mesh larger or finer."
        )
    return (f / mass if jumping else f), mass


def jumps(density: Any) -> bool:
    """Return whether a density has jumps, so that it needs many quadrature points."""
    if isinstance(density, Mixture):
        return any(jumps(c.density) for c in density.components)
    if isinstance(density, Expression):
        return not density.smooth
    return not isinstance(density, Gaussian)
