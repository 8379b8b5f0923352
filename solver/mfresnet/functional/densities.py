# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The reduced objective J(theta): value, derivative and Hessian action by sweeps."""

from __future__ import annotations

from mpi4py import MPI

import logging
import math
from collections.abc import Callable

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case, Population, TrainingSection
from mfresnet.errors import InputError, SolveError, StepsError
from mfresnet.functional.budget import choose_steps, make_plan
from mfresnet.functional.finite import finite
from mfresnet.functional.hamiltonian import Hamiltonian
from mfresnet.functional.problem import Problem
from mfresnet.functional.sweeps.sweep import Sweep
from mfresnet.functional.sweeps.tangent import Tangent
from mfresnet.losses import LOSSES, DepthLoss, depth_weights
from mfresnet.memory import in_units, peak, release, resident
from mfresnet.network import (
    Controls,
    ControlSpace,
    Network,
    Penalties,
    scheme_of,
)
from mfresnet.parallel import total
from mfresnet.transport import March, steps_needed

LOG = logging.getLogger("mfresnet")
ROOM = 1.25
"""Factor on the time steps that controls need, for others near them."""


class ReducedFunctional:
    """J(theta) = sum_k pi_k Loss_k(f_k(T)) + cost of the outflow + penalty(theta), eq. (2).

    ``theta`` is a flat vector of the trainable controls, the same on all ranks. The derivative and
    the Hessian action are those of the discrete objective, exact to rounding.

    Attributes:
        problem: what J is made of: case, classes, mesh, operator, initial densities, loss.
        controls: the control space: names and shapes of theta, its L2(0, T) inner product.
        theta0: the initial controls.
        depth_loss: the loss over depth.
        forward_sweeps: number of forward sweeps so far.
        adjoint_sweeps: number of backward sweeps so far.
        hessian_actions: number of Hessian actions so far, two sweeps each.
        scheme: the scheme in depth.
        steps_per_layer: time steps in a layer.
        plan: what of a forward sweep is kept.
        predicted_memory: the largest resident memory of a training, over all ranks, in bytes.

    Parallel: every method is collective.
    """

    def __init__(
        self,
        case: Case | Problem,
        comm: MPI.Intracomm | None = None,
        population: Population | None = None,
    ) -> None:
        """Build the problem where it is not given, and the memory of the sweeps.

        Args:
            case: what ``mfresnet.load`` returns, a ``Case``, or its problem.
            comm: the communicator, MPI.COMM_WORLD when not given.
            population: the classes, made from the case when not given.
        """
        if not isinstance(case, Problem):
            case = Problem(case, comm, population)
        self.problem: Problem = case
        self.start_from(self.problem.initial_controls())

    @property
    def comm(self) -> MPI.Intracomm:
        """The communicator."""
        return self.problem.comm

    @property
    def case(self) -> Case:
        """The case, with everything that was omitted filled in."""
        return self.problem.case

    @property
    def population(self) -> Population:
        """The classes."""
        return self.problem.population

    def start_from(self, initial: Controls) -> None:
        """Take other initial controls, also where they are not trained, and set all counts to 0."""
        case, network = self.case, self.case.network
        names = tuple(case.trainable())
        self.controls = ControlSpace(initial, names, network.final_time, network.shared)
        self._penalties = Penalties(case.penalty, self.controls)
        self.theta0 = self.controls.to_vector(initial.values)
        self.forward_sweeps = self.adjoint_sweeps = self.hessian_actions = 0
        self.scheme = scheme_of(case.time.order, case.space.degree, case.time.stages)
        start, steps = self.network(self.theta0), case.time.steps_per_layer
        if steps is None:
            self.scheme, steps = choose_steps(self.problem, self.scheme, start)
        self.set_steps(steps)

    @property
    def particle_steps(self) -> int:
        """Steps in a layer for which a Runge-Kutta method takes as many stages as the density."""
        return math.ceil(self.steps_per_layer * self.scheme.stages / self.scheme.order)

    def _march(self, steps_per_layer: int) -> March:
        """Return the time steps of which a layer takes so many."""
        return self.problem.march(self.controls.layer_time / steps_per_layer, self.scheme)

    def set_steps(self, steps_per_layer: int) -> None:
        """Set the number of time steps in a layer; J changes by the error of the time stepping.

        Raises:
            InputError: resources.memory is too little for one layer; the number is that of before.
        """
        before = self.__dict__.get("steps_per_layer", steps_per_layer)
        case, transport = self.case, self.problem.transport
        n_classes = len(self.problem.f0)
        self.steps_per_layer = steps_per_layer
        self._tangent: Tangent | None = None
        self._theta: Array | None = None
        self.__dict__.pop("sweep", None)  # its memory is free for the next one
        release()
        march = self._march(steps_per_layer)
        try:
            self.plan = make_plan(case, transport, march, steps_per_layer, n_classes)
        except InputError:
            if before != steps_per_layer:
                self.set_steps(before)
            raise
        # setting up may have taken more than the sweeps will
        self.predicted_memory = max(peak(self.comm), resident(self.comm) + self.plan.memory)
        self.sweep = Sweep(transport, march, self.controls, steps_per_layer, n_classes, self.plan)
        self.depth_loss = DepthLoss(
            self.problem.loss,
            depth_weights(self.sweep.steps, self.sweep.dt, case.loss.terminal, case.loss.running),
            transport.exit_weights,
        )

    def make_room(self, needed: int) -> None:
        """Raise the time steps in a layer above ``needed`` where there are fewer, with a margin."""
        if needed > self.steps_per_layer:
            self.set_steps(math.ceil(ROOM * needed))

    @property
    def training(self) -> TrainingSection:
        """How J is minimised."""
        return self.case.training

    @property
    def steps_given(self) -> bool:
        """Whether the case says how many time steps a layer has."""
        return self.case.time.steps_per_layer is not None

    def memory_sentence(self) -> str:
        """Return what memory a training takes, for the user."""
        return f"Memory: about {in_units(self.predicted_memory)}; {self.plan.sentence()}"

    def steps_for(self, theta: Array) -> int:
        """Return how many time steps a layer needs with theta. Parallel: collective."""
        return steps_needed(self.rate(theta), self.controls.layer_time)

    def rate(self, theta: Array) -> float:
        """Return the least 1 / dt that is stable with theta, with a limiter positive too.

        Parallel: collective.
        """
        self._theta = None
        return self.sweep.rate(self.network(theta))

    # ------------------------------------------------------------------ value and derivative
    def value(self, theta: Array, *, fixed_steps: bool = False) -> float:
        """Return J(theta), with more time steps where theta needs them.

        Args:
            theta: the controls.
            fixed_steps: whether to refuse theta instead, so that J stays the same function.

        Raises:
            StepsError: theta needs more steps per layer, and the case or the caller fixes them.
            SolveError: a value is not finite.
        """
        self.forward(theta, fixed_steps=fixed_steps)
        return finite(self._loss_value + self.penalty(theta))

    def loss(self, theta: Array) -> float:
        """Return the part of J of densities and outflow; a derivative takes another sweep then."""
        self.forward(theta, kept=False)
        return self._loss_value

    def penalty(self, theta: Array) -> float:
        """Return the part of J that the controls make."""
        return self._penalties.value(theta)

    def derivative(
        self,
        theta: Array,
        record: Callable[[int, Array], None] | None = None,
        frozen: Array | None = None,
    ) -> Array:
        """Return the derivative dJ/dtheta, a dual vector of theta's shape.

        Args:
            theta: the controls.
            record: see ``Sweep.backward``; called with the adjoints.
            frozen: see ``Sweep.backward``; filled with the derivatives in the coefficients.
        """
        self.forward(theta, reversible=True)
        parts = self.sweep.backward(self.depth_loss, self.problem.class_weights, record, frozen)
        self.adjoint_sweeps += 1
        local = self.controls.pull_back(parts)
        return finite(total(self.comm, local) + self.penalty_derivative(theta))

    def penalty_derivative(self, theta: Array) -> Array:
        """Return the derivative of ``penalty``, a dual vector of theta's shape."""
        return self._penalties.derivative(theta)

    def hessian_action(self, theta: Array, h: Array) -> Array:
        """Return J''(theta) h, a dual vector of theta's shape, by a tangent and an adjoint sweep.

        Exact where flux and activation are twice differentiable; needs the memory of another set
        of stages.
        """
        self.forward(theta, reversible=self.plan.whole)
        if self._tangent is None:
            self._tangent = Tangent(self.sweep)
        along = self.controls.direction(h)
        self._tangent.forward(along)
        parts = self._tangent.backward(self.depth_loss, self.problem.class_weights)
        self.hessian_actions += 1
        local = self.controls.pull_back(parts)
        return finite(total(self.comm, local) + self._penalties.hessian_action(theta, h))

    def least_hamiltonian(self, theta: Array) -> Array:
        """Return the controls of the least Hamiltonian with the densities and adjoints of theta."""
        return Hamiltonian(self, theta).minimiser()

    def gradient(self, theta: Array) -> Array:
        """Return the Riesz representative of the derivative in L2(0, T)."""
        return self.controls.riesz(self.derivative(theta))

    def forward(
        self, theta: Array, reversible: bool = False, fixed_steps: bool = False, kept: bool = True
    ) -> None:
        """Make the forward sweep with theta, where it is not the last one that was made.

        Args:
            theta: the controls.
            reversible: whether a backward sweep follows.
            fixed_steps: see ``value``.
            kept: whether one may follow, see ``Sweep.forward``.
        """
        same = self._theta is not None and np.array_equal(theta, self._theta)
        if same and (self.sweep.reversal.ready or not reversible):
            return
        try:
            self._sweep_forward(theta, kept)
        except StepsError as error:
            if fixed_steps or self.steps_given:
                raise
            before = self.steps_per_layer
            self.make_room(error.needed)
            if self.comm.rank == 0:
                raised = "time.steps_per_layer: raised from %d to %d, as the velocity asks for it."
                LOG.warning(raised, before, self.steps_per_layer)
            self._sweep_forward(theta, kept)

    def _sweep_forward(self, theta: Array, kept: bool) -> None:
        self._theta = None
        network, losses = self.network(theta), np.zeros(len(self.problem.f0))
        self.sweep.set_network(network)
        adder, wanted = self.depth_loss.adder(network.controls, losses), self.depth_loss.wanted
        self.sweep.forward(self.problem.f0, adder, wanted, reversible=kept)
        self.forward_sweeps += 1
        self._loss_value = finite(float(self.problem.class_weights @ losses))
        # undershoots that leave the mesh may pay for as much mass as may leave it at all
        least = LOSSES[self.case.loss.kind].least - self.case.mesh.outflow_tolerance
        if self._loss_value < least:
            raise SolveError(
                f"mesh: the loss of a positive density cannot be {self._loss_value:.3g}; the "
                f"densities have undershoots that pay. {self.case.mesh.finer}, enlarge the mesh or "
                "raise penalty.tikhonov."
            )
        self._theta = theta.copy()

    def network(self, theta: Array) -> Network:
        """Return the residual network with the controls theta."""
        return self.problem.network(self.controls.from_vector(theta))
