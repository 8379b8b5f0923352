# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The limited time step, its exact transpose, and the tangents of both, side by side.

With the limiter L of eq. (11), E = 1 + dt A and the convex weights alpha of the scheme,

    u_0 = g ,   y_j = L(u_j) ,   u_j = E y_{j-1} ,
    the new g is alpha_0 y_0 + ... + alpha_{s-1} y_{s-1} + alpha_s u_s .                      (13)

Without L it is eq. (7). The state that a sweep carries is g, whose cell means are positive; the
density is f = L(g). So the stages u_0, ..., u_{s-1} before L are all that the transpose needs.
What leaves at the boundary is tallied with the factors tau_i = alpha_{i+1} + ... + alpha_s, which
are ``Scheme.tally``.
"""

from __future__ import annotations

import math

import numpy as np

from mfresnet.arrays import Array
from mfresnet.network import Scheme
from mfresnet.transport.operator.coefficients import Coefficients
from mfresnet.transport.operator.transport import Transport
from mfresnet.transport.steps.cfl import stable_rate, stable_rate_bound
from mfresnet.transport.steps.limiter import Limited, LimitedDensity, ZhangShu
from mfresnet.transport.steps.positivity import mean_rate, mean_rate_bound
from mfresnet.transport.steps.step import Adjoint, Stages
from mfresnet.transport.steps.unlimited import Density


class LimitedStep:
    """Eq. (13), a ``Step``."""

    def __init__(self, transport: Transport, scheme: Scheme, dt: float, limiter: ZhangShu) -> None:
        """Keep the operator, the scheme with s stages, dt and L."""
        self.transport, self.scheme, self.dt, self.limiter = transport, scheme, dt, limiter
        self.stages = scheme.order

    def forward(self, at: Stages, out: Array, left: Array) -> None:
        """Make the stages (13), see ``Step.forward``."""
        for stages, new, gone in zip(at.y, out, left, strict=True):
            gone += self._forward(at.a, stages, new)

    def _forward(self, a: Coefficients, stages: Array, out: Array) -> Array:
        """Make the step of one class; return what leaves, (n_exit,)."""
        transport, scheme = self.transport, self.scheme
        traces = np.zeros(transport.n_exit)
        for j, tau in enumerate(scheme.tally):
            y, alpha = self.limiter.limit(stages[j]), scheme.convex[j]
            flow = transport.apply(y, a)
            traces += tau * transport.exit_traces
            flow *= self.dt
            u = np.add(flow, y, out=stages[j + 1] if j + 1 < scheme.order else flow)
            if j == 0:
                np.multiply(y, alpha, out=out)
            else:
                _add(out, alpha, y)
        _add(out, scheme.convex[-1], u)
        traces *= self.dt
        return transport.outflow(a, traces)

    def tangent(self, at: Stages, along: Stages, out: Array, left: Array) -> None:
        """Make dy_j = L'(u_j) du_j, du_j = E dy_{j-1} + dt A(da) y_{j-1}, see ``Step.tangent``."""
        for k, (new, gone) in enumerate(zip(out, left, strict=True)):
            gone += self._tangent(k, at, along, new)

    def _tangent(self, k: int, at: Stages, along: Stages, out: Array) -> Array:
        """Make the tangent of the step of one class; return the change of what leaves."""
        transport, scheme, dt, changes = self.transport, self.scheme, self.dt, along.y[k]
        traces, dtraces = np.zeros(transport.n_exit), np.zeros(transport.n_exit)
        for j, tau in enumerate(scheme.tally):
            here, alpha = self.limiter.linearise(at.y[k, j]), scheme.convex[j]
            dy = here.tangent(changes[j])
            du = dt * transport.apply(dy, at.a)
            dtraces += dt * tau * transport.exit_traces
            du += dy
            du += dt * transport.apply(here.y, along.a)
            traces += dt * tau * transport.exit_traces
            if j + 1 < scheme.order:
                changes[j + 1] = du
            if j == 0:
                np.multiply(dy, alpha, out=out)
            else:
                _add(out, alpha, dy)
        _add(out, scheme.convex[-1], du)
        return transport.outflow(at.a, dtraces) + transport.outflow(along.a, traces)

    def transpose(self, at: Stages, adjoint: Adjoint, after: Density) -> LimitedDensity:
        """Carry nu_s = alpha_s phi, phi = L'(g)^T psi, g being the state after the step.

        nu_j = L'(u_j)^T (alpha_j phi + E^T nu_{j+1}), without the last L'^T at j = 0, whose place
        is in the step before, after what a loss over depth adds. See ``Step.transpose``.
        """
        after.transpose(adjoint.psi)
        return LimitedDensity(
            [self._transpose(k, at, adjoint, psi) for k, psi in enumerate(adjoint.psi)]
        )

    def _transpose(self, k: int, at: Stages, adjoint: Adjoint, psi: Array) -> Limited:
        scheme, weight, source = self.scheme, adjoint.weights[k] * self.dt, adjoint.source[k]
        phi = psi.copy()
        psi *= scheme.convex[-1]
        for j in reversed(range(scheme.order)):
            here, charged = self.limiter.linearise(at.y[k, j]), scheme.tally[j] * source
            back = self.transport.apply_transpose(
                psi, at.a, charged, here.y, weight, adjoint.sensitivity
            )
            back *= self.dt
            psi += back
            _add(psi, scheme.convex[j], phi)
            if j:
                here.transpose(psi)
        return here

    def transpose_tangent(
        self,
        at: Stages,
        along: Stages,
        adjoint: Adjoint,
        change: Adjoint,
        after: Density,
        dafter: Array,
    ) -> LimitedDensity:
        """Carry the change of psi too, see ``Step.transpose_tangent``."""
        after.transpose_tangent(dafter, adjoint.psi, change.psi)
        classes = range(len(dafter))
        return LimitedDensity(
            [self._transpose_tangent(k, at, along, adjoint, change) for k in classes]
        )

    def _transpose_tangent(
        self, k: int, at: Stages, along: Stages, adjoint: Adjoint, change: Adjoint
    ) -> Limited:
        scheme, dt, star = self.scheme, self.dt, self.transport.apply_transpose
        psi, dpsi, w = adjoint.psi[k], change.psi[k], adjoint.weights[k] * dt
        s, ds, changes = adjoint.sensitivity, change.sensitivity, along.y[k]
        phi, dphi = psi.copy(), dpsi.copy()
        psi *= scheme.convex[-1]
        dpsi *= scheme.convex[-1]
        for j in reversed(range(scheme.order)):
            here, tau = self.limiter.linearise(at.y[k, j]), scheme.tally[j]
            dy, charged = here.tangent(changes[j]), tau * adjoint.source[k]
            dpsi += dt * star(dpsi, at.a, tau * change.source[k], here.y, w, ds)
            dpsi += dt * star(psi, along.a, charged, dy, w, ds)
            psi += dt * star(psi, at.a, charged, here.y, w, s)
            _add(psi, scheme.convex[j], phi)
            _add(dpsi, scheme.convex[j], dphi)
            if j:
                here.transpose_tangent(changes[j], psi, dpsi)
        return here

    def rate(self, velocity: Array, a: Coefficients) -> float:
        """Return the larger of lambda / c and that of ``positivity``, see ``Step.rate``."""
        rate = stable_rate(self.transport, self.scheme, a)
        return max(rate, mean_rate(self.transport, velocity, a)) if math.isfinite(rate) else rate

    def rate_bound(self, velocity: float) -> float:
        """Return the larger of both bounds, see ``Step.rate_bound``."""
        rate = stable_rate_bound(self.transport, self.scheme, velocity)
        return max(rate, mean_rate_bound(self.transport, velocity))


def _add(out: Array, alpha: float, y: Array) -> None:
    """Add alpha y to ``out``."""
    if alpha:
        out += alpha * y
