# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How good a regression is on samples, beside linear regression on the same coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from mfresnet.arrays import Array
from mfresnet.data import Samples
from mfresnet.functional import ReducedFunctional, trained_network
from mfresnet.trained import TrainedNetwork


def regression_measures(functional: ReducedFunctional, theta: Array) -> dict[str, Any]:
    """Return the metrics of run.json for task regression, in the units of the label.

    ``train`` and ``test`` have ``samples``, their number; ``r2``, one minus the mean square of the
    error over the variance; ``rmse``, the root of the mean square. ``linear_regression`` has the
    same of the baseline.
    """
    network, dataset = trained_network(functional, theta), functional.population.dataset
    assert dataset is not None
    size, middle = dataset.back[-1, -1], dataset.shift[-1]
    train = dataset.train
    line = LinearRegression().fit(train.x[:-1].T, middle + size * train.x[-1], train.w)
    found: dict[str, Any] = {"linear_regression": {}}
    for name, part in (("train", train), ("test", dataset.test)):
        y = middle + size * part.x[-1]
        found[name] = _quality(y, part, predicted(network, part.x)) if y.size else None
        theirs = _quality(y, part, line.predict(part.x[:-1].T)) if y.size else None
        found["linear_regression"][name] = theirs
    return found


def predicted(network: TrainedNetwork, x: Array) -> Array:
    """Return the prediction at points (x, y) of the joint density, (d, n) -> (n,)."""
    return network.read(network.carry(x[:-1]))


def _quality(y: Array, part: Samples, given: Array) -> dict[str, float]:
    return {
        "samples": y.size,
        "r2": float(r2_score(y, given, sample_weight=part.w)),
        "rmse": float(np.sqrt(np.average((y - given) ** 2, weights=part.w))),
    }
