# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Activation functions: name -> sigma, sigma', sigma'', supremum of |sigma|.

Every function acts elementwise on a float64 array. ``value`` is made of NumPy's ufuncs, which the
export to ONNX follows. A new activation is one row.
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
        torch: sigma(u) as a PyTorch expression, for the export, exact in float64.
        smooth: whether sigma is twice continuously differentiable.
        least: infimum of sigma, -bound when not given.
        steepness: supremum of |sigma'|, infinity when it is not known.
        affine: whether sigma is affine.
        slope: sigma' as a function of sigma, where it is one.
    """

    value: Callable[[Array], Array]
    derivative: Callable[[Array], Array]
    second: Callable[[Array], Array]
    bound: float
    torch: str
    smooth: bool = True
    least: float | None = None
    steepness: float = math.inf
    affine: bool = False
    slope: Callable[[Array], Array] | None = None

    def both(self, u: Array) -> tuple[Array, Array]:
        """Return sigma(u) and sigma'(u)."""
        value = self.value(u)
        return value, self.derivative(u) if self.slope is None else self.slope(value)

    @property
    def infimum(self) -> float:
        """Infimum of sigma."""
        return -self.bound if self.least is None else self.least


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
    "tanh": Activation(
        np.tanh,
        lambda u: 1.0 - np.tanh(u) ** 2,
        _tanh_second,
        1.0,
        "torch.tanh(u)",
        steepness=1.0,
        slope=lambda s: 1.0 - s * s,
    ),
    "sigmoid": Activation(
        expit,
        _sigmoid_derivative,
        _sigmoid_second,
        1.0,
        "torch.sigmoid(u)",
        least=0.0,
        steepness=0.25,
        slope=lambda s: s * (1.0 - s),
    ),
    "relu": Activation(
        lambda u: np.maximum(u, 0.0),
        lambda u: np.heaviside(u, 0.5),
        np.zeros_like,
        math.inf,
        "torch.relu(u)",
        smooth=False,
        least=0.0,
        steepness=1.0,
    ),
    # torch's own softplus is the identity above 20, wrong by 2e-9 there
    "softplus": Activation(
        lambda u: np.logaddexp(u, 0.0),
        expit,
        _sigmoid_derivative,
        math.inf,
        "torch.logaddexp(u, torch.zeros_like(u))",
        least=0.0,
        steepness=1.0,
    ),
    "sin": Activation(np.sin, np.cos, lambda u: -np.sin(u), 1.0, "torch.sin(u)", steepness=1.0),
    "identity": Activation(
        np.positive, np.ones_like, np.zeros_like, math.inf, "u", steepness=1.0, affine=True
    ),
}
"""Name -> an activation."""
