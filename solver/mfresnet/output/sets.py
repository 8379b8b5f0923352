# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Sets that hold a share of the mass of a density: {f > c}, with c such that the share is right.

Drawn at all depths with the same shares they show how a density concentrates, which colours of its
values do not: these rise while it does.
"""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.mesh import Space
from mfresnet.parallel import maximum, total

SHARES = (0.25, 0.5, 0.75, 0.95)
"""Of the mass of a class, in every picture of a density."""
SHOWN = 0.99
"""Of the mass of every class lies in the frame of a picture."""
HEIGHTS = np.linspace(0.0, 1.0, 2049) ** 3
"""Between which the masses are counted, over the largest value."""


class MassSets:
    """The mass above every value of some densities on a mesh.

    Undershoots count as no mass.

    Parallel: making them is collective; they are the same on all ranks.
    """

    def __init__(self, space: Space, f: Array) -> None:
        """Count the mass of densities, (n, n_owned), at the points of the quadrature."""
        self._space, self._values = space, space.at_quadrature(f)
        self._peaks = maximum(space.comm, self._values.max(axis=(1, 2), initial=1e-300))
        weights = space.quadrature.weights
        counted = np.empty((len(f), len(HEIGHTS) - 1))
        for k, (values, peak) in enumerate(zip(self._values, self._peaks, strict=True)):
            height = np.cbrt(np.clip(values / peak, 0.0, 1.0)) * (len(HEIGHTS) - 1)
            place = np.minimum(height.astype(int), len(HEIGHTS) - 2).ravel()
            mass = (weights * np.maximum(values, 0.0)).ravel()
            counted[k] = np.bincount(place, mass, minlength=len(HEIGHTS) - 1)
        mass = total(space.comm, counted)
        above = np.cumsum(mass[:, ::-1], axis=1)[:, ::-1]
        self._above = np.concatenate([above, np.zeros((len(f), 1))], axis=1)
        self._above /= np.maximum(self._above[:, :1], 1e-300)

    def share(self, k: int, values: Array) -> Array:
        """Return which share of the mass of density k lies above some values; NaN stays."""
        return np.interp(values / self._peaks[k], HEIGHTS, self._above[k])

    def level(self, k: int, share: float) -> float:
        """Return the value above which a share of the mass of density k lies."""
        return float(self._peaks[k] * np.interp(-share, -self._above[k], HEIGHTS))

    def bounds(self, share: float = SHOWN) -> tuple[Array, Array]:
        """Return the corners of a box that holds this share of each. Parallel: collective."""
        space, inside = self._space, np.zeros(self._values.shape[1:], dtype=bool)
        for k, values in enumerate(self._values):
            inside |= values > self.level(k, share)
        x = space.quadrature.x[inside]
        low, high = x.min(axis=0, initial=np.inf), x.max(axis=0, initial=-np.inf)
        ends = maximum(space.comm, [-low, high])
        return -ends[0], ends[1]
