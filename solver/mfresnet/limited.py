# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""One limited time step, its exact transpose, and the tangents of both, side by side.

With the limiter L of eq. (11), E = 1 + dt A and the convex weights alpha of the scheme,

    u_0 = g ,   y_j = L(u_j) ,   u_j = E y_{j-1} ,
    the new g is alpha_0 y_0 + ... + alpha_{s-1} y_{s-1} + alpha_s u_s .                      (13)

Without L it is eq. (7). The state that a sweep carries is g, whose cell means are positive; the
density is f = L(g). So the stages u_0, ..., u_{s-1} before L are all that the transpose needs.
What leaves at the boundary is tallied with the factors tau_i = alpha_{i+1} + ... + alpha_s, which
are ``Scheme.tally``.
"""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.coefficients import Coefficients
from mfresnet.limiter import Limited, ZhangShu
from mfresnet.schemes import Scheme
from mfresnet.transport import Transport


def limited_step(
    transport: Transport,
    a: Coefficients,
    dt: float,
    scheme: Scheme,
    stages: Array,
    out: Array,
    limiter: ZhangShu,
) -> Array:
    """Make one step of eq. (13), see ``stepping.step``.

    Args:
        transport: the operator.
        a: the coefficients of the layer.
        dt: the time step.
        scheme: the scheme with s stages.
        stages: (s, n_owned); u_0 is read, u_1, ..., u_{s-1} are written.
        out: where the new g goes, (n_owned,).
        limiter: L.

    Returns:
        The mass that leaves through each boundary point in this step, (n_exit,).

    Parallel: collective.
    """
    traces = np.zeros(transport.n_exit)
    for j, tau in enumerate(scheme.tally):
        y, alpha = limiter.limit(stages[j]), scheme.convex[j]
        flow = transport.apply(y, a)
        traces += tau * transport.exit_traces
        flow *= dt
        u = np.add(flow, y, out=stages[j + 1] if j + 1 < scheme.order else flow)
        if j == 0:
            np.multiply(y, alpha, out=out)
        else:
            _add(out, alpha, y)
    _add(out, scheme.convex[-1], u)
    traces *= dt
    return transport.outflow(a, traces)


def _add(out: Array, alpha: float, y: Array) -> None:
    """Add alpha y to ``out``."""
    if alpha:
        out += alpha * y


def limited_step_tangent(
    transport: Transport,
    a: Coefficients,
    da: Coefficients,
    dt: float,
    scheme: Scheme,
    stages: Array,
    tangents: Array,
    out: Array,
    limiter: ZhangShu,
) -> Array:
    """Make the tangent of ``limited_step``.

    With dy_j = L'(u_j) du_j and du_j = E dy_{j-1} + dt A(da) y_{j-1}.

    Args:
        transport: the operator.
        a: the coefficients of the layer.
        da: their change.
        dt: the time step.
        scheme: the scheme with s stages.
        stages: what ``limited_step`` has left, (s, n_owned).
        tangents: (s, n_owned); du_0 is read, du_1, ..., du_{s-1} are written.
        out: where the new dg goes, (n_owned,).
        limiter: L.

    Returns:
        The change of the mass that leaves through each boundary point, (n_exit,).

    Parallel: collective.
    """
    traces, dtraces = np.zeros(transport.n_exit), np.zeros(transport.n_exit)
    for j, tau in enumerate(scheme.tally):
        at, alpha = limiter.linearise(stages[j]), scheme.convex[j]
        dy = at.tangent(tangents[j])
        du = dt * transport.apply(dy, a)
        dtraces += dt * tau * transport.exit_traces
        du += dy
        du += dt * transport.apply(at.y, da)
        traces += dt * tau * transport.exit_traces
        if j + 1 < scheme.order:
            tangents[j + 1] = du
        if j == 0:
            np.multiply(dy, alpha, out=out)
        else:
            _add(out, alpha, dy)
    _add(out, scheme.convex[-1], du)
    return transport.outflow(a, dtraces) + transport.outflow(da, traces)


def limited_step_transpose(
    transport: Transport,
    a: Coefficients,
    dt: float,
    scheme: Scheme,
    stages: Array,
    psi: Array,
    source: Array | None,
    weight: float,
    sensitivity: Coefficients | None,
    after: Limited,
) -> Limited:
    """Replace psi of the density after a step by that of the density before it.

    With nu_s = alpha_s phi, phi = L'(u)^T psi at the state after the step, and
    nu_j = L'(u_j)^T (alpha_j phi + E^T nu_{j+1}); without the last L'^T at j = 0, whose place is in
    the step before, after what a loss over depth adds.

    Args:
        transport: the operator.
        a: the coefficients of the layer.
        dt: the time step.
        scheme: the scheme.
        stages: what ``limited_step`` has left, (s, n_owned).
        psi: the adjoint field, (n_owned,), overwritten.
        source: cost of the outflow times the weights at boundary points, (n_exit,).
        weight: factor of the sensitivities.
        sensitivity: derivative of J in the coefficients, added to.
        after: L at the state after the step.

    Returns:
        L at the state before the step.

    Parallel: collective.
    """
    after.transpose(psi)
    phi, tally, limiter = psi.copy(), scheme.tally, after.limiter
    psi *= scheme.convex[-1]
    for j in reversed(range(scheme.order)):
        at, tau = limiter.linearise(stages[j]), tally[j]
        charged = None if source is None else tau * source
        y = at.y if sensitivity is not None else None
        back = transport.apply_transpose(psi, a, charged, y, weight * dt, sensitivity)
        back *= dt
        psi += back
        _add(psi, scheme.convex[j], phi)
        if j:
            at.transpose(psi)
    return at


def limited_step_transpose_tangent(
    transport: Transport,
    a: Coefficients,
    da: Coefficients,
    dt: float,
    scheme: Scheme,
    stages: Array,
    tangents: Array,
    psi: Array,
    dpsi: Array,
    source: Array,
    dsource: Array,
    weight: float,
    sensitivity: Coefficients,
    dsensitivity: Coefficients,
    after: Limited,
    dafter: Array,
) -> Limited:
    """Replace psi and dpsi: ``limited_step_transpose`` and its tangent.

    Args:
        transport: the operator.
        a: the coefficients of the layer.
        da: their change.
        dt: the time step.
        scheme: the scheme.
        stages: what ``limited_step`` has left, (s, n_owned).
        tangents: what ``limited_step_tangent`` has left, (s, n_owned).
        psi: the adjoint field, (n_owned,), overwritten.
        dpsi: its change, (n_owned,), overwritten.
        source: cost of the outflow times the weights at boundary points, (n_exit,).
        dsource: its change, (n_exit,).
        weight: factor of the sensitivities.
        sensitivity: derivative of J in the coefficients, added to.
        dsensitivity: its change, added to.
        after: L at the state after the step.
        dafter: change of that state, (n_owned,).

    Returns:
        L at the state before the step.

    Parallel: collective.
    """
    after.transpose_tangent(dafter, psi, dpsi)
    phi, dphi, star = psi.copy(), dpsi.copy(), transport.apply_transpose
    tally, limiter = scheme.tally, after.limiter
    psi *= scheme.convex[-1]
    dpsi *= scheme.convex[-1]
    for j in reversed(range(scheme.order)):
        at, tau, w = limiter.linearise(stages[j]), tally[j], weight * dt
        dy = at.tangent(tangents[j])
        dpsi += dt * star(dpsi, a, tau * dsource, at.y, w, dsensitivity)
        dpsi += dt * star(psi, da, tau * source, dy, w, dsensitivity)
        psi += dt * star(psi, a, tau * source, at.y, w, sensitivity)
        _add(psi, scheme.convex[j], phi)
        _add(dpsi, scheme.convex[j], dphi)
        if j:
            at.transpose_tangent(tangents[j], psi, dpsi)
    return at
