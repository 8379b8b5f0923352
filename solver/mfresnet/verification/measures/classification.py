# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How good a classification is on samples, beside baselines on the same features."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, log_loss

from mfresnet.arrays import Array
from mfresnet.data import Dataset, Samples
from mfresnet.functional import ReducedFunctional, Trajectory, trained_network
from mfresnet.mesh import Space
from mfresnet.network import INFERENCES, decide, probabilities
from mfresnet.parallel import total
from mfresnet.trained import TrainedNetwork
from mfresnet.verification.measures.bayes import bayes_measures, density_shares

BINS = 10
"""Intervals of the confidence in which the calibration compares it with the accuracy."""


def class_measures(functional: ReducedFunctional, theta: Array) -> dict[str, Any]:
    """Return the metrics of run.json for task classification.

    ``train`` and ``test`` have all measures of ``quality`` for ``network.inference``, also below
    ``logistic_regression`` and ``kernel_density``, the baselines on the same features: the latter
    is the class of the largest pi_k f_k(0, x) on the mesh, see ``bayes.density_shares``. The
    accuracies stand by themselves as well, and those of every way to apply the network below its
    name. ``bayes`` has what ``bayes_measures`` returns. ``means`` has the mean of every class at T,
    by the density and by its training samples: they differ by what smoothing and training do, not
    more.

    Parallel: collective.
    """
    dataset = functional.population.dataset
    assert dataset is not None
    parts = {"train": dataset.train, "test": dataset.test}
    chosen = functional.case.network.inference
    found: dict[str, Any] = {}
    for inference in INFERENCES:
        network = trained_network(functional, theta, inference)
        found[inference] = {
            f"{name}_accuracy": _accuracy(part.y, network.classify(part.x), part.w)
            for name, part in parts.items()
        }
    network = trained_network(functional, theta, chosen)
    ours = {name: _of_network(network, part) for name, part in parts.items()}
    line = LogisticRegression().fit(dataset.train.x.T, dataset.train.y, dataset.train.w)
    baselines: dict[str, Callable[[Array], Array]] = {
        "logistic_regression": lambda x: line.predict_proba(x.T),
        "kernel_density": partial(density_shares, functional.problem),
    }
    for name, shares in baselines.items():
        theirs = {part: _of_shares(shares, samples) for part, samples in parts.items()}
        found[name] = {f"{part}_accuracy": row and row["accuracy"] for part, row in theirs.items()}
        found[name] |= theirs
    found["bayes"] = bayes_measures(functional.problem, network)
    found["means"] = _means(functional, theta, dataset)
    return dict(found[chosen]) | found | ours


def quality(
    y: Array, given: Array, n_classes: int, p: Array | None = None, w: Array | None = None
) -> dict[str, Any]:
    """Return all measures of a classification.

    Args:
        y: the numbers of the true classes, (n,).
        given: the numbers of the classes that were given, (n,).
        n_classes: number of classes.
        p: the probability of every class, (n, n_classes), where there is one.
        w: the weight of every sample, (n,), in all means.

    Returns:
        ``samples``, their number; ``accuracy``; ``balanced_accuracy``, the mean over the classes in
        y of the part that is right; ``confusion``, numbers of samples, a row a true class, a column
        a given one; ``log_loss``, the mean of -log p of the true class, and ``calibration_error``,
        see there, both None without probabilities.
    """
    w = np.ones(len(y)) if w is None else w
    per_class = np.bincount(y, w, n_classes)
    recall = np.bincount(y, w * (given == y), n_classes)[per_class > 0] / per_class[per_class > 0]
    classes = np.arange(n_classes)
    return {
        "samples": len(y),
        "accuracy": _accuracy(y, given, w),
        "balanced_accuracy": float(recall.mean()),
        "confusion": confusion_matrix(y, given, labels=classes).tolist(),
        "log_loss": None if p is None else float(log_loss(y, p, sample_weight=w, labels=classes)),
        "calibration_error": None if p is None else calibration_error(y, p, w),
    }


def calibration_error(y: Array, p: Array, w: Array) -> float:
    """Return the expected calibration error of probabilities p, (n, classes), with weights w.

    The samples are sorted into ``BINS`` equal intervals of the probability of the class that is
    given; the error is the mean over the samples of |accuracy - mean probability| of their bin.
    """
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, w * (right - confidence), minlength=BINS)
    return float(np.abs(gaps).sum() / w.sum())


def _of_network(network: TrainedNetwork, part: Samples) -> dict[str, Any] | None:
    if not part.y.size:
        return None
    scores = network.scores(network.carry(part.x))
    p = probabilities(scores).T if network.probabilistic else None
    return quality(part.y, decide(scores), len(network.labels), p, part.w)


def _of_shares(shares: Callable[[Array], Array], part: Samples) -> dict[str, Any] | None:
    """Return the measures of a baseline, x (d, n) -> probabilities (n, classes)."""
    if not part.y.size:
        return None
    p = shares(part.x)
    return quality(part.y, p.argmax(axis=1), p.shape[1], p, part.w)


def _accuracy(y: Array, given: Array, w: Array) -> float | None:
    return float(w @ (given == y) / w.sum()) if y.size else None


def _means(functional: ReducedFunctional, theta: Array, dataset: Dataset) -> dict[str, Any]:
    inside = density_means(
        functional.problem.space, Trajectory(functional, theta).densities([-1])[0]
    )
    at = trained_network(functional, theta, "runge_kutta").carry(dataset.train.x)
    outside = [at[:, dataset.train.y == k].mean(axis=1) for k in range(len(dataset.labels))]
    return {
        label: {"density": a.tolist(), "samples": b.tolist()}
        for label, a, b in zip(dataset.labels, inside, outside, strict=True)
    }


def density_means(space: Space, f: Array) -> Array:
    """Return the means of densities f, (classes, n_owned) -> (classes, d). Collective."""
    first = [
        space.integrate(lambda x, i=i: x[i], space.degree + 1)  # type: ignore[misc]
        for i in range(space.dimension)
    ]
    moments = total(space.comm, (f @ np.array([space.integral, *first]).T).ravel())
    table = moments.reshape(len(f), -1)
    return table[:, 1:] / table[:, :1]
