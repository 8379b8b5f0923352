# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Losses that compare the densities with a density to reach, or their moments.

Each has a value, a slope and a curvature in f; the mass that has left pays a price for each unit.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import numpy as np

from mfresnet.arrays import Array
from mfresnet.data import Covariance, Density, project
from mfresnet.errors import InputError
from mfresnet.losses.loss import LossSection, Parts, Setting
from mfresnet.parallel import total
from mfresnet.schema import NonNegativeFloat, PositiveFloat, Vector


class DensitySection(LossSection):
    """[loss] with a density to reach.

    Attributes:
        target: the density g; omitted where it is that of the samples.
        outflow: price of a unit of mass that leaves the mesh.
    """

    target: Density | None = None
    outflow: NonNegativeFloat = 1.0

    def dimensions(self) -> dict[str, int]:
        """Return the dimension that each parameter implies."""
        given = {} if self.target is None else self.target.dimensions()
        return {f"target.{name}": d for name, d in given.items()}


class Distance(Protocol):
    """A distance of f (classes, n_owned) from what it should be. Parallel: collective."""

    def value(self, f: Array) -> Array:
        """Return the distance of each class, (classes,), the same on all ranks."""

    def slope(self, f: Array) -> Array:
        """Return its derivative in f, the L2 representative, (classes, n_owned)."""

    def curvature(self, f: Array, df: Array) -> Array:
        """Return the change of the slope along df, (classes, n_owned)."""


class DensityLoss:
    """A distance of the densities, and a price for each unit of mass that has left.

    Attributes:
        target: the density to reach, (n_owned,).
        distance: the distance.
    """

    def __init__(self, setting: Setting, distance: Distance) -> None:
        """Keep the distance."""
        self._space, self._price = setting.space, setting.section.outflow
        self.target, self.distance = target_of(setting), distance

    def value(self, at: Parts) -> Array:
        """Return Loss_k, (classes,)."""
        return self.distance.value(at.f) + self._price * total(
            self._space.comm, at.left.sum(axis=1)
        )

    def derivative(self, at: Parts, weights: Array) -> Parts:
        """Return psi_k and the price."""
        return Parts(self.distance.slope(at.f), np.full_like(at.left, self._price), {})

    def hessian_action(self, at: Parts, along: Parts, weights: Array) -> Parts:
        """Return the curvature along the change of f."""
        return Parts(self.distance.curvature(at.f, along.f), np.zeros_like(at.left), {})

    def report(self, f: Array) -> dict[str, Array]:
        """Return ||f - g|| / ||g|| in L2."""
        squares = np.vstack([f - self.target, self.target]) ** 2 @ self._space.mass
        sums = total(self._space.comm, squares)
        return {"relative_l2_error": np.sqrt(sums[:-1] / sums[-1])}


def target_of(setting: Setting) -> Array:
    """Return the projection of the density to reach, (n_owned,)."""
    if setting.goal is not None:
        return setting.goal
    return project(setting.section.target, setting.space, "loss.target")[0]


class L2Distance:
    """1/2 ||f - g||^2 in L2."""

    def __init__(self, setting: Setting) -> None:
        """Project g."""
        self._space, self._g = setting.space, target_of(setting)

    def value(self, f: Array) -> Array:
        """Return the distance."""
        squares = self._space.mass * (f - self._g) ** 2
        return 0.5 * total(self._space.comm, squares.sum(axis=1))

    def slope(self, f: Array) -> Array:
        """Return f - g."""
        return f - self._g

    def curvature(self, f: Array, df: Array) -> Array:
        """Return df."""
        return df.copy()


class KullbackLeiblerSection(DensitySection):
    """[loss] of kind kullback_leibler.

    Attributes:
        smoothing: eps, the density below which f and g count as zero.
    """

    smoothing: PositiveFloat = 1e-4


class KullbackLeibler:
    """int a log(a/b) - a + b, with the positive part a = (f + r)/2, r = sqrt(f^2 + eps^2).

    b is the same of g. Smooth in f, and finite where f is negative.
    """

    def __init__(self, setting: Setting) -> None:
        """Tabulate b at the quadrature points."""
        self._space, self._eps = setting.space, setting.section.smoothing
        self._dofs = self._space.dofs[: self._space.n_owned_cells]
        rule = self._space.quadrature
        self._basis, self._weights = rule.basis, rule.weights
        self._b = smooth_positive(self._space.at_quadrature(target_of(setting)), self._eps)[0]

    def value(self, f: Array) -> Array:
        """Return the divergence."""
        a, b = smooth_positive(self._space.at_quadrature(f), self._eps)[0], self._b
        integrand = a * np.log(a / b) - a + b
        return total(self._space.comm, np.sum(self._weights * integrand, axis=(1, 2)))

    def slope(self, f: Array) -> Array:
        """Return log(a/b) a', a' = a / r."""
        a, r = smooth_positive(self._space.at_quadrature(f), self._eps)
        return self._project(np.log(a / self._b) * a / r)

    def curvature(self, f: Array, df: Array) -> Array:
        """Return (log(a/b) a'' + a'^2 / a) df, a'' = eps^2 / (2 r^3)."""
        a, r = smooth_positive(self._space.at_quadrature(f), self._eps)
        second = np.log(a / self._b) * 0.5 * self._eps**2 / r**3 + a / r**2
        return self._project(second * self._space.at_quadrature(df))

    def _project(self, values: Array) -> Array:
        result = np.empty((len(values), self._space.n_owned))
        result[:, self._dofs] = (self._weights * values) @ self._basis
        return result / self._space.mass


