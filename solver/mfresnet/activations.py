# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Activation functions: name -> sigma, sigma', sigma'', supremum of |sigma|.

Every function acts elementwise on a float64 array. A new activation is one row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from mfresnet.arrays import Array


@dataclass(frozen=True)
class Activation:
    """One activation function.

    Attributes:
        value: sigma(u).
        derivative: sigma'(u); at a kink the mean of the two sides.
        second: sigma''(u); 0 at a kink.
        bound: supremum of |sigma|, infinity when unbounded.
        smooth: whether sigma is twice continuously differentiable.
    """

    value: Callable[[Array], Array]
    derivative: Callable[[Array], Array]
    second: Callable[[Array], Array]
    bound: float
    smooth: bool = True


def _sigmoid_derivative(u: Array) -> Array:
    s = expit(u)
    return s * (1.0 - s)


def _sigmoid_second(u: Array) -> Array:
    s = expit(u)
    return s * (1.0 - s) * (1.0 - 2.0 * s)


def _tanh_second(u: Array) -> Array:
    s = np.tanh(u)
    return -2.0 * s * (1.0 - s * s)


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(np.tanh, lambda u: 1.0 - np.tanh(u) ** 2, _tanh_second, 1.0),
    "sigmoid": Activation(expit, _sigmoid_derivative, _sigmoid_second, 1.0),
    "relu": Activation(
        lambda u: np.maximum(u, 0.0),
        lambda u: np.heaviside(u, 0.5),
        np.zeros_like,
        math.inf,
        smooth=False,
    ),
    "softplus": Activation(lambda u: np.logaddexp(u, 0.0), expit, _sigmoid_derivative, math.inf),
    "sin": Activation(np.sin, np.cos, lambda u: -np.sin(u), 1.0),
    "identity": Activation(np.array, np.ones_like, np.zeros_like, math.inf),
}
