# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""J and its derivatives are numbers, or there is a sentence."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import SolveError

T = TypeVar("T", float, Array)


def finite(values: T) -> T:
    """Return values that are all finite.

    Raises:
        SolveError: one of them is not.
    """
    if not np.isfinite(values).all():
        raise SolveError(
            "the objective is not finite; the controls grow too large. Add bounds "
            "training.lower and training.upper or raise penalty.tikhonov."
        )
    return values