def smooth_positive(f: Array, eps: float) -> tuple[Array, Array]:
    """Return (f + r)/2 > 0 and r = sqrt(f^2 + eps^2); without cancellation for f < 0."""
    r = np.sqrt(f**2 + eps**2)
    return np.where(f > 0.0, 0.5 * (f + r), 0.5 * eps**2 / (r + np.abs(f))), r


class MomentsSection(LossSection):
    """[loss] of kind moments.

    Attributes:
        mean: the mean to reach, omitted: any.
        covariance: the covariance to reach, omitted: any.
    """

    mean: Vector | None = None
    covariance: Covariance | None = None

    def model_post_init(self, _: Any, /) -> None:
        """Refuse a loss that is zero."""
        if self.mean is None and self.covariance is None:
            raise InputError(
                "loss.mean: missing; got nothing, expected loss.mean or loss.covariance for loss "
                "moments. Add one."
            )

    def dimensions(self) -> dict[str, int]:
        """Return the dimension that each parameter implies."""
        given = {"mean": self.mean, "covariance": self.covariance}
        return {name: len(value) for name, value in given.items() if value is not None}


class MomentsLoss:
    """1/2 |m - mean|^2 + 1/2 |C - covariance|^2, m = int x, C = int x x^T - m m^T.

    Mass that has left counts where it left. With the residuals r = m - mean and R = C - covariance,
    the derivative is the quadratic r . x + x^T R x - 2 (R m) . x at every point.
    """

    def __init__(self, setting: Setting) -> None:
        """Tabulate int phi_i times 1, x, x x^T."""
        section, self._space = setting.section, setting.space
        d = self._space.dimension
        degree = self._space.degree + 4
        self._exit = _monomials(setting.exit_points)
        functions = [partial(_monomial, i) for i in range(len(self._exit))]
        self._inside = np.array([self._space.integrate(g, degree) for g in functions])
        self._mean = None if section.mean is None else np.array(section.mean)
        self._covariance = None if section.covariance is None else np.array(section.covariance)
        self._d = d

    def value(self, at: Parts) -> Array:
        """Return Loss_k, (classes,)."""
        residuals = [self._residuals(*m) for m in self._moments(at)]
        return np.array([0.5 * float(r @ r) + 0.5 * float(np.sum(s * s)) for r, s in residuals])

    def derivative(self, at: Parts, weights: Array) -> Parts:
        """Return psi_k and the price: the same quadratic inside and on the boundary."""
        coefficients = []
        for m, c in self._moments(at):
            r, s = self._residuals(m, c)
            coefficients.append(np.concatenate([r - 2.0 * s @ m, s.ravel()]))
        return self._quadratics(coefficients)

    def hessian_action(self, at: Parts, along: Parts, weights: Array) -> Parts:
        """Return the change of the quadratic."""
        coefficients = []
        changes = self._raw(along)
        for (m, c), change in zip(self._moments(at), changes, strict=True):
            r, s = self._residuals(m, c)
            dm, d2 = change[: self._d], change[self._d :].reshape(self._d, self._d)
            dr = np.zeros_like(m) if self._mean is None else dm
            ds = d2 - np.outer(dm, m) - np.outer(m, dm)
            ds = np.zeros_like(c) if self._covariance is None else ds
            coefficients.append(np.concatenate([dr - 2.0 * (ds @ m + s @ dm), ds.ravel()]))
        return self._quadratics(coefficients)

    def report(self, f: Array) -> dict[str, Array]:
        """Return nothing: the loss says it all."""
        return {}

    def _raw(self, parts: Parts) -> Array:
        """Return int x and int x x^T of every class over the mass inside and outside."""
        local = parts.f @ self._inside.T + parts.left @ self._exit.T
        return total(self._space.comm, local.ravel()).reshape(local.shape)

    def _moments(self, at: Parts) -> list[tuple[Array, Array]]:
        means_and_seconds = []
        for raw in self._raw(at):
            m, second = raw[: self._d], raw[self._d :].reshape(self._d, self._d)
            means_and_seconds.append((m, second - np.outer(m, m)))
        return means_and_seconds

    def _residuals(self, m: Array, c: Array) -> tuple[Array, Array]:
        r = np.zeros_like(m) if self._mean is None else m - self._mean
        return r, np.zeros_like(c) if self._covariance is None else c - self._covariance

    def _quadratics(self, coefficients: list[Array]) -> Parts:
        table = np.array(coefficients)
        return Parts(table @ self._inside / self._space.mass, table @ self._exit, {})


def _monomials(x: Array) -> Array:
    """Return x and x x^T of points (d, n), (d + d^2, n)."""
    return np.concatenate([x, (x[:, None] * x[None]).reshape(len(x) ** 2, x.shape[1])])


def _monomial(index: int, x: Array) -> Array:
    return _monomials(x)[index]
