# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Residual blocks: the velocity v(x; theta) of one layer and its derivatives.

A block is one row of ``BLOCKS``. ``parameters`` below is a mapping of the names in ``shapes`` to
the arrays of one layer; points are columns, x has shape (d, n).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mfresnet.activations import Activation
from mfresnet.arrays import Array

Parameters = Mapping[str, Array]


@dataclass(frozen=True)
class Block:
    """One kind of residual block.

    Attributes:
        shapes: (d) -> shape of each parameter in one layer.
        velocity: (activation, x, parameters) -> v, shape (d, n).
        vjp: (activation, x, parameters, g) -> sum over points of g . dv/dparameter, per parameter.
        jvp: (activation, x, parameters, h) -> dv/dparameters [h], shape (d, n).
        bound: (activation) -> supremum of |v_i| over all x and parameters, infinity if none.
    """

    shapes: Callable[[int], dict[str, tuple[int, ...]]]
    velocity: Callable[[Activation, Array, Parameters], Array]
    vjp: Callable[[Activation, Array, Parameters, Array], dict[str, Array]]
    jvp: Callable[[Activation, Array, Parameters, Parameters], Array]
    bound: Callable[[Activation], float]


def _square_argument(x: Array, parameters: Parameters) -> Array:
    return parameters["W"] @ x + parameters["b"][:, None]


def _square_velocity(activation: Activation, x: Array, parameters: Parameters) -> Array:
    """Return v = sigma(W x + b), W d x d, b in R^d: the block of the paper, eq. (1)."""
    return activation.value(_square_argument(x, parameters))


def _square_vjp(
    activation: Activation, x: Array, parameters: Parameters, g: Array
) -> dict[str, Array]:
    s = activation.derivative(_square_argument(x, parameters)) * g
    return {"W": s @ x.T, "b": s.sum(axis=1)}


def _square_jvp(activation: Activation, x: Array, parameters: Parameters, h: Parameters) -> Array:
    return activation.derivative(_square_argument(x, parameters)) * _square_argument(x, h)


BLOCKS: dict[str, Block] = {
    "square": Block(
        shapes=lambda d: {"W": (d, d), "b": (d,)},
        velocity=_square_velocity,
        vjp=_square_vjp,
        jvp=_square_jvp,
        bound=lambda activation: activation.bound,
    ),
}
