# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A block beside a label, the last coordinate, which stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mfresnet.arrays import Array
from mfresnet.network.activations import Activation
from mfresnet.network.blocks import Back, Block, Parameters


def beside_label(block: Block) -> Block:
    """Return the block on points (x, y) with the velocity (v(x), 0), v by ``block``."""

    def still(v: Array) -> Array:
        return np.concatenate([v, np.zeros((*v.shape[:-2], 1, v.shape[-1]))], axis=-2)

    def second(
        sigma: Activation, x: Array, p: Parameters, g: Array, dx: Array, h: Parameters
    ) -> tuple[Array, dict[str, Array]]:
        pulled, parts = block.second(sigma, x[:-1], p, g[:-1], dx[:-1], h)
        return still(pulled), parts

    def back(sigma: Activation, x: Array, p: Parameters, g: Array) -> Back:
        pulled, parts = block.transposed(sigma, x[:-1], p, g[:-1])
        return still(pulled), parts

    def reach(
        sigma: Activation, sizes: Parameters, x: Array, final_time: float
    ) -> tuple[Array, Array]:
        assert block.reach is not None
        down, up = block.reach(sigma, sizes, x[:-1], final_time)
        return still(down), still(up)

    return replace(
        block,
        shapes=lambda d, width: block.shapes(d - 1, width),
        velocity=lambda sigma, x, p: still(block.velocity(sigma, x[:-1], p)),
        vjp=lambda sigma, x, p, g: block.vjp(sigma, x[:-1], p, g[..., :-1, :]),
        jvp=lambda sigma, x, p, h: still(block.jvp(sigma, x[:-1], p, h)),
        push=lambda sigma, x, p, dx: still(block.push(sigma, x[:-1], p, dx[:-1])),
        pull=lambda sigma, x, p, g: still(block.pull(sigma, x[:-1], p, g[:-1])),
        second=second,
        back=back,
        divergence=lambda sigma, x, p: block.divergence(sigma, x[:-1], p),
        reach=None if block.reach is None else reach,
    )
