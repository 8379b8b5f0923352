#!/usr/bin/env python3
# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The regressor and the density estimator with their defaults beside those that everybody has.

    python3 benchmarks/estimates.py regression|density [--rows 2000] [--seeds 1]

Regression: a bump, a wave, a product of two features, steps with noise that grows, and body mass
index, blood pressure and a serum value of diabetes by one component; R2 of a line, of kernel
regression with the bandwidth of the largest cross-validated R2, and ours. Density: a bent Gaussian,
three clusters, a ring, and the eruptions of Old Faithful; mean log density of a Gaussian mixture by
BIC, of a kernel estimate with the likeliest bandwidth, and ours. A quarter of the rows is held out.
Prints these and the seconds of CPU of our fit, as a table in Markdown.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold, train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mfresnet import MeanFieldDensity, MeanFieldRegressor

CASES = Path(__file__).parents[1] / "cases"
WIDTHS = np.geomspace(0.02, 0.5, 12)
Rows = tuple[Any, Any]


def bump(n: int, rng: np.random.Generator) -> Rows:
    """Return a label that rises and falls on a slope."""
    x = rng.uniform(-3.0, 3.0, (n, 1))
    return x, 3.0 * np.exp(-(x[:, 0] ** 2)) + 0.3 * x[:, 0] + 0.3 * rng.standard_normal(n)


def wave(n: int, rng: np.random.Generator) -> Rows:
    """Return two periods of a sine."""
    x = rng.uniform(-3.0, 3.0, (n, 1))
    return x, np.sin(2.0 * x[:, 0]) + 0.2 * rng.standard_normal(n)


def product(n: int, rng: np.random.Generator) -> Rows:
    """Return the product of two features."""
    x = rng.standard_normal((n, 2))
    return x, x[:, 0] * x[:, 1] + 0.3 * rng.standard_normal(n)


def steps(n: int, rng: np.random.Generator) -> Rows:
    """Return four steps with noise that grows."""
    x = rng.uniform(0.0, 10.0, (n, 1))
    noise = 0.3 * (1.0 + x[:, 0] / 10.0) * rng.standard_normal(n)
    return x, np.floor(x[:, 0] / 2.5) + noise


def diabetes(n: int, rng: np.random.Generator) -> Rows:
    """Return the table that is shipped, its rows in another order, by one component."""
    table = pd.read_csv(CASES / "diabetes.csv").sample(frac=1.0, random_state=rng.integers(2**31))
    reduced = make_pipeline(StandardScaler(), PCA(1))
    return reduced.fit_transform(table[["bmi", "bp", "s5"]]), table["target"].to_numpy()


def banana(n: int, rng: np.random.Generator) -> Rows:
    """Return a bent Gaussian."""
    a = rng.standard_normal(n)
    return np.stack([a, 0.8 * a**2 + 0.4 * rng.standard_normal(n)], axis=1), None


def clusters(n: int, rng: np.random.Generator) -> Rows:
    """Return three clusters."""
    centres = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    return centres[rng.integers(0, 3, n)] + 0.5 * rng.standard_normal((n, 2)), None


def ring(n: int, rng: np.random.Generator) -> Rows:
    """Return a ring."""
    angle, r = 2.0 * np.pi * rng.random(n), 2.0 + 0.25 * rng.standard_normal(n)
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1), None


def old_faithful(n: int, rng: np.random.Generator) -> Rows:
    """Return the table that is shipped, its rows in another order."""
    table = pd.read_csv(CASES / "old_faithful.csv")
    return table.sample(frac=1.0, random_state=rng.integers(2**31)).to_numpy(dtype=float), None


TABLES: dict[str, dict[str, Callable[[int, np.random.Generator], Rows]]] = {
    "regression": {
        "bump": bump,
        "wave": wave,
        "product": product,
        "steps": steps,
        "diabetes": diabetes,
    },
    "density": {
        "banana": banana,
        "clusters": clusters,
        "ring": ring,
        "Old Faithful": old_faithful,
    },
}
HEADS = {
    "regression": ("line", "kernel regression", "mfresnet"),
    "density": ("Gaussian mixture", "kernel estimate", "mfresnet"),
}


def r2(y: Any, predicted: Any) -> float:
    """Return R2."""
    return float(1.0 - np.sum((y - predicted) ** 2) / np.sum((y - np.mean(y)) ** 2))


def kernel_mean(x: Any, y: Any, new: Any, width: float) -> Any:
    """Return the mean of y weighted by Gaussian kernels around new points."""
    squares = np.sum((new[:, None] - x[None]) ** 2, axis=2)
    least = squares.min(axis=1, keepdims=True)
    weights = np.exp(-0.5 * (squares - least) / width**2)
    return weights @ y / weights.sum(axis=1)


def likeliest(score: Callable[[float, Any, Any], float], n: int) -> float:
    """Return the width with the largest sum of scores over five folds."""
    folds = list(KFold(5, shuffle=True, random_state=0).split(np.zeros(n)))
    scores = [sum(score(float(h), *fold) for fold in folds) for h in WIDTHS]
    return float(WIDTHS[int(np.argmax(scores))])


def regression(x: Any, y: Any, seed: int) -> tuple[float, ...]:
    """Return R2 of a line, of kernel regression, of ours, and our seconds of CPU."""
    x, new, y, truth = train_test_split(x, y, test_size=0.25, random_state=seed)
    scaler = StandardScaler().fit(x)
    a, b = scaler.transform(x), scaler.transform(new)
    width = likeliest(
        lambda h, i, o: -float(np.sum((y[o] - kernel_mean(a[i], y[i], a[o], h)) ** 2)), len(y)
    )
    start = time.process_time()
    model = MeanFieldRegressor(seed=seed).fit(x, y)
    seconds = time.process_time() - start
    return (
        LinearRegression().fit(x, y).score(new, truth),
        r2(truth, kernel_mean(a, y, b, width)),
        model.score(new, truth),
        seconds,
    )


def density(x: Any, _: Any, seed: int) -> tuple[float, ...]:
    """Return mean log densities of a mixture, of kernels, of ours, and our seconds of CPU."""
    x, new = train_test_split(x, test_size=0.25, random_state=seed)
    mixtures = [GaussianMixture(k, random_state=0).fit(x) for k in range(1, 7)]
    scaler = StandardScaler().fit(x)
    a, volume = scaler.transform(x), float(np.log(scaler.scale_).sum())
    width = likeliest(
        lambda h, i, o: float(KernelDensity(bandwidth=h).fit(a[i]).score(a[o])), len(a)
    )
    kernels = KernelDensity(bandwidth=width).fit(a).score_samples(scaler.transform(new))
    start = time.process_time()
    model = MeanFieldDensity(seed=seed).fit(x)
    seconds = time.process_time() - start
    best = int(np.argmin([mixture.bic(x) for mixture in mixtures]))
    return (
        mixtures[best].score(new),
        float(np.mean(kernels)) - volume,
        model.score(new),
        seconds,
    )


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=TABLES)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    measured = {"regression": regression, "density": density}[given.task]
    warnings.simplefilter("ignore")
    print("| rows | " + " | ".join(HEADS[given.task]) + " |")
    print("|---" * (len(HEADS[given.task]) + 1) + "|")
    for name, make in TABLES[given.task].items():
        runs = [
            measured(*make(given.rows, np.random.default_rng(seed)), seed)
            for seed in range(given.seeds)
        ]
        *scores, seconds = np.mean(runs, axis=0)
        cells = " | ".join(f"{score:.4f}" for score in scores)
        print(f"| {name} | {cells}, {seconds:.1f} s |", flush=True)


if __name__ == "__main__":
    main()
