# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The reduced objective J(theta): value, derivative and Hessian action by sweeps."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable, Sequence

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case, Population, TrainingSection, populate, resolve
from mfresnet.errors import SolveError
from mfresnet.functional.budget import initial_steps, make_plan
from mfresnet.functional.hamiltonian import Hamiltonian
from mfresnet.losses import LOSSES, DepthLoss, Setting, Visit, depth_weights
from mfresnet.memory import in_units, peak, release, resident
from mfresnet.mesh import Space, create
from mfresnet.network import ACTIVATIONS, SCHEMES, Controls, ControlSpace, Network, Penalties
from mfresnet.parallel import total
from mfresnet.transport import (
    LIMITERS,
    Balance,
    Step,
    Sweep,
    Tangent,
    Transport,
    balance,
    make_step,
    steps_needed,
)


class ReducedFunctional:
    """J(theta) = sum_k pi_k Loss_k(f_k(T)) + cost of the outflow + penalty(theta), eq. (2).

    ``theta`` is a flat vector of the trainable controls, the same on all ranks. The derivative and
    the Hessian action are those of the discrete objective, exact to rounding.

    Attributes:
        case: the case, with everything that was omitted filled in.
        population: the classes.
        transport: the operator, with its space.
        controls: the control space: names and shapes of theta, its L2(0, T) inner product.
        theta0: the initial controls.
        f0: the initial densities, (classes, n_owned).
        class_weights: pi_k, (classes,).
        goal: the density to reach where it is that of the samples, (n_owned,).
        depth_loss: the loss over depth.
        initial_mass: mass of the projected densities before division, (classes,).
        forward_sweeps: number of forward sweeps so far.
        adjoint_sweeps: number of backward sweeps so far.
        hessian_actions: number of Hessian actions so far, two sweeps each.
        steps_per_layer: time steps in a layer.
        plan: what of a forward sweep is kept.
        predicted_memory: the largest resident memory of a training, over all ranks, in bytes.

    Parallel: every method is collective.
    """

    def __init__(
        self,
        case: Case,
        comm: MPI.Intracomm | None = None,
        population: Population | None = None,
    ) -> None:
        """Build mesh, space, operator, initial densities and memory of the sweeps.

        Args:
            case: what ``mfresnet.load`` returns, or a ``Case``.
            comm: the communicator, MPI.COMM_WORLD when not given.
            population: the classes, made from the case when not given.
        """
        self.comm = MPI.COMM_WORLD if comm is None else comm
        self.population = populate(case, self.comm) if population is None else population
        self.case = case = resolve(case, self.population)
        network, mesh = case.network, create(case, self.population.extent, self.comm)
        self._block, self._activation = case.block(), ACTIVATIONS[network.activation]
        bound = self._block.bound(self._activation)
        space = Space(mesh, case.space.degree)
        reach = 0.5 * float(np.ptp(space.bounds(), axis=0).max()) / network.final_time
        scale = bound if np.isfinite(bound) else reach
        self.transport = Transport(space, case.space.flux, scale)
        self.limiter = LIMITERS[case.time.limiter](space)
        f0, self.initial_mass = self.population.project(space)
        self.f0 = np.array([self.limiter.start(f) for f in f0])
        self.class_weights = self.population.weights
        goal = self.population.goal
        self.goal = None if goal is None else goal(space)
        targets, exits = self.population.targets, self.transport.exit_points
        setting = Setting(space, exits, case.loss, len(self.f0), targets, self.goal)
        self._loss = LOSSES[case.loss.kind].make(setting)
        self.start_from(case.initial_controls(len(self.population.labels)))

    def start_from(self, initial: Controls) -> None:
        """Take other initial controls, also where they are not trained, and set all counts to 0."""
        case, network = self.case, self.case.network
        names = tuple(case.trainable())
        self.controls = ControlSpace(initial, names, network.final_time, network.shared)
        self._penalties = Penalties(case.penalty, self.controls)
        self.theta0 = self.controls.to_vector(initial.values)
        self.forward_sweeps = self.adjoint_sweeps = self.hessian_actions = 0
        given, start = case.time.steps_per_layer, self.network(self.theta0)
        self.set_steps(given or initial_steps(self.transport, self.time_step(1), start))

    def time_step(self, steps_per_layer: int) -> Step:
        """Return the time step of which a layer takes so many."""
        dt, scheme = self.controls.layer_time / steps_per_layer, SCHEMES[self.case.time.order]
        return make_step(self.transport, scheme, dt, self.limiter)

    def set_steps(self, steps_per_layer: int) -> None:
        """Set the number of time steps in a layer; J changes by the error of the time stepping.

        Raises:
            InputError: resources.memory is too little for one layer.
        """
        case, transport, n_classes = self.case, self.transport, len(self.f0)
        self.steps_per_layer = steps_per_layer
        self._tangent: Tangent | None = None
        self._theta: Array | None = None
        self.__dict__.pop("sweep", None)  # its memory is free for the next one
        release()
        step = self.time_step(steps_per_layer)
        self.plan = make_plan(case, transport, step, steps_per_layer, n_classes)
        # setting up may have taken more than the sweeps will
        self.predicted_memory = max(peak(self.comm), resident(self.comm) + self.plan.memory)
        self.sweep = Sweep(transport, step, self.controls, steps_per_layer, n_classes, self.plan)
        self.depth_loss = DepthLoss(
            self._loss,
            depth_weights(self.sweep.steps, self.sweep.dt, case.loss.terminal, case.loss.running),
            transport.exit_weights,
        )

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
    def value(self, theta: Array) -> float:
        """Return J(theta).

        Raises:
            StepsError: the velocity needs more steps per layer.
            SolveError: a value is not finite.
        """
        return self.loss(theta) + self.penalty(theta)

    def loss(self, theta: Array) -> float:
        """Return the part of J that the densities make, with the cost of the outflow."""
        self._run_forward(theta)
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
        self._run_forward(theta, reversible=True)
        parts = self.sweep.backward(self.depth_loss, self.class_weights, record, frozen)
        self.adjoint_sweeps += 1
        return total(self.comm, self.controls.pull_back(parts)) + self.penalty_derivative(theta)

    def penalty_derivative(self, theta: Array) -> Array:
        """Return the derivative of ``penalty``, a dual vector of theta's shape."""
        return self._penalties.derivative(theta)

    def hessian_action(self, theta: Array, h: Array) -> Array:
        """Return J''(theta) h, a dual vector of theta's shape, by a tangent and an adjoint sweep.

        Exact where flux and activation are twice differentiable; needs the memory of another set
        of stages.
        """
        self._run_forward(theta)
        if self._tangent is None:
            self._tangent = Tangent(self.sweep)
        along = self.controls.direction(h)
        self._tangent.forward(along)
        parts = self._tangent.backward(self.depth_loss, self.class_weights)
        self.hessian_actions += 1
        local = self.controls.pull_back(parts)
        return total(self.comm, local) + self._penalties.hessian_action(theta, h)

    def least_hamiltonian(self, theta: Array) -> Array:
        """Return the controls of the least Hamiltonian with the densities and adjoints of theta."""
        return Hamiltonian(self, theta).minimiser()

    def gradient(self, theta: Array) -> Array:
        """Return the Riesz representative of the derivative in L2(0, T)."""
        return self.controls.riesz(self.derivative(theta))

    def _run_forward(self, theta: Array, *, reversible: bool = False) -> None:
        same = self._theta is not None and np.array_equal(theta, self._theta)
        if same and (self.sweep.reversal.ready or not reversible):
            return
        self._theta = None
        network, losses = self.network(theta), np.zeros(len(self.f0))
        self.sweep.set_network(network)
        adder = self.depth_loss.adder(network.controls, losses)
        self.sweep.forward(self.f0, adder, self.depth_loss.wanted)
        self.forward_sweeps += 1
        self._loss_value = float(self.class_weights @ losses)
        if not np.isfinite(self._loss_value):
            raise SolveError(
                "the objective is not finite; the controls grow too large. Add bounds "
                "training.lower and training.upper or raise penalty.tikhonov."
            )
        # undershoots that leave the mesh may pay for as much mass as may leave it at all
        least = LOSSES[self.case.loss.kind].least - self.case.mesh.outflow_tolerance
        if self._loss_value < least:
            raise SolveError(
                f"mesh: the loss of a positive density cannot be {self._loss_value:.3g}; the "
                f"densities have undershoots that pay. {self.case.mesh.finer}, enlarge the mesh or "
                "raise penalty.tikhonov."
            )
        self._theta = theta.copy()

    # ------------------------------------------------------------------ reports
    def loss_report(self, theta: Array) -> dict[str, Array]:
        """Return what the loss tells about the densities at T, name -> (classes,)."""
        self._run_forward(theta)
        return self._loss.report(self.sweep.final)

    def network(self, theta: Array) -> Network:
        """Return the residual network with the controls theta."""
        controls = self.controls
        return Network(
            self._block, self._activation, controls.from_vector(theta), controls.final_time
        )

    def balance(self, theta: Array) -> Balance:
        """Return the mass balance and the range of the densities of the sweep with theta."""
        self._run_forward(theta)
        return balance(self.transport.space, self.sweep, self.f0)

    def visit(self, theta: Array, visit: Visit, wanted: Array) -> None:
        """Call ``visit`` with the densities of the sweep with theta, see ``Sweep.revisit``."""
        self._run_forward(theta)
        self.sweep.revisit(visit, wanted)

    def densities(self, theta: Array, layers: Sequence[int] | None = None) -> Array:
        """Return f at the start of layers, of all and at T when not given.

        Args:
            theta: the controls.
            layers: numbers in increasing order; the number of layers, or -1, stands for T.

        Returns:
            The densities, (len(layers), classes, n_owned).
        """
        most = self.controls.layers
        chosen = range(most + 1) if layers is None else [n % (most + 1) for n in layers]
        wanted = np.zeros(self.sweep.steps + 1, dtype=bool)
        wanted[np.array(chosen) * self.steps_per_layer] = True
        found: list[Array] = []
        self.visit(theta, lambda n, f, left: found.append(f.copy()), wanted)
        return np.array(found)

    def snapshots(self, theta: Array, most: int) -> list[tuple[float, Array]]:
        """Return about ``most`` pairs of a depth and the densities there, from 0 to T.

        The densities have the shape (classes, n_owned).
        """
        steps, wanted = self.sweep.steps, np.zeros(self.sweep.steps + 1, dtype=bool)
        wanted[np.linspace(0, steps, min(most, steps + 1)).astype(int)] = True
        found: list[tuple[float, Array]] = []
        self.visit(theta, lambda n, f, left: found.append((n * self.sweep.dt, f.copy())), wanted)
        return found

    def adjoints(self, theta: Array) -> Array:
        """Return psi at the start of every layer and at T, (layers + 1, classes, n_owned)."""
        record = np.empty((self.controls.layers + 1, *self.f0.shape))
        self.derivative(theta, record.__setitem__)
        return record
