# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The heat equation on boxes of cells along the axes: the matrices of ``heat`` one axis at a time.

On a product of intervals mass and stiffness are M = M_1 x ... x M_d and K = sum_j K_j beside the
other M_i. With the eigenvectors of each K_j q = lambda M_j q an implicit Euler step is a division,

    f^ = f^ / (1 + tau (lambda_1 + ... + lambda_d))

so that all steps together are as many products with small matrices as there are axes, there and
back (Lynch, Rice, Thomas: fast diagonalisation).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy.interpolate import BarycentricInterpolator
from scipy.linalg import eigh

from mfresnet.arrays import Array
from mfresnet.mesh.space import Space

LONGEST = 1500
"""Degrees of freedom along an axis above which eigenvectors take longer than the other solver."""
MOST = 4_000_000
"""Degrees of freedom above which no rank should hold all of them."""
NEAR = 1e-9
"""Share of the length of an axis below which two coordinates are the same."""


@dataclass(frozen=True)
class Axis:
    """One direction of a box.

    Attributes:
        nodes: coordinates of the degrees of freedom, sorted.
        edges: those of the ends of the cells, sorted.
    """

    nodes: Array
    edges: Array


class SeparableHeat:
    """The smoothing of ``HeatEquation`` on a box of cells along the axes.

    Parallel: every rank has all degrees of freedom for a moment, and finds the same bits.
    """

    def __init__(self, space: Space, axes: list[Axis], penalty: float) -> None:
        """Find the eigenvectors. Parallel: collective."""
        self.space = space
        self._values, self._vectors, self._scales = [], [], []
        for axis in axes:
            mass, stiffness = _matrices(axis, space.degree, penalty)
            scale = np.sqrt(mass)
            values, vectors = eigh(stiffness / np.outer(scale, scale))
            values[0] = 0.0  # constants
            self._values.append(values)
            self._vectors.append(vectors)
            self._scales.append(scale)
        self._shape = tuple(len(axis.nodes) for axis in axes)
        x = _coordinates(space)
        index = [_nearest(axis.nodes, x[:, j]) for j, axis in enumerate(axes)]
        self._own = np.ravel_multi_index(index, self._shape)
        self._all = np.concatenate(space.comm.allgather(self._own))

    def smooth(self, f: Array, bandwidth: float, steps: int) -> Array:
        """Return f, (n_owned,), smoothed by a kernel of standard deviation ``bandwidth``.

        Parallel: collective.
        """
        whole = np.empty(self.space.n_global)
        whole[self._all] = np.concatenate(self.space.comm.allgather(f))
        scale = reduce(np.multiply.outer, self._scales)
        g = whole.reshape(self._shape) * scale
        for j, vectors in enumerate(self._vectors):
            g = _along(j, vectors.T, g)
        tau = bandwidth**2 / (2 * steps)
        g /= (1.0 + tau * reduce(np.add.outer, self._values)) ** steps
        for j, vectors in enumerate(self._vectors):
            g = _along(j, vectors, g)
        return (g / scale).ravel()[self._own]


def box_axes(space: Space) -> list[Axis] | None:
    """Return the axes of a box of cells along them; None for any other mesh, and large ones.

    Parallel: collective, the same on all ranks.
    """
    d, k = space.dimension, space.quadrature.inverse
    ordered = np.sort(np.abs(k), axis=-1)  # one axis of the reference cell for each of the mesh
    along = space.collocation is not None and not np.any(
        ordered[..., :-1].sum(axis=-1) > NEAR * ordered[..., -1]
    )
    if not all(space.comm.allgather(along)) or space.n_global > MOST:
        return None
    x, corners, axes = _coordinates(space), space.cell_nodes().reshape(-1, d), []
    low, high = space.bounds()
    for j in range(d):
        near = NEAR * (high[j] - low[j])
        nodes, edges = (_distinct(space, values[:, j], near) for values in (x, corners))
        if len(nodes) != (space.degree + 1) * (len(edges) - 1) or len(nodes) > LONGEST:
            return None
        axes.append(Axis(nodes, edges))
    full = np.prod([len(axis.nodes) for axis in axes]) == space.n_global
    return axes if full else None


def _coordinates(space: Space) -> Array:
    """Return where the owned degrees of freedom are, (n_owned, d)."""
    points = space.quadrature.x.reshape(-1, space.dimension)
    return points if space.collocation is None else points[space.collocation]


def _distinct(space: Space, values: Array, near: float) -> Array:
    """Return the sorted values of all ranks without repetitions."""
    found = np.sort(np.concatenate(space.comm.allgather(np.unique(values))))
    return found[np.concatenate([[True], np.diff(found) > near])]


def _nearest(nodes: Array, x: Array) -> Array:
    """Return the number of the node at each of some coordinates."""
    middles = 0.5 * (nodes[1:] + nodes[:-1])
    return np.searchsorted(middles, x)


def _along(axis: int, matrix: Array, g: Array) -> Array:
    """Return the product of a matrix with one axis of an array."""
    return np.moveaxis(np.tensordot(matrix, g, axes=(1, axis)), 0, axis)


def _matrices(axis: Axis, degree: int, penalty: float) -> tuple[Array, Array]:
    """Return the diagonal mass and the stiffness of ``heat`` on an interval."""
    n, cells = degree + 1, len(axis.edges) - 1
    points, weights = np.polynomial.legendre.leggauss(n)
    size = np.diff(axis.edges)
    ends: Array = np.ones((2, n))  # (end, basis)
    slopes: Array = np.zeros((n + 2, n))
    if degree:
        basis = BarycentricInterpolator(points, np.eye(n))
        ends = basis(np.array([-1.0, 1.0]))
        slopes = np.array([basis.derivative(x) for x in (*points, -1.0, 1.0)])
    inner, outer = slopes[:n], slopes[n:]
    mass = np.outer(size / 2.0, weights).ravel()
    stiffness = np.zeros((n * cells, n * cells))
    for c in range(cells):
        own = slice(n * c, n * (c + 1))
        stiffness[own, own] += (inner.T * weights) @ inner * (2.0 / size[c])
    factor = penalty * n**2 if degree else 1.0
    for c in range(cells - 1):
        both = slice(n * c, n * (c + 2))
        jump = np.concatenate([ends[1], -ends[0]])
        mean = np.concatenate([outer[1] / size[c], outer[0] / size[c + 1]])  # half of the slopes
        distance = 0.5 * (size[c] + size[c + 1])
        stiffness[both, both] += factor / distance * np.outer(jump, jump)
        stiffness[both, both] -= np.outer(mean, jump) + np.outer(jump, mean)
    return mass, stiffness
