# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The picture of a study of parameters: a curve, a map, or a mean with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from mfresnet.output import converged_members, interval, is_seed
from mfresnet.pictures.palette import COLOURS, shorten, style

WIDE = 30.0
"""Largest over smallest value from which an axis is logarithmic."""
MOST = 12
"""Columns of a map that have their numbers in them."""


@style()
def draw_study(frame: pd.DataFrame, keys: Sequence[str], column: str, stream: IO[bytes]) -> None:
    """Draw how a number depends on the keys of a study.

    Args:
        frame: a row a member; those without the number are left out.
        keys: the columns of the keys.
        column: that of the number.
        stream: gets the picture (PNG).
    """
    found = frame[frame[column].notna()]
    free = [key for key in keys if not is_seed(key)]
    panels = len(free) if len(free) > 2 else 1
    weighted = [key for key in free if key.startswith("penalty.")]
    curve = len(free) == 1 and len(weighted) == 1 and _numeric(found[free[0]])
    figure = Figure(figsize=(5.2 * (panels + curve), 3.9), layout="constrained")
    axes = figure.subplots(1, panels + curve, squeeze=False)[0]
    if not free:
        _seeds(axes[0], found, keys, column)
    elif len(free) == 2:
        _map(figure, axes[0], found, free, column)
    else:
        for each, key in zip(axes, free, strict=False):
            _curve(each, found, key, column, banded=len(free) == 1)
    if curve:
        _l_curve(axes[-1], found, free[0])
    figure.savefig(stream, format="png")


def _name(column: str) -> str:
    return {"objective": "J"}.get(column, column.replace("_", " "))


def _numeric(values: Any) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _scale(values: Any) -> str:
    """Return the scale of an axis for values."""
    low, high = float(np.min(values)), float(np.max(values))
    return "log" if low > 0.0 and high > WIDE * low else "linear"


def _grouped(found: pd.DataFrame, keys: list[str], column: str) -> pd.DataFrame:
    """Return mean and half interval of the number for every combination of values of keys."""
    rows = [
        (*(names if isinstance(names, tuple) else (names,)), *interval(group.to_numpy(float)))
        for names, group in found.groupby(keys, sort=False)[column]
    ]
    return pd.DataFrame(rows, columns=[*keys, "mean", "half"])


def _curve(axes: Any, found: pd.DataFrame, key: str, column: str, *, banded: bool) -> None:
    """Draw all members, and the line of means, with its interval where only seeds differ."""
    means = _grouped(found, [key], column)
    if numeric := _numeric(found[key]):
        means = means.sort_values(key)
        x, dots = means[key].to_numpy(float), found[key].to_numpy(float)
        axes.set_xscale(_scale(x))
    else:
        names = means[key].astype(str).tolist()
        x, dots = np.arange(len(names)), found[key].astype(str).map(names.index).to_numpy()
        axes.set_xticks(x, [shorten(name) for name in names])
    many = len(means) < len(found)
    axes.plot(x, means["mean"], "o-" if numeric else "o", color=COLOURS[0], ms=5)
    if many:
        axes.plot(dots, found[column], ".", color=COLOURS[0], alpha=0.35, zorder=1)
    if many and banded:
        low, high = means["mean"] - means["half"], means["mean"] + means["half"]
        if numeric:
            axes.fill_between(x, low, high, color=COLOURS[0], alpha=0.15, lw=0)
        else:
            axes.vlines(x, low, high, color=COLOURS[0], lw=2)
    unfinished = found[~converged_members(found)]
    if len(unfinished) and not many:
        at = unfinished[key] if numeric else unfinished[key].astype(str).map(names.index)
        axes.plot(at, unfinished[column], "x", color=COLOURS[3], ms=9, label="not converged")
        axes.legend(frameon=False)
    axes.set_yscale(_scale(found[column]))
    axes.set(xlabel=key, ylabel=_name(column))
    axes.grid(alpha=0.25)


def _l_curve(axes: Any, found: pd.DataFrame, key: str) -> None:
    """Draw the penalty without its weight against the loss: the weight to take is at the corner."""
    found = found[found[key] > 0.0].sort_values(key)
    size = found["penalty"] / found[key]
    axes.plot(size, found["loss"], "o-", color=COLOURS[2], ms=5)
    if len(size):
        axes.set_xscale(_scale(size))
        axes.set_yscale(_scale(found["loss"]))
    for row, x in zip(found.to_dict("records"), size, strict=True):
        axes.annotate(f"{row[key]:.2g}", (x, row["loss"]), xytext=(4, 4), fontsize=8,
                      textcoords="offset points")  # fmt: skip
    axes.set(xlabel=f"penalty / {key}", ylabel="loss")
    axes.grid(alpha=0.25)


def _map(figure: Figure, axes: Any, found: pd.DataFrame, keys: list[str], column: str) -> None:
    """Draw the number as a colour over two keys, with means over seeds."""
    table = _grouped(found, keys, column).pivot(index=keys[1], columns=keys[0], values="mean")
    image = table.to_numpy(float)
    known = image[np.isfinite(image)]
    norm = LogNorm() if len(np.unique(known)) > 1 and _scale(known) == "log" else None
    shown = axes.imshow(image, norm=norm, origin="lower", aspect="auto", cmap="viridis")
    for axis, values in ((axes.xaxis, table.columns), (axes.yaxis, table.index)):
        texts = [f"{v:.3g}" if isinstance(v, float) else shorten(str(v)) for v in values]
        axis.set_ticks(range(len(texts)), texts)
    if image.shape[1] <= MOST:
        light = shown.norm(image) > 0.6
        for (i, j), value in np.ndenumerate(image):
            if np.isfinite(value):
                colour = "black" if light[i, j] else "white"
                axes.text(j, i, f"{value:.3g}", ha="center", va="center", color=colour, fontsize=7)
    axes.set(xlabel=keys[0], ylabel=keys[1])
    figure.colorbar(shown, ax=axes, label=_name(column))


def _seeds(axes: Any, found: pd.DataFrame, keys: Sequence[str], column: str) -> None:
    """Draw the members of all seeds, their mean and its interval."""
    mean, half = interval(found[column].to_numpy(float))
    axes.plot(found[keys[0]], found[column], "o", color=COLOURS[0], ms=5)
    axes.axhline(mean, color=COLOURS[3], lw=1.2, label=f"mean {mean:.4g} $\\pm$ {half:.2g}")
    axes.axhspan(mean - half, mean + half, color=COLOURS[3], alpha=0.15, lw=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel=keys[0], ylabel=_name(column))
    axes.legend(frameon=False)
    axes.grid(alpha=0.25)
