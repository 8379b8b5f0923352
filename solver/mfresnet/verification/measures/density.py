# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How good the density of a steering network is, beside other estimates of it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from mfresnet.arrays import Array
from mfresnet.data import Samples
from mfresnet.functional import ReducedFunctional, steered
from mfresnet.parallel import total
from mfresnet.trained import SteeredDensity, log_density_at, log_volume
from mfresnet.verification.measures.regression import MOST

DRAWN = 100_000
"""Samples that are drawn for the comparison of moments."""
COMPONENTS, FITTED = 6, 20_000
"""Most Gaussians in a mixture, and samples that it is fitted to."""


def density_measures(functional: ReducedFunctional, theta: Array) -> dict[str, Any]:
    """Return the metrics of run.json for task density.

    ``log_likelihood`` has for training and test samples the mean of log f(T, .) by eq. (12), and of
    log f0, the start density, per volume of the features (of the plane of the components where
    there are fewer): log f - log det(B^T B) / 2 with the way back B to the features, so that it can
    be compared with any other estimate and does not depend on the scaling. The baselines are the
    Gaussian with mean and covariance of the training samples, the mixture of Gaussians of
    ``gaussian_mixture`` (None for samples of different weights, which it does not take), and the
    kernel density estimate with the same bandwidth (None where it would take more than ``MOST``
    kernels; at a training sample it counts that one's own). ``integral`` is that of f(T, .) by
    eq. (12) over the mesh, 1 but for what lies outside. ``moments`` has mean and covariance of new
    samples and of the density that was to be reached, in the coordinates of the mesh.

    Parallel: collective.
    """
    model, dataset = steered(functional, theta), functional.population.dataset
    assert dataset is not None
    assert functional.problem.goal is not None
    drawn = model.network.carry(model.start.sample(DRAWN, np.random.default_rng(0)))
    mean, covariance = _moments(functional, functional.problem.goal)
    return {
        "log_likelihood": {
            name: _likelihood(functional, model, part)
            for name, part in (("train", dataset.train), ("test", dataset.test))
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


def _likelihood(
    functional: ReducedFunctional, model: SteeredDensity, part: Samples
) -> dict[str, float | None] | None:
    population = functional.population
    if not part.y.size or population.dataset is None or population.bandwidths is None:
        return None
    train, width = population.dataset.train, float(population.bandwidths[0])
    volume = log_volume(population.dataset.back)
    covariance = np.cov(train.x, aweights=train.w, bias=True)
    gaussian = multivariate_normal(np.average(train.x, axis=1, weights=train.w), covariance)
    found: dict[str, Array | None] = {
        "network": log_density_at(model, part.x),
        "start": model.start.log_density(part.x),
        "gaussian": gaussian.logpdf(part.x.T),
        "gaussian_mixture": None,
        "kernel": None,
    }
    if np.ptp(train.w) == 0.0:
        found["gaussian_mixture"] = gaussian_mixture(train.x).score_samples(part.x.T)
    if train.y.size * part.y.size <= MOST:
        kernels = KernelDensity(bandwidth=width).fit(train.x.T, sample_weight=train.w)
        found["kernel"] = kernels.score_samples(part.x.T)
    return {
        name: None if values is None else float(np.average(values, weights=part.w)) - volume
        for name, values in found.items()
    }


def gaussian_mixture(x: Array) -> GaussianMixture:
    """Return the mixture with the least BIC of 1 to ``COMPONENTS`` Gaussians, points (d, n).

    It is fitted to ``FITTED`` of the points, where there are more.
    """
    chosen = np.random.default_rng(0).permutation(x.shape[1])[:FITTED]
    points, found = x[:, chosen].T, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # BIC judges what it has found
        for n in range(1, min(COMPONENTS, len(points) - 1) + 1):
            found.append(GaussianMixture(n, random_state=0, max_iter=300).fit(points))
    return min(found, key=lambda mixture: mixture.bic(points))


def _integral(functional: ReducedFunctional, model: SteeredDensity) -> float:
    """Return the integral of f(T, .) over the mesh, each rank its cells."""
    space = functional.problem.space
    rule = space.cell_quadrature(2 * space.degree + 1)
    f = np.exp(log_density_at(model, rule.x.reshape(-1, space.dimension).T))
    return float(total(functional.comm, rule.weights.ravel() @ f)[0])


def _moments(functional: ReducedFunctional, f: Array) -> tuple[Array, Array]:
    """Return mean and covariance of a density f, (n_owned,)."""
    space = functional.problem.space
    rule = space.cell_quadrature(space.degree + 2)
    weights = (rule.weights * space.at_quadrature(f, rule.basis)).ravel()
    x: Array = rule.x.reshape(-1, space.dimension)
    local: list[Array] = [weights.sum()[None], weights @ x, ((weights[:, None] * x).T @ x).ravel()]
    sums = total(functional.comm, np.concatenate(local))
    mean = sums[1 : 1 + space.dimension] / sums[0]
    second = sums[1 + space.dimension :].reshape(space.dimension, -1) / sums[0]
    return mean, second - np.outer(mean, mean)
