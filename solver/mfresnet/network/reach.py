# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How far the blocks of the table can move a point: bounds for all parameters of a given size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.linalg import expm

from mfresnet.arrays import Array
from mfresnet.network.activations import Activation

Sizes = Mapping[str, Array]
"""Name of a parameter -> its largest absolute value in all layers, elementwise, or infinity."""
Reach = Callable[[Activation, Sizes, Array, float], tuple[Array, Array]]
"""(activation, sizes, x, T) -> how far each coordinate can go down, and up, (d, n) each."""


def _grown(grow: Array, push: Array, x: Array, final_time: float) -> Array:
    """Return how far |x_i| can go in the time T when |v| <= A |x| + a elementwise, (d, n).

    |x| stays below r with r' = A r + a, r(0) = |x|: so r(T) - r(0).

    Args:
        grow: A, (d, d), not negative.
        push: a, (d,), not negative.
        x: the points, (d, n).
        final_time: T.
    """
    d = len(x)
    matrix = np.zeros((d + 1, d + 1))
    matrix[:d, :d], matrix[:d, d] = grow * final_time, push * final_time
    after = expm(matrix)
    way: Array = (after[:d, :d] - np.eye(d)) @ np.abs(x) + after[:d, d:]
    return way


def _hidden(activation: Activation, sizes: Sizes) -> tuple[Array, Array] | None:
    """Return A and a with |sigma(W x + b)| <= A |x| + a, None where there are none.

    With slopes at most k: A = k |W|, a = |sigma(0)| + k |b|.
    """
    k = activation.steepness
    if not (np.isfinite(k) and all(np.isfinite(size).all() for size in sizes.values())):
        return None
    at_zero = abs(float(activation.value(np.zeros(1))[0]))
    return k * sizes["W"], at_zero + k * sizes["b"]


def square_reach(
    activation: Activation, sizes: Sizes, x: Array, final_time: float
) -> tuple[Array, Array]:
    """Return the ways of v = sigma(W x + b).

    inf sigma <= v_i <= sup sigma, so at most T times that, or as ``_grown`` says.
    """
    down, up = (
        np.full(x.shape, final_time * max(speed, 0.0))
        for speed in (-activation.infimum, activation.bound)
    )
    if (hidden := _hidden(activation, sizes)) is not None:
        way = _grown(*hidden, x, final_time)
        down, up = np.minimum(down, way), np.minimum(up, way)
    return down, up


def wide_reach(
    activation: Activation, sizes: Sizes, x: Array, final_time: float
) -> tuple[Array, Array]:
    """Return the ways of v = V sigma(W x + b) + c.

    |v_i| <= sum_j |V_ij| sup |sigma| + |c_i|, or as ``_grown`` says with |V| A, |V| a + |c|.
    """
    way = np.full(x.shape, np.inf)
    if np.isfinite(activation.bound):
        fastest = sizes["V"].sum(axis=1) * activation.bound + sizes["c"]
        way = final_time * fastest[:, None] + np.zeros_like(x)
    if (hidden := _hidden(activation, sizes)) is not None:
        grow, push = hidden
        grown = _grown(sizes["V"] @ grow, sizes["V"] @ push + sizes["c"], x, final_time)
        way = np.minimum(way, grown)
    return way, way
