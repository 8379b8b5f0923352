# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The time step of the continuity equation, its exact transpose, and the tangents of both.

With y_0 = f, the coefficients c_1, ..., c_s of the scheme (1/s, ..., 1/2, 1) and the stages

    y_j = f + dt c_j A y_{j-1} ,   j = 1, ..., s ,       the new f is y_s .                  (7)

With a limiter it is eq. (13) of ``limited`` instead.
"""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.network import Scheme
from mfresnet.transport.operator.coefficients import Coefficients
from mfresnet.transport.operator.transport import Transport
from mfresnet.transport.steps.cfl import stable_rate, stable_rate_bound
from mfresnet.transport.steps.step import Adjoint, Stages
from mfresnet.transport.steps.unlimited import Density, Limiter


class HornerStep:
    """Eq. (7), a ``Step``."""

    def __init__(self, transport: Transport, scheme: Scheme, dt: float, limiter: Limiter) -> None:
        """Keep the operator, the Taylor scheme with s stages, dt, and a limiter of no effect."""
        self.transport, self.scheme, self.dt, self.limiter = transport, scheme, dt, limiter
        self.stages = scheme.stages
        self._factors = [dt * c for c in scheme.coefficients]

    def forward(self, at: Stages, out: Array, left: Array) -> None:
        """Make the stages (7), see ``Step.forward``."""
        transport, last = self.transport, self.stages
        for y, new, gone in zip(at.y, out, left, strict=True):
            for j, h in enumerate(self._factors, start=1):
                z = y[j] if j < last else new
                np.multiply(transport.apply(y[j - 1], at.a), h, out=z)
                z += y[0]
            gone += self.dt * transport.outflow(at.a, transport.exit_traces)

    def tangent(self, at: Stages, along: Stages, out: Array, left: Array) -> None:
        """Make dy_j = df + dt c_j (A dy_{j-1} + A(da) y_{j-1}), see ``Step.tangent``."""
        transport, last, a, da = self.transport, self.stages, at.a, along.a
        for y, dy, new, gone in zip(at.y, along.y, out, left, strict=True):
            for j, h in enumerate(self._factors, start=1):
                dz = dy[j] if j < last else new
                np.multiply(transport.apply(dy[j - 1], a), h, out=dz)
                outflow = transport.outflow(a, transport.exit_traces)
                dz += h * transport.apply(y[j - 1], da)
                outflow += transport.outflow(da, transport.exit_traces)
                dz += dy[0]
            gone += self.dt * outflow

    def transpose(self, at: Stages, adjoint: Adjoint, after: Density) -> Density:
        """Carry mu_s = psi, mu_{j-1} = dt c_j A* mu_j: psi before is their sum.

        See ``Step.transpose``.
        """
        for k, psi in enumerate(adjoint.psi):
            self._transpose(k, at, adjoint, psi)
        return self.limiter.density(at.y[:, 0])

    def _transpose(self, k: int, at: Stages, adjoint: Adjoint, psi: Array) -> None:
        mu, weight, source = psi.copy(), adjoint.weights[k] * self.dt, adjoint.source[k]
        for j in reversed(range(self.stages)):
            h, charged = self._factors[j], source if j == self.stages - 1 else None
            w = weight * self.scheme.coefficients[j]
            back = self.transport.apply_transpose(
                mu, at.a, charged, at.y[k, j], w, adjoint.sensitivity
            )
            np.multiply(back, h, out=mu)
            psi += mu

    def transpose_tangent(
        self,
        at: Stages,
        along: Stages,
        adjoint: Adjoint,
        change: Adjoint,
        after: Density,
        dafter: Array,
    ) -> Density:
        """Carry dmu too: dmu <- dt c_j (A* dmu + A(da)* mu), see ``Step.transpose_tangent``.

        The sensitivity (B mu) (C y_j) has the tangent (B dmu) (C y_j) + (B mu) (C dy_j).
        """
        for k in range(len(adjoint.psi)):
            self._transpose_tangent(k, at, along, adjoint, change)
        return self.limiter.density(at.y[:, 0])

    def _transpose_tangent(
        self, k: int, at: Stages, along: Stages, adjoint: Adjoint, change: Adjoint
    ) -> None:
        psi, dpsi, weight = adjoint.psi[k], change.psi[k], adjoint.weights[k] * self.dt
        s, ds, star = adjoint.sensitivity, change.sensitivity, self.transport.apply_transpose
        mu, dmu, back = psi.copy(), dpsi.copy(), np.empty_like(psi)
        for j in reversed(range(self.stages)):
            h, w, y = self._factors[j], weight * self.scheme.coefficients[j], at.y[k, j]
            last = j == self.stages - 1
            charged, dcharged = (adjoint.source[k], change.source[k]) if last else (None, None)
            back[:] = star(mu, at.a, charged, y, w, s)
            np.multiply(star(mu, along.a, charged, along.y[k, j], w, ds), h, out=mu)
            mu += h * star(dmu, at.a, dcharged, y, w, ds)
            dmu, mu = mu, dmu
            np.multiply(back, h, out=mu)
            psi += mu
            dpsi += dmu

    def rate(self, velocity: Array, a: Coefficients) -> float:
        """Return lambda / c, see ``Step.rate``."""
        return stable_rate(self.transport, self.scheme, a)

    def rate_bound(self, velocity: float) -> float:
        """Return the bound of lambda / c, see ``Step.rate_bound``."""
        return stable_rate_bound(self.transport, self.scheme, velocity)
