# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Growth of the densities beyond what the velocity can cause: an instability is never silent.

The continuity equation, and its discretisation with an upwind flux, have

    ||f(t)|| <= exp( 1/2 int_0^t max(-div v) ds ) ||f(0)||                                   (9)

in L2. The divergence is taken as its mean over each cell. What moves together inside one cell is
not in that mean, and polynomials of degree p follow it up to a factor (p + 1)^d.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import SolveError
from mfresnet.parallel import maximum, total
from mfresnet.space import Space
from mfresnet.transport import Coefficients, Transport

ROOM = 2.0
"""Factor on the bound."""


def squared_norms(space: Space, f: Array) -> Array:
    """Return the part of this rank in the squares of L2 norms of f, (..., n_owned) -> (...)."""
    # one density at a time: no copy of all stages is made
    flat = [float(np.dot(row * row, space.mass)) for row in _rows(f)]
    return np.array(flat).reshape(f.shape[:-1])


def _rows(f: Array) -> list[Array]:
    return [f[index] for index in np.ndindex(f.shape[:-1])]


def check_growth(
    transport: Transport,
    coefficients: Sequence[Coefficients],
    squared: Array,
    layer_time: float,
    steps_per_layer: int,
) -> None:
    """Compare the L2 norms after every step with eq. (9).

    Args:
        transport: the operator.
        coefficients: those of every layer.
        squared: the part of this rank in the squared norms, (steps + 1, classes).
        layer_time: depth of a layer.
        steps_per_layer: time steps in a layer.

    Raises:
        SolveError: a norm is not finite or too large, with the layer and step where it appears.

    Parallel: collective.
    """
    space = transport.space
    squared = total(space.comm, squared.ravel()).reshape(squared.shape)
    finite = np.isfinite(squared).all(axis=1)
    if not finite.all():
        where = _place(int(np.argmin(finite)), steps_per_layer)
        raise SolveError(
            f"the density is not finite {where}. Use smaller initial controls or more steps "
            "(time.steps_per_layer)."
        )
    norms = np.sqrt(squared)
    room = ROOM * (space.degree + 1) ** space.dimension
    if (norms <= room * norms[0]).all():
        return
    compression = maximum(space.comm, [transport.rates.compression(a) for a in coefficients])
    dt = layer_time / steps_per_layer
    exponents = np.concatenate([[0.0], np.cumsum(np.repeat(compression, steps_per_layer))])
    bound = room * np.exp(0.5 * dt * exponents)[:, None] * norms[0]
    if (norms > bound).any():
        n, k = (int(i) for i in np.argwhere(norms > bound)[0])
        raise SolveError(
            f"the density grows faster than the velocity can make it {_place(n, steps_per_layer)}; "
            f"got L2 norm {norms[n, k]:.3g}, expected at most {bound[n, k]:.3g}: the time stepping "
            "is unstable. Raise time.steps_per_layer."
        )


def _place(step: int, steps_per_layer: int) -> str:
    layer, within = divmod(step - 1, steps_per_layer)
    return f"after step {within + 1} of layer {layer + 1}" if step else "at the start"
