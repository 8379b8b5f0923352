# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The neutral evaluator: nodes of quadrature rules, carried through a network by RK4, in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """Weighted points of classes.

    Attributes:
        x: places, (n, d).
        masses: (n,), 1 in all.
        classes: the class of each, (n,).
    """

    x: Array
    masses: Array
    classes: NDArray[np.int64]


def together(parts: list[tuple[Array, Array]]) -> Points:
    """Return the (places, masses) of each class as one set of points."""
    return Points(
        np.concatenate([x for x, _ in parts]),
        np.concatenate([m for _, m in parts]),
        np.concatenate([np.full(len(m), k) for k, (_, m) in enumerate(parts)]),
    )


def products(rules: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return the product of rules in one variable: places (n, d), weights (n,)."""
    places = np.stack(np.meshgrid(*(x for x, _ in rules), indexing="ij"), axis=-1)
    weights = rules[0][1]
    for _, w in rules[1:]:
        weights = np.multiply.outer(weights, w)
    return places.reshape(-1, len(rules)), weights.ravel()


def gauss_hermite(mean: Array, covariance: Array, n: int) -> tuple[Array, Array]:
    """Return n nodes a direction for a Gaussian: places (n**d, d), weights that sum to 1."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    z, w = products([(nodes, weights / weights.sum())] * len(mean))
    return mean + z @ np.linalg.cholesky(covariance).T, w


def gauss_legendre(lower: Array, upper: Array, n: int) -> tuple[Array, Array]:
    """Return n nodes a direction for a box: places (n**d, d), weights that sum to its volume."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    half = 0.5 * (upper - lower)
    rules = [(a + h * (nodes + 1.0), h * weights) for a, h in zip(lower, half, strict=True)]
    return products(rules)


def carried(
    x: Array,
    W: Array,  # noqa: N803  # the name in the equations
    b: Array,
    final_time: float = 1.0,
    steps: int = 2,
    activation: Callable[[Array], Array] = np.tanh,
) -> Array:
    """Return x(T) of dx/dt = activation(W(t) x + b(t)), (n, d), by RK4.

    Args:
        x: places, (n, d).
        W: (layers, d, d).
        b: (layers, d).
        final_time: T.
        steps: of RK4 in a layer.
        activation: elementwise.
    """
    h = final_time / (len(W) * steps)
    for matrix, shift in zip(np.repeat(W, steps, axis=0), np.repeat(b, steps, axis=0), strict=True):
        k1 = activation(x @ matrix.T + shift)
        k2 = activation((x + 0.5 * h * k1) @ matrix.T + shift)
        k3 = activation((x + 0.5 * h * k2) @ matrix.T + shift)
        k4 = activation((x + h * k3) @ matrix.T + shift)
        x = x + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return x


def quadratic_loss(
    points: Points,
    targets: Array,
    tikhonov: float,
    W: Array,  # noqa: N803
    b: Array,
    final_time: float = 1.0,
) -> float:
    """Return the mean of 1/2 |x(T) - target|^2 and tikhonov/2 the integral of |W|^2 + |b|^2."""
    out = carried(points.x, W, b, final_time) - targets[points.classes]
    penalty = 0.5 * tikhonov * final_time / len(W) * float(np.sum(W**2) + np.sum(b**2))
    return float(points.masses @ np.sum(out**2, axis=1)) * 0.5 + penalty
