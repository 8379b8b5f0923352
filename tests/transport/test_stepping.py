# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A further term of the equation is one more step: the identities of a splitting."""

from mpi4py import MPI

import numpy as np
import pytest

from helpers import inner, make_case, random_field, shaped_mesh
from mfresnet.arrays import Array
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.problem import Problem
from mfresnet.functional.trajectory import Trajectory
from mfresnet.mesh.space import Space
from mfresnet.network.schemes import SCHEMES, Scheme
from mfresnet.transport.fused.transport import FusedTransport
from mfresnet.transport.operator.coefficients import Coefficients
from mfresnet.transport.steps.limiter import LIMITERS
from mfresnet.transport.steps.make import Split, make_step
from mfresnet.transport.steps.march import March, OneByOne
from mfresnet.transport.steps.positivity import mean_rate
from mfresnet.transport.steps.step import Adjoint, Stages, Step
from mfresnet.transport.steps.unlimited import Density, Limiter
from mfresnet.verification.identities import pairing
from mfresnet.verification.taylor import taylor_test

SPEED = 0.3
"""Of the exchange between cells."""


class Exchange:
    """Implicit diffusion of the cell means from each cell to the next, by a dense matrix.

    (V + dt K) m_new = V m with the volumes V and a Laplacian K: self-adjoint in L2, free of theta,
    and cell means stay positive.
    """

    stages = 1

    def __init__(self, space: Space, dt: float, limiter: Limiter) -> None:
        self.dt, self.limiter, self._volume = dt, limiter, space.cell_volume
        self._dofs = space.dofs[: space.n_owned_cells]
        self._integral = space.integral[self._dofs]
        self._one = self._integral / space.mass[self._dofs]
        jumps = np.diff(np.eye(space.n_owned_cells), axis=0)
        volume = np.diag(self._volume)
        self._q = np.linalg.solve(volume + dt * SPEED * jumps.T @ jumps, volume)

    def _carried(self, f: Array) -> Array:
        means = np.sum(f[:, self._dofs] * self._integral, axis=-1) / self._volume
        change = np.zeros_like(f)
        change[:, self._dofs] = (means @ self._q.T - means)[..., None] * self._one
        return f + change

    def forward(self, at: Stages, out: Array, left: Array) -> None:
        out[:] = self._carried(self.limiter.densities(at.y[:, 0]))

    def tangent(self, at: Stages, along: Stages, out: Array, left: Array) -> None:
        out[:] = self._carried(self.limiter.density(at.y[:, 0]).tangent(along.y[:, 0]))

    def transpose(self, at: Stages, adjoint: Adjoint, after: Density) -> Density:
        after.transpose(adjoint.psi)
        adjoint.psi[:] = self._carried(adjoint.psi)
        return self.limiter.density(at.y[:, 0])

    def transpose_tangent(
        self,
        at: Stages,
        along: Stages,
        adjoint: Adjoint,
        change: Adjoint,
        after: Density,
        dafter: Array,
    ) -> Density:
        after.transpose_tangent(dafter, adjoint.psi, change.psi)
        for psi in (adjoint.psi, change.psi):
            psi[:] = self._carried(psi)
        return self.limiter.density(at.y[:, 0])

    def rate(self, velocity: Array, a: Coefficients) -> float:
        return 0.0

    def rate_bound(self, velocity: float) -> float:
        return 0.0


def strang(space: Space, advection: Step) -> Split:
    """Return half a step of the exchange, a step of the other, half a step of the exchange."""
    half = Exchange(space, 0.5 * advection.dt, advection.limiter)
    return Split([half, advection, half], advection.dt)


class WithExchange(Problem):
    """Densities that are exchanged too."""

    def march(self, dt: float, scheme: Scheme) -> March:
        advection = make_step(self.transport, scheme, dt, self.limiter)
        return OneByOne(self.transport, strang(self.space, advection))


