#!/usr/bin/env python3
# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The classifier with its defaults beside those of scikit-learn.

    python3 benchmarks/tables.py [names] [--rows 16000] [--seeds 1]
    python3 benchmarks/tables.py --shipped

Moons, a disk in rings, exclusive or, spirals and overlapping blobs, two features and three classes;
a quarter of the rows is held out. With ``--shipped`` breast cancer, iris and wine by two principal
components, five folds twice. Prints accuracy, log loss and the seconds of a fit of each, as a table
in Markdown.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import RepeatedStratifiedKFold, cross_validate, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mfresnet import MeanFieldClassifier

Table = tuple[Any, Any]
CENTRES = np.array([[-1, -1], [1, 1], [-1, 1], [1, -1], [0, 0], [2.2, 0]])


def moons(n: int, rng: np.random.Generator) -> Table:
    """Return three half circles that reach into each other."""
    y, angle = rng.integers(0, 3, n), np.pi * rng.random(n)
    sign = np.where(y == 1, -1.0, 1.0)
    x = np.stack([y + sign * np.cos(angle), np.array([0.0, 0.5, 0.2])[y] + sign * np.sin(angle)])
    return x.T + 0.12 * rng.standard_normal((n, 2)), y


def rings(n: int, rng: np.random.Generator) -> Table:
    """Return a disk in two rings."""
    y, angle = rng.integers(0, 3, n), 2.0 * np.pi * rng.random(n)
    x = y * np.stack([np.cos(angle), np.sin(angle)])
    return x.T + 0.22 * rng.standard_normal((n, 2)), y


def exclusive_or(n: int, rng: np.random.Generator) -> Table:
    """Return classes of two blobs each."""
    blob = rng.integers(0, 6, n)
    return CENTRES[blob] + 0.3 * rng.standard_normal((n, 2)), blob // 2


def spirals(n: int, rng: np.random.Generator) -> Table:
    """Return three arms."""
    y, r = rng.integers(0, 3, n), np.sqrt(rng.random(n)) * 2.5 + 0.3
    angle = 1.6 * r + 2.0 * np.pi * y / 3.0
    x = r * np.stack([np.cos(angle), np.sin(angle)])
    return x.T + 0.12 * rng.standard_normal((n, 2)), y


def blobs(n: int, rng: np.random.Generator) -> Table:
    """Return three blobs that overlap."""
    y = rng.integers(0, 3, n)
    middles = np.array([[0.0, 0.0], [1.5, 0.5], [0.4, 1.6]])
    return middles[y] + 0.55 * rng.standard_normal((n, 2)), y


TABLES: dict[str, Callable[[int, np.random.Generator], Table]] = {
    "moons": moons,
    "rings": rings,
    "exclusive or": exclusive_or,
    "spirals": spirals,
    "blobs": blobs,
}
SHIPPED = {"breast cancer": load_breast_cancer, "iris": load_iris, "wine": load_wine}
MODELS: dict[str, Callable[[int], Any]] = {
    "logistic regression": lambda seed: LogisticRegression(),
    "random forest": lambda seed: RandomForestClassifier(random_state=seed),
    "MLP (32, 32)": lambda seed: MLPClassifier((32, 32), max_iter=300, random_state=seed),
    "mfresnet": lambda seed: MeanFieldClassifier(seed=seed),
}


def measured(model: Any, x: Any, y: Any, seed: int) -> tuple[float, float, float]:
    """Return accuracy and log loss on the rows held out, and the seconds of the fit."""
    parts = train_test_split(x, y, test_size=0.25, random_state=seed)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(parts[0], parts[2])
    seconds = time.perf_counter() - start
    return (
        model.score(parts[1], parts[3]),
        log_loss(parts[3], model.predict_proba(parts[1])),
        seconds,
    )


def shipped() -> None:
    """Print the table of real data by cross-validation, all on the same two components."""
    for name, load in SHIPPED.items():
        x, y = load(return_X_y=True)
        folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0)
        cells = []
        for which, make in MODELS.items():
            model = make(0)
            if which != "mfresnet":
                model = make_pipeline(StandardScaler(), PCA(2, whiten=True), model)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                scores = ("accuracy", "neg_log_loss")
                found = cross_validate(model, x, y, cv=folds, scoring=scores, error_score="raise")
            accuracy, loss = found["test_accuracy"].mean(), -found["test_neg_log_loss"].mean()
            cells.append(f"{accuracy:.4f}, {loss:.3f}, {found['fit_time'].mean():.1f} s")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(TABLES)}; all when not given")
    parser.add_argument("--rows", type=int, default=16_000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--shipped", action="store_true")
    given = parser.parse_args()
    print("| rows | " + " | ".join(MODELS) + " |")
    print("|---" * (len(MODELS) + 1) + "|")
    if given.shipped:
        return shipped()
    for name in given.names or TABLES:
        cells = []
        for make in MODELS.values():
            runs = []
            for seed in range(given.seeds):
                x, y = TABLES[name](given.rows, np.random.default_rng(seed))
                runs.append(measured(make(seed), x, y, seed))
            accuracy, loss, seconds = np.mean(runs, axis=0)
            cells.append(f"{accuracy:.4f}, {loss:.3f}, {seconds:.1f} s")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
