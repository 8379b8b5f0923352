# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Fields on a regular grid of points, for pictures."""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.mesh import Locator, Space
from mfresnet.parallel import total

COARSE, VISIBLE, PAD = 120, 2e-3, 0.08


class Raster:
    """The values of fields on a regular grid of points, the same on all ranks.

    Attributes:
        axes: coordinates of the points in each direction, the centres of pixels.
        edges: coordinates between the pixels and at both ends, in each direction.
        points: all points as columns, the last direction fastest, (d, n).
        inside: whether a point lies on the mesh, (n,).
    """

    def __init__(self, space: Space, lower: Array, upper: Array, pixels: int) -> None:
        """Find the points. Parallel: collective.

        Args:
            space: the space of the fields.
            lower: least coordinates, (d,).
            upper: greatest coordinates, (d,).
            pixels: points in the longest direction.
        """
        self.space = space
        size = upper - lower
        counts = np.maximum((pixels * size / size.max()).astype(int), 2)
        self.edges = [
            np.linspace(a, b, n + 1) for a, b, n in zip(lower, upper, counts, strict=True)
        ]
        self.axes = [(e[1:] + e[:-1]) / 2.0 for e in self.edges]
        self.shape = tuple(int(n) for n in counts)
        self.points = np.stack(np.meshgrid(*self.axes, indexing="ij")).reshape(len(lower), -1)
        cells, reference, self.inside = Locator(space).find(self.points)
        self._mine = np.flatnonzero(cells >= 0)
        self._dofs = space.dofs[cells[self._mine]]
        self._basis = space.tabulate(reference[self._mine])[0]

    @property
    def extent(self) -> tuple[float, ...]:
        """First and last edge of every direction in turn, as images take them."""
        return tuple(float(e[i]) for e in self.edges for i in (0, -1))

    def sample(self, f: Array) -> Array:
        """Return fields f, (n, n_owned), at the points, (n, *shape); NaN outside of the mesh.

        Parallel: collective.
        """
        values = np.zeros((len(f), self.inside.size))
        values[:, self._mine] = np.einsum("pi,kpi->kp", self._basis, f[:, self._dofs])
        result = total(self.space.comm, values)
        result[:, ~self.inside] = np.nan
        return result.reshape(len(f), *self.shape)


def view(space: Space, f: Array, points: Array, pixels: int) -> Raster:
    """Return a grid over the part of the mesh where there is something to see.

    Args:
        space: the space.
        f: fields, (n, n_owned); seen where they exceed a small part of their largest value.
        points: points that are in the picture, (n, d).
        pixels: points in the longest direction.

    Parallel: collective.
    """
    lower, upper = space.bounds()
    coarse = Raster(space, lower, upper, COARSE)
    values = np.nan_to_num(coarse.sample(f)).reshape(len(f), -1)
    seen = (values > VISIBLE * values.max(axis=1, keepdims=True)).any(axis=0)
    shown = np.concatenate([coarse.points[:, seen].T, points])
    low, high = shown.min(axis=0), shown.max(axis=0)
    pad = PAD * (high - low).max()
    return Raster(space, np.maximum(low - pad, lower), np.minimum(high + pad, upper), pixels)
