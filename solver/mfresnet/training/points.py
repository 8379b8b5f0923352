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
from mfresnet.data import Samples
from mfresnet.errors import SolveError
from mfresnet.functional import ParticleFunctional
from mfresnet.losses import LOSSES
from mfresnet.network import Controls
from mfresnet.optimise import METHODS

LARGEST = {1: 4, 2: 4, 3: 2}
"""Dimension -> number of the largest set."""
NODES, BINS = {1: 160, 2: 36, 3: 20}, {1: 100, 2: 300, 3: 600}
"""Dimension -> nodes a direction, and most bins of a class, of the smallest set."""
GROWTH = 1.5
"""Times as many a direction in every further set; it has one step a layer more, too."""
LIGHT, LIGHTER = 1e-3, 6.0
"""Share of the mass of a class that the lightest nodes, which are left out, may have in the
smallest set, and how much less in every further one."""
ALIKE = 1.0 - 1e-9
"""Ratio of masses that differ by rounding."""
WIDTHS = 2.0
"""Width of a bin of the smallest set in those of the kernel."""


def points_of(case: Case, population: Population, number: int) -> Samples:
    """Return a quadrature of the initial densities: points with masses, of sum pi_k in class k.

    Densities in closed form: their nodes. Those of samples: the samples in a bin become points
    that have their mass, mean and variance, with that of the kernel, in every direction.

    Args:
        case: the case.
        population: its classes.
        number: that of the set.
    """
    dataset, d, growth = population.dataset, case.dimension, GROWTH**number
    x, mass = [], []
    for k, share in enumerate(population.weights):
        if dataset is None:
            points, masses = case.classes[k].density.nodes(round(NODES[d] * growth))
            sizes = np.sort(masses)
            light = np.cumsum(sizes) <= LIGHT / LIGHTER**number * masses.sum()
            heavy = masses >= ALIKE * sizes[np.count_nonzero(light)]  # all that are as heavy
            points, masses = points[:, heavy], masses[heavy]
        else:
            assert population.bandwidths is not None
            own = dataset.train.y == k
            width, most = float(population.bandwidths[k]), BINS[d] * growth**d
            samples, w = dataset.train.x[:, own], dataset.train.w[own]
            points, masses = binned(samples, w, width, WIDTHS * width / growth, most)
        x.append(points)
        mass.append(share * masses / masses.sum())
    y = np.repeat(np.arange(len(x)), [points.shape[1] for points in x])
    return Samples(np.hstack(x), y, np.concatenate(mass))


def binned(x: Array, w: Array, width: float, size: float, most: float) -> tuple[Array, Array]:
    """Return few points in place of many samples under Gaussian kernels.

    A bin with the mean c and the variances v has points c +- sqrt(d (v_i + width^2)) e_i of equal
    masses: polynomials of degree 2 without mixed terms are integrated as by the samples.

    Args:
        x: the samples, (d, n).
        w: their weights, (n,).
        width: standard deviation of the kernel.
        size: width of a bin.
        most: most bins; they are made wider where there are more.

    Returns:
        The points, (d, m), and their masses, (m,).
    """
    d = len(x)
    while True:
        cells = np.floor((x - x.min(axis=1, keepdims=True)) / size)
        _, bins = np.unique(cells, axis=1, return_inverse=True)
        bins = bins.ravel()
        mass = np.bincount(bins, w)
        if mass.size <= most:
            break
        size *= GROWTH
    mean = np.array([np.bincount(bins, w * row) for row in x]) / mass
    variance = np.array([np.bincount(bins, w * row) for row in (x - mean[:, bins]) ** 2]) / mass
    reach = np.sqrt(d * (variance + width**2))
    steps = np.concatenate([np.eye(d), -np.eye(d)])[:, :, None] * reach
    points = mean + steps
    return np.hstack(list(points)), np.tile(mass / (2 * d), 2 * d)


class PointSets:
    """J by sets of points, from few to many.

    Attributes:
        number: that of the set in use.
        largest: that of the largest one.
        exact: whether the sets tend to the densities, as those of densities in closed form do.

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
        self.largest = LARGEST[case.dimension]
        self.exact = population.dataset is None
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
            points = points_of(case, population, number)
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

    def _value(self, number: int) -> Callable[[Array], float]:
        def value(theta: Array) -> float:
            try:
                with np.errstate(over="ignore", invalid="ignore"):  # points may leave for good
                    return self.functional(number).value(theta)
            except SolveError:
                return np.inf

        return value
