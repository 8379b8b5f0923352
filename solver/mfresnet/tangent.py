# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The second-order sweeps: tangents of the forward and the backward sweep along a change of theta.

Forward, df is the change of the densities; backward, psi is carried again beside its change dpsi:
together they yield the exact action of the Hessian of the discrete objective.
"""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.control import Controls
from mfresnet.objective import DepthLoss
from mfresnet.stepping import step_tangent, step_transpose_tangent
from mfresnet.sweep import Sweep


class Tangent:
    """The tangents of both sweeps of ``sweep``, with the memory for the tangents of all stages.

    Attributes:
        sweep: the sweep, whose last forward sweep is linearised.
        stages: dy_j of every layer, step, class and stage, of the shape of ``sweep.stages``.
        final: df at T, (classes, n_owned).
        left: change of the mass that has left, of the shape of ``sweep.left``.
    """

    def __init__(self, sweep: Sweep) -> None:
        """Allocate everything that the sweeps need."""
        self.sweep = sweep
        self.stages, self.final = np.zeros_like(sweep.stages), np.zeros_like(sweep.final)
        self.left = np.zeros_like(sweep.left)
        self._velocities = np.zeros_like(sweep.velocities)
        new = sweep.transport.new_coefficients
        self._coefficients = [new() for _ in sweep.coefficients]
        self._s, self._ds = new(), new()

    def density(self, n: int) -> Array:
        """Return df after n steps, (classes, n_owned), of the last forward sweep."""
        layer, m = divmod(n, self.sweep.steps_per_layer)
        return self.final if n == self.sweep.steps else self.stages[layer, m, :, 0]

    def forward(self, controls: Controls, along: Controls) -> None:
        """Carry the changes df from 0 to T.

        Args:
            controls: those of the last forward sweep.
            along: their change.

        Parallel: collective.
        """
        sweep, block = self.sweep, self.sweep.block
        transport, x = sweep.transport, sweep.transport.points
        for layer, da in enumerate(self._coefficients):
            theta, h, dv = controls.layer(layer), along.layer(layer), self._velocities[layer]
            dv[:] = block.jvp(sweep.activation, x, theta, h)
            transport.coefficients_jvp(sweep.velocities[layer], dv, da)
        self.density(0)[:] = 0.0
        for n in range(sweep.steps):
            layer, m = divmod(n, sweep.steps_per_layer)
            a, da = sweep.coefficients[layer], self._coefficients[layer]
            after = self.density(n + 1)
            for k in range(sweep.n_classes):
                y, dy = sweep.stages[layer, m, k], self.stages[layer, m, k]
                left = step_tangent(transport, a, da, sweep.dt, sweep.scheme, y, dy, after[k])
                np.add(self.left[n, k], left, out=self.left[n + 1, k])

    def backward(
        self, controls: Controls, along: Controls, loss: DepthLoss, class_weights: Array
    ) -> dict[str, Array]:
        """Carry psi and its change from T to 0, and collect the Hessian action.

        Args:
            controls: those of the last forward sweep.
            along: their change.
            loss: the loss over depth.
            class_weights: pi_k, (classes,).

        Returns:
            The part of this rank in the change of ``Sweep.backward``, name -> array.

        Parallel: collective.
        """
        sweep, steps = self.sweep, self.sweep.steps
        psi, dpsi = np.zeros_like(sweep.final), np.zeros_like(sweep.final)
        source, dsource = np.zeros_like(sweep.left[0]), np.zeros_like(sweep.left[0])
        action = {name: np.zeros(v.shape) for name, v in controls.values.items()}
        head, dhead = ({n: np.zeros(action[n].shape) for n in controls.head} for _ in range(2))

        def add(n: int) -> None:
            loss.add_derivative(sweep, n, controls, class_weights, psi, source, head)
            loss.add_hessian_action(self, n, controls, along, class_weights, dpsi, dsource, dhead)

        add(steps)
        for layer in reversed(range(sweep.space.layers)):
            self._s.flat[:] = 0.0
            self._ds.flat[:] = 0.0
            for m in reversed(range(sweep.steps_per_layer)):
                for k, weight in enumerate(class_weights):
                    step_transpose_tangent(
                        sweep.transport,
                        sweep.coefficients[layer],
                        self._coefficients[layer],
                        sweep.dt,
                        sweep.scheme,
                        sweep.stages[layer, m, k],
                        self.stages[layer, m, k],
                        psi[k],
                        dpsi[k],
                        source[k],
                        dsource[k],
                        weight,
                        self._s,
                        self._ds,
                    )
                add(layer * sweep.steps_per_layer + m)
            for name, part in self._layer(layer, controls, along).items():
                action[name][layer] = part
        return action | dhead

    def _layer(self, layer: int, controls: Controls, along: Controls) -> dict[str, Array]:
        """Return the change of a layer's derivative from those of the sensitivities."""
        sweep, transport = self.sweep, self.sweep.transport
        v, dv = sweep.velocities[layer], self._velocities[layer]
        theta, h = controls.layer(layer), along.layer(layer)
        g = transport.coefficients_vjp(v, self._s)
        dg = transport.coefficients_vjp(v, self._ds)
        dg += transport.coefficients_vjp_tangent(v, dv, self._s)
        block, sigma, x = sweep.block, sweep.activation, transport.points
        parts = block.vjp(sigma, x, theta, dg)
        curved = block.vjp_tangent(sigma, x, theta, g, h)
        return {name: parts[name] + curved[name] for name in parts}
