# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How good a trained network is on samples, beside a baseline on the same features."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score

from mfresnet.arrays import Array
from mfresnet.data import Dataset, Samples
from mfresnet.functional import ReducedFunctional
from mfresnet.losses import LOSSES
from mfresnet.parallel import total
from mfresnet.particles import INFERENCES, flow
from mfresnet.population import nearest
from mfresnet.space import Space


def positions(functional: ReducedFunctional, theta: Array, x: Array, inference: str) -> Array:
    """Return samples x, (d, n), at the start of every layer and at T, (layers + 1, d, n).

    Args:
        functional: J.
        theta: the controls.
        x: the samples after scaling and reduction.
        inference: a name in ``INFERENCES``.
    """
    order, steps = functional.case.time.order, functional.steps_per_layer
    return flow(functional.network(theta), x, *INFERENCES[inference](order, steps))


def classify(functional: ReducedFunctional, theta: Array, x: Array, inference: str) -> Array:
    """Return the number of the class that the network gives to each sample x, (d, n) -> (n,)."""
    return decide(functional, theta, positions(functional, theta, x, inference)[-1])


def decide(functional: ReducedFunctional, theta: Array, x: Array) -> Array:
    """Return the number of the class of points x at T, (d, n) -> (n,).

    By the head of the loss where it has one, else by the nearest target.
    """
    scores = LOSSES[functional.case.loss.kind].scores
    if scores is None:
        return nearest(x, functional.population.targets)
    return np.argmax(scores(x, functional.controls.from_vector(theta).of_head()), axis=0)


def measure(functional: ReducedFunctional, theta: Array) -> dict[str, Any]:
    """Return the metrics of run.json: what the loss tells, and with samples the accuracies.

    The accuracies are those of ``network.inference``, and beside them those of every way to apply
    the network and of logistic regression. ``means`` has the mean of every class at T, by the
    density and by its training samples: they differ by what smoothing and training do, not more.

    Parallel: collective.
    """
    labels = functional.population.labels
    told = {
        name: dict(zip(labels, values.tolist(), strict=True))
        for name, values in functional.loss_report(theta).items()
    }
    dataset = functional.population.dataset
    if dataset is None:
        return told
    parts = {"train_accuracy": dataset.train, "test_accuracy": dataset.test}
    found: dict[str, Any] = {}
    for inference in INFERENCES:
        found[inference] = {
            name: _accuracy(part, classify(functional, theta, part.x, inference))
            for name, part in parts.items()
        }
    baseline = LogisticRegression().fit(dataset.train.x.T, dataset.train.y)
    found["logistic_regression"] = {
        name: _accuracy(part, baseline.predict(part.x.T)) if part.y.size else None
        for name, part in parts.items()
    }
    found["means"] = _means(functional, theta, dataset)
    return dict(found[functional.case.network.inference]) | found | told


def _accuracy(part: Samples, given: Array) -> float | None:
    return float(accuracy_score(part.y, given)) if part.y.size else None


def _means(functional: ReducedFunctional, theta: Array, dataset: Dataset) -> dict[str, Any]:
    inside = density_means(functional.transport.space, functional.densities(theta)[-1])
    at = positions(functional, theta, dataset.train.x, "runge_kutta")[-1]
    outside = [at[:, dataset.train.y == k].mean(axis=1) for k in range(len(dataset.labels))]
    return {
        label: {"density": a.tolist(), "samples": b.tolist()}
        for label, a, b in zip(dataset.labels, inside, outside, strict=True)
    }


def density_means(space: Space, f: Array) -> Array:
    """Return the means of densities f, (classes, n_owned) -> (classes, d). Collective."""
    rule = space.cell_quadrature(space.degree + 1)
    first = [
        space.integrate_basis(rule, lambda x, i=i: x[i])  # type: ignore[misc]
        for i in range(space.dimension)
    ]
    moments = total(space.comm, (f @ np.array([space.integral, *first]).T).ravel())
    table = moments.reshape(len(f), -1)
    return table[:, 1:] / table[:, :1]
