# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A quadrature rule on the cells of a rank, and the map of their reference cell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mfresnet.arrays import Array, inverses


def mapped(table: Array, nodes: Array) -> tuple[Array, Array]:
    """Return x (cells, points, d) and J = dx/dX (cells, points, d, d) of reference points.

    Args:
        table: the basis of the geometry and its derivatives at the points, (1 + d, points, nodes).
        nodes: those of the cells, (cells, nodes, d).
    """
    return table[0] @ nodes, np.stack([column @ nodes for column in table[1:]], axis=-1)


@dataclass(frozen=True)
class CellQuadrature:
    """A quadrature rule on all owned cells.

    Attributes:
        x: points, (cells, points, d).
        weights: reference weight times |det J|, (cells, points).
        basis: values of the basis, (points, dofs per cell).
        gradient: derivatives of the basis in the reference directions, (d, points, dofs).
        geometry: the basis of the geometry and its derivatives, (1 + d, points, nodes).
        nodes: those of the geometry, (cells, nodes, d).
    """

    x: Array
    weights: Array
    basis: Array
    gradient: Array
    geometry: Array
    nodes: Array

    @cached_property
    def inverse(self) -> Array:
        """K = J^-1, (cells, points, d, d): d/dx_i = sum_j K[j, i] d/dX_j; made when asked for."""
        return inverses(mapped(self.geometry, self.nodes)[1])
