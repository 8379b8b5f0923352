# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The CFL condition: how many time steps a layer needs, and the error when it has too few."""

from __future__ import annotations

from mpi4py import MPI

import math

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import SolveError
from mfresnet.layer import Layer
from mfresnet.parallel import maximum
from mfresnet.positivity import mean_rate
from mfresnet.schemes import Scheme
from mfresnet.transport import Transport


class StepsError(SolveError):
    """The velocity is too large for the number of time steps in a layer.

    Attributes:
        needed: the number of steps per layer that would do.
    """

    def __init__(self, steps: int, needed: int) -> None:
        self.needed = needed
        super().__init__(
            f"time.steps_per_layer: too few for the velocity; got {steps}, expected at least "
            f"{needed}. Raise it, or omit it to have it chosen."
        )


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


def layer_rate(transport: Transport, scheme: Scheme, layer: Layer, positive: bool) -> float:
    """Return the least 1 / dt of a layer on this rank, see ``steps_needed``.

    Args:
        transport: the operator.
        scheme: the scheme.
        layer: the layer, its velocity in place.
        positive: whether a limiter needs positive cell means.
    """
    cfl = scheme.cfl[transport.space.degree]
    rate = float(np.nan_to_num(transport.rates.rate(layer.coefficients) / cfl, nan=np.inf))
    if positive and math.isfinite(rate):
        rate = max(rate, mean_rate(transport, layer.velocity, layer.coefficients))
    return rate


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
