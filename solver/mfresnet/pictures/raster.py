# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Fields on a regular grid of points, for pictures."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from mfresnet.arrays import Array
from mfresnet.mesh import Locator, Space
from mfresnet.parallel import total

AT_ONCE = 20_000
"""Points at which basis functions are computed at the same time."""


class Raster:
    """The values of fields on a regular grid of points, the same on all ranks.

    In single precision, which is more than a picture shows: in space there are many points.

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
        columns, n = space.dofs[cells[self._mine]], len(self._mine)
        basis = np.empty(columns.shape, dtype="f4")
        for part in np.array_split(np.arange(n), n // AT_ONCE + 1):
            basis[part] = space.tabulate(reference[self._mine[part]])[0]
        places = np.arange(n + 1) * basis.shape[1]
        self._values = csr_array((basis.ravel(), columns.ravel(), places), shape=(n, space.n_owned))

    @property
    def ends(self) -> tuple[Array, Array]:
        """First and last edge of every direction: the corners of the raster."""
        return np.array([e[0] for e in self.edges]), np.array([e[-1] for e in self.edges])

    @property
    def extent(self) -> tuple[float, ...]:
        """First and last edge of every direction in turn, as images take them."""
        return tuple(float(e[i]) for e in self.edges for i in (0, -1))

    def sample(self, f: Array) -> Array:
        """Return fields f, (n, n_owned), at the points, (n, *shape); NaN outside of the mesh.

        Parallel: collective.
        """
        values = np.zeros((len(f), self.inside.size))
        values[:, self._mine] = (self._values @ f.T.astype("f4")).T
        result = total(self.space.comm, values)
        result[:, ~self.inside] = np.nan
        return result.reshape(len(f), *self.shape)
