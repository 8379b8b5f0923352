# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The CFL condition: how many time steps a layer needs, and whether it has them."""

from __future__ import annotations

from mpi4py import MPI

import math

from mfresnet.arrays import Array
from mfresnet.errors import SolveError, StepsError
from mfresnet.network import Scheme, cfl_constant
from mfresnet.parallel import maximum
from mfresnet.transport.operator.coefficients import Coefficients
from mfresnet.transport.operator.transport import Transport


def steps_needed(rate: float, layer_time: float) -> int:
    """Return the least number of steps in a layer with dt rate <= 1.

    The rate is lambda / c, see ``SCHEMES``, and with a limiter at least that of ``positivity``.
    """
    return max(1, math.ceil(layer_time * rate * (1.0 - 1e-12)))


def check_steps(steps: int, rate: float, layer_time: float) -> None:
    """Raise unless so many steps in a layer are enough.

    Raises:
        StepsError: a layer needs more time steps.
    """
    needed = steps_needed(rate, layer_time)
    if needed > steps:
        raise StepsError(steps, needed)


def stable_rate(transport: Transport, scheme: Scheme, a: Coefficients) -> float:
    """Return lambda / c of a velocity on this rank, infinity where it is not finite.

    Args:
        transport: the operator.
        scheme: the scheme.
        a: the coefficients of the velocity.
    """
    rate = transport.rates(a)[0] / cfl_constant(scheme, transport.space.degree)
    return rate if math.isfinite(rate) else math.inf


def stable_rate_bound(transport: Transport, scheme: Scheme, velocity: float) -> float:
    """Return ``stable_rate`` of all |v_i| <= ``velocity``, see ``Transport.rate_bound``."""
    return transport.rate_bound(velocity) / cfl_constant(scheme, transport.space.degree)


def largest(comm: MPI.Intracomm, rates: Array) -> float:
    """Return the largest rate of all layers and ranks.

    Raises:
        SolveError: a velocity is not finite.

    Parallel: collective.
    """
    rate = float(maximum(comm, rates).max())
    if not math.isfinite(rate):
        raise SolveError(
            "the velocity is not finite; the controls or the activation grow too large. Add "
            "bounds training.lower and training.upper or raise penalty.tikhonov."
        )
    return rate