@pytest.mark.parametrize("limiter", LIMITERS)
@pytest.mark.parametrize("cell", ["interval", "triangle"])
def test_tangent_and_transpose_of_a_splitting(cell: str, limiter: str) -> None:
    """Both fit together to rounding, with two classes, sensitivities and the cost of outflow."""
    space = Space(shaped_mesh(MPI.COMM_SELF, cell, 4, "rotated"), 2)
    transport, n = FusedTransport(space), space.n_owned
    v = np.sin(2.0 * transport.points + 0.3)
    a, da = (transport.coefficients(w, transport.new_coefficients()) for w in (v, np.cos(v)))
    dt = 0.3 / mean_rate(transport, v, a)
    advection = make_step(transport, SCHEMES[3], dt, LIMITERS[limiter](space))
    step = strang(space, advection)
    assert step.stages == advection.stages + 2
    at, along = (Stages(b, np.zeros((2, step.stages, n))) for b in (a, da))
    field = random_field(space)
    at.y[:, 0] = 1.5 + 0.8 * field, 1.2 - 0.9 * field
    along.y[:, 0] = np.sin(3.0 * field), np.cos(5.0 * field)
    out, dout = np.empty((2, n)), np.empty((2, n))
    left, dleft = np.zeros((2, transport.n_exit)), np.zeros((2, transport.n_exit))
    step.forward(at, out, left)
    np.testing.assert_allclose(
        (at.y[:, 0] - out) @ space.integral, left.sum(axis=1), rtol=1e-12, atol=1e-13
    )
    step.tangent(at, along, dout, dleft)
    after = step.limiter.density(out)
    weights, source = np.array([0.3, 0.7]), np.cos(np.arange(2.0 * transport.n_exit))
    psi, there = np.array([np.sin(7.0 * field), np.cos(2.0 * field)]), after.tangent(dout)
    adjoint = Adjoint(psi.copy(), source.reshape(left.shape), weights, transport.new_coefficients())
    gain = [inner(space, p, df) for p, df in zip(psi, there, strict=True)]
    gain += np.sum(adjoint.source * dleft / transport.exit_weights, axis=1)
    before = step.transpose(at, adjoint, after).tangent(along.y[:, 0])
    back = [inner(space, p, df) for p, df in zip(adjoint.psi, before, strict=True)]
    sensitivity = transport.pairing(da, adjoint.sensitivity)
    size = np.sqrt(sum(inner(space, df, df) for df in there))
    assert abs(weights @ gain - (weights @ back + sensitivity)) <= 1e-12 * size
    assert abs(sensitivity) > 1e-3 * size


@pytest.mark.parametrize("limiter", ["none", "smooth_zhang_shu"])
def test_sweeps_of_a_splitting(limiter: str) -> None:
    """J, its derivative and its Hessian action; the pairing; the same with little memory."""
    sections = {
        "mesh": {"cells": [24], "lower": [-2.0], "upper": [1.6]},
        "network": {"layers": 5},
        "time": {"limiter": limiter, "order": 3, "stages": 3},
        "loss": {"kind": "quadratic", "running": 0.4},
    }
    case = make_case("interval", **sections)
    j = ReducedFunctional(WithExchange(case, MPI.COMM_SELF))
    assert j.sweep.march.stages == 5
    alone = ReducedFunctional(case, MPI.COMM_SELF)
    assert j.plan.layer_bytes > 1.5 * alone.plan.layer_bytes
    theta = j.theta0 + 0.2 * np.sin(np.arange(j.theta0.size))
    assert abs(j.value(theta) - alone.value(theta)) > 1e-2 * abs(alone.value(theta))
    assert Trajectory(j, theta).balance().error < 1e-13
    direction = np.cos(1.0 + np.arange(theta.size)) * np.sign(j.derivative(theta))
    steps = [4e-3 / 2**k for k in range(3)]
    test = taylor_test(j.value, j.derivative, theta, direction, steps, j.hessian_action)
    for order, rates in enumerate(test.rates()):
        np.testing.assert_allclose(rates, order + 1.0, atol=0.1, err_msg=test.as_text())
    assert all(check.passed for check in pairing(j, theta))
    size = 2.2 * j.plan.layer_bytes + j.plan.state_bytes
    little = {"resources": {"memory": f"{2 * size / 1e3} kB"}, "training": {"method": "nls"}}
    case = make_case("interval", **sections, **little)
    few = ReducedFunctional(WithExchange(case, MPI.COMM_SELF))
    assert not few.plan.whole
    for name in ("value", "derivative", "gradient"):
        np.testing.assert_array_equal(getattr(few, name)(theta), getattr(j, name)(theta))
    actions = [k.hessian_action(theta, direction) for k in (few, j)]
    np.testing.assert_array_equal(*actions)
