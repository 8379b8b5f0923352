# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The data before training: the initial densities as points with masses, nothing random."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case
from mfresnet.data import SMOOTH_DEGREE, SUBDIVISIONS
from mfresnet.functional import Problem
from mfresnet.losses import LOSSES
from mfresnet.mesh import CellQuadrature, Space
from mfresnet.network import HEADS, Controls
from mfresnet.parallel import total

MOST = 500_000
"""Nodes of all ranks above which a rule of lower degree is taken."""
LIGHT = 1e-16
"""Share of the largest mass below which a node is left out."""


@dataclass(frozen=True)
class Nodes:
    """Points of this rank with their masses.

    Attributes:
        x: the points, (d, n).
        mass: the mass of each class there, (classes, n).
    """

    x: Array
    mass: Array


def initial_nodes(case: Case, space: Space, f0: Array, classes: Sequence[int]) -> Nodes:
    """Return the nodes of a quadrature rule with the masses of some classes at 0.

    The analytic density is taken where there is one, the density on the mesh where there are
    samples.

    Args:
        case: the case.
        space: the DG space.
        f0: the initial densities of all classes, (all classes, n_owned).
        classes: the numbers of the classes that are wanted.
    """
    analytic = [case.classes[k].density if case.data is None else None for k in classes]
    rule = _rule(space, any(f is not None and f.jumps for f in analytic))
    x, weights = _columns(rule)
    mass = np.array(
        [
            weights
            * (space.at_quadrature(f0[k], rule.basis).ravel() if f is None else f.density(x))
            for k, f in zip(classes, analytic, strict=True)
        ]
    )
    return _heavy(x, mass)


def density_points(space: Space, density: Any) -> tuple[Array, Array, Array]:
    """Return all points of a quadrature rule, (d, n), its weights and an analytic density there.

    A density that jumps has the mass one on the mesh, as its projection has. Parallel: collective.
    """
    jumping = density.jumps
    x, weights = _columns(_rule(space, jumping))
    values: Array = density.density(x)
    mass = float(total(space.comm, weights @ values)[0]) if jumping else 1.0
    return x, weights, values / mass


def _rule(space: Space, jumping: bool) -> CellQuadrature:
    """Return a rule of high degree, in parts where a density jumps."""
    parts = SUBDIVISIONS if jumping else 1
    degree = 2 * space.degree + SMOOTH_DEGREE
    points = len(space.reference_rule(degree, parts)[1]) * space.n_global / space.basis.dim
    return space.cell_quadrature(degree if points < MOST else 2 * space.degree + 1, parts)


def _columns(rule: CellQuadrature) -> tuple[Array, Array]:
    """Return the points (d, n) and weights (n,) of a rule."""
    return rule.x.reshape(-1, rule.x.shape[-1]).T, rule.weights.ravel()


def _heavy(x: Array, mass: Array) -> Nodes:
    """Return the points that are not without mass for every class."""
    size = np.abs(mass)
    heavy = np.any(size > LIGHT * size.max(axis=1, initial=0.0)[:, None], axis=0)
    return Nodes(x[:, heavy], mass[:, heavy])


@dataclass(frozen=True)
class Start:
    """A case before training: where its mass is, what it should reach, what may be trained.

    Attributes:
        case: the case.
        space: the DG space.
        nodes: the points of this rank with the masses of the classes, the weights pi_k in them.
        targets: the point that each class should reach, (classes, d).
        initial: the initial controls, for those that are not trained.
    """

    case: Case
    space: Space
    nodes: Nodes
    targets: Array
    initial: Controls

    @property
    def comm(self) -> MPI.Intracomm:
        """The communicator."""
        return self.space.comm

    def ends(self) -> Array:
        """Return the corners of the box around the mesh, (2, d). Collective."""
        return np.array(self.space.bounds())

    @cached_property
    def together(self) -> Array:
        """The mass of all classes, (n,)."""
        return self.nodes.mass.sum(axis=0)

    @cached_property
    def goal(self) -> tuple[Array, Array]:
        """The mean target of the mass at a point, (d, n), and its mean squared distance, (n,).

        No map can do better than to send a point to the mean target of what is there.
        """
        share = self.nodes.mass / np.where(self.together > 0.0, self.together, 1.0)
        mean = self.targets.T @ share
        rest = self.targets[:, :, None] - mean
        return mean, np.sum(share * np.sum(rest**2, axis=1), axis=0)

    def sum(self, *terms: Array) -> Array:
        """Return the sums over the points of all ranks of terms (..., n), one row each."""
        return total(self.comm, np.array([np.sum(t, axis=-1) for t in terms]).ravel())

    def size(self, name: str) -> Array:
        """Return the largest absolute value that a parameter can have, elementwise."""
        training, given = self.case.training, np.abs(self.initial.values[name])
        largest: Array = given if name in self.initial.head else given.max(axis=0)
        if name not in self.case.trainable():
            return largest
        if training.lower is None or training.upper is None:
            return np.full(largest.shape, np.inf)
        return np.full(largest.shape, max(abs(training.lower), abs(training.upper)))

    def slopes(self) -> tuple[bool, bool]:
        """Return whether what a head tells on the line can increase with x, and can decrease.

        That is its one score, or the probability of the second of two classes, which increases
        with the difference of the scores. The row of the head names its slope.
        """
        row, training = LOSSES[self.case.loss.kind], self.case.training
        name = HEADS[row.scored_by(self.case.loss)].slope
        if name not in self.case.trainable():
            first, last = self.initial.values[name][[0, -1], 0]
            slope = last - first if row.probabilistic else first
            return bool(slope >= 0.0), bool(slope <= 0.0)
        if row.probabilistic:  # bounds of two slopes leave both signs to their difference
            return True, True
        lower, upper = training.lower, training.upper
        return upper is None or upper > 0.0, lower is None or lower < 0.0

    @staticmethod
    def of(problem: Problem, initial: Controls) -> Start:
        """Return the start of a problem with its initial controls. Parallel: collective."""
        case, population = problem.case, problem.population
        space, f0 = problem.space, problem.f0
        nodes = initial_nodes(case, space, f0, range(len(f0)))
        mass = np.maximum(nodes.mass, 0.0)
        given, sums = total(space.comm, f0 @ space.integral), total(space.comm, mass.sum(axis=1))
        mass *= (population.weights * given / sums)[:, None]
        return Start(case, space, Nodes(nodes.x, mass), population.targets, initial)
