# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What blocks and activations do at once is what they do one by one."""

from __future__ import annotations

import numpy as np
import pytest

from mfresnet.network import ACTIVATIONS, BLOCKS
from mfresnet.network.label_block import beside_label

U = np.concatenate([np.linspace(-4.0, 4.0, 41), [-700.0, 0.0, 700.0]])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_value_and_slope(name: str) -> None:
    row = ACTIVATIONS[name]
    value, slope = row.both(U)
    np.testing.assert_array_equal(value, row.value(U))
    np.testing.assert_allclose(slope, row.derivative(U), rtol=0.0, atol=1e-15)


def test_slope_at_a_kink_is_the_mean_of_both_sides() -> None:
    relu = ACTIVATIONS["relu"]
    assert relu.derivative(np.array([-1.0, 0.0, 1.0])).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_pull_and_vjp_at_once(name: str, labelled: bool, activation: str) -> None:
    rng, sigma = np.random.default_rng(1), ACTIVATIONS[activation]
    block = beside_label(BLOCKS[name]) if labelled else BLOCKS[name]
    parameters = {n: rng.standard_normal(s) for n, s in block.shapes(3, 5).items()}
    x, g = rng.standard_normal((2, 3, 11))
    pulled, parts = block.transposed(sigma, x, parameters, g)
    np.testing.assert_allclose(pulled, block.pull(sigma, x, parameters, g), rtol=1e-13)
    alone = block.vjp(sigma, x, parameters, g)
    assert parts.keys() == alone.keys()
    for each, part in alone.items():
        np.testing.assert_allclose(parts[each], part, rtol=1e-13, atol=1e-14)
