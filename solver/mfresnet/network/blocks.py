# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Residual blocks: the velocity v(x; theta) of one layer and its derivatives.

A block is one row of ``BLOCKS``. ``parameters`` below is a mapping of the names in ``shapes`` to
the arrays of one layer; points are columns, x has shape (d, n).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array
from mfresnet.network.activations import Activation
from mfresnet.network.reach import Reach, square_reach, wide_reach

Parameters = Mapping[str, Array]
"""The parameters of one layer by their names."""
Back = tuple[Array, dict[str, Array]]


@dataclass(frozen=True)
class Block:
    """One kind of residual block.

    Attributes:
        shapes: (d, width) -> shape of each parameter in one layer; their names are no keys of
            [initial], no fields of a ``TrainedNetwork``, and no parameters of a head.
        velocity: (activation, x, parameters) -> v, shape (d, n).
        vjp: (activation, x, parameters, g) -> sum over points of g . dv/dparameter, per parameter.
        jvp: (activation, x, parameters, h) -> dv/dparameters [h], shape (d, n).
        push: (activation, x, parameters, dx) -> dv/dx [dx], shape (d, n).
        pull: (activation, x, parameters, g) -> (dv/dx)^T g, shape (d, n).
        second: (activation, x, parameters, g, dx, h) -> change of ``pull`` and of ``vjp`` along a
            change dx of the points and h of the parameters, at fixed g.
        torch: v as a PyTorch expression of points x as rows, (n, d), the parameters of one layer by
            their names, and the function sigma, for the export.
        divergence: (activation, x, parameters) -> sum_i dv_i/dx_i, shape (n,).
        bound: (activation) -> supremum of |v_i| over all x and parameters, infinity if none.
        affine: (activation) -> whether v is affine in x, whatever the parameters.
        reach: (activation, sizes, x, T) -> how far each coordinate of points x can go down and up
            in the time T, (d, n) each, infinity where there is no end, with parameters that in
            absolute value are at most ``sizes`` (infinity for no bound) in every layer; None where
            nothing is known: no argument about ways is made then.
        wide: whether the width is free: it must then be given in the case file.
        zero_is_critical: whether all derivatives in the parameters but one vanish at zero, so that
            no training can start there.
        back: (activation, x, parameters, g) -> ``pull`` and ``vjp`` at once, where that takes less.
        layered: whether ``velocity`` and ``vjp`` take the arrays of several layers too, stacked:
            then v, g and the parts have that first axis as well.
    """

    shapes: Callable[[int, int], dict[str, tuple[int, ...]]]
    velocity: Callable[[Activation, Array, Parameters], Array]
    vjp: Callable[[Activation, Array, Parameters, Array], dict[str, Array]]
    jvp: Callable[[Activation, Array, Parameters, Parameters], Array]
    push: Callable[[Activation, Array, Parameters, Array], Array]
    pull: Callable[[Activation, Array, Parameters, Array], Array]
    second: Callable[
        [Activation, Array, Parameters, Array, Array, Parameters], tuple[Array, dict[str, Array]]
    ]
    divergence: Callable[[Activation, Array, Parameters], Array]
    bound: Callable[[Activation], float]
    torch: str
    affine: Callable[[Activation], bool] = lambda activation: False
    reach: Reach | None = None
    wide: bool = False
    zero_is_critical: bool = False
    back: Callable[[Activation, Array, Parameters, Array], Back] | None = None
    layered: bool = False

    def velocities(self, activation: Activation, x: Array, parameters: Parameters) -> Array:
        """Return the velocities of several layers, (layers, d, n), whose arrays are stacked."""
        if self.layered:
            return self.velocity(activation, x, parameters)
        return np.stack([self.velocity(activation, x, own) for own in _unstacked(parameters)])

    def vjps(
        self, activation: Activation, x: Array, parameters: Parameters, g: Array
    ) -> dict[str, Array]:
        """Return ``vjp`` of several layers, stacked; g is (layers, d, n)."""
        if self.layered:
            return self.vjp(activation, x, parameters, g)
        layers = zip(_unstacked(parameters), g, strict=True)
        parts = [self.vjp(activation, x, own, each) for own, each in layers]
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}

    def transposed(
        self, activation: Activation, x: Array, parameters: Parameters, g: Array
    ) -> Back:
        """Return ``pull`` and ``vjp``."""
        given = activation, x, parameters, g
        return (self.pull(*given), self.vjp(*given)) if self.back is None else self.back(*given)

    def vjp_tangent(
        self, activation: Activation, x: Array, parameters: Parameters, g: Array, h: Parameters
    ) -> dict[str, Array]:
        """Return the derivative of ``vjp`` along h at fixed points and g, per parameter."""
        return self.second(activation, x, parameters, g, np.zeros_like(x), h)[1]


def _unstacked(parameters: Parameters) -> list[dict[str, Array]]:
    """Return the arrays of each layer."""
    layers = len(next(iter(parameters.values())))
    return [{name: array[layer] for name, array in parameters.items()} for layer in range(layers)]


def _argument(x: Array, parameters: Parameters) -> Array:
    """Return u = W x + b, linear in the parameters."""
    u: Array = parameters["W"] @ x
    u += parameters["b"][..., None]
    return u


# ---------------------------------------------------------------------- v = sigma(W x + b)
def _square_velocity(activation: Activation, x: Array, parameters: Parameters) -> Array:
    """Return v = sigma(W x + b), W d x d, b in R^d: the block of the paper, eq. (1)."""
    return activation.value(_argument(x, parameters))


def _square_vjp(
    activation: Activation, x: Array, parameters: Parameters, g: Array
) -> dict[str, Array]:
    s = activation.derivative(_argument(x, parameters)) * g
    return {"W": s @ x.T, "b": s.sum(axis=-1)}


