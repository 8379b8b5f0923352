# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Prototypes at the clusters of the classes, and how many of them the classes need.

At the clusters they are a classifier already, that of Gaussians of one variance.
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from mfresnet.arrays import Array
from mfresnet.data import Samples
from mfresnet.network import HEADS, Head

TRIED, FOLDS, ERRORS = 2000, 5, 3.0


def at_clusters(head: Head, points: Samples, size: int, seed: int) -> dict[str, Array]:
    """Return the parameters of a head that begins at the clusters of points whose weights sum to 1.

    Args:
        head: the head.
        points: the points.
        size: clusters of each class.
        seed: see ``clusters``.
    """
    classes = [
        clusters(points.of_class(k), points.w[points.y == k], size, seed)
        for k in range(points.y.max() + 1)
    ]
    spread = sum(inertia for _, _, inertia in classes) / len(points.x)
    assert head.start is not None
    return head.start([(centres, mass) for centres, mass, _ in classes], spread)


def enough_prototypes(points: Samples, most: int = HEADS["prototypes"].usual, seed: int = 0) -> int:
    """Return the least number of prototypes a class whose log loss is no worse than the best one.

    That of samples left out in turn, of at most ``TRIED`` in all, with the prototypes at the
    clusters; no worse: by at most ``ERRORS`` standard errors of the difference.

    Args:
        points: the samples.
        most: the largest number.
        seed: of the samples, the folds and the clusters.
    """
    from sklearn.model_selection import StratifiedKFold

    chosen = np.random.default_rng(seed).permutation(len(points.y))[:TRIED]
    x, y, w = points.x[:, chosen], points.y[chosen], points.w[chosen]
    folds = min(FOLDS, np.bincount(y).min())
    if folds < 2 or w.min() <= 0.0:
        return 1
    head, losses = HEADS["prototypes"], np.zeros((most, len(y)))
    for inside, out in StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y):
        part = Samples(x[:, inside], y[inside], w[inside] / w[inside].sum())
        for i in range(most):
            scores = head.scores(x[:, out], at_clusters(head, part, i + 1, seed))
            losses[i, out] = -log_softmax(scores, axis=0)[y[out], np.arange(len(out))]
    share = w / w.sum()
    more = losses - losses[np.argmin(losses @ share)]
    mean = more @ share
    error = np.sqrt((more - mean[:, None]) ** 2 @ share**2)
    return int(np.argmax(mean <= ERRORS * error)) + 1


def clusters(x: Array, w: Array, size: int, seed: int) -> tuple[Array, Array, float]:
    """Return the centres, (d, size), masses and the sum of the squared distances of points.

    Args:
        x: the points, (d, n).
        w: their masses, (n,).
        size: number of clusters; where there are fewer points some have several.
        seed: of the first centres.
    """
    from sklearn.cluster import KMeans  # takes as long as a small training

    number = min(size, x.shape[1])
    found = KMeans(number, n_init=1, random_state=seed).fit(x.T, sample_weight=w)
    mass = np.bincount(found.labels_, w, minlength=number)
    again = np.resize(np.arange(number), size)
    least, times = np.finfo(float).eps, np.bincount(again)
    shares: Array = np.maximum(mass, least)[again] / times[again]
    distances = np.sum((x - found.cluster_centers_.T[:, found.labels_]) ** 2, axis=0)
    return found.cluster_centers_.T[:, again], shares, float(w @ distances)
