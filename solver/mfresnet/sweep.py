# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The forward sweep of the densities from 0 to T and the backward sweep of the adjoints.

The backward sweep yields the exact derivative of the discrete objective, layer by layer.
"""

from __future__ import annotations

import math

import numpy as np

from mfresnet.activations import Activation
from mfresnet.arrays import Array
from mfresnet.blocks import Block
from mfresnet.control import Controls, ControlSpace
from mfresnet.errors import SolveError
from mfresnet.parallel import maximum
from mfresnet.schemes import Scheme
from mfresnet.stepping import step, step_transpose
from mfresnet.transport import Coefficients, Transport


class StepsError(SolveError):
    """The velocity is too large for the number of time steps in a layer.

    Attributes:
        needed: the number of steps per layer that would do.
    """

    def __init__(self, steps: int, needed: int) -> None:
        self.needed = needed
        super().__init__(
            f"time.steps_per_layer: too few for the velocity; got {steps}, expected at least "
            f"{needed}. Raise it, or omit it to have it chosen."
        )


def steps_needed(rate: float, layer_time: float, cfl: float) -> int:
    """Return the least number of steps in a layer with dt lambda <= c, see ``SCHEMES``."""
    return max(1, math.ceil(layer_time * rate / cfl * (1.0 - 1e-12)))


class Sweep:
    """Both sweeps, with the memory for the stages of all steps.

    Attributes:
        steps_per_layer: time steps m in every layer.
        dt: the time step.
        stages: y_j of every layer, step, class and stage, (layers, m, classes, s, n_owned).
        outflow: mass that has left in each step of each class on this rank, (layers * m, classes).
        charge: cost of the outflow of each class on this rank, (classes,).
    """

    def __init__(
        self,
        transport: Transport,
        block: Block,
        activation: Activation,
        space: ControlSpace,
        scheme: Scheme,
        steps_per_layer: int,
        n_classes: int,
    ) -> None:
        """Allocate everything that the sweeps need."""
        self.transport, self.block, self.activation = transport, block, activation
        self.space, self.scheme = space, scheme
        self.steps_per_layer, self.n_classes = steps_per_layer, n_classes
        self.dt = space.layer_time / steps_per_layer
        n = transport.space.n_owned
        shape = (space.layers, steps_per_layer, n_classes, scheme.order, n)
        self.stages = np.zeros(shape)
        self.final = np.zeros((n_classes, n))
        self._velocity = np.zeros((space.layers, *transport.points.shape))
        self._coefficients = [transport.new_coefficients() for _ in range(space.layers)]
        self._sensitivity = transport.new_coefficients()
        self.outflow = np.zeros((space.layers * steps_per_layer, n_classes))
        self.charge = np.zeros(n_classes)

    def set_controls(self, controls: Controls) -> None:
        """Evaluate the velocity of every layer and check the CFL condition.

        Raises:
            StepsError: a layer needs more time steps.

        Parallel: collective.
        """
        rates = np.zeros(self.space.layers)
        for layer, a in enumerate(self._coefficients):
            v = self._velocity[layer]
            v[:] = self.velocity(self.transport.points, controls, layer)
            self.transport.coefficients(v, a)
            rates[layer] = np.nan_to_num(self.transport.rate(a), nan=np.inf)
        rate = float(maximum(self.transport.space.comm, rates).max())
        if not math.isfinite(rate):
            raise SolveError(
                "the velocity is not finite; the controls or the activation grow too large. Add "
                "bounds training.lower and training.upper or raise penalty.tikhonov."
            )
        cfl = self.scheme.cfl[self.transport.space.degree]
        needed = steps_needed(rate, self.space.layer_time, cfl)
        if needed > self.steps_per_layer:
            raise StepsError(self.steps_per_layer, needed)

    def velocity(self, x: Array, controls: Controls, layer: int) -> Array:
        """Return v(x; theta_layer) at points x, (d, n)."""
        return self.block.velocity(self.activation, x, controls.layer(layer))

    def forward(self, f0: Array, exit_cost: Array) -> Array:
        """Carry the densities from 0 to T, eq. (1), with the controls that were set.

        Args:
            f0: initial densities, (classes, n_owned).
            exit_cost: cost of a unit of mass at the boundary points, (classes, n_exit).

        Returns:
            The final densities, (classes, n_owned).

        Raises:
            SolveError: a value is not finite, with the layer and step where it appears.

        Parallel: collective.
        """
        self.charge[:] = 0.0
        steps = self.space.layers * self.steps_per_layer
        stages = self.stages.reshape(steps, self.n_classes, self.scheme.order, -1)
        stages[0, :, 0] = f0
        for n in range(steps):
            a = self._coefficients[n // self.steps_per_layer]
            after = stages[n + 1, :, 0] if n + 1 < steps else self.final
            for k in range(self.n_classes):
                left = step(self.transport, a, self.dt, self.scheme, stages[n, k], after[k])
                self.outflow[n, k] = left.sum()
                self.charge[k] += left @ exit_cost[k]
        self._check_finite(stages)
        return self.final

    def _check_finite(self, stages: Array) -> None:
        comm = self.transport.space.comm
        if maximum(comm, float(not np.isfinite(self.final).all()))[0] == 0.0:
            return
        finite = np.isfinite(stages[:, :, 0]).all(axis=(1, 2))
        mine = finite.size if finite.all() else int(np.argmin(finite))
        first = int(-maximum(comm, -mine)[0])
        layer, within = divmod(first - 1, self.steps_per_layer)
        where = f"after step {within + 1} of layer {layer + 1}" if first else "at the start"
        raise SolveError(
            f"the density is not finite {where}. Use smaller initial controls or more steps "
            "(time.steps_per_layer)."
        )

    def backward(
        self,
        controls: Controls,
        psi: Array,
        exit_cost: Array,
        class_weights: Array,
        record: Array | None = None,
    ) -> dict[str, Array]:
        """Carry the adjoints from T to 0, eq. (3), and collect the derivative, eq. (4).

        Args:
            controls: those of the last forward sweep.
            psi: adjoints at T, (classes, n_owned); those at 0 on return.
            exit_cost: as in ``forward``.
            class_weights: pi_k, (classes,).
            record: when given, psi at the start of every layer and at T, (layers + 1, classes, n).

        Returns:
            The part of this rank in dJ/dtheta, name -> (layers, ...).

        Parallel: collective.
        """
        source = exit_cost * self.transport.exit_weights
        derivative = {name: np.zeros_like(v) for name, v in controls.values.items()}
        if record is not None:
            record[-1] = psi
        for layer in reversed(range(self.space.layers)):
            a, s = self._coefficients[layer], self._sensitivity
            s.flat[:] = 0.0
            for m in reversed(range(self.steps_per_layer)):
                for k, weight in enumerate(class_weights):
                    self._step_back(a, self.stages[layer, m, k], psi[k], source[k], weight, s)
            if record is not None:
                record[layer] = psi
            g = self.transport.coefficients_vjp(self._velocity[layer], s)
            points, parameters = self.transport.points, controls.layer(layer)
            for name, part in self.block.vjp(self.activation, points, parameters, g).items():
                derivative[name][layer] = part
        return derivative

    def _step_back(
        self, a: Coefficients, y: Array, psi: Array, source: Array, weight: float, s: Coefficients
    ) -> None:
        step_transpose(self.transport, a, self.dt, self.scheme, y, psi, source, weight, s)
