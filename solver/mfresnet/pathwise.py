# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The loss by the network itself: quadrature nodes of f0 moved by an accurate integration."""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.density import SMOOTH_DEGREE, SUBDIVISIONS, jumps
from mfresnet.errors import SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.parallel import total
from mfresnet.particles import flow
from mfresnet.point_losses import PointLoss
from mfresnet.schemes import SCHEMES

STEPS = 8
"""Steps of the classical Runge-Kutta scheme in a layer."""
MOST = 2_000_000
"""Nodes of all ranks above which a rule of lower degree is taken."""
CHUNK = 50_000
LIGHT = 1e-16
"""Share of the largest weight below which a node is left out."""


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
        analytic = case.classes[k].density if case.data is None else None
        parts = SUBDIVISIONS if analytic is not None and jumps(analytic) else 1
        degree = 2 * space.degree + SMOOTH_DEGREE
        points = len(space.reference_rule(degree, parts)[1]) * space.n_global / space.basis.dim
        rule = space.cell_quadrature(degree if points < MOST else 2 * space.degree + 1, parts)
        x: Array = rule.x.reshape(-1, space.dimension).T
        if analytic is None:
            f = (functional.f0[k][space.dofs[: space.n_owned_cells]] @ rule.basis.T).ravel()
        else:
            f = analytic.density(x)
        weights = rule.weights.ravel() * f
        heavy = np.abs(weights) > LIGHT * np.abs(weights).max(initial=0.0)
        x, weights = x[:, heavy], weights[heavy]
        sums[1, k] = weights.sum()
        for start in range(0, len(weights), CHUNK):
            part = slice(start, start + CHUNK)
            end = flow(network, x[:, part], SCHEMES[4], STEPS)[-1]
            sums[0, k] += float(loss.cost.value(end, head)[k] @ weights[part])
    losses, masses = np.split(total(functional.comm, sums.ravel()), 2)
    return case.loss.terminal * float(population.weights @ (losses / masses))
