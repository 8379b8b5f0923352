# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The Bayes rule of the smoothed classes: the least error there is, and a classifier for nothing.

The class with the largest pi_k f_k(0, x) is right more often than that of any other rule, and the
shares pi_k f_k / sum_j pi_j f_j have the least log loss, where the samples have these densities.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import log_softmax

from mfresnet.arrays import Array
from mfresnet.functional import Problem
from mfresnet.mesh import Locator
from mfresnet.network import decide
from mfresnet.parallel import total
from mfresnet.trained import TrainedNetwork

CHUNK = 50_000
DOUBT = 1e-3
"""Weight of the priors in the shares of ``shares``: a sample where its own class has no density
costs -log(DOUBT pi_k), some nats, and not infinitely many."""


def bayes_measures(problem: Problem, network: TrainedNetwork) -> dict[str, Any]:
    """Return how near a network is to the Bayes rule of the densities that it was trained on.

    With the densities f_k at depth 0 on the mesh, as nodes of a quadrature rule with positive
    masses m_k of sum pi_k, the same for both, so that no gap is negative:

        accuracy  sum max_k m_k           against  sum m_{class of the network} ,
        log loss  -sum_k m_k log(share)   against  -sum_k m_k log p_k .

    Args:
        problem: the problem, of task classification.
        network: the network; its points are those of the mesh.

    Returns:
        ``accuracy`` and ``log_loss`` of the Bayes rule; ``network`` with those of the network, the
        log loss None without probabilities; ``accuracy_gap`` and ``log_loss_gap``, at least 0.

    Parallel: collective.
    """
    space, weights = problem.space, problem.class_weights
    rule = space.quadrature
    density = np.maximum(space.at_quadrature(problem.f0), 0.0)
    mass = (rule.weights * density).reshape(len(weights), -1)
    x = rule.x.reshape(-1, space.dimension).T
    mass *= (weights / total(space.comm, mass.sum(axis=1)))[:, None]
    share = mass / np.where(mass.sum(axis=0) > 0.0, mass.sum(axis=0), 1.0)
    entropy = -np.sum(mass * np.log(np.where(share > 0.0, share, 1.0)))
    sums: Array = np.array([mass.max(axis=0).sum(), entropy, 0.0, 0.0])
    there = np.flatnonzero(mass.any(axis=0))
    for first in range(0, len(there), CHUNK):
        part = there[first : first + CHUNK]
        scores = network.scores(network.carry(x[:, part]))
        sums[2] += mass[decide(scores), part].sum()
        sums[3] -= np.sum(mass[:, part] * log_softmax(scores, axis=0))
    best, least, right, loss = (float(s) for s in total(space.comm, sums))
    known = network.probabilistic
    return {
        "accuracy": best,
        "log_loss": least,
        "network": {"accuracy": right, "log_loss": loss if known else None},
        "accuracy_gap": best - right,
        "log_loss_gap": loss - least if known else None,
    }


def density_shares(problem: Problem, x: Array) -> Array:
    """Return the shares of the classes at points by their densities on the mesh, see ``shares``.

    Args:
        problem: the problem.
        x: points as columns, (d, n), the same on all ranks; those outside of the mesh get priors.

    Returns:
        The shares, (n, classes).

    Parallel: collective.
    """
    space, f0 = problem.space, problem.f0
    locator = Locator(space)
    found: list[Array] = [np.zeros((len(f0), 0))]
    for first in range(0, x.shape[1], CHUNK):
        cells, reference, _ = locator.find(x[:, first : first + CHUNK])
        mine = np.flatnonzero(cells >= 0)
        values = np.zeros((len(f0), len(cells)))
        basis = space.tabulate(reference[mine])[0]
        values[:, mine] = np.einsum("ni,kni->kn", basis, f0[:, space.dofs[cells[mine]]])
        found.append(total(space.comm, values))
    return shares(np.concatenate(found, axis=1), problem.class_weights)


def shares(f: Array, weights: Array) -> Array:
    """Return pi_k f_k / sum_j pi_j f_j, mixed with ``DOUBT`` of the priors pi_k.

    Args:
        f: the densities at n points, (classes, n); undershoots below zero count as zero.
        weights: pi_k, (classes,).

    Returns:
        The shares, (n, classes), the priors where all densities are zero.
    """
    mass = weights * np.maximum(f, 0.0).T
    sums: Array = mass.sum(axis=1, keepdims=True)
    share = np.where(sums > 0.0, mass / np.where(sums > 0.0, sums, 1.0), weights)
    return (1.0 - DOUBT) * share + DOUBT * weights
