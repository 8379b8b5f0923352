# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The forward sweep of the densities from 0 to T and the backward sweep of the adjoints.

The backward sweep yields the exact derivative of the discrete objective, layer by layer. The
second-order sweeps are in ``tangent``.
"""

from __future__ import annotations

import math

import numpy as np

from mfresnet.activations import Activation
from mfresnet.arrays import Array
from mfresnet.blocks import Block
from mfresnet.control import Controls, ControlSpace
from mfresnet.errors import SolveError
from mfresnet.growth import check_growth, squared_norms
from mfresnet.objective import DepthLoss
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
        final: the densities at T, (classes, n_owned).
        left: mass that has left through each boundary point of this rank until the start of every
            step and until T, (layers * m + 1, classes, n_exit).
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
        self.velocities = np.zeros((space.layers, *transport.points.shape))
        self.coefficients = [transport.new_coefficients() for _ in range(space.layers)]
        self._sensitivity = transport.new_coefficients()
        self.left = np.zeros((self.steps + 1, n_classes, transport.n_exit))

    @property
    def steps(self) -> int:
        """Number of time steps from 0 to T."""
        return self.space.layers * self.steps_per_layer

    def density(self, n: int) -> Array:
        """Return f after n steps, (classes, n_owned), of the last forward sweep."""
        layer, m = divmod(n, self.steps_per_layer)
        return self.final if n == self.steps else self.stages[layer, m, :, 0]

    def set_controls(self, controls: Controls) -> None:
        """Evaluate the velocity of every layer and check the CFL condition.

        Raises:
            StepsError: a layer needs more time steps.
            SolveError: a velocity is not finite.

        Parallel: collective.
        """
        needed = self.steps_for(controls)
        if needed > self.steps_per_layer:
            raise StepsError(self.steps_per_layer, needed)

    def steps_for(self, controls: Controls) -> int:
        """Evaluate the velocity of every layer and return how many steps a layer needs.

        Raises:
            SolveError: a velocity is not finite.

        Parallel: collective.
        """
        rates = np.zeros(self.space.layers)
        for layer, a in enumerate(self.coefficients):
            v = self.velocities[layer]
            v[:] = self.velocity(self.transport.points, controls, layer)
            self.transport.coefficients(v, a)
            rates[layer] = np.nan_to_num(self.transport.rates.rate(a), nan=np.inf)
        rate = float(maximum(self.transport.space.comm, rates).max())
        if not math.isfinite(rate):
            raise SolveError(
                "the velocity is not finite; the controls or the activation grow too large. Add "
                "bounds training.lower and training.upper or raise penalty.tikhonov."
            )
        cfl = self.scheme.cfl[self.transport.space.degree]
        return steps_needed(rate, self.space.layer_time, cfl)

    def velocity(self, x: Array, controls: Controls, layer: int) -> Array:
        """Return v(x; theta_layer) at points x, (d, n)."""
        return self.block.velocity(self.activation, x, controls.layer(layer))

    def forward(self, f0: Array) -> Array:
        """Carry the densities from 0 to T, eq. (1), with the controls that were set.

        Args:
            f0: initial densities, (classes, n_owned).

        Returns:
            The final densities, (classes, n_owned).

        Raises:
            SolveError: a density is not finite or grows too fast, with the layer and step.

        Parallel: collective.
        """
        self.density(0)[:] = f0
        for n in range(self.steps):
            layer, m = divmod(n, self.steps_per_layer)
            a, after = self.coefficients[layer], self.density(n + 1)
            for k in range(self.n_classes):
                stages = self.stages[layer, m, k]
                left = step(self.transport, a, self.dt, self.scheme, stages, after[k])
                np.add(self.left[n, k], left, out=self.left[n + 1, k])
        space = self.transport.space
        squared = np.array([squared_norms(space, self.density(n)) for n in range(self.steps + 1)])
        check_growth(
            self.transport,
            self.coefficients,
            squared,
            self.space.layer_time,
            self.steps_per_layer,
        )
        return self.final

    def backward(
        self,
        controls: Controls,
        loss: DepthLoss,
        class_weights: Array,
        record: Array | None = None,
        frozen: Array | None = None,
    ) -> dict[str, Array]:
        """Carry the adjoints from T to 0, eq. (3), and collect the derivative, eq. (4).

        Args:
            controls: those of the last forward sweep.
            loss: the loss over depth.
            class_weights: pi_k, (classes,).
            record: when given, psi at the start of every layer and at T, (layers + 1, classes, n).
            frozen: when given, the derivative in the coefficients, a ``Coefficients.flat`` a layer.

        Returns:
            The part of this rank in dJ/dtheta, name -> (layers, ...), for the head as it is.

        Parallel: collective.
        """
        psi, source = np.zeros_like(self.final), np.zeros_like(self.left[0])
        derivative = {name: np.zeros(v.shape) for name, v in controls.values.items()}
        head = {name: derivative[name] for name in controls.head}
        loss.add_derivative(self, self.steps, controls, class_weights, psi, source, head)
        if record is not None:
            record[-1] = psi
        for layer in reversed(range(self.space.layers)):
            a, s = self.coefficients[layer], self._sensitivity
            s.flat[:] = 0.0
            for m in reversed(range(self.steps_per_layer)):
                for k, weight in enumerate(class_weights):
                    self._step_back(a, self.stages[layer, m, k], psi[k], source[k], weight, s)
                n = layer * self.steps_per_layer + m
                loss.add_derivative(self, n, controls, class_weights, psi, source, head)
            if record is not None:
                record[layer] = psi
            if frozen is not None:
                frozen[layer] = s.flat
            g = self.transport.coefficients_vjp(self.velocities[layer], s)
            points, parameters = self.transport.points, controls.layer(layer)
            for name, part in self.block.vjp(self.activation, points, parameters, g).items():
                derivative[name][layer] = part
        return derivative

    def _step_back(
        self, a: Coefficients, y: Array, psi: Array, source: Array, weight: float, s: Coefficients
    ) -> None:
        step_transpose(self.transport, a, self.dt, self.scheme, y, psi, source, weight, s)
