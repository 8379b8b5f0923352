# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Points on boxes, balls and spheres without a mesh: quadrature rules, random directions."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from mfresnet.arrays import Array

Rule = tuple[Array, Array]
"""Points, (d, n), and weights, (n,)."""


def product(axes: list[Rule]) -> Rule:
    """Return the rule of the product of lines from their points (n,) and weights (n,)."""
    x = np.stack([g.ravel() for g in np.meshgrid(*(x for x, _ in axes), indexing="ij")])
    weights = np.meshgrid(*(w for _, w in axes), indexing="ij")
    return x, np.prod([g.ravel() for g in weights], axis=0)


def box_rule(lower: Array, upper: Array, n: int) -> Rule:
    """Return the rule of n Gauss points a direction on the box [lower, upper]."""
    z, w = np.polynomial.legendre.leggauss(n)
    sides = zip(lower, upper, strict=True)
    return product([(0.5 * (a + b) + 0.5 * (b - a) * z, 0.5 * (b - a) * w) for a, b in sides])


def ball_rule(d: int, n: int) -> Rule:
    """Return a rule of the unit ball: Gauss points in the radius, equal angles around."""
    radius, weights = box_rule(np.zeros(1), np.ones(1), n)
    r = radius[0], weights * radius[0] ** (d - 1)
    if d == 1:
        return box_rule(-np.ones(1), np.ones(1), n)
    angle = 2.0 * math.pi * (np.arange(2 * n) + 0.5) / (2 * n)
    around = angle, np.full(2 * n, math.pi / n)
    if d == 2:
        (r_, phi), w = product([r, around])
        return np.array([r_ * np.cos(phi), r_ * np.sin(phi)]), w
    z, height_weights = np.polynomial.legendre.leggauss(n)
    (r_, height, phi), w = product([r, (z, height_weights), around])
    flat = r_ * np.sqrt(1.0 - height**2)
    return np.array([flat * np.cos(phi), flat * np.sin(phi), r_ * height]), w


def directions(d: int, n: int, rng: Generator) -> Array:
    """Return n random points on the unit sphere, (d, n)."""
    x = rng.standard_normal((d, n))
    return x / np.linalg.norm(x, axis=0)
