# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How many prototypes classes need."""

from __future__ import annotations

import numpy as np
import pytest

from mfresnet.case.clusters import enough_prototypes
from mfresnet.data import Samples


def samples(pieces: int, n: int, seed: int = 0) -> Samples:
    """Return two classes in ``pieces`` blobs each, in turn on a line."""
    rng = np.random.default_rng(seed)
    y, piece = rng.integers(0, 2, n), rng.integers(0, pieces, n)
    place = 3.0 * (2 * piece + y)
    return Samples(
        np.stack([place, 0.0 * place]) + 0.4 * rng.standard_normal((2, n)), y, np.ones(n)
    )


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_as_many_as_there_are_pieces(pieces: int) -> None:
    for n in (150, 5000):
        assert enough_prototypes(samples(pieces, n), 4) == pieces
    assert enough_prototypes(samples(3, 500), 2) <= 2


def test_weights_count() -> None:
    """Pieces without weight to speak of need no prototype."""
    points = samples(2, 800)
    light = np.where(points.x[0] > 4.5, 1e-9, 1.0)
    assert enough_prototypes(Samples(points.x, points.y, light), 4) == 1


def test_classes_of_one_sample_have_one() -> None:
    points = samples(2, 60)
    y = np.where(np.arange(60) == 7, 1, 0)
    assert enough_prototypes(Samples(points.x, y, points.w), 4) == 1
