# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The time step that keeps cell means positive, from a quadrature that holds the facet points.

One Euler step changes the mean of a cell K by what flows over its facets. What flows in is not
negative where y is not, so that the new mean is at least

    mean(y) - dt (1/|K|) int_dK b y ds = (1/|K|) int_K (1 - dt g) y dx ,                      (14)

with b = a+ seen from K, and g in DG(p) the field with (g, y)_K = int_dK b y ds. The quadrature of
the cells is exact for g y: with weights 1 - dt g at the cell points and dt b at the facet points
it represents the mean, and all weights are positive when

    dt max g <= 1 .

A larger b is as good: its weights on the facets only grow. With the speed of the flux in place of
a+ also what flows in gets weights, which for some degrees allows longer steps; each cell takes the
better of the two. For a constant velocity and the upwind flux, dt lambda is at most

    p                            0     1     2     3     4
    intervals and products       1.0   .5    .188  .123  .076
    triangles                    1.0   .5    .285  .173  .079
    tetrahedra                   1.0   .573  .2    .188  .108
"""

from __future__ import annotations

import itertools

import numpy as np

from mfresnet.arrays import Array
from mfresnet.transport.operator.coefficients import Coefficients
from mfresnet.transport.operator.transport import Transport


def mean_rate(transport: Transport, v: Array, a: Coefficients) -> float:
    """Return max g over the cells of this rank: positive means are kept for dt max g <= 1.

    Args:
        transport: the operator.
        v: the velocity at its points, (d, n).
        a: the coefficients of v.
    """
    space, largest = transport.space, []
    for b in (transport.leaving(a), transport.speeds(v, a)):
        g = transport.trace_density(b)
        # a collocated basis has its own degrees of freedom as values
        dofs = space.dofs[: space.n_owned_cells]
        at_points = space.at_quadrature(g) if space.collocation is None else g[dofs]
        largest.append(at_points.max(axis=1, initial=0.0))
    return float(np.minimum(*largest).max(initial=0.0))


def mean_rate_bound(transport: Transport, velocity: float) -> float:
    """Return ``mean_rate`` of the constant velocities with |v_i| <= ``velocity``.

    The largest of those with |v_i| = ``velocity``. A velocity that changes inside a cell may have
    more, as with ``Transport.rate_bound``; ``mean_rate`` tells.
    """
    a, v = transport.new_coefficients(), np.empty_like(transport.points)
    rate = 0.0
    for signs in itertools.product((-velocity, velocity), repeat=len(v)):
        v[:] = np.array(signs)[:, None]
        rate = max(rate, mean_rate(transport, v, transport.coefficients(v, a)))
    return rate
