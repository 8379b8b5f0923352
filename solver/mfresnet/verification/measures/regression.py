# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How good a regression is on samples, beside linear and kernel regression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_pinball_loss, r2_score

from mfresnet.arrays import Array
from mfresnet.data import Samples
from mfresnet.functional import ReducedFunctional, trained_network
from mfresnet.trained import TrainedNetwork
from mfresnet.verification.measures.predictive import predictive_law

LEVELS = (0.05, 0.5, 0.95)
"""Quantiles of the label whose pinball loss is measured; the outer ones make the interval."""
MOST = 30_000_000
"""Most kernels, of a training sample at another one, for a baseline."""
BLOCK = 2_000_000
"""Kernels at a time."""

Answer = tuple[Array, Array]
"""Predictions (n,) and quantiles (n, levels)."""


def regression_measures(functional: ReducedFunctional, theta: Array) -> dict[str, Any]:
    """Return the metrics of run.json for task regression, in the units of the label.

    ``train`` and ``test`` have the measures of ``_quality``. ``linear_regression`` and
    ``kernel_regression`` have the same of the baselines on the same coordinates. The quantiles are
    for the network those of ``predictive_law``; for the line the prediction and the quantiles of
    the errors of the training samples; for the kernel regression, of Nadaraya and Watson with the
    bandwidth of the density, those of the training samples with the weights of their kernels (None
    where it would take more than ``MOST`` of them; at a training sample it counts that one's own).

    Parallel: collective.
    """
    network, dataset = trained_network(functional, theta), functional.population.dataset
    widths = functional.population.bandwidths
    assert dataset is not None and widths is not None
    size, middle, train = dataset.back[-1, -1], dataset.shift[-1], dataset.train
    law, y = predictive_law(functional, network), middle + size * train.x[-1]

    def ours(x: Array) -> Answer:
        given = predicted(network, x)
        return given, law.quantiles(given, LEVELS)

    answers: dict[str, Callable[[Array], Answer | None]] = {
        "": ours,
        "linear_regression": _linear(train, y),
        "kernel_regression": lambda x: _kernel(train, y, float(widths[0]), x),
    }
    found: dict[str, Any] = {name: {} for name in answers if name}
    for part, samples in (("train", train), ("test", dataset.test)):
        true = middle + size * samples.x[-1]
        for name, answer in answers.items():
            row = found[name] if name else found
            given = answer(samples.x) if true.size else None
            row[part] = None if given is None else _quality(true, samples, given)
    return found


def predicted(network: TrainedNetwork, x: Array) -> Array:
    """Return the prediction at points (x, y) of the joint density, (d, n) -> (n,)."""
    return network.read(network.carry(x[:-1]))


def _linear(train: Samples, y: Array) -> Callable[[Array], Answer]:
    """Return linear regression: points (x, y) -> answer."""
    line = LinearRegression().fit(train.x[:-1].T, y, train.w)
    errors = y - line.predict(train.x[:-1].T)
    beside = _quantiles(errors, train.w[None])

    def answer(x: Array) -> Answer:
        given = line.predict(x[:-1].T)
        return given, given[:, None] + beside

    return answer


def _kernel(train: Samples, y: Array, width: float, x: Array) -> Answer | None:
    """Return the answer of kernel regression at points (x, y), where it is not too long."""
    n, step = x.shape[1], max(1, BLOCK // y.size)
    if y.size * n > MOST:
        return None
    given, quantiles = np.empty(n), np.empty((n, len(LEVELS)))
    for first in range(0, n, step):
        part = slice(first, first + step)
        squares = cdist(x[:-1, part].T, train.x[:-1].T, "sqeuclidean")
        squares -= squares.min(axis=1, keepdims=True)  # far from all samples the nearest counts
        weights = train.w * np.exp(-0.5 * squares / width**2)
        given[part] = weights @ y / weights.sum(axis=1)
        quantiles[part] = _quantiles(y, weights)
    return given, quantiles


def _quantiles(y: Array, weights: Array) -> Array:
    """Return the quantiles ``LEVELS`` of values (n,) with weights, (rows, n) -> (rows, levels)."""
    order = np.argsort(y)
    up_to = np.cumsum(weights[:, order], axis=1)
    found = [np.argmax(up_to >= level * up_to[:, -1:], axis=1) for level in LEVELS]
    return y[order][np.stack(found, axis=1)]


def _quality(y: Array, part: Samples, answer: Answer) -> dict[str, Any]:
    """Return the measures of an answer.

    Returns:
        ``samples``, their number; ``r2``, one minus the mean square of the error over the variance;
        ``rmse``, the root of the mean square; ``pinball_loss``, for every quantile q of level a the
        mean of max(a (y - q), (a - 1) (y - q)); ``coverage``, the share of the labels in the
        interval between the outer quantiles, and ``interval``, its mean width.
    """
    given, quantiles = answer
    low, high = quantiles[:, 0], quantiles[:, -1]
    return {
        "samples": y.size,
        "r2": float(r2_score(y, given, sample_weight=part.w)),
        "rmse": float(np.sqrt(np.average((y - given) ** 2, weights=part.w))),
        "pinball_loss": {
            f"{level:g}": float(mean_pinball_loss(y, q, sample_weight=part.w, alpha=level))
            for level, q in zip(LEVELS, quantiles.T, strict=True)
        },
        "coverage": float(np.average((low <= y) & (y <= high), weights=part.w)),
        "interval": float(np.average(high - low, weights=part.w)),
    }
