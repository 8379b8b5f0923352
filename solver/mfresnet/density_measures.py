# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How good the density of a steering network is, beside the start density."""

from __future__ import annotations

from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.data import Samples
from mfresnet.functional import ReducedFunctional
from mfresnet.parallel import total
from mfresnet.sampling import SteeredDensity, log_density_at, steered

DRAWN = 100_000
"""Samples that are drawn for the comparison of moments."""


def density_measures(functional: ReducedFunctional, theta: Array) -> dict[str, Any]:
    """Return the metrics of run.json for task density, all in the coordinates of the mesh.

    ``log_likelihood`` has for training and test samples the mean of log f(T, .) by eq. (12), and of
    log f0, the start density. ``integral`` is that of f(T, .) by eq. (12) over the mesh, 1 but for
    what lies outside. ``moments`` has mean and covariance of new samples and of the density that
    was to be reached.

    Parallel: collective.
    """
    model, dataset = steered(functional, theta), functional.population.dataset
    assert dataset is not None
    assert functional.goal is not None
    drawn = model.network.carry(model.start.sample(DRAWN, np.random.default_rng(0)))
    mean, covariance = _moments(functional, functional.goal)
    return {
        "log_likelihood": {
            "train": _likelihood(model, dataset.train),
            "test": _likelihood(model, dataset.test),
        },
        "integral": _integral(functional, model),
        "moments": {
            "samples": {
                "mean": drawn.mean(axis=1).tolist(),
                "covariance": np.atleast_2d(np.cov(drawn)).tolist(),
            },
            "goal": {"mean": mean.tolist(), "covariance": covariance.tolist()},
        },
    }


def _likelihood(model: SteeredDensity, part: Samples) -> dict[str, float] | None:
    if not part.y.size:
        return None
    with np.errstate(divide="ignore"):
        start = np.log(model.start.density(part.x))
    ours = log_density_at(model, part.x)
    return {
        "network": float(np.average(ours, weights=part.w)),
        "start": float(np.average(start, weights=part.w)),
    }


def _integral(functional: ReducedFunctional, model: SteeredDensity) -> float:
    """Return the integral of f(T, .) over the mesh, each rank its cells."""
    space = functional.transport.space
    rule = space.cell_quadrature(2 * space.degree + 1)
    f = np.exp(log_density_at(model, rule.x.reshape(-1, space.dimension).T))
    return float(total(functional.comm, rule.weights.ravel() @ f)[0])


def _moments(functional: ReducedFunctional, f: Array) -> tuple[Array, Array]:
    """Return mean and covariance of a density f, (n_owned,)."""
    space = functional.transport.space
    rule = space.cell_quadrature(space.degree + 2)
    weights = (rule.weights * (f[space.dofs[: space.n_owned_cells]] @ rule.basis.T)).ravel()
    x: Array = rule.x.reshape(-1, space.dimension)
    local = [[weights.sum()], weights @ x, ((weights[:, None] * x).T @ x).ravel()]
    sums = total(functional.comm, np.concatenate(local))
    mean = sums[1 : 1 + space.dimension] / sums[0]
    second = sums[1 + space.dimension :].reshape(space.dimension, -1) / sums[0]
    return mean, second - np.outer(mean, mean)
