# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What one looks at along the sweeps of given controls: densities, adjoints, balance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mfresnet.arrays import Array
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.sweeps.balance import Balance, balance
from mfresnet.losses import Visit


class Trajectory:
    """The sweep of J with the controls theta, which is made when it is not the last one.

    Parallel: every method is collective.
    """

    def __init__(self, functional: ReducedFunctional, theta: Array) -> None:
        """Take J and the controls."""
        self.functional, self.theta = functional, theta

    def visit(self, visit: Visit, wanted: Array) -> None:
        """Call ``visit`` with the densities, see ``Sweep.revisit``."""
        self.functional.forward(self.theta)
        self.functional.sweep.revisit(visit, wanted)

    def densities(self, layers: Sequence[int] | None = None) -> Array:
        """Return f at the start of layers, of all and at T when not given.

        Args:
            layers: numbers in increasing order; the number of layers, or -1, stands for T.

        Returns:
            The densities, (len(layers), classes, n_owned).
        """
        most = self.functional.controls.layers
        chosen = range(most + 1) if layers is None else [n % (most + 1) for n in layers]
        self.functional.forward(self.theta)
        wanted = np.zeros(self.functional.sweep.steps + 1, dtype=bool)
        wanted[np.array(chosen) * self.functional.steps_per_layer] = True
        found: list[Array] = []
        self.visit(lambda n, f, left: found.append(f.copy()), wanted)
        return np.array(found)

    def snapshots(self, most: int) -> list[tuple[float, Array]]:
        """Return about ``most`` pairs of a depth and the densities there, from 0 to T.

        The densities have the shape (classes, n_owned).
        """
        self.functional.forward(self.theta)
        sweep = self.functional.sweep
        wanted = np.zeros(sweep.steps + 1, dtype=bool)
        wanted[np.linspace(0, sweep.steps, min(most, sweep.steps + 1)).astype(int)] = True
        found: list[tuple[float, Array]] = []
        self.visit(lambda n, f, left: found.append((n * sweep.dt, f.copy())), wanted)
        return found

    def adjoints(self) -> Array:
        """Return psi at the start of every layer and at T, (layers + 1, classes, n_owned)."""
        f0 = self.functional.problem.f0
        record = np.empty((self.functional.controls.layers + 1, *f0.shape))
        self.functional.derivative(self.theta, record.__setitem__)
        return record

    def balance(self) -> Balance:
        """Return the mass balance and the range of the densities."""
        self.functional.forward(self.theta)
        problem = self.functional.problem
        return balance(problem.space, self.functional.sweep, problem.f0)

    def loss_report(self) -> dict[str, Array]:
        """Return what the loss tells about the densities at T, name -> (classes,)."""
        self.functional.forward(self.theta)
        return self.functional.problem.loss.report(self.functional.sweep.final)
