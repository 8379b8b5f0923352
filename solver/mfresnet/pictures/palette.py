# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Style of all pictures; colours and names of the classes in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.colors import to_rgb

from mfresnet.arrays import Array

HUES = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#7a5c00", "#666666")
"""The palette of Okabe and Ito, which colour-blind people can tell apart; without its yellow, which
does not show on white."""
COLOURS = tuple(to_rgb(hue) for hue in HUES) * 13
"""Red, green and blue of the classes."""
LONGEST = 40
"""Letters of a name that is shown."""


@contextmanager
def style() -> Iterator[None]:
    """Draw and save pictures inside the block as those of a run; also a decorator."""
    ours = {"font.size": 10, "axes.grid": False, "savefig.dpi": 140}
    with matplotlib.rc_context(ours | {"axes.prop_cycle": cycler(color=HUES)}):
        yield


def shown(label: str) -> str:
    """Return the name of a class as pictures show it: short, on one line, without mathematics."""
    line = "".join(c if c.isprintable() else " " for c in label)
    return shorten(line).replace("$", r"\$")


def shorten(text: str) -> str:
    """Return a text with its middle left out where it is long."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]}...{text[-half:]}"


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
