# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""One time step, its exact transpose, and the tangents of both, side by side.

With y_0 = f, the coefficients c_1 = 1/s, ..., c_s = 1 and the stages

    y_j = f + dt c_j A y_{j-1} ,   j = 1, ..., s ,       the new f is y_s .                  (7)

With a limiter it is eq. (13) of ``limited`` instead. A tangent is the derivative along a change da
of the coefficients (A is linear in them, A' = A(da)), a change df of f, and whatever follows.
"""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.coefficients import Coefficients
from mfresnet.limited import (
    limited_step,
    limited_step_tangent,
    limited_step_transpose,
    limited_step_transpose_tangent,
)
from mfresnet.limiter import Limited, ZhangShu
from mfresnet.schemes import Scheme
from mfresnet.transport import Transport


def step(
    transport: Transport,
    a: Coefficients,
    dt: float,
    scheme: Scheme,
    stages: Array,
    out: Array,
    limiter: ZhangShu | None = None,
) -> Array:
    """Make one step of eq. (7).

    Args:
        transport: the operator.
        a: the coefficients of the layer.
        dt: the time step.
        scheme: the Taylor scheme with s stages.
        stages: (s, n_owned); y_0 is read, y_1, ..., y_{s-1} are written.
        out: where the new f goes, (n_owned,).
        limiter: the limiter, if any.

    Returns:
        The mass that leaves through each boundary point in this step, (n_exit,): the increment of
        the total mass is minus its sum, exactly.

    Parallel: collective.
    """
    if limiter is not None:
        return limited_step(transport, a, dt, scheme, stages, out, limiter)
    for j, c in enumerate(scheme.coefficients, start=1):
        y = stages[j] if j < scheme.order else out
        np.multiply(transport.apply(stages[j - 1], a), dt * c, out=y)
        y += stages[0]
    return dt * transport.outflow(a, transport.exit_traces)


def step_tangent(
    transport: Transport,
    a: Coefficients,
    da: Coefficients,
    dt: float,
    scheme: Scheme,
    stages: Array,
    tangents: Array,
    out: Array,
    limiter: ZhangShu | None = None,
) -> Array:
    """Make the tangent of ``step``: dy_j = df + dt c_j (A dy_{j-1} + A(da) y_{j-1}).

    Args:
        transport: the operator.
        a: the coefficients of the layer.
        da: their change.
        dt: the time step.
        scheme: the Taylor scheme with s stages.
        stages: what ``step`` has left, (s, n_owned).
        tangents: (s, n_owned); dy_0 is read, dy_1, ..., dy_{s-1} are written.
        out: where the new df goes, (n_owned,).
        limiter: the limiter, if any.

    Returns:
        The change of the mass that leaves through each boundary point, (n_exit,).

    Parallel: collective.
    """
    if limiter is not None:
        return limited_step_tangent(transport, a, da, dt, scheme, stages, tangents, out, limiter)
    for j, c in enumerate(scheme.coefficients, start=1):
        dy = tangents[j] if j < scheme.order else out
        np.multiply(transport.apply(tangents[j - 1], a), dt * c, out=dy)
        left = transport.outflow(a, transport.exit_traces)
        dy += dt * c * transport.apply(stages[j - 1], da)
        left += transport.outflow(da, transport.exit_traces)
        dy += tangents[0]
    return dt * left


def step_transpose(
    transport: Transport,
    a: Coefficients,
    dt: float,
    scheme: Scheme,
    stages: Array,
    psi: Array,
    source: Array | None = None,
    weight: float = 1.0,
    sensitivity: Coefficients | None = None,
    after: Limited | None = None,
) -> Limited | None:
    """Replace psi after a step by psi before it, the transpose of ``step`` in L2.

    Args:
        transport: the operator.
        a: the coefficients of the layer.
        dt: the time step.
        scheme: the Taylor scheme.
        stages: what ``step`` has left, (s, n_owned).
        psi: the adjoint field, (n_owned,), overwritten.
        source: cost of the outflow times the weights at boundary points, (n_exit,).
        weight: factor of the sensitivities.
        sensitivity: derivative of J in the coefficients, added to.
        after: with a limiter, what it has done to the state after the step.

    Returns:
        With a limiter, what it has done to the state before the step.

    Parallel: collective.
    """
    if after is not None:
        return limited_step_transpose(
            transport, a, dt, scheme, stages, psi, source, weight, sensitivity, after
        )
    mu = psi.copy()
    for j, c in reversed(list(enumerate(scheme.coefficients))):
        charged = source if j == scheme.order - 1 else None
        y = stages[j] if sensitivity is not None else None
        back = transport.apply_transpose(mu, a, charged, y, weight * dt * c, sensitivity)
        np.multiply(back, dt * c, out=mu)
        psi += mu
    return None


def step_transpose_tangent(
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
    after: Limited | None = None,
    dafter: Array | None = None,
) -> Limited | None:
    """Replace psi and dpsi after a step by those before it: ``step_transpose`` and its tangent.

    With mu as there, dmu <- dt c_j (A* dmu + A(da)* mu), and the sensitivity (B mu) (C y_j) has the
    tangent (B dmu) (C y_j) + (B mu) (C dy_j).

    Args:
        transport: the operator.
        a: the coefficients of the layer.
        da: their change.
        dt: the time step.
        scheme: the Taylor scheme.
        stages: what ``step`` has left, (s, n_owned).
        tangents: what ``step_tangent`` has left, (s, n_owned).
        psi: the adjoint field, (n_owned,), overwritten.
        dpsi: its change, (n_owned,), overwritten.
        source: cost of the outflow times the weights at boundary points, (n_exit,).
        dsource: its change, (n_exit,).
        weight: factor of the sensitivities.
        sensitivity: derivative of J in the coefficients, added to.
        dsensitivity: its change, added to.
        after: with a limiter, what it has done to the state after the step.
        dafter: the change of that state, (n_owned,).

    Returns:
        With a limiter, what it has done to the state before the step.

    Parallel: collective.
    """
    if after is not None and dafter is not None:
        fields = (stages, tangents, psi, dpsi, source, dsource)
        sums = (weight, sensitivity, dsensitivity)
        return limited_step_transpose_tangent(
            transport, a, da, dt, scheme, *fields, *sums, after, dafter
        )
    mu, dmu = psi.copy(), dpsi.copy()
    back, star = np.empty_like(psi), transport.apply_transpose
    for j, c in reversed(list(enumerate(scheme.coefficients))):
        last, w = j == scheme.order - 1, weight * dt * c
        charged, dcharged = (source, dsource) if last else (None, None)
        back[:] = star(mu, a, charged, stages[j], w, sensitivity)
        np.multiply(star(mu, da, charged, tangents[j], w, dsensitivity), dt * c, out=mu)
        mu += dt * c * star(dmu, a, dcharged, stages[j], w, dsensitivity)
        dmu, mu = mu, dmu
        np.multiply(back, dt * c, out=mu)
        psi += mu
        dpsi += dmu
    return None
