# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The pointwise factors of the transport operator, which hold all that depends on theta."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from mfresnet.arrays import Array


class Coefficients(Protocol):
    """The pointwise factors a of eq. (6), or the derivative of J in them.

    Attributes:
        flat: all of them.
    """

    flat: Array


class PointCoefficients:
    """``Coefficients`` at the points of the operator.

    Attributes:
        flat: all of them, (d n_cell + 2 n_facet + n_exit,).
        cell: v at cell points, (d, n_cell).
        plus: a+ at facet points, (n_facet,).
        minus: a- at facet points, (n_facet,).
        exit: [v.n]^+ at boundary points, (n_exit,).
    """

    def __init__(self, d: int, n_cell: int, n_facet: int, n_exit: int) -> None:
        """Allocate zeros."""
        self.flat: Array = np.zeros(d * n_cell + 2 * n_facet + n_exit)
        cuts = np.cumsum([d * n_cell, n_facet, n_facet])
        cell, self.plus, self.minus, self.exit = np.split(self.flat, cuts)
        self.cell = cell.reshape(d, n_cell)
