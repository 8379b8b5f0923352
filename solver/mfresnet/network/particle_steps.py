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

import numpy as np

from mfresnet.arrays import Array
from mfresnet.network.blocks import Parameters
from mfresnet.network.particles import Network
from mfresnet.network.schemes import Scheme


def step_transpose(
    network: Network,
    layer: int,
    points: Sequence[Array],
    dt: float,
    scheme: Scheme,
    slope: Array,
    parts: dict[str, Array],
) -> Array:
    """Return lambda of (21), (d, n).

    Args:
        network: the network.
        layer: number of the layer.
        points: y_j of the step, each (d, n).
        dt: the step.
        scheme: the Runge-Kutta scheme.
        slope: lambda^+, (d, n).
        parts: name -> derivative in the parameters of the layer, added to.
    """
    block, sigma, theta = network.block, network.activation, network.controls.layer(layer)
    result, back = slope.copy(), np.zeros_like(slope)
    for j in reversed(range(scheme.order)):
        kappa = dt * scheme.weights[j] * slope + back
        mu = block.pull(sigma, points[j], theta, kappa)
        for name, part in block.vjp(sigma, points[j], theta, kappa).items():
            parts[name] += part
        result += mu
        back = dt * scheme.nodes[j] * mu
    return result


def step_tangent(
    network: Network,
    layer: int,
    points: Sequence[Array],
    dt: float,
    scheme: Scheme,
    dx: Array,
    h: Parameters,
) -> tuple[list[Array], Array]:
    """Return the changes of y_j and of x^+ along changes dx of the points and h of theta."""
    block, sigma, theta = network.block, network.activation, network.controls.layer(layer)
    increment, dk, changes = np.zeros_like(dx), np.zeros_like(dx), []
    for y, a, b in zip(points, scheme.nodes, scheme.weights, strict=True):
        changes.append(dx + dt * a * dk if a else dx)
        dk = block.jvp(sigma, y, theta, h) + block.push(sigma, y, theta, changes[-1])
        increment += b * dk
    return changes, dx + dt * increment


def step_transpose_tangent(
    network: Network,
    layer: int,
    points: Sequence[Array],
    changes: Sequence[Array],
    dt: float,
    scheme: Scheme,
    slope: Array,
    dslope: Array,
    h: Parameters,
    parts: dict[str, Array],
) -> tuple[Array, Array]:
    """Return lambda of (21) and its change.

    Args:
        network: the network.
        layer: number of the layer.
        points: y_j of the step, each (d, n).
        changes: dy_j, each (d, n).
        dt: the step.
        scheme: the Runge-Kutta scheme.
        slope: lambda^+, (d, n).
        dslope: its change, (d, n).
        h: change of the parameters of the layer.
        parts: name -> change of the derivative in the parameters, added to.
    """
    block, sigma, theta = network.block, network.activation, network.controls.layer(layer)
    result, dresult = slope.copy(), dslope.copy()
    back, dback = np.zeros_like(slope), np.zeros_like(slope)
    for j in reversed(range(scheme.order)):
        y, dy, factor = points[j], changes[j], dt * scheme.weights[j]
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
