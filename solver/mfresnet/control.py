# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The controls theta(t): one value per layer, their flat vector and their inner product."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mfresnet.arrays import Array

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Controls:
    """The parameters of all layers by name, an array of shape (layers, ...) each.

    Attributes:
        values: name -> array, for the square block W (layers, d, d) and b (layers, d).
    """

    values: Mapping[str, Array]

    def __getattr__(self, name: str) -> Array:
        if name != "values" and name in self.values:
            return self.values[name]
        raise AttributeError(f"controls have no '{name}'")

    @property
    def layers(self) -> int:
        """Number of layers L."""
        return len(next(iter(self.values.values())))

    def layer(self, index: int) -> dict[str, Array]:
        """Return the parameters of one layer."""
        return {name: array[index] for name, array in self.values.items()}


@dataclass(frozen=True)
class ControlSpace:
    """Piecewise constant controls on [0, T]: which of them are trained, and L2(0, T).

    The flat vector theta holds the trainable parameters, name by name, each (layers, ...) in C
    order; the others keep the value they have in ``initial``.

    Attributes:
        initial: the initial value of every parameter.
        trainable: the names that theta holds, in this order.
        final_time: T, the depth of the continuous network.
    """

    initial: Controls
    trainable: tuple[str, ...]
    final_time: float

    @property
    def layers(self) -> int:
        """Number of layers L."""
        return self.initial.layers

    @property
    def layer_time(self) -> float:
        """Depth T / L of one layer."""
        return self.final_time / self.layers

    @property
    def size(self) -> int:
        """Length of theta."""
        return sum(self.initial.values[name].size for name in self.trainable)

    @cached_property
    def weights(self) -> Array:
        """Weights of the L2(0, T) inner product: (theta, eta) = sum_j weights_j theta_j eta_j."""
        return np.full(self.size, self.layer_time)

    def to_vector(self, values: Mapping[str, Array]) -> Array:
        """Return the flat vector of the trainable parameters in ``values``."""
        return np.concatenate([np.ravel(values[name]) for name in self.trainable])

    def from_vector(self, theta: Array) -> Controls:
        """Return all parameters by name; those not trained have their initial value."""
        values = dict(self.initial.values)
        values.update(self.split(theta))
        return Controls(values)

    def split(self, theta: Array) -> dict[str, Array]:
        """Return theta as name -> array (layers, ...), the trainable names only."""
        if theta.shape != (self.size,):
            raise ValueError(
                f"theta: wrong shape; got {theta.shape}, expected ({self.size},), the trainable "
                f"parameters {', '.join(self.trainable)} of {self.layers} layers."
            )
        parts, start = {}, 0
        for name in self.trainable:
            shape = self.initial.values[name].shape
            stop = start + int(np.prod(shape))
            parts[name] = theta[start:stop].reshape(shape)
            start = stop
        return parts

    def riesz(self, derivative: Array) -> Array:
        """Return the L2(0, T) gradient of a derivative (a dual vector)."""
        return derivative / self.weights

    def norm(self, theta: Array) -> float:
        """Return the L2(0, T) norm of theta."""
        return float(np.sqrt(np.sum(self.weights * theta**2)))


def _identity(shapes: Shapes) -> dict[str, Array]:
    return {n: np.eye(*s) if len(s) == 2 else np.zeros(s) for n, s in shapes.items()}


INITIALS: dict[str, Callable[[Shapes], dict[str, Array]]] = {
    "identity": _identity,
    "zero": lambda shapes: {name: np.zeros(shape) for name, shape in shapes.items()},
}
"""Kind of initial controls -> (shapes of a block) -> the parameters of every layer."""


def same_in_every_layer(parameters: Mapping[str, Array], layers: int) -> Controls:
    """Return controls whose ``layers`` layers all have the given parameters."""
    return Controls({n: np.repeat(p[None], layers, axis=0) for n, p in parameters.items()})
