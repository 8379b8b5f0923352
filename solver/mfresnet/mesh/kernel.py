# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The kernel of ``HeatEquation`` in free space, as points with masses.

An implicit Euler step over the time t is the mean of the heat equation over exponentially
distributed times of that mean, so that four of them are a mean of Gaussian kernels over the Gamma
distribution:

    K = E N(0, bandwidth^2 S I),  S ~ Gamma(4, 1/4),  E S = 1 .

It is isotropic: a direction times a radius, whose square is S times a chi-square of d degrees.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.special import roots_genlaguerre

from mfresnet.arrays import Array
from mfresnet.mesh.heat import STEPS

DENSE = 40
"""Nodes of the Gamma and the chi-square distribution from which those of their product come."""


def kernel_rule(dimension: int, radii: int) -> tuple[Array, Array]:
    """Return a quadrature of the kernel of bandwidth 1.

    Polynomials of degree 2 radii + 1 are integrated exactly in one and two dimensions and in space.

    Args:
        dimension: d.
        radii: number m of radii.

    Returns:
        Points, (d, n), and their masses of sum one, (n,).
    """
    radius, share = _radii(dimension, radii)
    directions, part = _directions(dimension, 2 * radii + 1)
    points = directions[:, None, :] * radius[None, :, None]
    return points.reshape(dimension, -1), np.outer(share, part).ravel()


def _radii(d: int, m: int) -> tuple[Array, Array]:
    """Return the radii of the Gauss quadrature in their squares, and their masses, (m,).

    The squares are the eigenvalues of multiplication by r^2 in the Krylov space of 1, by Lanczos.
    """
    (s, ws), (c, wc) = (roots_genlaguerre(DENSE, a) for a in (STEPS - 1.0, d / 2.0 - 1.0))
    square = np.outer(s / STEPS, 2.0 * c).ravel()
    mass = np.outer(ws / ws.sum(), wc / wc.sum()).ravel()
    q: Array = np.sqrt(mass)
    basis = [q]
    for _ in range(m - 1):
        q = square * q
        for each in basis * 2:  # twice, for rounding
            q = q - (each @ q) * each
        q = q / np.linalg.norm(q)
        basis.append(q)
    krylov = np.array(basis)
    values, vectors = np.linalg.eigh((krylov * square) @ krylov.T)
    return np.sqrt(values), vectors[0] ** 2


def _directions(d: int, degree: int) -> tuple[Array, Array]:
    """Return unit vectors, (d, n), and masses, (n,), exact for polynomials of a degree."""
    if d == 1:
        return np.array([[1.0, -1.0]]), np.full(2, 0.5)
    turns = 2.0 * np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1)
    circle = np.array([np.cos(turns), np.sin(turns)])
    if d == 2:
        return circle, np.full(degree + 1, 1.0 / (degree + 1))
    heights, weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    pairs = product(zip(heights, weights, strict=True), circle.T)
    found = [(*(np.sqrt(1.0 - h**2) * c), h, w / 2.0 / (degree + 1)) for (h, w), c in pairs]
    columns = np.array(found).T
    return columns[:3], columns[3]
