# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Determinants and inverses of many small matrices against LAPACK's of each."""

from __future__ import annotations

import numpy as np
import pytest

from mfresnet.arrays import determinants, inverses


@pytest.mark.parametrize("d", [1, 2, 3])
def test_many_small_matrices(d: int) -> None:
    matrices = np.random.default_rng(d).normal(size=(5, 7, d, d))
    np.testing.assert_allclose(determinants(matrices), np.linalg.det(matrices), rtol=1e-12)
    np.testing.assert_allclose(inverses(matrices), np.linalg.inv(matrices), rtol=1e-11)
    assert determinants(matrices[:0]).shape == (0, 7)
