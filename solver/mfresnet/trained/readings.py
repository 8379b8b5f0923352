# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a trained network says about a point at T: task -> how the scores are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mfresnet.arrays import Array
from mfresnet.network import decide


@dataclass(frozen=True)
class Reading:
    """How the scores are read.

    Attributes:
        read: (scores, n) -> (n,).
        number: whether the one score is the label of the sample, a number.
        steered: whether the network moves a start density to that of the samples.
    """

    read: Callable[[Array], Array] = decide
    number: bool = False
    steered: bool = False


READINGS: dict[str, Reading] = {
    "classification": Reading(),
    "regression": Reading(lambda scores: scores[0], number=True),
    "density": Reading(steered=True),
}
"""Task -> how the scores are read."""
