# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The discrete problem of a case: all that J is made of but the controls."""

from __future__ import annotations

from mpi4py import MPI

import math

import numpy as np
from dolfinx import mesh as dmesh

from mfresnet.arrays import Array
from mfresnet.case import Case, Population, populate, resolve
from mfresnet.errors import InputError
from mfresnet.functional.start import initial_controls
from mfresnet.functional.vectorised import vectorised
from mfresnet.losses import LOSSES, Setting
from mfresnet.memory import available, in_units
from mfresnet.mesh import MESHES, SIMPLICES, Space
from mfresnet.network import Controls, Network, Scheme
from mfresnet.transport import LIMITERS, OPERATORS, March, make_march

CELL_BYTES, DOF_BYTES = 300, 500
"""Memory that a cell and a degree of freedom take at least."""


class Problem:
    """Mesh, space, operator, initial densities and loss of a case; no controls, no sweep.

    Attributes:
        comm: the communicator.
        case: the case, with everything that was omitted filled in.
        population: the classes.
        space: the DG space.
        transport: the operator.
        limiter: what keeps densities positive, or nothing.
        f0: the initial densities, (classes, n_owned).
        initial_mass: mass of the projected densities before division, (classes,).
        class_weights: pi_k, (classes,).
        goal: the density to reach where it is that of the samples, (n_owned,).
        loss: the loss of the densities at one depth.

    Parallel: every method is collective.
    """

    def __init__(
        self,
        case: Case,
        comm: MPI.Intracomm | None = None,
        population: Population | None = None,
    ) -> None:
        """Build mesh, space, operator, initial densities and loss.

        Args:
            case: what ``mfresnet.load`` returns, or a ``Case``.
            comm: the communicator, MPI.COMM_WORLD when not given.
            population: the classes, made from the case when not given.
        """
        self.comm = MPI.COMM_WORLD if comm is None else comm
        self.population = populate(case, self.comm) if population is None else population
        self.case = case = resolve(case, self.population)
        network, mesh = case.network, create(case, self.population.extent, self.comm)
        self._block, self._activation = case.block(), vectorised(self.comm, network.activation)
        bound = self._block.bound(self._activation)
        self.space = space = Space(mesh, case.space.degree)
        reach = 0.5 * float(np.ptp(space.bounds(), axis=0).max()) / network.final_time
        make = OPERATORS[case.resources.operator]
        self.transport = make(space, case.space.flux, bound if np.isfinite(bound) else reach)
        self.limiter = LIMITERS[case.time.limiter](space)
        f0, self.initial_mass = self.population.project(space)
        self.f0 = np.array([self.limiter.start(f) for f in f0])
        self.class_weights = self.population.weights
        goal = self.population.goal
        self.goal = None if goal is None else goal(space)
        targets, exits = self.population.targets, self.transport.exit_points
        setting = Setting(space, exits, case.loss, len(self.f0), targets, self.goal)
        self.loss = LOSSES[case.loss.kind].make(setting)

    def initial_controls(self, seed: int | None = None) -> Controls:
        """Return the initial controls of the case, with another seed where one is given."""
        return initial_controls(self.case, self.population, self.comm, seed)

    def network(self, controls: Controls) -> Network:
        """Return the residual network with the given controls."""
        return Network(self._block, self._activation, controls, self.case.network.final_time)

    def march(self, dt: float, scheme: Scheme) -> March:
        """Return the time steps of length dt by a scheme."""
        return make_march(self.transport, scheme, dt, self.limiter)


def create(case: Case, extent: Array, comm: MPI.Intracomm) -> dmesh.Mesh:
    """Return the mesh of a case.

    Args:
        case: the case.
        extent: corners of a box that holds the initial mass, (2, d).
        comm: the communicator.

    Parallel: collective.
    """
    kind = MESHES[case.mesh.kind]
    if kind.grid:
        _check_memory(case, comm)
    return kind.make(comm, case.mesh, case.cells(), case.corners(extent))


def _check_memory(case: Case, comm: MPI.Intracomm) -> None:
    """Refuse a box that cannot fit into the memory, before DOLFINx counts its cells in integers."""
    p, d, cell = case.space.degree, case.dimension, case.mesh.cell
    boxes = math.prod(case.cells())
    cells = boxes * (math.factorial(d) if cell in SIMPLICES else 1)
    n = math.comb(p + d, d) if cell in SIMPLICES else (p + 1) ** d
    needed = cells * (CELL_BYTES + n * (DOF_BYTES + 16 * max(1, len(case.classes))))
    room = available(comm)
    if needed > room:
        raise InputError(
            f"mesh.cells: too many for the memory; got {cells:.3g} cells of degree {p} that take "
            f"at least {in_units(needed)}, expected at most {in_units(room)}. Use fewer."
        )
