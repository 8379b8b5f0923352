# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Numerical fluxes on interior facets: name -> the speed that stands for |v.n|.

Phi(v.n; f_in, f_out) = a_plus f_in + a_minus f_out with a_plus, a_minus = (v.n +- speed) / 2. The
speed is written with operators alone, so that NumPy arrays and UFL expressions both go in. A new
flux is one row.
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
        speed: (v.n, velocity scale) -> the speed.
        slope: (v.n, velocity scale) -> derivative of the speed in v.n.
        curvature: (v.n, velocity scale) -> second derivative of the speed in v.n.
        excess: largest speed - |v.n| over the velocity scale.
    """

    speed: Callable[[Any, float], Any]
    slope: Callable[[Any, float], Any]
    curvature: Callable[[Any, float], Any]
    excess: float


def _smooth_speed(vn: Any, scale: float) -> Any:
    """Return sqrt((v.n)^2 + delta^2), delta = 0.05 of the velocity scale: J stays smooth."""
    return (vn**2 + (SMOOTHING * scale) ** 2) ** 0.5


FLUXES: dict[str, Flux] = {
    "smooth_upwind": Flux(
        _smooth_speed,
        lambda vn, scale: vn / _smooth_speed(vn, scale),
        lambda vn, scale: (SMOOTHING * scale) ** 2 / _smooth_speed(vn, scale) ** 3,
        SMOOTHING,
    ),
    "upwind": Flux(
        lambda vn, scale: abs(vn),
        lambda vn, scale: np.sign(vn),
        lambda vn, scale: np.zeros_like(vn),
        0.0,
    ),
}
