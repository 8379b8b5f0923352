# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Sums over the facets of each cell: the rate of the CFL condition, the mean divergence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mfresnet.arrays import Array
from mfresnet.mesh import Facets, Space
from mfresnet.network import excess
from mfresnet.transport.operator.fluxes import Flux


class FacetSums:
    """The largest of (1/|K|) int_dK g over the cells K of this rank.

    Attributes:
        excess: e of ``schemes.excess``.
    """

    def __init__(
        self, space: Space, flux: Flux, scale: Array, interior: Facets, exterior: Facets
    ) -> None:
        """Keep the cells and weights of all facet points.

        Args:
            space: the space.
            flux: the numerical flux.
            scale: the scale of v.n at the interior points, (n_facet,).
            interior: the interior facets.
            exterior: the boundary facets.
        """
        self._volume = space.cell_volume
        # the speed of the flux for |v.n|
        self._speed: Callable[[Array], Array] = lambda vn: flux.speed(vn, scale)
        self.excess = excess(space.degree)
        n = interior.weights.shape[1]
        outside = np.repeat(exterior.cells[0], exterior.weights.shape[1])
        self._cells = np.concatenate([*(np.repeat(side, n) for side in interior.cells), outside])
        facet = interior.weights.ravel()
        self._weights = np.concatenate([facet, facet, exterior.weights.ravel()])
        # the largest |v.n| of velocities with |v_i| <= 1
        self._reach, self._exit_reach = (
            np.abs(facets.normals).sum(axis=-1).ravel() for facets in (interior, exterior)
        )

    def largest(self, *flow: Array) -> float:
        """Return the largest sum, of g on the first and second sides and on the boundary."""
        n = len(self._volume)
        sums = np.bincount(self._cells, self._weights * np.concatenate(flow), minlength=n)
        return float((sums[:n] / self._volume).max(initial=0.0))

    def bound(self, velocity: float) -> float:
        """Return lambda of a velocity with |v_i| <= ``velocity`` that is constant in each cell.

        A velocity that changes sign inside a cell may have up to twice of it, see
        ``Transport.rates``.
        """
        speed, still = self._speed(velocity * self._reach), self._speed(0.0 * self._reach)
        half = 0.5 * (speed + self.excess * still)
        return self.largest(half, half, 0.5 * velocity * self._exit_reach)
