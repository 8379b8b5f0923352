# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""J by points of the initial densities that the network moves: a rough J without a mesh.

A few hundred nodes of a quadrature say J within about a per cent, and have no undershoots. So a
training to an accuracy begins with them, where the loss is a mean over points, and the J of a mesh
is corrected with them as the model, see ``correction``.
"""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case, Population
from mfresnet.errors import SolveError
from mfresnet.functional import ParticleFunctional, quadrature
from mfresnet.losses import LOSSES
from mfresnet.network import Controls
from mfresnet.optimise import METHODS
from mfresnet.parallel import maximum

LARGEST = {1: 4, 2: 4, 3: 2}
"""Dimension -> number of the largest set."""


class PointSets:
    """J by sets of points, from few to many.

    Attributes:
        number: that of the set in use.
        largest: that of the largest one.
        table: whether they are those of samples.

    Parallel: collective.
    """

    def __init__(
        self, case: Case, population: Population, initial: Controls, comm: MPI.Intracomm
    ) -> None:
        """Begin with the smallest one.

        Args:
            case: the case.
            population: its classes.
            initial: the initial controls.
            comm: the communicator.
        """
        self.number, self._initial = 0, initial
        self.table = population.dataset is not None
        self.largest = LARGEST[case.dimension] - self.table  # kernels have many points
        self._case = case.with_({"network": {"inference": "runge_kutta"}})
        self._population, self._comm = population, comm
        self._made = dict[int, ParticleFunctional]()

    def start_from(self, initial: Controls) -> None:
        """Begin again with the smallest one, from other initial controls."""
        self.number = 0
        for made in self._made.values():
            made.start_from(initial)
        self._initial = initial

    @staticmethod
    def has(case: Case) -> bool:
        """Return whether J of a case can be had by points."""
        return LOSSES[case.loss.kind].cost is not None and not METHODS[case.training.method].frozen

    def functional(self, number: int) -> ParticleFunctional:
        """Return J by the points of a set, with time steps that fit them."""
        if number not in self._made:
            case, population = self._case, self._population
            points = quadrature(case, population, number)
            made = ParticleFunctional(case, points, self._comm, population)
            made.start_from(self._initial)
            made.set_steps(1 + number)
            self._made[number] = made
        return self._made[number]

    @property
    def used(self) -> ParticleFunctional:
        """J by the points of the set in use."""
        return self.functional(self.number)

    def finer(self) -> tuple[Callable[[Array], float], ...]:
        """Return J by the sets from the one after that in use on."""
        return tuple(self._value(n) for n in range(self.number + 1, self.largest + 1))

    def all(self) -> tuple[Callable[[Array], float], ...]:
        """Return J by the set in use and by those after it."""
        return self._value(self.number), *self.finer()

    def paths(self, theta: Array) -> Array:
        """Return the least and the greatest coordinates on the paths of the points, (2, d)."""
        path, comm = self.used.path(theta), self._comm
        least = path.min(axis=(0, 2), initial=np.inf)
        return np.stack([-maximum(comm, -least), maximum(comm, path.max((0, 2), initial=-np.inf))])

    def _value(self, number: int) -> Callable[[Array], float]:
        def value(theta: Array) -> float:
            try:
                with np.errstate(over="ignore", invalid="ignore"):  # points may leave for good
                    return self.functional(number).value(theta)
            except SolveError:
                return np.inf

        return value
