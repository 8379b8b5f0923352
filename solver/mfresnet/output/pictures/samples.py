# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures of the network on samples: decision regions, and paths through the network."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional, trained_network
from mfresnet.losses import LOSSES
from mfresnet.output.pictures.palette import COLOURS, light, shown

PIXELS = 300
PATHS = 60
"""Most paths that are drawn for a class."""
MARGIN = 0.6


def class_figures(functional: ReducedFunctional, theta: Array) -> dict[str, Figure]:
    """Return the pictures ``decision`` and ``paths``."""
    return {
        "decision": decision_figure(functional, theta),
        "paths": paths_figure(functional, theta),
    }


def decision_figure(functional: ReducedFunctional, theta: Array) -> Figure:
    """Return the regions of the classes on the input plane, with the test samples.

    In 3-D one panel a pair of coordinates: the regions in the plane through the mean of the
    samples, the samples projected onto it. In 1-D the regions are strips.
    """
    dataset = functional.population.dataset
    assert dataset is not None
    samples = dataset.test if dataset.test.y.size else dataset.train
    x, y = samples.x, samples.y
    network = trained_network(functional, theta)
    wrong = network.classify(x) != y
    lower, upper = x.min(axis=1) - MARGIN, x.max(axis=1) + MARGIN
    pairs = _pairs(len(x))
    figure = Figure(figsize=(5.6 * len(pairs), 4.8), layout="constrained")
    for axes, (i, j) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        first = np.linspace(lower[i], upper[i], PIXELS)
        second = np.linspace(-1.0, 1.0, 2) if j is None else np.linspace(lower[j], upper[j], PIXELS)
        grid = np.repeat(dataset.train.x.mean(axis=1)[:, None], first.size * second.size, axis=1)
        plane = np.stack(np.meshgrid(first, second), axis=0).reshape(2, -1)
        grid[i] = plane[0]
        if j is not None:
            grid[j] = plane[1]
        region = network.classify(grid).reshape(second.size, first.size)
        n = len(dataset.labels)
        axes.pcolormesh(
            first, second, region, cmap=ListedColormap([light(k) for k in range(n)]), vmin=-0.5,
            vmax=n - 0.5, shading="nearest", rasterized=True,
        )  # fmt: skip
        heights = np.random.default_rng(0).uniform(-0.8, 0.8, x.shape[1]) if j is None else x[j]
        for k in range(n):
            here = y == k
            axes.plot(
                x[i, here], heights[here], "o", ms=4.5, color=COLOURS[k], mec="white", mew=0.5
            )
        axes.plot(x[i, wrong], heights[wrong], "o", ms=8.5, mfc="none", mec="black", mew=1.1)
        _name_axes(axes, i, j)
        if j is None:
            axes.set(yticks=[])
    handles: list[Any] = [
        Line2D([], [], marker="o", ls="", color=COLOURS[k], label=shown(label))
        for k, label in enumerate(dataset.labels)
    ]
    handles.append(
        Line2D([], [], marker="o", ls="", mfc="none", mec="black", ms=8, label="misclassified")
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    part = "test" if samples is dataset.test else "training"
    figure.suptitle(
        f"Decision regions and {part} samples: accuracy {1.0 - wrong.mean():.3f}", fontsize=11
    )
    return figure


def paths_figure(functional: ReducedFunctional, theta: Array) -> Figure:
    """Return the paths of training samples through the network; over depth in 1-D."""
    dataset = functional.population.dataset
    assert dataset is not None
    aims = LOSSES[functional.case.loss.kind].aims(functional.population.targets)
    train = dataset.train
    chosen = np.concatenate(
        [np.flatnonzero(train.y == k)[:PATHS] for k in range(len(dataset.labels))]
    )
    path = trained_network(functional, theta).path(train.x[:, chosen])
    y, d = train.y[chosen], len(train.x)
    pairs = _pairs(d)
    figure = Figure(figsize=(5.6 * len(pairs), 4.8), layout="constrained")
    for axes, (i, j) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        for k in range(len(dataset.labels)):
            first, colour = path[:, i, y == k], COLOURS[k]
            times = np.linspace(0.0, functional.controls.final_time, len(path))
            second = np.repeat(times[:, None], first.shape[1], axis=1) if j is None else None
            second = path[:, j, y == k] if second is None else second
            axes.plot(first, second, color=colour, lw=0.7, alpha=0.45)
            axes.plot(first[0], second[0], ".", color=colour, ms=3, alpha=0.6)
            axes.plot(first[-1], second[-1], "o", color=colour, ms=4, mec="white", mew=0.4)
            for target in aims[k : k + 1]:
                end = functional.controls.final_time if j is None else target[j]
                axes.plot(target[i], end, "P", color=colour, ms=12, mec="black", mew=1.0)
        _name_axes(axes, i, j)
        if j is None:
            axes.set(ylabel="depth t")
    handles: list[Any] = [
        Line2D([], [], color=COLOURS[k], label=shown(label))
        for k, label in enumerate(dataset.labels)
    ]
    if len(aims):
        handles.append(
            Line2D([], [], marker="P", ls="", mfc="0.7", mec="black", ms=10, label="target")
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def _pairs(d: int) -> list[tuple[int, int | None]]:
    return [(0, None)] if d == 1 else list(itertools.combinations(range(d), 2))


def _name_axes(axes: Any, i: int, j: int | None) -> None:
    axes.set(xlabel=f"$x_{i + 1}$")
    if j is not None:
        axes.set(ylabel=f"$x_{j + 1}$", aspect="equal")
