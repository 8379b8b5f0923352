# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The network in one row: how it moves classes, plane and boundary from the input to the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mfresnet.arrays import Array
from mfresnet.output import SHARES
from mfresnet.pictures.animation import film
from mfresnet.pictures.language import GREY, Names, fill_sets, legend, mark, target_mark
from mfresnet.pictures.moving import TAIL, Moving
from mfresnet.pictures.palette import COLOURS

PANEL = 2.9
"""Width of a panel in inches."""


@dataclass(frozen=True)
class Plane:
    """What pictures of a run in the plane are drawn from, on rank 0.

    Attributes:
        axes: coordinates of the points in both directions.
        shares: depth -> the shares of the mass above the densities there, (classes, *shape).
        frame: corners of the pictures.
        things: what moves.
        names: names of the coordinates.
        labels: those of the classes.
        aims: the targets, (n, 2).
        goal: the share of the mass above the density that is to be reached, (*shape), or None.
    """

    axes: Sequence[Array]
    shares: dict[float, Array]
    frame: tuple[Array, Array]
    things: Moving
    names: Names
    labels: Sequence[str]
    aims: Array
    goal: Array | None


def row_figure(plane: Plane, times: Sequence[float]) -> Figure:
    """Return the picture at some depths, the first one the input, the last one the output."""
    low, high = plane.frame
    height = float(np.clip(PANEL * (high[1] - low[1]) / (high[0] - low[0]), 1.4, 3.6))
    figure = Figure(figsize=(PANEL * len(times) + 0.4, height + 1.15), layout="constrained")
    panels = figure.subplots(1, len(times), sharex=True, sharey=True, squeeze=False)[0]
    for number, (axes, t) in enumerate(zip(panels, times, strict=True)):
        _still(axes, plane)
        _moved(axes, plane, t)
        word = {0: "input, ", len(times) - 1: "output, "}.get(number, "")
        axes.set_title(f"{word}t = {t:.2g}")
        if number == len(times) - 1:
            _at_the_end(axes, plane)
        plane.names.name(axes, 0, 1)
        if number:
            axes.set_ylabel("")
    legend(figure, plane.labels, _marks(plane))
    return figure


def row_film(plane: Plane, path: Path) -> None:
    """Write an animation (.webp) over all depths of the plane."""
    low, high = plane.frame
    shape = np.clip((high[1] - low[1]) / (high[0] - low[0]), 0.5, 1.2)
    figure = Figure(figsize=(4.8, 4.8 * shape + 0.8), dpi=100, layout="constrained")
    axes, depths = figure.subplots(), sorted(plane.shares)
    _still(axes, plane)
    plane.names.name(axes, 0, 1)
    legend(figure, plane.labels, _marks(plane), columns=2)

    def draw(n: int) -> list[Any]:
        moved = _moved(axes, plane, depths[n])
        return moved + (_at_the_end(axes, plane) if n == len(depths) - 1 else [])

    film(figure, depths, draw, path)


def _still(axes: Any, plane: Plane) -> None:
    """Draw what does not move."""
    low, high = plane.frame
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    for k, target in enumerate(plane.aims):
        mark(axes, target, k)


def _moved(axes: Any, plane: Plane, t: float) -> list[Any]:
    """Draw sets, grid, samples and boundary at a depth; return the artists."""
    things, artists = plane.things, []
    n = things.row(t)
    for k, share in enumerate(plane.shares[t]):
        artists.append(fill_sets(axes, plane.axes[0], plane.axes[1], share.T, COLOURS[k]))
    segments = list(np.moveaxis(things.grid[n], 0, -1).swapaxes(0, 1))
    artists.append(LineCollection(segments, colors=GREY, linewidths=0.4, alpha=0.55, zorder=2))
    first = things.row(t - TAIL * things.times[-1])
    tails = things.samples[first : n + 1].transpose(2, 0, 1)
    colours = [COLOURS[k] for k in things.classes]
    if n > first:
        artists.append(LineCollection(list(tails), colors=colours, linewidths=1.1, zorder=3))
    if len(things.boundaries):
        lines = [line[n].T for line in things.boundaries]
        artists.append(LineCollection(lines, colors="black", linewidths=1.6, zorder=4))
    for collection in artists[len(plane.shares[t]) :]:
        axes.add_collection(collection, autolim=False)
    if len(colours):
        artists.append(
            axes.scatter(*things.samples[n], s=13, c=colours, edgecolors="white", linewidths=0.6,
                         zorder=5)
        )  # fmt: skip
    return artists


def _at_the_end(axes: Any, plane: Plane) -> list[Any]:
    """Draw the density that is to be reached as outlines of the same sets."""
    if plane.goal is None:
        return []
    goal = np.where(np.isfinite(plane.goal), plane.goal, 1.0).T
    return [axes.contour(*plane.axes, goal, levels=SHARES, colors="black", linewidths=0.9)]


def _marks(plane: Plane) -> list[Any]:
    marks: list[Any] = []
    if plane.things.boundaries:
        marks.append(Line2D([], [], color="black", lw=1.6, label="decision boundary"))
    if len(plane.aims):
        marks.append(target_mark())
    if plane.goal is not None:
        marks.append(Line2D([], [], color="black", lw=0.9, label="target density"))
    return marks
