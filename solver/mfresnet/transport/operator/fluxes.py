# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Numerical fluxes on interior facets: name -> the speed that stands for |v.n|.

Phi(v.n; f_in, f_out) = a_plus f_in + a_minus f_out with a_plus, a_minus = (v.n +- speed) / 2. The
speed is written with operators alone, so that NumPy arrays and UFL expressions both go in. The
scale of v.n is that of the velocity times |n|_1: the largest |v.n| of velocities with |v_i| up to
the velocity scale. A new flux is one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SMOOTHING = 0.05


@dataclass(frozen=True)
class Flux:
    """One numerical flux.

    Attributes:
        speed: (v.n, scale of v.n) -> the speed, not decreasing in |v.n|.
        slope: (v.n, scale of v.n) -> derivative of the speed in v.n.
        curvature: (v.n, scale of v.n) -> second derivative of the speed in v.n.
        bounded: whether the scale has to bound |v.n|, for the speed not to be below it.
    """

    speed: Callable[[Any, Any], Any]
    slope: Callable[[Any, Any], Any]
    curvature: Callable[[Any, Any], Any]
    bounded: bool = False


def _smooth_speed(vn: Any, scale: float) -> Any:
    """Return sqrt((v.n)^2 + delta^2), delta = 0.05 of the scale: J stays smooth."""
    return (vn**2 + (SMOOTHING * scale) ** 2) ** 0.5


def _friedrichs_speed(vn: Any, scale: float) -> Any:
    """Return alpha, the scale: the speed does not depend on theta, J is as smooth as sigma."""
    return 0.0 * vn + scale


FLUXES: dict[str, Flux] = {
    "smooth_upwind": Flux(
        _smooth_speed,
        lambda vn, scale: vn / _smooth_speed(vn, scale),
        lambda vn, scale: (SMOOTHING * scale) ** 2 / _smooth_speed(vn, scale) ** 3,
    ),
    "upwind": Flux(
        lambda vn, scale: abs(vn),
        lambda vn, scale: np.sign(vn),
        lambda vn, scale: np.zeros_like(vn),
    ),
    "lax_friedrichs": Flux(
        _friedrichs_speed,
        lambda vn, scale: 0.0 * vn,
        lambda vn, scale: 0.0 * vn,
        bounded=True,
    ),
}
"""Name -> a numerical flux."""