def _square_back(activation: Activation, x: Array, parameters: Parameters, g: Array) -> Back:
    s = activation.derivative(_argument(x, parameters)) * g
    return parameters["W"].T @ s, {"W": s @ x.T, "b": s.sum(axis=1)}


def _square_jvp(activation: Activation, x: Array, parameters: Parameters, h: Parameters) -> Array:
    return activation.derivative(_argument(x, parameters)) * _argument(x, h)


def _square_push(activation: Activation, x: Array, parameters: Parameters, dx: Array) -> Array:
    return activation.derivative(_argument(x, parameters)) * (parameters["W"] @ dx)


def _square_pull(activation: Activation, x: Array, parameters: Parameters, g: Array) -> Array:
    return parameters["W"].T @ (activation.derivative(_argument(x, parameters)) * g)


def _square_second(
    activation: Activation, x: Array, parameters: Parameters, g: Array, dx: Array, h: Parameters
) -> tuple[Array, dict[str, Array]]:
    u, du = _argument(x, parameters), _argument(x, h) + parameters["W"] @ dx
    s, ds = activation.derivative(u) * g, activation.second(u) * du * g
    parts = {"W": ds @ x.T + s @ dx.T, "b": ds.sum(axis=1)}
    return parameters["W"].T @ ds + h["W"].T @ s, parts


def _square_divergence(activation: Activation, x: Array, parameters: Parameters) -> Array:
    """Return sum_i sigma'(u_i) W_ii."""
    slope = activation.derivative(_argument(x, parameters))
    return np.diagonal(parameters["W"]) @ slope


# ---------------------------------------------------------------------- v = V sigma(W x + b) + c
def _wide_velocity(activation: Activation, x: Array, parameters: Parameters) -> Array:
    """Return v = V sigma(W x + b) + c, W n x d, b in R^n, V d x n, c in R^d."""
    sigma = activation.value(_argument(x, parameters))
    return parameters["V"] @ sigma + parameters["c"][..., None]


def _wide_vjp(
    activation: Activation, x: Array, parameters: Parameters, g: Array
) -> dict[str, Array]:
    u = _argument(x, parameters)
    s = activation.derivative(u) * (np.swapaxes(parameters["V"], -1, -2) @ g)
    return {
        "W": s @ x.T,
        "b": s.sum(axis=-1),
        "V": g @ np.swapaxes(activation.value(u), -1, -2),
        "c": g.sum(axis=-1),
    }


def _wide_back(activation: Activation, x: Array, parameters: Parameters, g: Array) -> Back:
    value, slope = activation.both(_argument(x, parameters))
    s = slope * (parameters["V"].T @ g)
    parts = {"W": s @ x.T, "b": s.sum(axis=1), "V": g @ value.T, "c": g.sum(axis=1)}
    return parameters["W"].T @ s, parts


def _wide_jvp(activation: Activation, x: Array, parameters: Parameters, h: Parameters) -> Array:
    u = _argument(x, parameters)
    inner = parameters["V"] @ (activation.derivative(u) * _argument(x, h))
    return inner + h["V"] @ activation.value(u) + h["c"][:, None]


def _wide_push(activation: Activation, x: Array, parameters: Parameters, dx: Array) -> Array:
    return parameters["V"] @ _square_push(activation, x, parameters, dx)


def _wide_pull(activation: Activation, x: Array, parameters: Parameters, g: Array) -> Array:
    return _square_pull(activation, x, parameters, parameters["V"].T @ g)


def _wide_second(
    activation: Activation, x: Array, parameters: Parameters, g: Array, dx: Array, h: Parameters
) -> tuple[Array, dict[str, Array]]:
    u, du = _argument(x, parameters), _argument(x, h) + parameters["W"] @ dx
    slope, r = activation.derivative(u), parameters["V"].T @ g
    s, ds = slope * r, activation.second(u) * du * r + slope * (h["V"].T @ g)
    parts = {
        "W": ds @ x.T + s @ dx.T,
        "b": ds.sum(axis=1),
        "V": g @ (slope * du).T,
        "c": 0.0 * parameters["c"],
    }
    return parameters["W"].T @ ds + h["W"].T @ s, parts


def _wide_divergence(activation: Activation, x: Array, parameters: Parameters) -> Array:
    """Return sum_j sigma'(u_j) (W V)_jj."""
    slope = activation.derivative(_argument(x, parameters))
    return np.sum(parameters["W"] * parameters["V"].T, axis=1) @ slope


BLOCKS: dict[str, Block] = {
    "square": Block(
        shapes=lambda d, width: {"W": (d, d), "b": (d,)},
        velocity=_square_velocity,
        vjp=_square_vjp,
        jvp=_square_jvp,
        push=_square_push,
        pull=_square_pull,
        second=_square_second,
        back=_square_back,
        divergence=_square_divergence,
        bound=lambda activation: activation.bound,
        torch="sigma(x @ W.T + b)",
        affine=lambda activation: activation.affine,
        reach=square_reach,
        layered=True,
    ),
    "wide": Block(
        shapes=lambda d, width: {"W": (width, d), "b": (width,), "V": (d, width), "c": (d,)},
        velocity=_wide_velocity,
        vjp=_wide_vjp,
        jvp=_wide_jvp,
        push=_wide_push,
        pull=_wide_pull,
        second=_wide_second,
        back=_wide_back,
        divergence=_wide_divergence,
        bound=lambda activation: math.inf,
        torch="sigma(x @ W.T + b) @ V.T + c",
        affine=lambda activation: activation.affine,
        reach=wide_reach,
        wide=True,
        zero_is_critical=True,
        layered=True,
    ),
}
"""Name -> a block."""
