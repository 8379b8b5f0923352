# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Losses that are linear in the densities: Loss_k = int l_k(x; head) f_k dx.

Mass that has left pays l_k where it left. The cost l is to the head what the velocity is to its
parameters: a value, a vjp, a jvp, a pull, and the change of vjp and pull.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.special import log_softmax, softmax

from mfresnet.arrays import Array
from mfresnet.losses.loss import CostSetting, Parts, Setting
from mfresnet.network import Head, Parameters
from mfresnet.parallel import total


class PointCost(Protocol):
    """The cost l_k(x; head) of a unit of mass of class k at x; points are columns, (d, n)."""

    def value(self, x: Array, head: Parameters) -> Array:
        """Return l_k at the points, (classes, n)."""

    def vjp(self, x: Array, head: Parameters, m: Array) -> dict[str, Array]:
        """Return sum over k and points of m dl/dhead, m of shape (classes, n)."""

    def jvp(self, x: Array, head: Parameters, h: Parameters) -> Array:
        """Return dl/dhead [h], (classes, n)."""

    def pull(self, x: Array, head: Parameters, m: Array) -> Array:
        """Return sum over k of m dl_k/dx, (d, n)."""

    def second(
        self, x: Array, head: Parameters, m: Array, dx: Array, h: Parameters
    ) -> tuple[Array, dict[str, Array]]:
        """Return the change of ``pull`` and of ``vjp`` along dx and h, at fixed m."""


class Quadratic:
    """l_k = 1/2 |x - target_k|^2; it has no head.

    Attributes:
        targets: the points to reach, (classes, d).
    """

    def __init__(self, setting: CostSetting) -> None:
        """Keep the targets, (classes, d)."""
        self.targets = np.asarray(setting.targets, dtype=float)

    def value(self, x: Array, head: Parameters) -> Array:
        """Return l."""
        return np.array([0.5 * np.sum((x - y[:, None]) ** 2, axis=0) for y in self.targets])

    def vjp(self, x: Array, head: Parameters, m: Array) -> dict[str, Array]:
        """Return nothing."""
        return {}

    def jvp(self, x: Array, head: Parameters, h: Parameters) -> Array:
        """Return zeros."""
        return np.zeros((len(self.targets), x.shape[1]))

    def pull(self, x: Array, head: Parameters, m: Array) -> Array:
        """Return sum_k m_k (x - target_k)."""
        return m.sum(axis=0) * x - self.targets.T @ m

    def second(
        self, x: Array, head: Parameters, m: Array, dx: Array, h: Parameters
    ) -> tuple[Array, dict[str, Array]]:
        """Return sum_k m_k dx."""
        return m.sum(axis=0) * dx, {}


class CrossEntropy:
    """l_k = log sum_j exp(z_j) - z_k with the scores z of a head, one a class."""

    def __init__(self, setting: CostSetting, head: Head) -> None:
        """Keep the kind of head."""
        self._kind = head

    def value(self, x: Array, head: Parameters) -> Array:
        """Return l."""
        return -log_softmax(self._kind.scores(x, head), axis=0)

    def vjp(self, x: Array, head: Parameters, m: Array) -> dict[str, Array]:
        """Return the derivative in the head: dl_k/dz_j = p_j - delta_kj, p = softmax(z)."""
        return self._kind.vjp(x, head, self._slope(x, head, m))

    def jvp(self, x: Array, head: Parameters, h: Parameters) -> Array:
        """Return p . dz - dz_k."""
        dz = self._kind.jvp(x, head, h)
        return np.sum(softmax(self._kind.scores(x, head), axis=0) * dz, axis=0) - dz

    def pull(self, x: Array, head: Parameters, m: Array) -> Array:
        """Return (dz/dx)^T dl/dz."""
        return self._kind.pull(x, head, self._slope(x, head, m))

    def second(
        self, x: Array, head: Parameters, m: Array, dx: Array, h: Parameters
    ) -> tuple[Array, dict[str, Array]]:
        """Return the changes, with dp = p (dz - p . dz)."""
        kind = self._kind
        p = softmax(kind.scores(x, head), axis=0)
        dz = kind.jvp(x, head, h) + kind.push(x, head, dx)
        g, dg = self._slope(x, head, m), p * (dz - np.sum(p * dz, axis=0)) * m.sum(axis=0)
        return _along(kind, x, head, g, dg, dx, h)

    def _slope(self, x: Array, head: Parameters, m: Array) -> Array:
        return softmax(self._kind.scores(x, head), axis=0) * m.sum(axis=0) - m


