# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The trained network on samples: x' = v(x; theta(t)), one sample a column (no MPI here)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array
from mfresnet.network.activations import Activation
from mfresnet.network.blocks import Block
from mfresnet.network.controls import Controls
from mfresnet.network.schemes import SCHEMES, Scheme


@dataclass(frozen=True)
class Network:
    """A residual network with given controls.

    Attributes:
        block: the kind of its layers.
        activation: sigma.
        controls: the parameters of all layers.
        final_time: T.
    """

    block: Block
    activation: Activation
    controls: Controls
    final_time: float

    @property
    def layers(self) -> int:
        """Number of layers L."""
        return self.controls.layers

    def velocity(self, x: Array, layer: int) -> Array:
        """Return v(x; theta_layer) at points x, (d, n) -> (d, n)."""
        return self.block.velocity(self.activation, x, self.controls.layer(layer))

    def velocities(self, x: Array, first: int, stop: int) -> Array:
        """Return those of some layers, (stop - first, d, n)."""
        return self.block.velocities(self.activation, x, self.controls.of_layers(first, stop))


def stages(
    network: Network, layer: int, x: Array, dt: float, scheme: Scheme
) -> tuple[list[Array], Array]:
    """Return the points y_j of one explicit Runge-Kutta step inside a layer, and those after it.

    y_j = x + dt a_j k_{j-1}, k_j = v(y_j), x <- x + dt sum_j b_j k_j: every stage needs the one
    before only.
    """
    increment, k, points = np.zeros_like(x), np.zeros_like(x), []
    for a, b in zip(scheme.nodes, scheme.weights, strict=True):
        points.append(x + dt * a * k if a else x)
        k = network.velocity(points[-1], layer)
        increment += b * k
    return points, x + dt * increment


def advance(network: Network, layer: int, x: Array, dt: float, scheme: Scheme) -> Array:
    """Return the points after one step, see ``stages``."""
    return stages(network, layer, x, dt, scheme)[1]


def through(
    network: Network, layer: int, x: Array, scheme: Scheme = SCHEMES[3], steps: int = 1
) -> Array:
    """Return the points after one layer, by ``steps`` steps."""
    dt = network.final_time / network.layers / steps
    for _ in range(steps):
        x = advance(network, layer, x, dt, scheme)
    return x


def flow(
    network: Network, x: Array, scheme: Scheme = SCHEMES[3], steps_per_layer: int = 1
) -> Array:
    """Return the points at the start of every layer and at T, (layers + 1, d, n).

    Args:
        network: the network.
        x: samples at 0, (d, n).
        scheme: the Runge-Kutta scheme; ``SCHEMES[1]`` with one step a layer is a plain ResNet,
            x <- x + dt v(x; theta_l).
        steps_per_layer: steps inside each layer.
    """
    path = np.empty((network.layers + 1, *x.shape))
    path[0] = x
    for layer in range(network.layers):
        path[layer + 1] = through(network, layer, path[layer], scheme, steps_per_layer)
    return path


INFERENCES: dict[str, Callable[[int, int], tuple[Scheme, int]]] = {
    "runge_kutta": lambda order, steps_per_layer: (SCHEMES[order], steps_per_layer),
    "euler": lambda order, steps_per_layer: (SCHEMES[1], 1),
}
"""How the network is applied to samples: name -> (order and steps per layer of the density) ->
scheme and steps per layer of the samples. ``euler`` is a plain ResNet."""
