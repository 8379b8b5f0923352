# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""One time step of the state equation and its exact transpose, side by side.

With y_0 = f, the coefficients c_1 = 1/s, ..., c_s = 1 and the stages

    y_j = f + dt c_j A y_{j-1} ,   j = 1, ..., s ,       the new f is y_s .                  (7)
"""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.schemes import Scheme
from mfresnet.transport import Coefficients, Transport


def step(
    transport: Transport, a: Coefficients, dt: float, scheme: Scheme, stages: Array, out: Array
) -> Array:
    """Make one step of eq. (7).

    Args:
        transport: the operator.
        a: the coefficients of the layer.
        dt: the time step.
        scheme: the Taylor scheme with s stages.
        stages: (s, n_owned); y_0 is read, y_1, ..., y_{s-1} are written.
        out: where the new f goes, (n_owned,).

    Returns:
        The mass that leaves through each boundary point in this step, (n_exit,): the increment of
        the total mass is minus its sum, exactly.

    Parallel: collective.
    """
    for j, c in enumerate(scheme.coefficients, start=1):
        y = stages[j] if j < scheme.order else out
        np.multiply(transport.apply(stages[j - 1], a), dt * c, out=y)
        y += stages[0]
    return dt * transport.last_outflow(a)


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
) -> None:
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

    Parallel: collective.
    """
    mu = psi.copy()
    for j, c in reversed(list(enumerate(scheme.coefficients))):
        charged = source if j == scheme.order - 1 else None
        y = stages[j] if sensitivity is not None else None
        back = transport.apply_transpose(mu, a, charged, y, weight * dt * c, sensitivity)
        np.multiply(back, dt * c, out=mu)
        psi += mu
