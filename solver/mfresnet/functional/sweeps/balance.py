# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Where the mass is after a forward sweep, and the range of the densities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array
from mfresnet.functional.sweeps.sweep import Sweep
from mfresnet.mesh import Space
from mfresnet.parallel import maximum, total


@dataclass(frozen=True)
class Balance:
    """The mass of every class, and the range of the densities.

    Attributes:
        initial: mass of each class at 0, (classes,).
        final: mass of each class at T, (classes,).
        outflow: mass of each class that has left, tallied at the boundary, (classes,).
        min_density: least value at the quadrature points over all layers and classes, with a
            limiter also at the facet points.
        max_density: largest value at the quadrature points.
    """

    initial: Array
    final: Array
    outflow: Array
    min_density: float
    max_density: float

    @property
    def largest_outflow(self) -> float:
        """The outflow of largest magnitude; below zero where undershoots have left."""
        return float(self.outflow[np.argmax(np.abs(self.outflow))])

    @property
    def error(self) -> float:
        """Largest |final + outflow - initial| over the classes."""
        return float(np.abs(self.final + self.outflow - self.initial).max())


def balance(space: Space, sweep: Sweep, f0: Array) -> Balance:
    """Return the balance of the last forward sweep.

    Args:
        space: the space.
        sweep: the sweep.
        f0: the initial densities, (classes, n_owned).

    Parallel: collective.
    """
    extremes = np.array([-np.inf, -np.inf])

    def see(n: int, f: Array, left: Array) -> None:
        for row in f:
            values = space.at_quadrature(row)
            least = min(values.min(initial=np.inf), sweep.march.limiter.least(row))
            largest = values.max(initial=-np.inf), -least
            np.maximum(extremes, largest, out=extremes)

    sweep.revisit(see, sweep.boundaries)
    final, left = sweep.final @ space.integral, sweep.final_left.sum(axis=1)
    sums = total(space.comm, np.concatenate([f0 @ space.integral, final, left]))
    most, least = (float(v) for v in maximum(space.comm, extremes))
    initial, after, outflow = np.split(sums, 3)
    return Balance(initial, after, outflow, -least, most)
