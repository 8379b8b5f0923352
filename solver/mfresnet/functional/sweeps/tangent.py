# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The second-order sweeps: tangents of the forward and the backward sweep along a change of theta.

Forward, df is the change of the densities; backward, psi is carried again beside its change dpsi:
together they yield the exact action of the Hessian of the discrete objective. Where the sweep does
not hold the stages of all layers, the densities are carried again beside df.
"""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.functional.sweeps.layer import Layer
from mfresnet.functional.sweeps.reversal import Reversal
from mfresnet.functional.sweeps.sweep import Sweep
from mfresnet.losses import DepthLoss, Parts
from mfresnet.mesh import aligned
from mfresnet.network import Controls
from mfresnet.transport import Adjoint


class Tangent:
    """The tangents of both sweeps of ``sweep``, with the memory that its plan gives them.

    Attributes:
        sweep: the sweep, whose last forward sweep is linearised.
        dstates: the change of the states where a sweep is, (classes, size of the march).
        left: change of the mass that has left until then, (classes, n_exit).
    """

    def __init__(self, sweep: Sweep) -> None:
        """Allocate everything that the sweeps need."""
        self.sweep, transport = sweep, sweep.transport
        # a change of the velocity, of the coefficients and of the stages a layer
        self._layers = [
            Layer(transport, sweep.march, sweep.steps_per_layer, sweep.n_classes)
            for _ in range(sweep.plan.held)
        ]
        self.dstates, self.left = np.zeros_like(sweep.states), np.zeros_like(sweep.left)
        self._final, self._final_left = np.zeros_like(self.dstates), np.zeros_like(self.left)
        self._s, self._ds = transport.new_coefficients(), transport.new_coefficients()
        self._reversal = Reversal(sweep.plan, transport.space.comm)
        self._along: Controls

    def _layer(self, number: int) -> Layer:
        """Return the memory for the changes in a layer, with that of the velocity in place."""
        sweep, transport = self.sweep, self.sweep.transport
        change = self._layers[number - sweep.plan.start_of(number)]
        if change.number != number:
            change.number = number
            theta = sweep.network.controls.layer(number), self._along.layer(number)
            sigma, x = sweep.network.activation, transport.points
            change.velocity[:] = sweep.network.block.jvp(sigma, x, *theta)
            v = sweep.layer(number).velocity
            transport.coefficients_jvp(v, change.velocity, change.coefficients)
        return change

    def _carry(self, number: int, keep: bool) -> None:
        sweep, every = self.sweep, slice(0, self.sweep.steps_per_layer)
        if not sweep.plan.whole:
            sweep.carry(number, True)
        at, along = sweep.layer(number).steps(every), self._layer(number).steps(every, keep)
        sweep.march.tangent(at, along, self.dstates, self.left)

    @property
    def _state(self) -> tuple[Array, ...]:
        return self.sweep.states, self.sweep.left, self.dstates, self.left

    def forward(self, along: Controls) -> None:
        """Carry the changes of the states from 0 to T.

        Args:
            along: the change of the controls.

        Parallel: collective.
        """
        self._along = along
        for change in self._layers:
            change.number = -1
        if not self.sweep.plan.whole:
            self.sweep.reversal.forget()
        self.sweep.start()
        self.dstates[:] = 0.0
        self.left[:] = 0.0
        self._reversal.forward(self._state, self._carry)
        self._final[:], self._final_left[:] = self.dstates, self.left

    def backward(self, loss: DepthLoss, class_weights: Array) -> dict[str, Array]:
        """Carry psi and its change from T to 0, and collect the Hessian action.

        Args:
            loss: the loss over depth.
            class_weights: pi_k, (classes,).

        Returns:
            The part of this rank in the change of ``Sweep.backward``, name -> array.

        Parallel: collective.
        """
        sweep, controls, along = self.sweep, self.sweep.network.controls, self._along
        psi, dpsi = aligned(*sweep.last.shape), aligned(*sweep.last.shape)
        source, dsource = np.zeros_like(sweep.left), np.zeros_like(sweep.left)
        action = {name: np.zeros(v.shape) for name, v in controls.values.items()}
        head, dhead = ({n: np.zeros(action[n].shape) for n in controls.head} for _ in range(2))

        adjoint = Adjoint(psi, source, class_weights, self._s)
        dadjoint = Adjoint(dpsi, dsource, class_weights, self._ds)
        # the densities after the step, and the change of the states there
        limiter = sweep.march.limiter
        after, dafter = limiter.density(sweep.last), self._final
        wanted = loss.wanted

        def charge(n: int, left: Array, dleft: Array) -> None:
            at = Parts(after.f, left, controls.of_head())
            change = Parts(after.tangent(dafter), dleft, along.of_head())
            gain, dgain = np.zeros_like(sweep.final), np.zeros_like(sweep.final)
            loss.add_derivative(n, at, class_weights, gain, source, head)
            loss.add_hessian_action(n, at, change, class_weights, dgain, dsource, dhead)
            np.add(psi, limiter.packed(gain), out=psi)
            np.add(dpsi, limiter.packed(dgain), out=dpsi)

        def back(number: int) -> None:
            nonlocal after, dafter
            kept, change = sweep.layer(number), self._layer(number)
            self._s.flat[:] = 0.0
            self._ds.flat[:] = 0.0
            for steps in reversed(list(sweep.runs(number, wanted))):
                at, along_steps = kept.steps(steps), change.steps(steps)
                after = sweep.march.transpose_tangent(
                    at, along_steps, adjoint, dadjoint, after, dafter
                )
                dafter = along_steps.y[0, :, 0]
                n = number * sweep.steps_per_layer + steps.start
                if wanted[n]:
                    charge(n, kept.left[steps.start], change.left[steps.start])
            # the memory of the layer may be that of the layer before
            after, dafter = after.kept(), dafter.copy()
            for name, part in self._parameters(number, kept, change).items():
                action[name][number] = part

        charge(sweep.steps, sweep.final_left, self._final_left)
        self._reversal.backward(self._state, self._carry, back)
        return action | dhead

    def _parameters(self, number: int, kept: Layer, change: Layer) -> dict[str, Array]:
        """Return the change of a layer's derivative from those of the sensitivities."""
        sweep, transport = self.sweep, self.sweep.transport
        v, dv = kept.velocity, change.velocity
        theta, h = sweep.network.controls.layer(number), self._along.layer(number)
        g = transport.coefficients_vjp(v, self._s)
        dg = transport.coefficients_vjp(v, self._ds)
        dg += transport.coefficients_vjp_tangent(v, dv, self._s)
        block, sigma, x = sweep.network.block, sweep.network.activation, transport.points
        parts = block.vjp(sigma, x, theta, dg)
        curved = block.vjp_tangent(sigma, x, theta, g, h)
        return {name: parts[name] + curved[name] for name in parts}
