# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Density estimation: new samples, and the density of samples, from a network that steers.

Points of the start density f0 that the network moves have at T the density f(T, .), and along the
path X(t) of a point, with v the velocity of the network,

    log f(T, X(T)) = log f0(X(0)) - int_0^T (div v)(X(t); theta(t)) dt .                    (12)

No mesh is used. The network is that of the continuity equation, integrated by a scheme of order 4:
a plain ResNet has another density.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mfresnet.arrays import Array
from mfresnet.data import DensityKind
from mfresnet.errors import InputError
from mfresnet.network import SCHEMES, Network, flow
from mfresnet.trained.loading import load_network
from mfresnet.trained.network import TrainedNetwork

ORDER, FEWEST_STEPS = 4, 8
"""Order of the integration along the paths, and least number of its steps in a layer."""
CHUNK = 100_000


@dataclass(frozen=True, eq=False)
class SteeredDensity:
    """A network with the density that it steers.

    Attributes:
        network: the network, with the map of the features to coordinates.
        start: the density at 0 of the points x = matrix^T (features - shift).
    """

    network: TrainedNetwork
    start: DensityKind

    def normal(self) -> tuple[Array, Array]:
        """Return a and A for which a + A z has the start density, z standard normal.

        Raises:
            InputError: the start density is no Gaussian.
        """
        normal = self.start.normal()
        if normal is None:
            raise InputError(
                f"start.kind: only a Gaussian can be exported; got {self.start.kind}, expected "
                "gaussian. Use npz, which mfresnet sample reads."
            )
        return normal


class _Backward(Network):
    """The network from T to 0 on points (x, a), (d + 1, n), with a = int div v over the path."""

    def velocity(self, x: Array, layer: int) -> Array:
        """Return (-v, div v) in the layers from the last to the first."""
        points, parameters = x[:-1], self.controls.layer(self.layers - 1 - layer)
        v = self.block.velocity(self.activation, points, parameters)
        divergence = self.block.divergence(self.activation, points, parameters)
        return np.concatenate([-v, divergence[None]])


def sample(model: SteeredDensity, n: int, seed: int = 0) -> Array:
    """Return n new samples, (n, m): points of the start density, moved by the network.

    With fewer coordinates than features they lie in the plane of the principal components.

    Args:
        model: the network with its start density.
        n: number of samples.
        seed: of the random numbers.
    """
    network = model.network
    x = network.carry(model.start.sample(n, np.random.default_rng(seed)))
    return network.restore(x)


def log_density(model: SteeredDensity, features: Array) -> Array:
    """Return the logarithm of the density of samples, eq. (12), (n, m) -> (n,).

    Per volume of the features; with fewer coordinates than features, of the plane of the principal
    components onto which a sample is projected.

    Args:
        model: the network with its start density.
        features: the samples, (n, m).
    """
    network = model.network
    return log_density_at(model, network.reduce(features)) - log_volume(network.back)


def log_volume(back: Array) -> float:
    """Return the logarithm of the volume of features that a unit of the coordinates spans."""
    return 0.5 * float(np.linalg.slogdet(back.T @ back)[1])


def log_density_at(model: SteeredDensity, x: Array) -> Array:
    """Return log f(T, x) at points x, (d, n) -> (n,), per volume of their coordinates."""
    forward, scheme = model.network.residual, SCHEMES[ORDER]
    backward = _Backward(forward.block, forward.activation, forward.controls, forward.final_time)
    parts = []
    for piece in np.array_split(x, max(1, -(-x.shape[1] // CHUNK)), axis=1):
        points = np.concatenate([piece, np.zeros((1, piece.shape[1]))])
        end = flow(backward, points, scheme, model.network.steps_per_layer)[-1]
        parts.append(model.start.log_density(end[:-1]) - end[-1])
    return np.concatenate(parts)


def load_steered(path: str | Path) -> SteeredDensity:
    """Return the steered density of a run directory, or of a file of ``export --to npz``.

    Raises:
        InputError: there is no finished run, or its task is another one.
    """
    return steered_by(load_network(path))


def steered_by(network: TrainedNetwork) -> SteeredDensity:
    """Return the density that a network steers its start density to.

    Raises:
        InputError: it has none, as its task is another one.
    """
    if not network.start:
        raise InputError(
            "task: no density; got the network of a classification or a regression, expected task "
            "density. Choose another run."
        )
    steps = max(network.steps_per_layer, FEWEST_STEPS)
    return SteeredDensity(
        replace(network, order=ORDER, steps_per_layer=steps), network.start_density()
    )
