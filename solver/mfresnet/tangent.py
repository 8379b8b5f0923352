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
from mfresnet.control import Controls
from mfresnet.layer import Layer
from mfresnet.loss import Parts
from mfresnet.objective import DepthLoss
from mfresnet.reversal import Reversal
from mfresnet.stepping import step_tangent, step_transpose_tangent
from mfresnet.sweep import Sweep


class Tangent:
    """The tangents of both sweeps of ``sweep``, with the memory that its plan gives them.

    Attributes:
        sweep: the sweep, whose last forward sweep is linearised.
        df: the change of the densities where a sweep is, before they are limited,
            (classes, n_owned).
        left: change of the mass that has left until then, (classes, n_exit).
    """

    def __init__(self, sweep: Sweep) -> None:
        """Allocate everything that the sweeps need."""
        self.sweep, transport = sweep, sweep.transport
        # a change of the velocity, of the coefficients and of the stages a layer
        self._layers = [
            Layer(transport, sweep.scheme, sweep.steps_per_layer, sweep.n_classes)
            for _ in range(sweep.plan.held)
        ]
        self.df, self.left = np.zeros_like(sweep.f), np.zeros_like(sweep.left)
        self._final, self._final_left = np.zeros_like(self.df), np.zeros_like(self.left)
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
        sweep, held = self.sweep, self.sweep.plan.whole
        kept, change = sweep.layer(number), self._layer(number)
        a, da = kept.coefficients, change.coefficients
        for m in range(sweep.steps_per_layer):
            i = m if keep else 0
            if not held:
                sweep.advance(kept, i)
            change.left[i] = self.left
            for k, df in enumerate(self.df):
                y, dy = kept.stages[i, k], change.stages[i, k]
                dy[0] = df
                self.left[k] += step_tangent(
                    sweep.transport, a, da, sweep.dt, sweep.scheme, y, dy, df, sweep.limiter
                )

    @property
    def _state(self) -> tuple[Array, ...]:
        return self.sweep.f, self.sweep.left, self.df, self.left

    def forward(self, along: Controls) -> None:
        """Carry the changes df from 0 to T.

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
        self.df[:] = 0.0
        self.left[:] = 0.0
        self._reversal.forward(self._state, self._carry)
        self._final[:], self._final_left[:] = self.df, self.left

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
        psi, dpsi = np.zeros_like(sweep.final), np.zeros_like(sweep.final)
        source, dsource = np.zeros_like(sweep.left), np.zeros_like(sweep.left)
        action = {name: np.zeros(v.shape) for name, v in controls.values.items()}
        head, dhead = ({n: np.zeros(action[n].shape) for n in controls.head} for _ in range(2))

        limited, wanted = sweep.limited(sweep.last), loss.wanted
        # the change of the state after the step
        after = self._final.copy()

        def charge(n: int, f: Array, left: Array, df: Array, dleft: Array) -> None:
            if sweep.limiter is not None:
                f = np.array([at.y for at in limited if at is not None])
                pairs = zip(limited, df, strict=True)
                df = np.array([at.tangent(dg) for at, dg in pairs if at is not None])
            at, change = Parts(f, left, controls.of_head()), Parts(df, dleft, along.of_head())
            loss.add_derivative(n, at, class_weights, psi, source, head)
            loss.add_hessian_action(n, at, change, class_weights, dpsi, dsource, dhead)

        def back(number: int) -> None:
            kept, change = sweep.layer(number), self._layer(number)
            self._s.flat[:] = 0.0
            self._ds.flat[:] = 0.0
            for m in reversed(range(sweep.steps_per_layer)):
                y, dy = kept.stages[m], change.stages[m]
                for k, weight in enumerate(class_weights):
                    limited[k] = step_transpose_tangent(
                        sweep.transport,
                        kept.coefficients,
                        change.coefficients,
                        sweep.dt,
                        sweep.scheme,
                        y[k],
                        dy[k],
                        psi[k],
                        dpsi[k],
                        source[k],
                        dsource[k],
                        weight,
                        self._s,
                        self._ds,
                        limited[k],
                        after[k],
                    )
                after[:] = dy[:, 0]
                n = number * sweep.steps_per_layer + m
                if wanted[n]:
                    charge(n, y[:, 0], kept.left[m], dy[:, 0], change.left[m])
            # the memory of the layer may be that of the layer before
            limited[:] = [None if at is None else at.kept() for at in limited]
            for name, part in self._parameters(number, kept, change).items():
                action[name][number] = part

        charge(sweep.steps, sweep.final, sweep.final_left, self._final, self._final_left)
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
