# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Where a point in space is in a picture: parallel projection from a side, seen from above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array

ELEVATION = np.radians(24.0)
"""How far the camera stands above the bodies."""


def sight(azimuth: float) -> Array:
    """Return the rows right, up and towards the camera of a view, (3, 3); degrees from x_1."""
    a, e = np.radians(azimuth), ELEVATION
    return np.array(
        [
            [-np.sin(a), np.cos(a), 0.0],
            [-np.sin(e) * np.cos(a), -np.sin(e) * np.sin(a), np.cos(e)],
            [np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)],
        ]
    )


@dataclass(frozen=True)
class Box:
    """A box of bodies in pictures that show all of it from every side.

    Attributes:
        low: least coordinates, (3,).
        high: greatest coordinates, (3,).
    """

    low: Array
    high: Array

    @property
    def middle(self) -> Array:
        """The point in the middle of every picture, (3,)."""
        return 0.5 * (self.low + self.high)

    @property
    def half(self) -> tuple[float, float]:
        """Half the width and half the height of every picture."""
        x, y, z = 0.5 * (self.high - self.low)
        across = float(np.hypot(x, y))
        return across, float(across * np.sin(ELEVATION) + z * np.cos(ELEVATION))

    def project(self, points: Array, azimuth: float) -> Array:
        """Return where points, (n, 3), are in the picture from the middle, (n, 2)."""
        return (np.asarray(points) - self.middle) @ sight(azimuth)[:2].T
