# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""One Runge-Kutta step of samples, its transpose, and the tangents of both (no MPI here).

The step has y_j = x + dt a_j k_{j-1}, k_j = v(y_j; theta), x^+ = x + dt sum_j b_j k_j. With
lambda^+ the derivative of J in x^+, from the last stage to the first,

    kappa_j = dt b_j lambda^+ + dt a_{j+1} mu_{j+1},   mu_j = (dv/dx(y_j))^T kappa_j,
    lambda = lambda^+ + sum_j mu_j,   dJ/dtheta += sum_j (dv/dtheta(y_j))^T kappa_j.         (21)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array
from mfresnet.network.blocks import Parameters
from mfresnet.network.particles import Network, stages
from mfresnet.network.schemes import Scheme


@dataclass(frozen=True)
class ParticleStep:
    """A step that has been made.

    Attributes:
        network: the network.
        layer: number of the layer.
        dt: the step.
        scheme: the Runge-Kutta scheme.
        points: y_j, each (d, n).
    """

    network: Network
    layer: int
    dt: float
    scheme: Scheme
    points: Sequence[Array]

    @classmethod
    def of(
        cls, network: Network, layer: int, x: Array, dt: float, scheme: Scheme
    ) -> tuple[ParticleStep, Array]:
        """Return the step from the points x, (d, n), and the points after it."""
        points, after = stages(network, layer, x, dt, scheme)
        return cls(network, layer, dt, scheme, points), after

    def transpose(self, slope: Array, parts: dict[str, Array]) -> Array:
        """Return lambda of (21), (d, n).

        Args:
            slope: lambda^+, (d, n).
            parts: name -> derivative in the parameters of the layer, added to.
        """
        network, dt = self.network, self.dt
        block, sigma, theta = network.block, network.activation, network.controls.layer(self.layer)
        result, back = slope.copy(), np.zeros_like(slope)
        for j in reversed(range(self.scheme.order)):
            kappa = dt * self.scheme.weights[j] * slope + back
            mu, found = block.transposed(sigma, self.points[j], theta, kappa)
            result += mu
            back = dt * self.scheme.nodes[j] * mu
            for name, part in found.items():
                parts[name] += part
        return result

    def tangent(self, dx: Array, h: Parameters) -> tuple[list[Array], Array]:
        """Return the changes of y_j and of x^+ along changes dx of the points and h of theta."""
        network, dt, scheme = self.network, self.dt, self.scheme
        block, sigma, theta = network.block, network.activation, network.controls.layer(self.layer)
        increment, dk, changes = np.zeros_like(dx), np.zeros_like(dx), []
        for y, a, b in zip(self.points, scheme.nodes, scheme.weights, strict=True):
            changes.append(dx + dt * a * dk if a else dx)
            dk = block.jvp(sigma, y, theta, h) + block.push(sigma, y, theta, changes[-1])
            increment += b * dk
        return changes, dx + dt * increment

    def transpose_tangent(
        self,
        changes: Sequence[Array],
        slope: Array,
        dslope: Array,
        h: Parameters,
        parts: dict[str, Array],
    ) -> tuple[Array, Array]:
        """Return lambda of (21) and its change.

        Args:
            changes: dy_j, each (d, n).
            slope: lambda^+, (d, n).
            dslope: its change, (d, n).
            h: change of the parameters of the layer.
            parts: name -> change of the derivative in the parameters, added to.
        """
        network, dt, scheme = self.network, self.dt, self.scheme
        block, sigma, theta = network.block, network.activation, network.controls.layer(self.layer)
        result, dresult = slope.copy(), dslope.copy()
        back, dback = np.zeros_like(slope), np.zeros_like(slope)
        for j in reversed(range(scheme.order)):
            y, dy, factor = self.points[j], changes[j], dt * scheme.weights[j]
            kappa, dkappa = factor * slope + back, factor * dslope + dback
            mu = block.pull(sigma, y, theta, kappa)
            curved, curved_parts = block.second(sigma, y, theta, kappa, dy, h)
            dmu = block.pull(sigma, y, theta, dkappa) + curved
            for name, part in block.vjp(sigma, y, theta, dkappa).items():
                parts[name] += part + curved_parts[name]
            result += mu
            dresult += dmu
            back, dback = dt * scheme.nodes[j] * mu, dt * scheme.nodes[j] * dmu
        return result, dresult
