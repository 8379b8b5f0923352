# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Distribution functions of the analytic densities on the line, and their inverses."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from mfresnet.arrays import Array
from mfresnet.density import Gaussian, Mixture, TruncatedGaussian, UniformBall, UniformBox
from mfresnet.expression import Expression

HALVINGS = 60


def distribution(density: Any, x: Array) -> Array:
    """Return the mass of a density on the line below x, (n,) -> (n,)."""
    if isinstance(density, Mixture):
        weights = np.array([c.weight for c in density.components])
        parts = [distribution(c.density, x) for c in density.components]
        return weights / weights.sum() @ np.array(parts)
    if isinstance(density, Expression):
        return density.below(x)
    return _law(density).cdf(x)


def quantile(density: Any, s: Array) -> Array:
    """Return where a density on the line has the mass s below, 0 < s < 1, (n,) -> (n,)."""
    if isinstance(density, Mixture):
        ends = np.array([quantile(c.density, s) for c in density.components])
        low, high = ends.min(axis=0), ends.max(axis=0)
    elif isinstance(density, Expression):
        low, high = (np.full_like(s, end) for end in density.extent())
    else:
        return _law(density).ppf(s)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        below = distribution(density, middle) < s
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


def _law(density: Any) -> Any:
    """Return the distribution of scipy with the density of a row in closed form."""
    if isinstance(density, Gaussian):
        return stats.norm(density.mean[0], np.sqrt(density.covariance[0][0]))
    if isinstance(density, TruncatedGaussian):
        reach = density.radius / density.std
        return stats.truncnorm(-reach, reach, density.mean[0], density.std)
    if isinstance(density, UniformBall):
        return stats.uniform(density.mean[0] - density.radius, 2.0 * density.radius)
    assert isinstance(density, UniformBox)
    return stats.uniform(density.lower[0], density.upper[0] - density.lower[0])
