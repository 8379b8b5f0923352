# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How far a density with given masses in slabs is at least from the target: a cost for each loss.

Each is proved in its docstring, for the density f of a class of mass one that has not left the mesh
and the target g. The masses of f in the slabs are the argument, see ``envelopes``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array
from mfresnet.losses import smooth_positive
from mfresnet.parallel import maximum, total
from mfresnet.verification.bounds.envelopes import BINS, Slabs, displacement
from mfresnet.verification.bounds.nodes import Start, density_points

LEVELS = 48
"""Levels of water that are tabulated."""
PLACES = 8
"""Places in a slab over which a distribution function is averaged."""
FAINT = 1e-7
"""Mass in a slab that counts as none."""


# ---------------------------------------------------------------------- L2
@dataclass(frozen=True)
class L2Cost:
    """1/2 int (f - g)^2 over a slab B is least, for f >= 0 of mass m there, at a level of water.

    With g_B the mass of g in B, where m >= g_B at f = g + (m - g_B)/|B|; else at
    f = max(g - nu, 0), nu such that it has the mass m. So the derivative of the least value in m is
    (m - g_B)/|B| or -nu. Masses of max(g - nu, 0) are tabulated over nu, and nu is linear in m in
    between; for m < 0 the cost goes on as its tangent at 0.

    Attributes:
        points: the edges between the slabs.
        levels: nu_k, rising from 0, (K + 1,).
        excess: the mass of max(g - nu_k, 0) in every slab, (slabs, K + 1).
        costs: the least value where m is that mass, (slabs, K + 1).
        volume: |B|.
    """

    points: Array
    levels: Array
    excess: Array
    costs: Array
    volume: float

    @staticmethod
    def of(start: Start, coordinate: int) -> L2Cost:
        """Return the cost for the target of the loss. Parallel: collective."""
        slabs = Slabs.of(start, coordinate)
        x, weights, g = density_points(start.space, start.case.loss.target)
        top = float(maximum(start.comm, g.max(initial=0.0))[0])
        levels = top * np.linspace(0.0, 1.0, LEVELS + 1) ** 2
        there = g > 0.0
        x, weights, g = x[coordinate, there], weights[there], g[there]
        masses = (weights * np.maximum(g - level, 0.0) for level in levels)
        excess = np.diff(slabs.below(x, masses, slabs.edges)).T
        excess = np.where(excess > FAINT, excess, 0.0)
        steps = -np.diff(excess) * 0.5 * (levels[1:] + levels[:-1])
        costs = np.concatenate([0.0 * excess[:, :1], np.cumsum(steps, axis=1)], axis=1)
        return L2Cost(slabs.edges[1:-1, None], levels, excess, costs, slabs.width * slabs.area)

    def _drained(self, masses: Array) -> tuple[Array, Array, Array]:
        """Return the number of the level above, nu, and d nu / d m, of every slab with m < g_B."""
        m = np.maximum(masses, 0.0)
        above = np.clip(np.sum(self.excess > m[:, None], axis=1), 1, LEVELS)
        row = np.arange(m.size)
        less, more = self.excess[row, above], self.excess[row, above - 1]
        rate = -np.diff(self.levels)[above - 1] / np.maximum(more - less, FAINT)
        nu = np.where(self.excess[:, 0] > 0.0, self.levels[above] + rate * (m - less), 0.0)
        return above, np.maximum(nu, 0.0), rate

    def value(self, masses: Array) -> float:
        """Return the cost."""
        over = masses - self.excess[:, 0]
        above, nu, _ = self._drained(masses)
        row, m = np.arange(masses.size), np.maximum(masses, 0.0)
        rest = self.excess[row, above - 1] - m
        lower = self.costs[row, above - 1] + 0.5 * rest * (self.levels[above - 1] + nu)
        lower -= nu * np.minimum(masses, 0.0)
        return float(np.sum(np.where(over < 0.0, lower, 0.5 * over**2 / self.volume)))

    def slope(self, masses: Array) -> Array:
        """Return its derivative."""
        over = masses - self.excess[:, 0]
        return np.where(over < 0.0, -self._drained(masses)[1], over / self.volume)

    def curvature(self, masses: Array) -> Array:
        """Return its second derivative, where it has one."""
        rate = np.where(masses > 0.0, -self._drained(masses)[2], 0.0)
        return np.where(masses < self.excess[:, 0], rate, 1.0 / self.volume)


