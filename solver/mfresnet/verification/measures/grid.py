# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Densities on a box of equal cells without the mesh: arrays that are pickled with an estimator."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array
from mfresnet.functional import Problem


@dataclass(frozen=True)
class GridDensities:
    """The polynomials of a DG space on a box of intervals, quadrilaterals or hexahedra.

    Attributes:
        lower: least corner of the box, (d,).
        size: lengths of a cell, (d,).
        nodes: the Gauss points of [0, 1], (p + 1,).
        values: the densities at the points of all cells, which lie on a grid,
            (classes, points in the first direction, ..., points in the last one).
    """

    lower: Array
    size: Array
    nodes: Array
    values: Array

    @staticmethod
    def of(problem: Problem) -> GridDensities:
        """Return the initial densities of a problem on a box, on this process alone."""
        space, cells = problem.space, np.array(problem.case.cells())
        lower, upper = space.bounds()
        size = (upper - lower) / cells
        points, _ = space.reference_rule(space.cell_degree)
        nodes = np.sort(points[:, 0])[:: len(points) // round(len(points) ** (1.0 / len(cells)))]
        # by where the points are: the axes of a cell may be turned
        place = (space.quadrature.x.reshape(-1, space.dimension) - lower) / size
        cell = np.floor(place).astype(int)
        local = np.abs((place - cell)[..., None] - nodes).argmin(axis=-1)
        f = space.at_quadrature(problem.f0)
        values = np.empty((len(f), *(cells * len(nodes))))
        values[:, *(cell * len(nodes) + local).T] = f.reshape(len(f), -1)
        return GridDensities(lower, size, nodes, values)

    def __call__(self, x: Array) -> Array:
        """Return the densities at points, (d, n) -> (classes, n); zero outside of the box."""
        p, shape = len(self.nodes), np.array(self.values.shape[1:])
        place = (x.T - self.lower) / self.size
        cell = np.clip(np.floor(place), 0, shape // p - 1).astype(int)
        basis = self._basis(place - cell)
        found = np.zeros((len(self.values), len(place)))
        for corner in itertools.product(range(p), repeat=len(shape)):
            weights = np.prod([basis[:, i, j] for i, j in enumerate(corner)], axis=0)
            found += weights * self.values[:, *(cell * p + corner).T]
        inside = ((place >= 0.0) & (place <= shape // p)).all(axis=1)
        return np.where(inside, found, 0.0)

    def _basis(self, local: Array) -> Array:
        """Return the Lagrange basis in the nodes, (n, d) -> (n, d, p + 1)."""
        result = np.ones((*local.shape, len(self.nodes)))
        for i, j in itertools.permutations(range(len(self.nodes)), 2):
            result[..., i] *= (local - self.nodes[j]) / (self.nodes[i] - self.nodes[j])
        return result
