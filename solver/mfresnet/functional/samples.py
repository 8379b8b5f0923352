# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The residual network of N samples: J and its derivatives, with the interface of the density's.

    J(theta) = sum_n w_n l_{k_n}( x_n(T); head ) + penalty(theta),   sum_n w_n = 1          (20)

with x_n the samples moved by Euler's or another Runge-Kutta scheme. It is the training that the
mean-field limit is the limit of; the same optimisers run on it. The bias that moves 100 samples of
a Gaussian to a target, in closed form (2 - 0.5) / (0.1 + T):

>>> import mfresnet
>>> from mfresnet.functional.draw import midpoints
>>> case = mfresnet.Case(
...     mesh={"cell": "interval", "lower": -2.0, "upper": 4.0},
...     network={"activation": "identity", "trainable": ["b"], "layers": 2},
...     classes=[{"density": {"kind": "gaussian", "mean": 0.5, "covariance": 0.04}, "target": 2.0}],
...     initial={"kind": "zero"}, penalty={"tikhonov": 0.1},
... )
>>> J = mfresnet.ParticleFunctional(case, midpoints(case, 100))
>>> [round(float(b), 6) for b in mfresnet.minimise(J).theta]
[1.363636, 1.363636]
"""

from __future__ import annotations

from mpi4py import MPI

from dataclasses import dataclass
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case, Population, TrainingSection, populate, resolve
from mfresnet.data import Samples
from mfresnet.errors import InputError
from mfresnet.functional.draw import shared
from mfresnet.functional.finite import finite
from mfresnet.functional.start import initial_controls
from mfresnet.functional.vectorised import vectorised
from mfresnet.losses import LOSSES, depth_weights
from mfresnet.network import (
    INFERENCES,
    Controls,
    ControlSpace,
    Network,
    ParticleStep,
    Penalties,
)
from mfresnet.optimise import METHODS
from mfresnet.parallel import total

STEPS = 4
"""Steps per layer where neither the case nor its inference says."""
KEPT = 4_000_000
"""Most numbers in the points of all stages that are kept for the sweep backward."""


@dataclass(frozen=True)
class _CostSetting:
    """What the cost of a sample is made from, see ``loss.CostSetting``."""

    section: Any
    n_classes: int
    targets: Array


class ParticleFunctional:
    """J of eq. (20): value, derivative, gradient, Hessian action, exact to rounding.

    Attributes:
        case: the case, with everything that was omitted filled in.
        population: the classes.
        samples: those of this rank, with classes and weights w_n; n_samples is their number on all.
        controls: the control space: names and shapes of theta, its L2(0, T) inner product.
        theta0: the initial controls.
        forward_sweeps: number of forward sweeps so far.
        adjoint_sweeps: number of backward sweeps so far.
        hessian_actions: number of Hessian actions so far, two sweeps each.
        steps_per_layer: steps in a layer, 1 with ``network.inference = "euler"``.

    Parallel: every method is collective; the samples are spread over the ranks.
    """

    def __init__(
        self,
        case: Case,
        samples: Samples | None = None,
        comm: MPI.Intracomm | None = None,
        population: Population | None = None,
    ) -> None:
        """Share the samples out.

        Args:
            case: the case; its mesh is not used.
            samples: all samples, the same on all ranks, with weights of any sum; the training
                samples of [data] when not given.
            comm: the communicator, MPI.COMM_WORLD when not given.
            population: the classes, made from the case when not given.

        Raises:
            InputError: the loss is no mean over samples, or there are none.
        """
        self.comm = MPI.COMM_WORLD if comm is None else comm
        self.population = populate(case, self.comm) if population is None else population
        self.case = case = resolve(case, self.population)
        row, network = LOSSES[case.loss.kind], case.network
        if row.cost is None:
            names = ", ".join(name for name, other in LOSSES.items() if other.cost is not None)
            raise InputError(
                f"loss.kind: no mean over the samples; got {case.loss.kind}, expected one of "
                f"{names}. Choose one, or train the density."
            )
        if METHODS[case.training.method].frozen:
            raise InputError(
                f"training.method: needs densities; got {case.training.method}, expected one of "
                f"{', '.join(n for n, method in METHODS.items() if not method.frozen)}. Choose one."
            )
        n_classes = len(self.population.labels)
        self.samples = shared(samples, self.population, case.dimension, self.comm)
        self.n_samples = int(total(self.comm, [self.samples.y.size])[0])
        self._cost = row.cost(_CostSetting(case.loss, n_classes, self.population.targets))
        self._mass = np.zeros((n_classes, self.samples.y.size))
        self._mass[self.samples.y, np.arange(self.samples.y.size)] = self.samples.w
        self._block, self._activation = case.block(), vectorised(self.comm, network.activation)
        self.start_from(initial_controls(case, self.population, self.comm))
        self.set_steps(case.time.steps_per_layer or STEPS)

    def start_from(self, initial: Controls) -> None:
        """Take other initial controls, also where they are not trained, and set all counts to 0."""
        case, network = self.case, self.case.network
        names = tuple(case.trainable())
        self.controls = ControlSpace(initial, names, network.final_time, network.shared)
        self.penalties = Penalties(case.penalty, self.controls)
        self.theta0 = self.controls.to_vector(initial.values)
        self.forward_sweeps = self.adjoint_sweeps = self.hessian_actions = 0
        self._theta: Array | None = None

    def set_steps(self, steps_per_layer: int) -> None:
        """Set the steps in a layer; a plain ResNet keeps its one."""
        network = self.case.network
        self._scheme, self.steps_per_layer = INFERENCES[network.inference](
            self.case.time.order, steps_per_layer
        )
        steps = self.steps_per_layer * network.layers
        self._dt = network.final_time / steps
        self._weights = depth_weights(
            steps, self._dt, self.case.loss.terminal, self.case.loss.running
        )
        self._path = np.empty((steps + 1, *self.samples.x.shape))
        self._path[0] = self.samples.x
        self._theta, self._kept = None, list[ParticleStep]()

    def make_room(self, needed: int) -> None:
        """Raise nothing: no velocity needs more steps."""

    def steps_for(self, theta: Array) -> int:
        """Return the steps in a layer: no velocity needs more."""
        return self.steps_per_layer

    @property
    def training(self) -> TrainingSection:
        """How J is minimised."""
        return self.case.training

    @property
    def steps_given(self) -> bool:
        """Whether the case says how many steps a layer has."""
        return self.case.time.steps_per_layer is not None

    # ------------------------------------------------------------------ value and derivative
    def value(self, theta: Array, *, fixed_steps: bool = False) -> float:
        """Return J(theta); no theta needs more steps.

        Raises:
            SolveError: the value is not finite.
        """
        return finite(self.loss(theta) + self.penalty(theta))

    def loss(self, theta: Array) -> float:
        """Return the mean cost of the samples."""
        self._run_forward(theta)
        return self._loss_value

    def penalty(self, theta: Array) -> float:
        """Return the part of J that the controls make."""
        return self.penalties.value(theta)

    def derivative(self, theta: Array) -> Array:
        """Return the derivative dJ/dtheta, a dual vector of theta's shape."""
        self._run_forward(theta)
        network, head = self._network, self._network.controls.of_head()
        parts = {name: np.zeros(v.shape) for name, v in network.controls.values.items()}
        slope = self._pull(len(self._path) - 1, head, parts)
        for n in reversed(range(len(self._path) - 1)):
            layer = n // self.steps_per_layer
            of_layer = {name: parts[name][layer] for name in network.controls.layer(layer)}
            slope = self._step(n).transpose(slope, of_layer) + self._pull(n, head, parts)
        self.adjoint_sweeps += 1
        local = self.controls.pull_back(parts)
        return finite(total(self.comm, local) + self.penalties.derivative(theta))

    def least_hamiltonian(self, theta: Array) -> Array:
        """Not of samples: the methods that ask for it are refused before."""
        raise NotImplementedError

    def gradient(self, theta: Array) -> Array:
        """Return the Riesz representative of the derivative in L2(0, T)."""
        return self.controls.riesz(self.derivative(theta))

    def hessian_action(self, theta: Array, h: Array) -> Array:
        """Return J''(theta) h, a dual vector of theta's shape, by a tangent and an adjoint sweep.

        Exact where the activation is twice differentiable.
        """
        self._run_forward(theta)
        network, along = self._network, self.controls.direction(h)
        steps, m, dx = len(self._path) - 1, self.steps_per_layer, np.zeros_like(self._path)
        for n in range(steps):
            _, dx[n + 1] = self._step(n).tangent(dx[n], along.layer(n // m))
        parts = {name: np.zeros(v.shape) for name, v in network.controls.values.items()}
        unused = {name: np.zeros_like(v) for name, v in parts.items()}
        head = network.controls.of_head()
        slope, dslope = self._pull(steps, head, unused), self._second(steps, dx, along, parts)
        for n in reversed(range(steps)):
            step, change = self._step(n), along.layer(n // m)
            changes, _ = step.tangent(dx[n], change)
            of_layer = {name: parts[name][n // m] for name in change}
            slope, dslope = step.transpose_tangent(changes, slope, dslope, change, of_layer)
            slope += self._pull(n, head, unused)
            dslope += self._second(n, dx, along, parts)
        self.hessian_actions += 1
        local = self.controls.pull_back(parts)
        return finite(total(self.comm, local) + self.penalties.hessian_action(theta, h))

    def _step(self, n: int) -> ParticleStep:
        """Return the n-th step of the last forward sweep, made again where it is not kept."""
        if self._kept:
            return self._kept[n]
        return self._made(n)[0]

    def _made(self, n: int) -> tuple[ParticleStep, Array]:
        layer = n // self.steps_per_layer
        return ParticleStep.of(self._network, layer, self._path[n], self._dt, self._scheme)

    def _run_forward(self, theta: Array) -> None:
        if self._theta is not None and np.array_equal(theta, self._theta):
            return
        self._theta, self._network = None, self.network(theta)
        path, self._kept = self._path, []
        keep = path.size * self._scheme.order <= KEPT
        for n in range(len(path) - 1):
            step, path[n + 1] = self._made(n)
            if keep:
                self._kept.append(step)
        self.forward_sweeps += 1
        head = self._network.controls.of_head()
        costs = [
            self._weights[n] * np.sum(self._cost.value(path[n], head) * self._mass)
            for n in np.flatnonzero(self._weights)
        ]
        self._loss_value = finite(float(total(self.comm, np.sum(costs))[0]))
        self._theta = theta.copy()

    def _pull(self, n: int, head: dict[str, Array], parts: dict[str, Array]) -> Array:
        """Return the derivative of the n-th cost in the points; add that in the head to parts."""
        x, omega = self._path[n], self._weights[n]
        if omega == 0.0:
            return np.zeros_like(x)
        for name, part in self._cost.vjp(x, head, self._mass).items():
            parts[name] += omega * part
        return omega * self._cost.pull(x, head, self._mass)

    def _second(self, n: int, dx: Array, along: Controls, parts: dict[str, Array]) -> Array:
        """Return the change of ``_pull``; add that of the derivative in the head to parts."""
        x, omega = self._path[n], self._weights[n]
        if omega == 0.0:
            return np.zeros_like(x)
        head = self._network.controls.of_head()
        pulled, in_head = self._cost.second(x, head, self._mass, dx[n], along.of_head())
        for name, part in in_head.items():
            parts[name] += omega * part
        return omega * pulled

    # ------------------------------------------------------------------ reports
    def network(self, theta: Array) -> Network:
        """Return the residual network with the controls theta."""
        controls = self.controls
        return Network(
            self._block, self._activation, controls.from_vector(theta), controls.final_time
        )

    def path(self, theta: Array) -> Array:
        """Return the samples of this rank after every step, (steps + 1, d, n)."""
        self._run_forward(theta)
        return self._path.copy()
