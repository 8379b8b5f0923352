# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures of density estimation: the density of the samples, that of the network, new samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional, steered
from mfresnet.pictures.language import Names
from mfresnet.pictures.palette import COLOURS
from mfresnet.pictures.raster import Raster
from mfresnet.trained import log_density_at

DRAWN = 1000
"""New samples in the picture."""
LEVELS = np.array([0.03, 0.1, 0.25, 0.5, 0.75, 0.95])
"""Heights of the contours over the largest density."""


def steering_figures(
    functional: ReducedFunctional, theta: Array, raster: Raster, goal: Array | None
) -> dict[str, Figure]:
    """Return the picture ``samples``: with their density, and new ones with that of the network.

    Args:
        functional: J.
        theta: the controls.
        raster: the points.
        goal: the density to reach at them, (*shape).
    """
    model, dataset = steered(functional, theta), functional.population.dataset
    assert dataset is not None
    assert goal is not None
    given = dataset.train.x[:, :DRAWN]
    drawn = model.network.carry(model.start.sample(DRAWN, np.random.default_rng(0)))
    found = np.exp(log_density_at(model, raster.points)).reshape(raster.shape)
    if len(raster.shape) == 1:
        return {"samples": _line(functional, raster, given, drawn, goal, found)}
    figure = Figure(figsize=(10.4, 4.9), layout="constrained")
    levels = LEVELS * float(np.nanmax(goal))
    names = Names(functional)
    panels = (
        (f"{given.shape[1]} training samples", given, goal, COLOURS[0]),
        (f"{DRAWN} samples drawn by the network", drawn, found, COLOURS[1]),
    )
    for axes, (title, x, f, colour) in zip(
        figure.subplots(1, 2, sharex=True, sharey=True), panels, strict=True
    ):
        axes.plot(*x, ".", color=colour, ms=4, mew=0, alpha=0.55)
        axes.contour(*raster.axes, f.T, levels=levels, cmap="viridis", linewidths=1.3)
        axes.set(title=title)
        axes.set(aspect="equal", xlim=raster.extent[:2], ylim=raster.extent[2:])
        names.name(axes, 0, 1)
        axes.label_outer()
    return {"samples": figure}


def _line(
    functional: ReducedFunctional,
    raster: Raster,
    given: Array,
    drawn: Array,
    goal: Array,
    found: Array,
) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes: Any = figure.subplots()
    bins = np.linspace(raster.extent[0], raster.extent[1], 60)
    axes.hist(drawn[0], bins=bins, density=True, color=COLOURS[1], alpha=0.3, label="drawn samples")
    axes.plot(raster.axes[0], goal, color=COLOURS[0], label="density of the samples")
    axes.plot(raster.axes[0], found, color=COLOURS[1], label="density of the network")
    axes.plot(given[0], np.zeros(given.shape[1]), "|", color=COLOURS[0], ms=9, alpha=0.5)
    axes.set(ylabel="density")
    Names(functional).name(axes, 0)
    axes.legend()
    return figure
