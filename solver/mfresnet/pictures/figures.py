# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures of a run with matplotlib: densities, velocity, controls over depth, convergence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional
from mfresnet.interrupt import leave_if_asked
from mfresnet.optimise import Iteration
from mfresnet.output import RunReport
from mfresnet.parallel import together
from mfresnet.pictures.flat import flat_figures
from mfresnet.pictures.palette import COLOURS, style
from mfresnet.pictures.space import draw_space
from mfresnet.pictures.table import PICTURES
from mfresnet.tasks import of_task
from mfresnet.training import Stage

MOST = 24
"""Rows of the picture of controls that have their names beside them."""
SMALLEST = 1e-16
RIGHT, CLOSE = 0.55, 0.35
"""Part of the width of a panel from which on words end at the right, and that words take."""


@style()
def draw(
    functional: ReducedFunctional,
    theta: Array,
    history: Sequence[Iteration],
    directory: Path,
    report: RunReport | None = None,
) -> None:
    """Write all pictures of a run into ``directory``, which exists.

    Args:
        functional: J.
        theta: the controls.
        history: the iterates.
        directory: where the pictures go.
        report: the numbers of the run, from which the picture of the history has errors.

    Parallel: collective.
    """
    pictures = of_task(PICTURES, functional.case.task)
    tolerance = functional.training.gradient_tolerance
    figures = pictures.shared(functional, theta)
    with together(functional.comm):
        if functional.comm.rank == 0:
            figures["controls"] = controls_figure(functional, theta)
            figures["history"] = history_figure(history, tolerance, report)
            if functional.population.dataset is not None:
                figures |= pictures.samples(functional, theta)
    if functional.problem.space.dimension < 3:
        figures |= flat_figures(functional, theta, directory)
    else:
        figures |= draw_space(functional, theta, directory)
    with together(functional.comm):
        for name, figure in figures.items() if functional.comm.rank == 0 else ():
            leave_if_asked()
            figure.savefig(directory / f"{name}.png")


# ---------------------------------------------------------------------- training
def history_figure(
    history: Sequence[Iteration], tolerance: float, report: RunReport | None = None
) -> Figure:
    """Return how far J is above its end, and the norm of the gradient, over the iterations.

    Args:
        history: the iterates.
        tolerance: of the norm of the gradient.
        report: tells the error of J and the lower bound of the loss, which are drawn then.
    """
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    numbers = np.array([row.iteration for row in history])
    values = np.array([row.objective for row in history])
    marker = "." if len(history) < 60 else ""
    above = values - values[-1:]
    above[above <= SMALLEST * np.maximum(abs(values), 1.0)] = np.nan
    if falls := bool(np.isfinite(above).any()):
        left.semilogy(numbers, above, marker=marker, color=COLOURS[0])
    left.set(xlabel="iteration", ylabel="J above its end")
    if report is not None and falls:
        _add_errors(left, report)
    right.semilogy(
        numbers, [row.gradient_norm or np.nan for row in history], marker=marker, color=COLOURS[0]
    )
    right.axhline(tolerance, color=COLOURS[3], lw=1, ls="--")
    right.annotate("tolerance", (0.02, tolerance), xycoords=("axes fraction", "data"),
                   va="bottom", color=COLOURS[3])  # fmt: skip
    right.set(xlabel="iteration", ylabel=r"gradient norm in $L^2(0,T)$")
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.yaxis.set_minor_locator(NullLocator())
        axes.xaxis.get_major_locator().set_params(integer=True)
        _add_levels(axes, () if report is None else report.stages or ())
    return figure


def _add_levels(axes: Any, stages: Sequence[Stage]) -> None:
    """Mark where the iterates of a level begin, above the axes by its points or cells."""
    low, high = axes.get_xlim()
    before = -np.inf
    for stage in stages if any(stage.first for stage in stages) else ():
        if stage.first is None:
            continue
        if stage.first:
            axes.axvline(stage.first - 0.5, color="0.4", lw=0.9, ls=":")
        at = (max(stage.first - 0.5, low) - low) / (high - low)
        right = at > RIGHT
        lift = 10 if at - before < CLOSE else 0
        axes.annotate(stage.place, (1.0 if right else at, 1.02), xycoords="axes fraction",
                      ha="right" if right else "left", fontsize=8, color="0.3",
                      xytext=(0, lift), textcoords="offset points")  # fmt: skip
        before = at


def _add_errors(axes: Any, report: RunReport) -> None:
    """Draw the error of J as a band and how far the lower bound of the loss lies below its end."""
    error, asked = report.objective.loss_error.error, report.accuracy
    if asked is not None and asked.size is not None:
        error = abs(asked.size)
    low, high = axes.get_ylim()
    if error:
        error = abs(error)
        low = min(low, error / 3.0)
        axes.axhspan(low, error, color=COLOURS[2], alpha=0.15, lw=0)
        axes.annotate("error of J", (0.02, error), xycoords=("axes fraction", "data"),
                      va="top", color=COLOURS[2])  # fmt: skip
    if (bound := report.lower_bound) is not None and bound.gap > 0.0:
        axes.axhline(bound.gap, color="0.4", lw=1, ls="--")
        axes.annotate("loss above its lower bound", (0.98, bound.gap), ha="right", va="bottom",
                      xycoords=("axes fraction", "data"), color="0.4")  # fmt: skip
        high = max(high, 2.0 * bound.gap)
    axes.set_ylim(low, high)


def controls_figure(functional: ReducedFunctional, theta: Array) -> Figure:
    """Return the trained parameters as colours: an entry a row, a layer a column, zero white."""
    controls = functional.controls.from_vector(theta)
    names, rows = [], []
    for name in functional.controls.trainable:
        if name in controls.head:
            continue
        array = np.asarray(controls.values[name])
        columns = array.reshape(len(array), -1).T
        for index, column in zip(np.ndindex(array.shape[1:]), columns, strict=True):
            number = "".join(str(i + 1) for i in index)
            names.append(f"${name}_{{{number}}}$" if array[0].size > 1 else f"${name}$")
            rows.append(column)
    image = np.array(rows).reshape(len(rows), controls.layers)
    top = float(np.abs(image).max(initial=0.0)) or 1.0
    height = float(np.clip(0.32 * len(rows), 1.2, 6.0))
    figure = Figure(figsize=(7.0, height + 0.9), layout="constrained")
    axes = figure.subplots()
    end = functional.controls.final_time
    shown_as = axes.imshow(
        image, cmap="RdBu_r", vmin=-top, vmax=top, aspect="auto", interpolation="nearest",
        extent=(0.0, end, len(rows) - 0.5, -0.5),
    )  # fmt: skip
    if len(rows) <= MOST:
        axes.set_yticks(range(len(rows)), names)
    else:
        first = [0, *[i for i in range(1, len(names)) if names[i][1] != names[i - 1][1]]]
        axes.set_yticks(first, [f"${names[i][1]}$" for i in first])
    for edge in np.linspace(0.0, end, controls.layers + 1)[1:-1] if controls.layers <= MOST else ():
        axes.axvline(edge, color="white", lw=0.6)
    axes.set(xlabel="depth t, one column a layer")
    figure.colorbar(shown_as, ax=axes, label="value")
    return figure
