# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Samples of a run and their paths through the network, with the steps inside the layers."""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.data import Samples
from mfresnet.errors import InputError
from mfresnet.functional import ReducedFunctional, drawn
from mfresnet.network import SCHEMES, advance
from mfresnet.trained import TrainedNetwork


def samples_of(functional: ReducedFunctional, most: int) -> Samples | None:
    """Return up to ``most`` samples of every class at the input, the same on all ranks.

    They are the first ones of the training samples; random ones of the start density in a
    steering, and of the densities of the classes where there are no samples; None where those
    cannot be drawn from.
    """
    case, dataset = functional.case, functional.population.dataset
    if case.start is not None:
        x = case.start.sample(most, np.random.default_rng(0))
        return Samples(x, np.zeros(most, dtype=int), np.ones(most))
    if dataset is None:
        try:
            return drawn(case, most)
        except InputError:
            return None
    train = dataset.train
    classes = range(len(functional.population.labels))
    chosen = np.concatenate([np.flatnonzero(train.y == k)[:most] for k in classes])
    return Samples(train.x[:, chosen], train.y[chosen], train.w[chosen])


def trace(network: TrainedNetwork, x: Array, finest: int) -> tuple[Array, Array]:
    """Return depths and the points there.

    Args:
        network: the network; coordinates of the points behind its own stay as they are.
        x: points at 0, (d, n).
        finest: least number of steps from 0 to T. A plain ResNet has one straight step a layer.

    Returns:
        Depths, (m + 1,), and points, (m + 1, d, n); layer l starts at row l m / layers.
    """
    residual, d = network.residual, network.dimension
    euler = network.order == 1 and network.steps_per_layer == 1
    steps = 1 if euler else max(network.steps_per_layer, -(-finest // residual.layers))
    m = steps * residual.layers
    path = np.repeat(x[None], m + 1, axis=0)
    for n in range(m):
        path[n + 1, :d] = advance(
            residual, n // steps, path[n, :d], network.final_time / m, SCHEMES[network.order]
        )
    return np.linspace(0.0, network.final_time, m + 1), path


def carried(network: TrainedNetwork, x: Array, start: float) -> Array:
    """Return points at the depth ``start``, (d, n), as they arrive at T."""
    residual, scheme = network.residual, SCHEMES[network.order]
    long = network.final_time / residual.layers
    for layer in range(min(int(start / long + 1e-9), residual.layers), residual.layers):
        rest = long * (layer + 1) - max(start, long * layer)
        steps = max(1, int(np.ceil(network.steps_per_layer * rest / long - 1e-9)))
        for _ in range(steps):
            x = advance(residual, layer, x, rest / steps, scheme)
    return x
