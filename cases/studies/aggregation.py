# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A density is pressed into a point or split in two, until the mesh says that it cannot follow.

On the line with v = tanh(w x + b) the density at the fixed point x* = -b/w is f0(x*) e^{-wt}: for
w < 0 it grows exponentially while its width falls below any cell, for w > 0 it empties and the mass
splits. Every halving of the cells buys the depth ln 2 / |w|. The coarse meshes warn, with the
sentence in the picture; mass is kept on all of them.

Run: docker/run python3 cases/studies/aggregation.py
"""

from __future__ import annotations

from mpi4py import MPI

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from mfresnet.arrays import Array
from mfresnet.case import parse
from mfresnet.data import Gaussian
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.mesh import Locator
from mfresnet.pictures import COLOURS, Raster, key, log_ticks
from mfresnet.runs import Study, main
from mfresnet.verification import (
    at_least,
    at_most,
    damping,
    drift,
    loss_error,
    near,
    notes,
    warnings,
)

F0 = Gaussian(mean=0.0, covariance=0.25)
W, B, LAYERS = 3.0, 0.9, 60
"""With these x* lies between two cells on all meshes: they differ by their size alone."""
LOST = 0.05
"""Relative L2 error of the density from which on the mesh has lost it."""


def carried(sign: float, cells: int) -> tuple[ReducedFunctional, Array]:
    """Return J for its densities, and the controls w = sign W, b = sign B in every layer."""
    case = parse({
        "mesh": {"cell": "interval", "cells": [cells], "lower": [-4.5], "upper": [4.5]},
        "network": {"layers": LAYERS},
        "classes": [{"label": "all", "density": F0.model_dump(), "target": 0.0}],
        "initial": {"kind": "values", "W": [[sign * W]], "b": [sign * B]},
    })  # fmt: skip
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    return functional, functional.theta0


def at_fixed_point(functional: ReducedFunctional, theta: Array) -> Array:
    """Return the density at x* = -b/w at the start of every layer and at T."""
    space = functional.problem.space
    cell, reference, _ = Locator(space).find(np.array([[-B / W]]))
    basis = space.tabulate(reference)[0, 0]
    return Trajectory(functional, theta).densities()[:, 0, space.dofs[cell[0]]] @ basis


def exact(x: Array, t: float, w: float, b: float) -> Array:
    """Return f(t, x) by the characteristics."""
    x0 = (np.arcsinh(np.exp(-w * t) * np.sinh(w * x + b)) - b) / w
    velocities = np.tanh(w * x0 + b) / np.tanh(w * x + b)
    return F0.density(x0[None]) * velocities


def errors(functional: ReducedFunctional, theta: Array, w: float, b: float) -> Array:
    """Return the relative L2 error of the density at the start of every layer and at T."""
    space = functional.problem.space
    rule = space.cell_quadrature(2 * space.degree + 6, 8)
    x, found = rule.x.reshape(-1), []
    for t, f in zip(times(), Trajectory(functional, theta).densities()[:, 0], strict=True):
        values = space.at_quadrature(f, rule.basis)
        wanted = exact(x, t, w, b).reshape(values.shape)
        squares = [np.sum(rule.weights * g**2) for g in (values - wanted, wanted)]
        found.append(np.sqrt(squares[0] / squares[1]))
    return np.array(found)


def lost_at(error: Array) -> float:
    """Return the depth where the error passes ``LOST``, T where it does not."""
    later = np.flatnonzero(error > LOST)
    if not later.size or later[0] == 0:
        return 0.0 if later.size else 1.0
    n, t = int(later[0]), times()
    share = np.log(LOST / error[n - 1]) / np.log(error[n] / error[n - 1])
    return float(t[n - 1] + share * (t[n] - t[n - 1]))


def times() -> Array:
    """Return the starts of the layers and T."""
    return np.linspace(0.0, 1.0, LAYERS + 1)


def study(size: str = "full") -> Study:
    """Follow the density at the fixed point on several meshes."""
    meshes = 15 * 2 ** np.arange(6 if size == "full" else 5)
    start, t = float(F0.density(np.array([[-B / W]]))[0]), times()
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    peak, pressed, split = figure.subplots(1, 3)
    names = (
        "cells",
        "h",
        "resolved to",
        "peak over exact",
        "L2 error",
        "share",
        "warns",
        "L2, split",
    )
    columns: dict[str, list[Any]] = {name: [] for name in names}
    sentences, mass = [], 0.0
    shades = colormaps["Blues"](np.linspace(0.35, 1.0, len(meshes)))
    for cells, shade in zip(meshes, shades, strict=True):
        functional, theta = carried(-1.0, int(cells))
        values, error = at_fixed_point(functional, theta), errors(functional, theta, -W, -B)
        balance, shares = Trajectory(functional, theta).balance(), damping(functional, theta)
        drifted = drift(functional, theta)
        trust = loss_error(functional, theta, ways=1)
        said = warnings(functional, balance, shares, drifted, trust)
        said += notes(functional, shares, drifted, trust)
        found = [s for s in said if "narrower" in s]
        sentences.append(found)
        apart, theta_apart = carried(1.0, int(cells))
        mass = max(mass, balance.error, Trajectory(apart, theta_apart).balance().error)
        row = (
            int(cells),
            9.0 / cells,
            lost_at(error),
            float(values[-1] / (start * np.exp(W))),
            float(error[-1]),
            float(shares[0]),
            bool(found),
            float(errors(apart, theta_apart, W, B)[-1]),
        )
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
        peak.semilogy(t, values, color=shade, lw=1.5, label=f"{cells} cells")
        peak.semilogy(t, at_fixed_point(apart, theta_apart), color=shade, lw=1.5)
        if row[2] < 1.0:
            peak.semilogy(row[2], np.interp(row[2], t, values), "o", color=shade, mec="black", ms=6)
        if cells in (30, 60, 240):
            draw(pressed, functional, theta, (-0.75, 0.35), shade, f"{cells} cells")
        if cells in (15, 60):
            draw(split, apart, theta_apart, (-2.4, 2.4), shade, f"{cells} cells")
    _finish(peak, pressed, split, start)
    key(figure)
    words = textwrap.fill(f"On {meshes[1]} cells: {sentences[1][0]}", 52)
    pressed.text(0.97, 0.96, words, ha="right", va="top", fontsize=7, color="0.25",
                 transform=pressed.transAxes)  # fmt: skip
    h, lost, warns = (np.array(columns[name]) for name in ("h", "resolved to", "warns"))
    seen = (lost > 0.0) & (lost < 1.0)
    # the coarsest of them is too coarse from the beginning
    finer = np.flatnonzero(seen)[-3:]
    gained, theory = float(-np.polyfit(np.log2(h[finer]), lost[finer], 1)[0]), np.log(2.0) / W
    missed = sum(
        e > 0.3 and not warned for e, warned in zip(columns["L2 error"], warns, strict=True)
    )
    findings = (
        near("depth gained by halving the cells", gained, theory, 0.1 * theory),
        at_least("meshes that lose the density", int(seen.sum()), 3),
        at_most("finest mesh: relative L2 error", columns["L2 error"][-1], LOST),
        at_most("finest mesh: relative error of the peak",
                abs(columns["peak over exact"][-1] - 1.0), 2.0 * LOST),
        at_most("meshes with an error above 30 % and without a warning", missed, 0),
        at_most("finest mesh: warnings", len(sentences[-1]), 0),
        at_most("splitting, finest mesh: relative L2 error", columns["L2, split"][-1], 1e-3),
        at_most("mass balance", mass, 1e-12),
    )  # fmt: skip
    return Study("Aggregation and splitting", __doc__, columns, findings, figure)


def draw(
    axes: Any,
    functional: ReducedFunctional,
    theta: Array,
    ends: Sequence[float],
    colour: Any,
    label: str,
) -> None:
    """Draw the density at T between two ends."""
    raster = Raster(functional.problem.space, np.array(ends[:1]), np.array(ends[1:]), 1500)
    values = raster.sample(Trajectory(functional, theta).densities()[-1])[0]
    axes.plot(raster.axes[0], values, color=colour, lw=1.5, label=label)


def _finish(peak: Any, pressed: Any, split: Any, start: float) -> None:
    """Draw what is exact, and name the axes."""
    t = times()
    peak.semilogy(t, start * np.exp(W * t), "--", color=COLOURS[3], lw=1.3, label="exact")
    peak.semilogy(t, start * np.exp(-W * t), "--", color=COLOURS[3], lw=1.3)
    peak.semilogy([], [], "o", color="0.8", mec="black", label=f"relative $L^2$ error {LOST:.0%}")
    peak.set(xlabel="depth $t$", ylabel="$f(t, x^*)$",
             title=f"at the fixed point, $w = -{W:g}$ and $w = {W:g}$")  # fmt: skip
    for axes, sign, ends in ((pressed, -1.0, (-0.75, 0.35)), (split, 1.0, (-2.4, 2.4))):
        x = np.linspace(*ends, 1200)
        axes.plot(
            x, exact(x, 1.0, sign * W, sign * B), "--", color=COLOURS[3], lw=1.3, label="exact"
        )
        axes.set(xlabel="$x$", ylabel="density at $T = 1$", title=f"$w = {sign * W:g}$")
    split.plot(x, F0.density(x[None]), color="0.7", label="$f_0$", zorder=0)
    peak.set_ylim(0.02, 30.0)
    pressed.set_ylim(top=22.0)
    log_ticks(peak.yaxis)
    for axes in (peak, pressed, split):
        axes.grid(alpha=0.25)


if __name__ == "__main__":
    main(study)
