# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a training takes: time steps in a layer, and the memory for what a sweep keeps."""

from __future__ import annotations

import numpy as np

from mfresnet.case import Case
from mfresnet.functional.problem import Problem
from mfresnet.functional.sweeps.layer import Layer
from mfresnet.functional.sweeps.plan import Plan, choose
from mfresnet.memory import available
from mfresnet.network import Network, Scheme, fewest_stages
from mfresnet.optimise import METHODS
from mfresnet.parallel import total
from mfresnet.transport import March, Transport, largest, steps_needed

SHARE = 0.8
"""Share of the available memory that may be used where the case file does not say."""
MARGIN = 1.5
"""Factor on the rate of the initial controls where the velocity has no bound of its own."""


def initial_rate(transport: Transport, march: March, network: Network) -> float:
    """Return the least 1 / dt for the initial controls and the velocity bound, if there is one.

    The bound is for velocities that do not change their sign inside a cell; the initial ones may.

    Args:
        transport: the operator.
        march: time steps of any length.
        network: that of the initial controls.

    Raises:
        SolveError: a velocity is not finite.

    Parallel: collective.
    """
    bound = network.block.bound(network.activation)
    a, rates = transport.new_coefficients(), np.zeros(network.layers + 1)
    for layer in range(network.layers):
        v = network.velocity(transport.points, layer)
        rates[layer] = march.rate(v, transport.coefficients(v, a))
    if np.isfinite(bound):
        rates[-1] = march.rate_bound(bound)
    else:
        rates *= MARGIN
    return largest(transport.space.comm, rates)


def choose_steps(problem: Problem, scheme: Scheme, network: Network) -> tuple[Scheme, int]:
    """Return the scheme, where the case leaves it open, and the number of time steps in a layer.

    Args:
        problem: the problem.
        scheme: the scheme that the case names, or that of its order.
        network: that of the initial controls.

    Parallel: collective.
    """
    case, layer_time = problem.case, network.final_time / network.layers
    rate = initial_rate(problem.transport, problem.march(layer_time, scheme), network)
    degree = case.space.degree
    # a limiter needs the convex combinations of Euler steps that Taylor's polynomials are
    if case.time.stages is None and not problem.limiter.positive:
        longer = fewest_stages(case.time.order, degree, rate, layer_time)
        scheme, rate = longer, rate * scheme.cfl[degree] / longer.cfl[degree]
    return scheme, steps_needed(rate, layer_time)


def make_plan(
    case: Case, transport: Transport, march: March, steps_per_layer: int, n_classes: int
) -> Plan:
    """Return what of a forward sweep is kept within the memory of the case, or of the machine.

    Args:
        case: the case.
        transport: the operator.
        march: the time steps.
        steps_per_layer: time steps in every layer.
        n_classes: number of classes.

    Raises:
        InputError: resources.memory is too little for one layer.

    Parallel: collective.
    """
    comm, method = transport.space.comm, METHODS[case.training.method]
    layer = Layer.bytes(transport, march, steps_per_layer, n_classes)
    state = 8 * n_classes * (march.size + transport.n_exit)
    frozen = 8 * transport.n_coefficients * case.network.layers * method.frozen
    sums = total(comm, [layer, state, frozen])
    layer, state, frozen = (int(n) for n in sums * (1 + method.hessian))
    given = case.resources.bytes()
    memory = max(0.0, (SHARE * available(comm) if given is None else given) - frozen)
    return choose(case.network.layers, layer, state, memory, case.resources.disk_bytes())
