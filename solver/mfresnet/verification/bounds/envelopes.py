# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How close a density can come to another one when no mass moves far: an argument on marginals.

X_i lies in [x_i - down_i, x_i + up_i], see ``arguments.reach``, so that the distribution function F
of coordinate i of f(T) lies between two envelopes, those of f0 with all mass as far up, or as far
down, as it can go:

    mass{x_i + up_i <= e} <= F(e) <= mass{x_i - down_i <= e}.                               (24)

A cost, a row of ``density_bounds``, says how far a density with given masses in the slabs between
two edges e must be from the target. Its least value over all F between the envelopes is a convex
problem of a few hundred unknowns. What is returned is the least value of a tangent plane of the
cost, which no F can be below, however well the problem was solved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import solveh_banded

from mfresnet.arrays import Array
from mfresnet.parallel import collect, total
from mfresnet.verification.bounds.arguments import reach
from mfresnet.verification.bounds.nodes import Start

BINS = 240
"""Slabs of the extent in which the masses are compared."""
SLACK = 1e-9
"""Mass by which the envelopes are widened, for rounding."""
TIES = 1e-10
"""Share of the extent below which two points of a marginal are the same."""
ACCURACY = 1e-5
"""Gap between the problem and its tangent plane, relative to the cost, that is small enough."""
NOTHING = 1e-6
"""Share of the cost at the beginning from which the bound counts as none."""
SMALLEST = 1e-12
"""Weight of the barrier, and size of a step, below which there is nothing to gain."""
SHRINK, STEPS = 0.2, 30
"""Of the weight from one centre to the next, and Newton steps on the way."""


@dataclass(frozen=True)
class Slabs:
    """The box around the mesh, cut across one coordinate.

    Attributes:
        start: the case before training.
        coordinate: its number i.
        edges: of the slabs, (n + 1,).
        area: of the cross-section of the box.
    """

    start: Start
    coordinate: int
    edges: Array
    area: float

    @staticmethod
    def of(start: Start, coordinate: int, count: int = BINS) -> Slabs:
        """Return ``count`` slabs across a coordinate. Parallel: collective."""
        ends = start.ends()
        low, high = ends[:, coordinate]
        area = float(np.prod(np.diff(ends, axis=0))) / (high - low)
        return Slabs(start, coordinate, np.linspace(low, high, count + 1), area)

    @property
    def width(self) -> float:
        """The width of a slab."""
        return float(self.edges[1] - self.edges[0])

    def below(self, x: Array, masses: Iterable[Array], at: Array) -> Array:
        """Return masses below every place, on rank 0; zeros on others.

        The mass of a point is spread over the gaps to its neighbours: half of it is below itself.

        Args:
            x: the coordinate of points, (n,).
            masses: k masses at them, (n,) each.
            at: the places, (m,).

        Returns:
            (k, m).

        Parallel: collective.
        """
        scale = TIES * (self.edges[-1] - self.edges[0])
        rows = _merged(np.round(x / scale), masses)
        gathered = collect(self.start.comm, rows.T).T
        if self.start.comm.rank != 0:
            return np.zeros((len(rows) - 1, at.size))
        places, *sums = _merged(gathered[0], gathered[1:])
        places = places * scale
        half = 0.5 * np.diff(places)[[0, -1]] if places.size > 1 else np.zeros(2)
        places = np.concatenate([[places[0] - half[0]], places, [places[-1] + half[1]]])
        return np.array(
            [
                np.interp(at, places, np.concatenate([[0.0], np.cumsum(m) - 0.5 * m, [m.sum()]]))
                for m in sums
            ]
        )


def _merged(x: Array, masses: Iterable[Array]) -> Array:
    """Return the distinct values of x in rising order, and the sums of each mass at them."""
    places, number = np.unique(x, return_inverse=True)
    sums = [np.bincount(number.ravel(), m, minlength=places.size) for m in masses]
    return np.array([places, *sums])


class Cost(Protocol):
    """How far a density is at least from the target, by its masses in the slabs.

    The masses are those of a density between the places where its distribution function F is asked
    for, ``np.diff([0, F, 1])``; with F averaged over several places, the masses against the hat
    functions whose slopes do not vanish there.

    Every method but ``points`` is called on rank 0 alone.
    """

    @property
    def points(self) -> Array:
        """The places, of every unknown those over which it is the average, (n, k)."""

    def value(self, masses: Array) -> float:
        """Return the cost, convex in the masses (n + 1,), of any sign."""

    def slope(self, masses: Array) -> Array:
        """Return its derivative, (n + 1,)."""

    def curvature(self, masses: Array) -> Array:
        """Return its second derivative, (n + 1, n + 1), or (n + 1,) when it is diagonal."""


