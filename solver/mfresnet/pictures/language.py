# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What all pictures have in common: sets of mass, the frame, names and units of coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional
from mfresnet.losses import LOSSES
from mfresnet.output import SHARES
from mfresnet.pictures.palette import COLOURS, shown

STRENGTHS = (0.78, 0.58, 0.38, 0.20)
"""Opacity of the sets, of the smallest share first."""
EDGES = (-1.0, *SHARES)
PAD = 0.06
"""Room around what is in the frame, over its size."""
GREY = "0.45"
TINY = 1e-12


def fill_sets(axes: Any, x: Array, y: Array, share: Array, colour: Any) -> Any:
    """Fill the sets that hold 25, 50, 75 and 95 % of the mass of a class.

    Args:
        axes: where.
        x: coordinates of the columns, (n,).
        y: coordinates of the rows, (m,).
        share: the share of the mass that lies where the density is larger, (m, n).
        colour: that of the class.
    """
    colours = [(*colour, strength) for strength in STRENGTHS]
    inside = np.where(np.isfinite(share), share, 1.0)
    return axes.contourf(x, y, inside, levels=EDGES, colors=colours, antialiased=True)


class Names:
    """Names and units of the coordinates of a case.

    Where a coordinate is a feature of the table, its axis has the name of the feature, and the
    numbers on it are values of the feature.
    """

    def __init__(self, functional: ReducedFunctional) -> None:
        """Find out what the coordinates are."""
        d = functional.problem.space.dimension
        self._names = [f"$x_{i + 1}$" for i in range(d)]
        self._units: dict[int, tuple[float, float]] = {}
        dataset = functional.population.dataset
        if dataset is None:
            return
        features, back = [*map(str, dataset.features)], np.asarray(dataset.back)
        if len(features) < len(back):
            features.append(str(dataset.label))
        there = abs(back) > TINY * abs(back).max()
        for j in range(d):
            rows = np.flatnonzero(there[:, j])
            if rows.size == 1 and there[rows[0]].sum() == 1:
                i = int(rows[0])
                self._names[j] = shown(features[i])
                self._units[j] = float(dataset.shift[i]), float(back[i, j])
            elif functional.case.data is not None and functional.case.data.reduce is not None:
                self._names[j] = f"principal component {j + 1}"

    def name(self, axes: Any, i: int, j: int | None = None) -> None:
        """Name the axes, whose limits are set: x has coordinate i, y coordinate j."""
        self._one(axes.xaxis, axes.get_xlim(), i)
        if j is not None:
            self._one(axes.yaxis, axes.get_ylim(), j)

    def title(self, i: int) -> str:
        """Return the name of a coordinate."""
        return self._names[i]

    def ticks(self, i: int, low: float, high: float) -> tuple[Array, list[str]]:
        """Return places of ticks between two values of a coordinate, and what stands there."""
        shift, scale = self._units.get(i, (0.0, 1.0))
        low, high = np.sort(shift + scale * np.array([low, high]))
        ticks = np.asarray(MaxNLocator(4).tick_values(low, high))
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        return (ticks - shift) / scale, [f"{t:.10g}" for t in ticks]

    def _one(self, axis: Any, limits: tuple[float, float], i: int) -> None:
        axis.set_label_text(self._names[i])
        if i in self._units:
            axis.set_ticks(*self.ticks(i, *limits))
        else:
            axis.set_major_locator(MaxNLocator(4))


def aims_of(functional: ReducedFunctional) -> Array:
    """Return the targets that the loss has, (n, d); none where it has no targets."""
    return LOSSES[functional.case.loss.kind].aims(functional.population.targets)


def mark(axes: Any, place: Sequence[float] | Array, k: int) -> list[Any]:
    """Mark the target of class k; return the artists."""
    return axes.plot(
        *place, "P", color=COLOURS[k], ms=9, mec="black", mew=1.0, zorder=6, clip_on=False
    )


def framed(lower: Array, upper: Array, points: Array) -> tuple[Array, Array]:
    """Return the corners of a frame with some room around a box and points, (n, d)."""
    low = np.concatenate([lower[None], points]).min(axis=0)
    high = np.concatenate([upper[None], points]).max(axis=0)
    pad = PAD * max(float((high - low).max()), 1e-12)
    return low - pad, high + pad


def legend(figure: Any, labels: Sequence[str], more: Sequence[Any] = (), columns: int = 6) -> None:
    """Put the classes, and other marks, below the panels; one unnamed class needs none."""
    handles: list[Any] = []
    if len(labels) > 1:
        handles = [Patch(color=COLOURS[k], label=shown(name)) for k, name in enumerate(labels)]
    handles += more
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=min(len(handles), columns),
            frameon=False,
        )


def target_mark() -> Line2D:
    """Return the row of the legend for targets."""
    return Line2D([], [], marker="P", ls="", mfc="0.7", mec="black", ms=9, label="target")


def key(figure: Any, *panels: Any, columns: int = 6) -> None:
    """Explain below the panels what has a label in them, each label once."""
    found: dict[str, Any] = {}
    for axes in panels or figure.axes:
        for handle, text in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(text, handle)
    figure.legend(
        found.values(), found.keys(), loc="outside lower center", ncols=min(len(found), columns),
        frameon=False,
    )  # fmt: skip


def log_ticks(axis: Any) -> None:
    """Put ticks at 1, 2 and 5 times the powers of ten of a logarithmic axis, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
