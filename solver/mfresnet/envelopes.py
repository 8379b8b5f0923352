# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How close a density can come to another one when no mass moves far: an argument on marginals.

Along a coordinate the distribution function F of f(T) lies between two envelopes, those of f0 with
all mass as far up, or as far down, as it can go. Among all such F the one closest to G is found by
a convex problem of a few hundred unknowns: a string drawn taut between the envelopes.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import lsq_linear

from mfresnet.arrays import Array
from mfresnet.nodes import Nodes, Start, density_nodes
from mfresnet.obstacles import reach
from mfresnet.parallel import collect, total

BINS = 240
"""Intervals of the extent on which the marginals are compared."""
SLACK = 1e-9
"""Mass by which the envelopes are widened, for rounding."""
TIES = 1e-10
"""Share of the extent below which two points of a marginal are the same."""


def displacement_density_l2(start: Start) -> float:
    """Bound 1/2 ||f - g||^2 when every coordinate moves by a bounded way; nothing may leave.

    X_i lies in [x_i - down_i, x_i + up_i], see ``reach``, so that

        mass{x_i + up_i <= e} <= F(e) <= mass{x_i - down_i <= e}.

    By Cauchy and Schwarz, with the cross-section A of the box and intervals B_j of coordinate i,

        ||f - g||^2 >= sum_j ((F - G)(B_j))^2 / (|B_j| A),

    whose least value over F between the envelopes is a convex problem, solved on ``BINS``
    intervals. The best of the coordinates counts, for every class.
    """
    goal = density_nodes(start.space, start.case.loss.target)
    ways, result = reach(start), 0.0
    ends = start.ends()
    for mass in start.nodes.mass:
        weight = float(start.sum(mass)[0])
        part = max(
            _marginal(start, i, Nodes(start.nodes.x, mass[None] / weight), ways, goal, ends)
            for i in range(len(start.nodes.x))
        )
        result += weight * part
    return result


def _marginal(
    start: Start, i: int, f: Nodes, ways: tuple[Array, Array], g: Nodes, ends: Array
) -> float:
    """Return the bound of one coordinate for one class of mass one."""
    down, up = (way[i] for way in ways)
    edges = np.linspace(ends[0, i], ends[1, i], BINS + 1)
    far = edges[-1] - edges[0]
    x, mass = f.x[i], f.mass[0]
    # what can go beyond the box may be anywhere in it
    lower = _distribution(start, np.where(np.isfinite(up), x + up, x + far), mass, edges)
    upper = _distribution(start, np.where(np.isfinite(down), x - down, x - far), mass, edges)
    exact = _distribution(start, g.x[i], g.mass[0], edges)
    value = 0.0
    if start.comm.rank == 0:
        step, area = far / BINS, float(np.prod(np.diff(ends, axis=0))) / far
        low, high = (np.clip(h, 0.0, 1.0)[1:-1] - exact[1:-1] for h in (lower, upper))
        differences = np.diff(np.eye(BINS + 1), axis=0)[:, 1:-1] / np.sqrt(step * area)
        bounds = (np.minimum(low, high) - SLACK, np.maximum(low, high) + SLACK)
        found = lsq_linear(differences, np.zeros(BINS), bounds, tol=1e-12, max_iter=500)
        value = float(found.cost)
    return float(total(start.comm, value)[0])


def _distribution(start: Start, x: Array, mass: Array, edges: Array) -> Array:
    """Return the mass at or below every edge, on rank 0: half of a point's own is below it."""
    rows = collect(start.comm, np.stack([x, mass], axis=1))
    if not len(rows):
        return np.zeros(edges.size)
    scale = TIES * (edges[-1] - edges[0])
    places, number = np.unique(np.round(rows[:, 0] / scale), return_inverse=True)
    sums = np.bincount(number.ravel(), rows[:, 1])
    return np.interp(
        edges, places * scale, np.cumsum(sums) - 0.5 * sums, left=0.0, right=sums.sum()
    )