class SquaredError:
    """l = 1/2 (z - y)^2 at (x, y), with the prediction z, the only score of a head."""

    def __init__(self, setting: CostSetting, head: Head) -> None:
        """Keep the number of classes and the kind of head."""
        self._n_classes, self._kind = setting.n_classes, head

    def value(self, x: Array, head: Parameters) -> Array:
        """Return l."""
        return self._of_every_class(0.5 * self._residual(x, head) ** 2)

    def vjp(self, x: Array, head: Parameters, m: Array) -> dict[str, Array]:
        """Return the derivative in the head: dl/dz = z - y."""
        return self._kind.vjp(x[:-1], head, self._residual(x, head) * m.sum(axis=0))

    def jvp(self, x: Array, head: Parameters, h: Parameters) -> Array:
        """Return (z - y) dz."""
        return self._of_every_class(self._residual(x, head) * self._kind.jvp(x[:-1], head, h))

    def pull(self, x: Array, head: Parameters, m: Array) -> Array:
        """Return (z - y) (dz/dx, -1)."""
        g = self._residual(x, head) * m.sum(axis=0)
        return np.concatenate([self._kind.pull(x[:-1], head, g), -g])

    def second(
        self, x: Array, head: Parameters, m: Array, dx: Array, h: Parameters
    ) -> tuple[Array, dict[str, Array]]:
        """Return the changes, with dr = dz - dy of the residual r = z - y."""
        kind, mass = self._kind, m.sum(axis=0)
        dr = kind.jvp(x[:-1], head, h) + kind.push(x[:-1], head, dx[:-1]) - dx[-1]
        g, dg = self._residual(x, head) * mass, dr * mass
        pulled, parts = _along(kind, x[:-1], head, g, dg, dx[:-1], h)
        return np.concatenate([pulled, -dg]), parts

    def _residual(self, x: Array, head: Parameters) -> Array:
        return self._kind.scores(x[:-1], head) - x[-1]

    def _of_every_class(self, cost: Array) -> Array:
        return np.repeat(cost, self._n_classes, axis=0)


def _along(
    kind: Head, x: Array, head: Parameters, g: Array, dg: Array, dx: Array, h: Parameters
) -> tuple[Array, dict[str, Array]]:
    """Return the change of ``pull`` and ``vjp`` of a head when g changes by dg too."""
    pulled, parts = kind.second(x, head, g, dx, h)
    changed = kind.vjp(x, head, dg)
    return kind.pull(x, head, dg) + pulled, {n: changed[n] + parts[n] for n in changed}


class PointLoss:
    """Loss_k = int l_k f_k dx + sum over the boundary points of l_k left_k."""

    def __init__(self, setting: Setting, cost: PointCost) -> None:
        """Tabulate the quadrature of degree p + 4."""
        self._space, self.cost = setting.space, cost
        rule = self._space.cell_quadrature(self._space.degree + 4)
        self._weights, self._basis = rule.weights, rule.basis
        self._dofs = self._space.dofs[: self._space.n_owned_cells]
        inside = rule.x.reshape(-1, self._space.dimension).T
        self._n = inside.shape[1]
        self._x = np.concatenate([inside, setting.exit_points], axis=1)
        self._head: dict[str, Array] | None = None

    def value(self, at: Parts) -> Array:
        """Return Loss_k, (classes,)."""
        moments, price = self._costs(at.head)
        local = np.sum(moments * at.f, axis=1) + np.sum(price * at.left, axis=1)
        return total(self._space.comm, local)

    def derivative(self, at: Parts, weights: Array) -> Parts:
        """Return psi_k = l_k projected, the prices l_k, and the derivative in the head."""
        moments, price = self._costs(at.head)
        head = self.cost.vjp(self._x, at.head, self._mass(at, weights)) if at.head else {}
        return Parts(moments / self._space.mass, price, head)

    def hessian_action(self, at: Parts, along: Parts, weights: Array) -> Parts:
        """Return the mixed and pure second derivatives: the loss is linear in f and left."""
        if not at.head:
            return Parts(np.zeros_like(at.f), np.zeros_like(at.left), {})
        moments, price = self._integrate(self.cost.jvp(self._x, at.head, along.head))
        mixed = self.cost.vjp(self._x, at.head, self._mass(along, weights))
        mass = self._mass(at, weights)
        still = np.zeros_like(self._x)
        pure = self.cost.second(self._x, at.head, mass, still, along.head)[1]
        head = {name: mixed[name] + pure[name] for name in mixed}
        return Parts(moments / self._space.mass, price, head)

    def report(self, f: Array) -> dict[str, Array]:
        """Return nothing: samples tell."""
        return {}

    def _mass(self, parts: Parts, weights: Array) -> Array:
        """Return pi_k times the mass of f_k and left_k at all points, (classes, n)."""
        inside = self._weights * self._space.at_quadrature(parts.f, self._basis)
        return weights[:, None] * np.concatenate(
            [inside.reshape(len(parts.f), -1), parts.left], axis=1
        )

    def _costs(self, head: Parameters) -> tuple[Array, Array]:
        """Return int l_k phi_i and l_k at the boundary points; kept until the head changes."""
        known = self._head
        if known is None or any(not np.array_equal(known[n], v) for n, v in head.items()):
            self._kept = self._integrate(self.cost.value(self._x, head))
            self._head = {name: v.copy() for name, v in head.items()}
        return self._kept

    def _integrate(self, cost: Array) -> tuple[Array, Array]:
        moments = np.empty((len(cost), self._space.n_owned))
        at_points = cost[:, : self._n].reshape(len(cost), *self._weights.shape)
        moments[:, self._dofs] = (at_points * self._weights) @ self._basis
        return moments, cost[:, self._n :]