def displacement(start: Start, cost_of: Callable[[Start, int], Cost]) -> float:
    """Return the bound of a loss that compares densities, of all classes with their weights.

    The best of the coordinates counts, for every class. Nothing may leave the mesh.

    Args:
        start: the case before training.
        cost_of: (start, number of a coordinate) -> the cost, used on rank 0.

    Parallel: collective.
    """
    weights, ways = start.sum(start.nodes.mass), reach(start)
    found = np.zeros((weights.size, len(start.nodes.x)))
    for i, x in enumerate(start.nodes.x):
        if not total(start.comm, float(np.isfinite([way[i] for way in ways]).any()))[0]:
            continue
        cost, (low, high) = cost_of(start, i), start.ends()[:, i]
        # what can go beyond the box may be anywhere in it
        down, up = (np.where(np.isfinite(way[i]), way[i], high - low) for way in ways)
        slabs, places = Slabs.of(start, i), cost.points.ravel()
        mass = start.nodes.mass / weights[:, None]
        lower, upper = (
            slabs.below(y, mass, places).reshape(len(mass), *cost.points.shape).mean(axis=-1)
            for y in (x + up, x - down)
        )
        if start.comm.rank == 0:
            found[:, i] = [least(cost, *ends) for ends in zip(lower, upper, strict=True)]
    return float(total(start.comm, weights @ found.max(axis=1))[0])


def least(cost: Cost, lower: Array, upper: Array) -> float:
    """Return a lower bound of the cost of all F between two envelopes, at its points, (n,) each.

    Newton's method with a logarithmic barrier finds nearly the best F. For a convex cost C with the
    slope g there, C(F') >= C(F) + g (F' - F), whose least value over the envelopes is returned.
    """
    low, high = np.clip(lower, 0.0, 1.0) - SLACK, np.clip(upper, 0.0, 1.0) + SLACK
    f = 0.5 * (low + high)
    weight = max(cost.value(_masses(f)), SMALLEST) / f.size
    best, first = 0.0, cost.value(_masses(f))
    while weight > SMALLEST:
        f = _centre(cost, f, low, high, weight)
        value, slope = cost.value(_masses(f)), -np.diff(cost.slope(_masses(f)))
        plane = value + float(np.sum(np.minimum(slope * (low - f), slope * (high - f))))
        best = max(best, plane)
        if value - best <= ACCURACY * value or value <= NOTHING * first:
            break
        weight *= SHRINK
    return best


def _centre(cost: Cost, f: Array, low: Array, high: Array, weight: float) -> Array:
    """Return the least cost with a barrier: weight times -sum log (F - low) + log (high - F)."""

    def merit(f: Array) -> float:
        return cost.value(_masses(f)) - weight * float(np.sum(np.log((f - low) * (high - f))))

    for _ in range(STEPS):
        masses, left, right = _masses(f), f - low, high - f
        slope = -np.diff(cost.slope(masses)) - weight * (1.0 / left - 1.0 / right)
        step = -_solve(cost.curvature(masses), weight * (left**-2 + right**-2), slope)
        decrease = -float(slope @ step)
        # no further than to the walls
        way = float((np.abs(step) / np.where(step > 0.0, right, left)).max())
        size, now = min(1.0, 0.95 / max(way, SMALLEST)), merit(f)
        while size > SMALLEST and not merit(f + size * step) <= now - 0.1 * size * decrease:
            size *= 0.5
        if size <= SMALLEST:
            break
        f = f + size * step
        if decrease <= 0.1 * weight:
            break
    return f


def _solve(curvature: Array, diagonal: Array, right: Array) -> Array:
    """Return (D^T C D + diagonal)^-1 right, D being that of ``_masses``."""
    found: Array
    if curvature.ndim == 1:
        bands = np.array([-curvature[:-1], curvature[:-1] + curvature[1:] + diagonal])
        found = solveh_banded(bands, right)
        return found
    found = np.linalg.solve(np.diff(np.diff(curvature, axis=0), axis=1) + np.diag(diagonal), right)
    return found


def _masses(f: Array) -> Array:
    """Return the masses between the points where F is given."""
    return np.diff(f, prepend=0.0, append=1.0)
