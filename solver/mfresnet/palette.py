# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The colours of the classes in all pictures."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb

from mfresnet.arrays import Array

matplotlib.rcParams.update({"font.size": 10, "axes.grid": False, "savefig.dpi": 140})
COLOURS = tuple(matplotlib.colormaps["tab10"].colors) * 10  # type: ignore[attr-defined]


def light(k: int) -> tuple[float, float, float]:
    """Return the colour of class k, mixed with white."""
    r, g, b = to_rgb(COLOURS[k])
    return 0.7 + 0.3 * r, 0.7 + 0.3 * g, 0.7 + 0.3 * b


def blend(layers: Array) -> Array:
    """Return an RGB picture of several fields, each in the colour of its class on white.

    Args:
        layers: values between 0 and 1, (classes, ...).

    Returns:
        Colours, (..., 3).
    """
    picture = np.ones((*layers.shape[1:], 3))
    for k, values in enumerate(layers):
        picture *= 1.0 - values[..., None] * (1.0 - np.array(to_rgb(COLOURS[k])))
    return picture
