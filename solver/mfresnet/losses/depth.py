# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The loss over depth: at T, and its integral over (0, T), with exact discrete derivatives.

With the weights omega_n of the time steps, from 0 to N at T,

    sum_k pi_k sum_n omega_n Loss_k( f_k^n, left_k^n; head )                                (10)

where left^n is the mass that has left so far: it pays where it left, at T and as long as the
running loss runs. omega is ``loss.running`` times the trapezoidal rule, plus ``loss.terminal`` at
T.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from mfresnet.arrays import Array
from mfresnet.losses.loss import Loss, Parts
from mfresnet.network import Controls

Visit = Callable[[int, Array, Array], None]
"""(n, f, left) -> None: called with the densities, (classes, n_owned), and the mass that has left
through each boundary point, (classes, n_exit), after n time steps; neither may be kept."""


class Visits(Protocol):
    """A forward sweep that was made, see ``Sweep``."""

    @property
    def n_classes(self) -> int:
        """Number of classes."""

    @property
    def final(self) -> Array:
        """The densities at T, (classes, n_owned)."""

    @property
    def final_left(self) -> Array:
        """Mass that has left until T, (classes, n_exit)."""

    def revisit(self, visit: Visit, wanted: Array) -> None:
        """Call ``visit`` with the densities, after those numbers of steps that are wanted."""


def depth_weights(steps: int, dt: float, terminal: float, running: float) -> Array:
    """Return omega_n, (steps + 1,)."""
    weights = np.full(steps + 1, running * dt)
    weights[[0, -1]] *= 0.5
    weights[-1] += terminal
    return weights


class DepthLoss:
    """The sum (10) of one loss, and what it adds to the backward sweeps.

    Attributes:
        loss: the loss.
        weights: omega_n, (steps + 1,).
        exit_weights: quadrature weights of the boundary points, (n_exit,).

    Parallel: every method is collective.
    """

    def __init__(self, loss: Loss, weights: Array, exit_weights: Array) -> None:
        """Keep everything."""
        self.loss, self.weights, self.exit_weights = loss, weights, exit_weights

    @property
    def wanted(self) -> Array:
        """After which numbers of steps the loss is taken, (steps + 1,), bool."""
        return self.weights != 0.0

    def adder(self, controls: Controls, result: Array) -> Visit:
        """Return what adds omega_n Loss_k to ``result``, (classes,), where it is called."""

        def add(n: int, f: Array, left: Array) -> None:
            result[:] += self.weights[n] * self.loss.value(Parts(f, left, controls.of_head()))

        return add

    def value(self, sweep: Visits, controls: Controls) -> Array:
        """Return sum_n omega_n Loss_k of each class at the densities of a sweep, (classes,)."""
        result = np.zeros(sweep.n_classes)
        sweep.revisit(self.adder(controls, result), self.wanted)
        return result

    def add_derivative(
        self,
        n: int,
        at: Parts,
        class_weights: Array,
        psi: Array,
        source: Array,
        head: dict[str, Array],
    ) -> None:
        """Add the derivative of the n-th term.

        Args:
            n: the number of time steps made.
            at: densities, mass that has left, and head then.
            class_weights: pi_k, (classes,).
            psi: the adjoints, (classes, n_owned), added to.
            source: the prices times the weights of the boundary points, (classes, n_exit), added
                to.
            head: the part of this rank in the derivative in the head, added to.
        """
        omega = self.weights[n]
        if omega == 0.0:
            return
        self._add(omega, self.loss.derivative(at, class_weights), psi, source, head)

    def head_derivative(
        self, sweep: Visits, controls: Controls, class_weights: Array
    ) -> dict[str, Array]:
        """Return the part of this rank in the derivative in the head at fixed densities."""
        head = {name: np.zeros(controls.values[name].shape) for name in controls.head}
        if head:
            psi, source = np.zeros_like(sweep.final), np.zeros_like(sweep.final_left)

            def add(n: int, f: Array, left: Array) -> None:
                at = Parts(f, left, controls.of_head())
                self.add_derivative(n, at, class_weights, psi, source, head)

            sweep.revisit(add, self.wanted)
        return head

    def add_hessian_action(
        self,
        n: int,
        at: Parts,
        change: Parts,
        class_weights: Array,
        dpsi: Array,
        dsource: Array,
        dhead: dict[str, Array],
    ) -> None:
        """Add the change of what ``add_derivative`` adds, along a change of the controls.

        Args:
            n: the number of time steps made.
            at: densities, mass that has left, and head then.
            change: their change.
            class_weights: pi_k, (classes,).
            dpsi: changes of the adjoints, (classes, n_owned), added to.
            dsource: changes of the sources, (classes, n_exit), added to.
            dhead: the part of this rank in the action in the head, added to.
        """
        omega = self.weights[n]
        if omega == 0.0:
            return
        action = self.loss.hessian_action(at, change, class_weights)
        self._add(omega, action, dpsi, dsource, dhead)

    def _add(
        self, omega: float, parts: Parts, psi: Array, source: Array, head: dict[str, Array]
    ) -> None:
        psi += omega * parts.f
        source += omega * parts.left * self.exit_weights
        for name, part in parts.head.items():
            head[name] += omega * part
