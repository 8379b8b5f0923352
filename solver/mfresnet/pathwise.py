# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The loss by the network itself: quadrature nodes of f0 moved by an accurate integration."""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.nodes import initial_nodes
from mfresnet.parallel import total
from mfresnet.particles import flow
from mfresnet.point_losses import PointLoss
from mfresnet.schemes import SCHEMES

STEPS = 8
"""Steps of the classical Runge-Kutta scheme in a layer."""
CHUNK = 50_000


def pathwise_loss(functional: ReducedFunctional, theta: Array) -> float:
    """Return sum_k pi_k int l_k(X(x)) f0_k dx, X the flow of the network over [0, T].

    The nodes are those of a quadrature rule on the mesh, with the analytic density where there is
    one and with the density on the mesh where there are samples; nothing else of the transport on
    the mesh is used.

    Raises:
        SolveError: the loss is not a mean over the samples.

    Parallel: collective; every rank moves the nodes in its cells.
    """
    case, population, loss = functional.case, functional.population, functional.depth_loss.loss
    if not isinstance(loss, PointLoss):
        raise SolveError(f"Does not apply: loss {case.loss.kind} is no mean over the samples.")
    if case.loss.running != 0.0:
        raise SolveError("Does not apply: the loss runs over the depth.")
    head = functional.controls.from_vector(theta).of_head()
    space, network = functional.transport.space, functional.network(theta)
    sums: Array = np.zeros((2, len(population.labels)))
    for k in range(len(population.labels)):
        nodes = initial_nodes(case, space, functional.f0, [k])
        x, weights = nodes.x, nodes.mass[0]
        sums[1, k] = weights.sum()
        for start in range(0, len(weights), CHUNK):
            part = slice(start, start + CHUNK)
            end = flow(network, x[:, part], SCHEMES[4], STEPS)[-1]
            sums[0, k] += float(loss.cost.value(end, head)[k] @ weights[part])
    losses, masses = np.split(total(functional.comm, sums.ravel()), 2)
    return case.loss.terminal * float(population.weights @ (losses / masses))
