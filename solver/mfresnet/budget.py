# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a training takes: time steps in a layer, and the memory for what a sweep keeps."""

from __future__ import annotations

import numpy as np

from mfresnet.case import Case
from mfresnet.cfl import steps_needed
from mfresnet.layer import Layer
from mfresnet.memory import available
from mfresnet.methods import METHODS
from mfresnet.parallel import maximum, total
from mfresnet.particles import Network
from mfresnet.plan import Plan, choose
from mfresnet.positivity import mean_rate, mean_rate_bound
from mfresnet.schemes import SCHEMES, cfl_constant
from mfresnet.transport import Transport

SHARE = 0.8
"""Share of the available memory that may be used where the case file does not say."""
MARGIN = 1.5
"""Factor on the rate of the initial controls where the velocity has no bound of its own."""


def initial_steps(case: Case, transport: Transport, network: Network, *, positive: bool) -> int:
    """Return the steps per layer from the initial controls and the velocity bound, if there is one.

    The bound is for velocities that do not change their sign inside a cell; the initial ones may.

    Args:
        case: the case.
        transport: the operator.
        network: that of the initial controls.
        positive: whether a limiter keeps the densities positive, which takes shorter steps.

    Parallel: collective.
    """
    bound = network.block.bound(network.activation)
    cfl = cfl_constant(case.time.order, case.space.degree)
    a, rate = transport.new_coefficients(), 0.0
    for layer in range(network.layers):
        v = network.velocity(transport.points, layer)
        rate = max(rate, transport.rates.rate(transport.coefficients(v, a)) / cfl)
        if positive:
            rate = max(rate, mean_rate(transport, v, a))
    if not np.isfinite(bound):
        rate *= MARGIN
    else:
        rate = max(rate, transport.rates.bound(bound) / cfl)
        if positive:
            rate = max(rate, mean_rate_bound(transport, bound))
    rate = float(maximum(transport.space.comm, rate)[0])
    return steps_needed(rate, network.final_time / network.layers)


def make_plan(case: Case, transport: Transport, steps_per_layer: int, n_classes: int) -> Plan:
    """Return what of a forward sweep is kept within the memory of the case, or of the machine.

    Raises:
        InputError: resources.memory is too little for one layer.

    Parallel: collective.
    """
    comm, method = transport.space.comm, METHODS[case.training.method]
    layer = Layer.bytes(transport, SCHEMES[case.time.order], steps_per_layer, n_classes)
    state = 8 * n_classes * (transport.space.n_owned + transport.n_exit)
    frozen = 8 * transport.n_coefficients * case.network.layers * method.frozen
    sums = total(comm, [layer, state, frozen])
    layer, state, frozen = (int(n) for n in sums * (1 + method.hessian))
    given = case.resources.bytes()
    memory = max(0.0, (SHARE * available(comm) if given is None else given) - frozen)
    return choose(case.network.layers, layer, state, memory, case.resources.disk_bytes())
