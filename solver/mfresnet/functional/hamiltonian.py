# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The Hamiltonian of the optimality system: J with the densities and the adjoints held fixed.

Along the sweeps of theta_0 the derivative of J in the coefficients of layer l is s_l. Then

    H(theta) = sum_l s_l . a( v(.; theta_l) ) + Penalty(theta) + loss of the head           (15)

has at theta_0 the derivative of J, and Pontryagin's principle says that an optimal theta makes it
least, layer by layer. One evaluation needs the velocity of every layer once, and no sweep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from scipy.optimize import minimize

from mfresnet.arrays import Array
from mfresnet.functional.problem import Problem
from mfresnet.functional.sweeps.sweep import Sweep
from mfresnet.losses import DepthLoss
from mfresnet.network import ControlSpace, Network
from mfresnet.parallel import total

ITERATIONS = 100
"""Limit on the inner iterations; the damping forgives an inexact minimiser."""


class Swept(Protocol):
    """J with its sweeps, see ``ReducedFunctional``."""

    problem: Problem
    controls: ControlSpace
    depth_loss: DepthLoss
    sweep: Sweep

    def network(self, theta: Array) -> Network:
        """Return the residual network with the controls theta."""

    def derivative(
        self,
        theta: Array,
        record: Callable[[int, Array], None] | None = None,
        frozen: Array | None = None,
    ) -> Array:
        """Return dJ/dtheta; fill ``frozen`` with the derivatives in the coefficients."""

    def penalty(self, theta: Array) -> float:
        """Return the part of J that the controls make."""

    def penalty_derivative(self, theta: Array) -> Array:
        """Return the derivative of ``penalty``."""


class Hamiltonian:
    """H of eq. (15) along the sweeps of given controls.

    Parallel: every method is collective.
    """

    def __init__(self, functional: Swept, theta: Array) -> None:
        """Make both sweeps at theta. The next sweep of ``functional`` ends the validity of H."""
        self._functional, self._theta = functional, theta
        transport, layers = functional.problem.transport, functional.controls.layers
        self._frozen = np.empty((layers, transport.new_coefficients().flat.size))
        functional.derivative(theta, frozen=self._frozen)
        self._a = transport.new_coefficients()
        self._s = transport.new_coefficients()

    def evaluate(self, theta: Array) -> tuple[float, Array]:
        """Return H and its derivative, a dual vector of theta's shape."""
        f, network = self._functional, self._functional.network(theta)
        transport, controls = f.problem.transport, network.controls
        parts = {name: np.zeros(v.shape) for name, v in controls.values.items()}
        value = 0.0
        for layer, frozen in enumerate(self._frozen):
            self._s.flat[:] = frozen
            v = network.velocity(transport.points, layer)
            value += transport.pairing(transport.coefficients(v, self._a), self._s)
            g, theta_l = transport.coefficients_vjp(v, self._s), controls.layer(layer)
            vjp = network.block.vjp(network.activation, transport.points, theta_l, g)
            for name, part in vjp.items():
                parts[name][layer] = part
        head = f.depth_loss.head_derivative(f.sweep, controls, f.problem.class_weights)
        sums = total(f.problem.comm, np.append(f.controls.pull_back(parts | head), value))
        if head:
            sums[-1] += float(f.problem.class_weights @ f.depth_loss.value(f.sweep, controls))
        return float(sums[-1]) + f.penalty(theta), sums[:-1] + f.penalty_derivative(theta)

    def minimiser(self) -> Array:
        """Return the controls where H is least, within the bounds of the case; local search."""
        training, theta = self._functional.problem.case.training, self._theta
        scale = np.sqrt(self._functional.controls.weights)

        def scaled(z: Array) -> tuple[float, Array]:
            value, derivative = self.evaluate(z / scale)
            return value, derivative / scale

        bounds = [
            tuple(None if b is None else b * w for b in (training.lower, training.upper))
            for w in scale
        ]
        options = {"maxiter": ITERATIONS, "gtol": 0.1 * training.gradient_tolerance, "ftol": 0.0}
        found = minimize(scaled, theta * scale, jac=True, bounds=bounds, options=options)
        return np.asarray(found.x) / scale
