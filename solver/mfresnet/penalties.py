# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Penalties on theta: name -> value, derivative, Hessian action, all per unit weight.

Each acts on the trainable parameters. A new penalty is one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array
from mfresnet.control import ControlSpace


@dataclass(frozen=True)
class Penalty:
    """One penalty.

    Attributes:
        value: (space, theta) -> number.
        derivative: (space, theta) -> dual vector of theta's shape.
        hessian_action: (space, theta, h) -> dual vector of theta's shape.
    """

    value: Callable[[ControlSpace, Array], float]
    derivative: Callable[[ControlSpace, Array], Array]
    hessian_action: Callable[[ControlSpace, Array, Array], Array]


def _tikhonov_value(space: ControlSpace, theta: Array) -> float:
    """Return 1/2 int_0^T |theta|^2 dt."""
    return 0.5 * float(np.sum(space.weights * theta**2))


def _smoothness_value(space: ControlSpace, theta: Array) -> float:
    """Return 1/2 sum_l |theta_{l+1} - theta_l|^2 / dt, the discrete 1/2 int |theta'|^2 dt."""
    parts = space.split(theta).values()
    return 0.5 * sum(float(np.sum(np.diff(p, axis=0) ** 2)) for p in parts) / space.layer_time


def _smoothness_derivative(space: ControlSpace, theta: Array) -> Array:
    parts = {}
    for name, p in space.split(theta).items():
        jump = np.diff(p, axis=0) / space.layer_time
        parts[name] = np.zeros_like(p)
        parts[name][1:] += jump
        parts[name][:-1] -= jump
    return space.to_vector(parts)


PENALTIES: dict[str, Penalty] = {
    "tikhonov": Penalty(
        _tikhonov_value,
        lambda space, theta: space.weights * theta,
        lambda space, theta, h: space.weights * h,
    ),
    "smoothness": Penalty(
        _smoothness_value,
        _smoothness_derivative,
        lambda space, theta, h: _smoothness_derivative(space, h),
    ),
}
