# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The weights of samples that an estimator is given."""

from __future__ import annotations

from typing import Any

from sklearn.utils import validation

from mfresnet.arrays import Array
from mfresnet.errors import InputError


def usable_weights(sample_weight: Any, x: Array) -> Array:
    """Return the weights of samples x, (n, m), the largest being one; zero: not used.

    Raises:
        InputError: one is negative, or none is positive.
    """
    weights: Array = validation._check_sample_weight(sample_weight, x, dtype=float)
    if weights.min() < 0.0 or weights.max() == 0.0:
        raise InputError(
            f"sample_weight: not usable; got weights from {weights.min():g} to "
            f"{weights.max():g}, expected none below 0 and one above. "
            "Use 0 to leave a sample out."
        )
    return weights / weights.max()
