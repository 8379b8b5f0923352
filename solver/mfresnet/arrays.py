# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The array types of signatures, whose shapes stand in the docstrings; and many small matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""Numbers, float64 unless the docstring says otherwise."""
Indices = NDArray[np.int32]


def determinants(matrices: Array) -> Array:
    """Return the determinants of many matrices, (..., d, d) -> (...), d at most 3.

    Written out, which for many is ten times as fast as their factorisation one by one.
    """
    a = np.moveaxis(matrices, (-2, -1), (0, 1))
    if len(a) == 1:
        return a[0, 0].copy()
    if len(a) == 2:
        return a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0]
    minors = (a[1, i - 2] * a[2, i - 1] - a[1, i - 1] * a[2, i - 2] for i in range(3))
    return sum(entry * minor for entry, minor in zip(a[0], minors, strict=True))


def inverses(matrices: Array) -> Array:
    """Return the inverses of many matrices, (..., d, d), d at most 3, see ``determinants``."""
    a = np.moveaxis(matrices, -1, 0)
    if len(a) == 1:
        return 1.0 / matrices
    if len(a) == 2:
        (p, r), (q, s) = (np.moveaxis(column, -1, 0) for column in a)
        adjugate = np.stack([np.stack([s, -q], -1), np.stack([-r, p], -1)], -2)
    else:
        adjugate = np.stack([np.cross(a[i - 2], a[i - 1]) for i in range(3)], -2)
    return adjugate / determinants(matrices)[..., None, None]