# ---------------------------------------------------------------------- dual H1
@dataclass(frozen=True)
class DualCost:
    """1/2 <r, (1 - l^2 Laplace)^-1 r> = sup_phi <r, phi> - 1/2 (||phi||^2 + l^2 ||grad phi||^2).

    With phi a function of one coordinate alone, piecewise linear between the edges e_j, the right
    side is at least <r, phi> - A/2 phi.K phi, with the area A of the cross-section and the matrix K
    of int u v + l^2 u' v' in one dimension. The supremum of that is r.K^-1 r / (2 A), with the
    masses r_j of f - g against the hat functions: the differences of the means of F - G over the
    slabs. In a box the slabs are those of the cells, so that phi is among the functions of the
    discrete loss.

    Attributes:
        points: places in every slab.
        goal: the masses of g against the hat functions.
        inverse: K^-1 / A.
    """

    points: Array
    goal: Array
    inverse: Array

    @staticmethod
    def of(start: Start, coordinate: int) -> DualCost:
        """Return the cost for the target of the loss. Parallel: collective."""
        section, mesh = start.case.loss, start.case.mesh
        cells = BINS if mesh.cells is None else mesh.cells[coordinate]
        slabs = Slabs.of(start, coordinate, min(cells, BINS))
        h, n = slabs.width, slabs.edges.size
        x, weights, g = density_points(start.space, section.target)
        points = slabs.edges[:-1, None] + h * (np.arange(PLACES) + 0.5) / PLACES
        below = slabs.below(x[coordinate], [weights * g], points.ravel())
        whole = total(start.comm, weights @ g)
        goal = np.diff(below.reshape(points.shape).mean(axis=1), prepend=0.0, append=whole)
        both = np.array([[2.0, 1.0], [1.0, 2.0]]) * h / 6.0
        both += np.array([[1.0, -1.0], [-1.0, 1.0]]) * section.length**2 / h
        k = np.zeros((n, n))
        for i in (0, 1):
            for j in (0, 1):
                k[np.arange(n - 1) + i, np.arange(n - 1) + j] += both[i, j]
        return DualCost(points, goal, np.linalg.inv(k) / slabs.area)

    def value(self, masses: Array) -> float:
        """Return the cost."""
        r = masses - self.goal
        return 0.5 * float(r @ self.inverse @ r)

    def slope(self, masses: Array) -> Array:
        """Return its derivative."""
        return self.inverse @ (masses - self.goal)

    def curvature(self, masses: Array) -> Array:
        """Return its second derivative."""
        return self.inverse


# ---------------------------------------------------------------------- Kullback and Leibler
@dataclass(frozen=True)
class KullbackLeiblerCost:
    """int a log(a/b) - a + b >= sum_j a_j log(a_j / b_j) - a_j + b_j, by the log sum inequality.

    a and b are f and g made positive, see ``losses.density.KullbackLeibler``, and a_j, b_j their
    masses in slabs. As f <= a <= f + eps/2 where f >= 0, a_j lies in [f_j, f_j + eps/2 |B_j|]: the
    value there that is nearest to b_j costs least. For f_j < 0 the cost goes on as its tangent.

    Attributes:
        points: the edges between the slabs.
        goal: b_j.
        spare: eps/2 |B_j|.
    """

    points: Array
    goal: Array
    spare: float

    @staticmethod
    def of(start: Start, coordinate: int) -> KullbackLeiblerCost:
        """Return the cost for the target of the loss. Parallel: collective."""
        section, slabs = start.case.loss, Slabs.of(start, coordinate)
        x, weights, g = density_points(start.space, section.target)
        b = smooth_positive(g, section.smoothing)[0]
        goal = np.diff(slabs.below(x[coordinate], [weights * b], slabs.edges)[0])
        spare = 0.5 * section.smoothing * slabs.width * slabs.area
        return KullbackLeiblerCost(slabs.edges[1:-1, None], goal, spare)

    def _least(self, masses: Array) -> Array:
        """Return the a_j that cost least, for masses that are not negative."""
        return np.clip(self.goal, masses, masses + self.spare)

    def value(self, masses: Array) -> float:
        """Return the cost."""
        a, b = self._least(np.maximum(masses, 0.0)), self.goal
        below = np.log(a / b) * np.minimum(masses, 0.0)
        return float(np.sum(a * np.log(a / b) - a + b + below))

    def slope(self, masses: Array) -> Array:
        """Return its derivative."""
        slope: Array = np.log(self._least(np.maximum(masses, 0.0)) / self.goal)
        return slope

    def curvature(self, masses: Array) -> Array:
        """Return its second derivative, where it has one."""
        a = self._least(np.maximum(masses, 0.0))
        return np.where((masses > 0.0) & (a != self.goal), 1.0 / a, 0.0)


# ---------------------------------------------------------------------- the bounds
def displacement_density_l2(start: Start) -> float:
    """Bound 1/2 ||f - g||^2 when every coordinate moves by a bounded way, see ``L2Cost``."""
    return displacement(start, L2Cost.of)


def displacement_dual_h1(start: Start) -> float:
    """Bound the distance in the dual of H1 likewise, see ``DualCost``."""
    return displacement(start, DualCost.of)


def displacement_kullback_leibler(start: Start) -> float:
    """Bound the divergence likewise, see ``KullbackLeiblerCost``."""
    return displacement(start, KullbackLeiblerCost.of)
