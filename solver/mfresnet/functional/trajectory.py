# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What one looks at along the sweeps of given controls: densities, adjoints, balance.

The mean field of given controls, without any training:

>>> import mfresnet, numpy as np
>>> case = mfresnet.Case(
...     mesh={"cell": "interval", "cells": [64], "lower": -2.0, "upper": 4.0},
...     network={"activation": "identity", "layers": 4},
...     classes=[{"density": {"kind": "gaussian", "mean": 0.0, "covariance": 0.04}, "target": 1.0}],
... )
>>> controls = mfresnet.Controls({"W": np.zeros((4, 1, 1)), "b": np.ones((4, 1))})
>>> flow = mfresnet.mean_field(case, controls)
>>> [round(float(m), 6) for m in flow.means(0)[:, 0]]
[0.0, 0.25, 0.5, 0.75, 1.0]
"""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Sequence

import numpy as np
from dolfinx import fem

from mfresnet.arrays import Array
from mfresnet.case import Case
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.sweeps.balance import Balance, balance
from mfresnet.losses import Visit
from mfresnet.network import Controls
from mfresnet.parallel import total


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

    def functions(self, layers: Sequence[int] | None = None) -> list[list[fem.Function]]:
        """Return ``densities`` as DOLFINx functions: a list of classes for each layer."""
        space, labels = self.functional.problem.space, self.functional.population.labels
        return [
            [space.to_function(f, f"density_{k}") for k, f in zip(labels, of_layer, strict=True)]
            for of_layer in self.densities(layers)
        ]

    def means(self, k: int) -> Array:
        """Return the mean of the density of class k at the start of every layer and at T.

        Mass that has left does not count.

        Returns:
            The means, (layers + 1, d).
        """
        space, rule = self.functional.problem.space, self.functional.problem.space.quadrature
        f = space.at_quadrature(self.densities()[:, k]) * rule.weights
        first = total(space.comm, np.einsum("ncq,cqd->nd", f, rule.x))
        return first / total(space.comm, f.sum(axis=(1, 2)))[:, None]

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


def mean_field(
    case: Case, controls: Controls | None = None, comm: MPI.Intracomm | None = None
) -> Trajectory:
    """Carry the densities of a case through a network with given controls, without training.

    Args:
        case: classes, mesh, block, activation and depth T; it has the layers of the controls.
        controls: the parameters of all layers by their names, such as W (layers, d, d) and
            b (layers, d); the initial ones of the case when not given. A trainable head keeps its
            initial values where they have none.
        comm: the communicator, MPI.COMM_WORLD when not given.

    Raises:
        InputError: the controls are not those of the block.

    Parallel: collective.
    """
    if controls is None:
        functional = ReducedFunctional(case, comm)
        return Trajectory(functional, functional.theta0)
    for name, shape in case.shapes().items():
        given = np.shape(controls.values.get(name, 0.0))
        if given != (controls.layers, *shape):
            numbers = ", ".join(map(str, shape))
            raise InputError(
                f"controls.{name}: wrong shape; got {given}, expected (layers, {numbers}) for "
                f"block {case.network.block} in dimension {case.dimension}. Give {name} for every "
                "layer."
            )
    functional = ReducedFunctional(case.with_({"network": {"layers": controls.layers}}), comm)
    head = functional.controls.initial.of_head()
    values = {n: np.asarray(v, float) for n, v in (head | dict(controls.values)).items()}
    functional.start_from(Controls(values, tuple(head)))
    return Trajectory(functional, functional.theta0)
