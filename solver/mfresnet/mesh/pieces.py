# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Cells in pieces on which the map of the cell is nearly affine, each in a box that holds it.

The map of an interval, a quadrilateral or a hexahedron is a polynomial of degree p in every
reference direction. Its Bernstein coefficients, (p + 1)^d points, have the piece in their convex
hull, and the differences of neighbours times p have the derivatives in theirs. A piece with

    bend = max |J_c^-1 J - 1| ,    J_c = J at the middle c,

in the norm of the largest sum of a row, has for every x = F(X) of it

    |X' + J_c^-1 (x - F(X')) - X| <= bend |X' - X|    for all X' of the piece,

so that the fixed point iteration X' <- X' + J_c^-1 (x - F(X')), kept in the piece, finds X, and
its first step from c says how far X is. Cells that bend more are cut in half in every direction.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import comb

import numpy as np

from mfresnet.arrays import Array, Indices, inverses
from mfresnet.mesh.compat import coordinate_element
from mfresnet.mesh.space import SIMPLICES, Space, chop, table_of

STRAIGHT = 0.75
"""Largest bend of a piece."""
DEEPEST = 3
"""Cuts after which a piece stays as it is; cells without volume in a corner would have no end."""
SLACK = 1e-9
"""How far outside of the reference cell a point may lie and still belong to it."""
CONVERGED = 1e-12
"""Error of reference coordinates that is none."""


@dataclass(frozen=True)
class Pieces:
    """All pieces of the owned cells.

    Attributes:
        cell: the cell of each piece, (n,).
        middle: c, reference coordinates, (n, d).
        half: half of the width in reference coordinates, (n,).
        origin: F(c) - J_c c, (n, d): on an affine cell F(0).
        inverse: J_c^-1, (n, d, d).
        bend: as above, with the rounding of the inverse, (n,).
        bent: whether the affine map is not exact, (n,).
        slack: ``SLACK`` and the error of reference coordinates by the rounding of x, (n,).
        low: least coordinates of a box that holds the piece and the slack around it, (n, d).
        high: greatest coordinates of it, (n, d).
    """

    cell: Indices
    middle: Array
    half: Array
    origin: Array
    inverse: Array
    bend: Array
    bent: Array
    slack: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, space: Space) -> Pieces:
        """Return the pieces of the owned cells of a space."""
        nodes, d = space.cell_nodes(), space.dimension
        parts = _whole(nodes, d) if space.cell in SIMPLICES else _cut(space)
        cell, middle, half, bend, low, high = parts
        origin, jacobian = space.map_each(cell, middle)
        inverse = inverses(jacobian)
        eps, reach = np.finfo(float).eps, np.abs(jacobian).sum(axis=2)
        coordinate = np.maximum(np.abs(low), np.abs(high))
        rounding = 8.0 * eps * np.einsum("nij,nj->ni", np.abs(inverse), coordinate).max(axis=1)
        condition = reach.max(axis=1) * np.abs(inverse).sum(axis=2).max(axis=1)
        bend, slack = bend + 4.0 * eps * condition, SLACK + rounding
        origin -= np.einsum("nij,nj->ni", jacobian, middle)
        pad = 4.0 * slack[:, None] * reach
        return cls(
            cell,
            middle,
            half,
            origin,
            inverse,
            bend,
            bend > CONVERGED,
            slack,
            low - pad,
            high + pad,
        )


def _whole(nodes: Array, d: int) -> tuple[Indices, Array, Array, Array, Array, Array]:
    """Return what ``_cut`` does for affine cells, which are their only pieces."""
    n = len(nodes)
    middle, half = np.full((n, d), 0.5), np.full(n, 0.5)
    return np.arange(n), middle, half, np.zeros(n), nodes.min(axis=1), nodes.max(axis=1)


def _bernstein(space: Space) -> Array:
    """Return the Bernstein coefficients of the maps of the owned cells, (cells, (p + 1)^d, d).

    p is the degree of the geometry; the last direction is the fastest.
    """
    element, d = coordinate_element(space.mesh), space.dimension
    p = element.degree
    line = np.linspace(0.0, 1.0, p + 1)
    basis = [comb(p, i) * line**i * (1.0 - line) ** (p - i) for i in range(p + 1)]
    values, points = np.ones((1, 1)), np.stack(np.meshgrid(*[line] * d, indexing="ij"), -1)
    for _ in range(d):
        values = np.kron(values, np.transpose(basis))
    table = np.linalg.solve(values, table_of(element, points.reshape(-1, d), 0)[0])
    result: Array = np.einsum("kn,cni->cki", chop(table), space.cell_nodes())
    return result


def _cut(space: Space) -> tuple[Indices, Array, Array, Array, Array, Array]:
    """Return cell, middle, half, bend and both corners of the box of every piece."""
    points = _bernstein(space)
    degree = round(points.shape[1] ** (1.0 / space.dimension)) - 1
    halves = _halves(degree, space.dimension)
    n, d = len(points), space.dimension
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=d)))
    cell, middle, half = np.arange(n), np.full((n, d), 0.5), 0.5
    parts = []
    for depth in range(DEEPEST + 1):
        bend = _bend(points, degree, d)
        ready = (bend <= STRAIGHT) | (depth == DEEPEST)
        box = points[ready].min(axis=1), points[ready].max(axis=1)
        parts.append((cell[ready], middle[ready], np.full(ready.sum(), half), bend[ready], *box))
        if ready.all():
            break
        points = np.einsum("ckl,nld->nckd", halves, points[~ready]).reshape(-1, *points.shape[1:])
        half *= 0.5
        middle = (middle[~ready][:, None] + half * (2.0 * corners - 1.0)).reshape(-1, d)
        cell = np.repeat(cell[~ready], len(corners))
    cell, middle, halfs, bend, low, high = (np.concatenate(p) for p in zip(*parts, strict=True))
    return cell, middle, halfs, bend, low, high


def _halves(degree: int, d: int) -> Array:
    """Return the maps from Bernstein coefficients to those of the 2^d parts, (2^d, k, k)."""
    rows = range(degree + 1)
    left = np.array([[comb(i, j) / 2.0**i for j in rows] for i in rows])
    result = []
    for choice in itertools.product((left, left[::-1, ::-1]), repeat=d):
        product = np.ones((1, 1))
        for factor in choice:
            product = np.kron(product, factor)
        result.append(product)
    return np.array(result)


def _bend(points: Array, degree: int, d: int) -> Array:
    """Return the bend of pieces with Bernstein coefficients ``points``, (n, k, d)."""
    grid, n = points.reshape(len(points), *[degree + 1] * d, d), degree * (degree + 1) ** (d - 1)
    columns = [np.diff(grid, axis=j + 1).reshape(len(points), n, d) for j in range(d)]
    weights = np.array([comb(degree, i) for i in range(degree + 1)]) / 2.0**degree
    slopes = np.array([comb(degree - 1, i) for i in range(degree)]) / 2.0 ** (degree - 1)
    middle = []
    for j, column in enumerate(columns):
        product: Array = np.ones(1)
        for axis in range(d):
            product = np.kron(product, slopes if axis == j else weights)
        middle.append(np.einsum("k,nki->ni", product, column))
    inverse = inverses(np.stack(middle, axis=2))
    bend = np.zeros((len(points), d))
    for j, column in enumerate(columns):
        change = np.einsum("nij,nkj->nki", inverse, column)
        change[:, :, j] -= 1.0
        bend += np.abs(change).max(axis=1)
    result: Array = bend.max(axis=1)
    return result
