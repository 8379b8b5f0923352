# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures of the network on samples: decision regions, and paths through the network."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional, trained_network
from mfresnet.output import trace
from mfresnet.pictures.language import Names, aims_of, legend, mark, target_mark
from mfresnet.pictures.palette import COLOURS, light, shown
from mfresnet.trained import TrainedNetwork

PIXELS = 120
"""Points a direction of the plane of the regions."""
PATHS, FINEST = 60, 60
"""Most paths that are drawn for a class, and steps of each at least."""
MARGIN = 0.6
ARROW = 0.4
"""Part of the depth at which a path has its arrow."""


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
    pairs, names = _pairs(len(x)), Names(functional)
    figure = Figure(figsize=(5.6 * len(pairs), 4.8), layout="constrained")
    for axes, (i, j) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        _regions(axes, network, dataset.train.x.mean(axis=1), (lower, upper), (i, j))
        n = len(dataset.labels)
        heights = np.random.default_rng(0).uniform(-0.8, 0.8, x.shape[1]) if j is None else x[j]
        for k in range(n):
            here = y == k
            axes.plot(
                x[i, here], heights[here], "o", ms=4.5, color=COLOURS[k], mec="white", mew=0.5
            )
        axes.plot(x[i, wrong], heights[wrong], "o", ms=8.5, mfc="none", mec="black", mew=1.1)
        _name_axes(axes, names, i, j)
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


def _regions(
    axes: Any, network: TrainedNetwork, middle: Array, ends: tuple[Array, Array],
    pair: tuple[int, int | None],
) -> None:  # fmt: skip
    """Fill the regions of the classes in the plane of two coordinates through a point."""
    (i, j), (lower, upper) = pair, ends
    first = np.linspace(lower[i], upper[i], PIXELS)
    second = np.linspace(-1.0, 1.0, 2) if j is None else np.linspace(lower[j], upper[j], PIXELS)
    grid = np.repeat(middle[:, None], first.size * second.size, axis=1)
    plane = np.stack(np.meshgrid(first, second), axis=0).reshape(2, -1)
    grid[i] = plane[0]
    if j is not None:
        grid[j] = plane[1]
    scores = network.scores(network.carry(grid)).reshape(-1, second.size, first.size)
    for k, score in enumerate(scores):
        ahead = score - np.delete(scores, k, axis=0).max(axis=0, initial=-np.inf)
        if ahead.max() > 0.0:
            levels = [0.0, max(float(np.max(ahead[np.isfinite(ahead)], initial=1.0)), 1e-300)]
            axes.contourf(first, second, ahead, levels=levels, colors=[light(k)], extend="max")


def paths_figure(functional: ReducedFunctional, theta: Array) -> Figure:
    """Return the paths of training samples through the network; over depth in 1-D.

    A path goes from a small mark to a large one, with the steps inside the layers.
    """
    dataset = functional.population.dataset
    assert dataset is not None
    aims, train = aims_of(functional), dataset.train
    chosen = np.concatenate(
        [np.flatnonzero(train.y == k)[:PATHS] for k in range(len(dataset.labels))]
    )
    times, path = trace(trained_network(functional, theta), train.x[:, chosen], FINEST)
    y, d = train.y[chosen], len(train.x)
    pairs, names = _pairs(d), Names(functional)
    over = np.repeat(times[:, None], len(chosen), axis=1)
    figure = Figure(figsize=(5.6 * len(pairs), 4.8), layout="constrained")
    for axes, (i, j) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        lines = np.stack([path[:, i], over if j is None else path[:, j]], axis=-1)
        colours = np.array([COLOURS[k] for k in y])
        axes.add_collection(
            LineCollection(list(lines.swapaxes(0, 1)), colors=colours, linewidths=0.7, alpha=0.5)
        )
        n = round(ARROW * (len(times) - 1))
        step = lines[n + 1] - lines[n]
        axes.quiver(
            *lines[n].T, *(step / np.maximum(np.linalg.norm(step, axis=1), 1e-12)[:, None]).T,
            color=colours, pivot="mid", units="dots", scale_units="dots", scale=1e-3, width=1e-3,
            headwidth=8e3, headlength=9e3, headaxislength=8e3, minlength=0.0, zorder=3,
        )  # fmt: skip
        axes.scatter(*lines[0].T, s=5, c=colours, linewidths=0)
        axes.scatter(*lines[-1].T, s=20, c=colours, edgecolors="white", linewidths=0.5, zorder=3)
        for k, target in enumerate(aims):
            mark(axes, (target[i], times[-1] if j is None else target[j]), k)
        axes.autoscale_view()
        _name_axes(axes, names, i, j)
        if j is None:
            axes.set(ylabel="depth t", ylim=(0.0, times[-1]))
    legend(figure, dataset.labels, [target_mark()] if len(aims) else [])
    return figure


def _pairs(d: int) -> list[tuple[int, int | None]]:
    return [(0, None)] if d == 1 else list(itertools.combinations(range(d), 2))


def _name_axes(axes: Any, names: Names, i: int, j: int | None) -> None:
    if j is not None:
        axes.set(aspect="equal")
    names.name(axes, i, j)
