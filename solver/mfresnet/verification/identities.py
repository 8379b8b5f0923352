# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Identities between the state and its discrete adjoint that hold to rounding, for the certificate.

Parallel: every function is collective.
"""

from __future__ import annotations

import math

import numpy as np

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.mesh import aligned
from mfresnet.parallel import total
from mfresnet.transport import Adjoint, Coefficients, Steps
from mfresnet.verification.findings import Check, at_most

ROUNDING = 1e-12


def _layer(functional: ReducedFunctional, theta: Array, layer: int) -> Coefficients:
    transport = functional.problem.transport
    v = functional.network(theta).velocity(transport.points, layer)
    return transport.coefficients(v, transport.new_coefficients())


def _field(functional: ReducedFunctional, number: int) -> Array:
    """Return degrees of freedom that look random and do not depend on the number of ranks."""
    space = functional.problem.space
    x, _ = space.map_points(slice(0, space.n_owned_cells), np.full((1, space.dimension), 0.31))
    phase = x[:, 0] @ (37.0 + 54.0 * np.arange(space.dimension)) + number
    f = np.empty(space.n_owned)
    f[space.dofs[: space.n_owned_cells]] = np.sin(
        1e3 * (phase[:, None] + np.arange(space.basis.dim))
    )
    return f


def _inner(functional: ReducedFunctional, f: Array, g: Array) -> float:
    return float(total(functional.comm, np.sum(f * functional.problem.space.mass * g))[0])


def transpose(functional: ReducedFunctional, theta: Array) -> list[Check]:
    """Compare (psi, A f) with (A* psi, f) in every layer."""
    transport, worst = functional.problem.transport, 0.0
    f, psi = _field(functional, 0), _field(functional, 1)
    for layer in range(functional.controls.layers):
        a = _layer(functional, theta, layer)
        af = transport.apply(f, a).copy()
        back = transport.apply_transpose(psi, a)
        size = math.sqrt(_inner(functional, psi, psi) * _inner(functional, af, af)) or 1.0
        gap = _inner(functional, psi, af) - _inner(functional, back, f)
        worst = max(worst, abs(gap) / size)
    defect = "The adjoint is not that of the state: a defect of mfresnet, please report it."
    return [at_most("transpose identity", worst, ROUNDING, defect)]


def pairing(functional: ReducedFunctional, theta: Array) -> list[Check]:
    """Compare (f, psi) at the start of every layer with that at T, psi being carried back."""
    f, transport = Trajectory(functional, theta).densities(), functional.problem.transport
    march, steps = functional.sweep.march, functional.steps_per_layer
    limiter = march.limiter
    exits = np.zeros((1, transport.n_exit))
    stages, left = aligned(steps, 1, march.stages, march.size), np.zeros((steps, *exits.shape))
    worst, unused = 0.0, transport.new_coefficients()
    for k in range(f.shape[1]):
        psi = _field(functional, 2)
        size = math.sqrt(_inner(functional, psi, psi) * _inner(functional, f[-1, k], f[-1, k]))
        there, last = _inner(functional, f[-1, k], psi), f[-1, k]
        carried = np.array(limiter.packed(psi[None]))
        adjoint = Adjoint(carried, np.zeros_like(exits), np.ones(1), unused)
        for layer in reversed(range(functional.controls.layers)):
            # the adjoint steps are linearised where the density went
            made = Steps(_layer(functional, theta, layer), stages, left)
            states = np.array(limiter.packed(f[layer, k : k + 1]))
            march.forward(made, states, exits)
            at = limiter.density(states)
            # a limiter may limit again what it has left: compare inside the layer
            there += _inner(functional, at.f[0], psi) - _inner(functional, last, psi)
            at = march.transpose(made, adjoint, at)
            last, psi = at.f[0].copy(), limiter.unpacked(carried)[0]
            worst = max(worst, abs(_inner(functional, last, psi) - there) / size)
    defect = (
        "The backward steps are not those of the state: a defect of mfresnet, please report it."
    )
    return [at_most("pairing drift", worst, 10.0 * ROUNDING, defect)]
