# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Densities that jump stay positive with a limiter, and an optimiser cannot exploit undershoots.

Above: the relu flow of U[0, 1] with w = ln 2, b = -ln(2) / 2 and T = 1, whose density is 1 on
[0, 1/2] and 1/2 on [1/2, 3/2]. The limiters remove the undershoots at both ends, keep the mass to
rounding and the order of convergence in L1, which the jumps leave below one. Positive is what they
act on, the values at cell and facet points: between them a polynomial may be less.

Below: two uniform densities on the line that should change places, with the targets 1/2 and -1/2.
Maps of the line are increasing, so that the loss of no network is below 1/8. On coarse meshes an
optimiser finds controls whose undershoots pay: a loss of nearly nothing where particles in the same
network have 0.2, or even a negative one, at which it stops. With a limiter the loss is that of a
positive density. It is no cure for all that a coarse mesh does wrong: numerical diffusion carries
mass past other mass, and the loss may still be some per cent below the bound. The limiter of Zhang
and Shu has kinks, at which every line search ends before the gradient is small; with the smooth one
the gradient norm falls below the tolerance.

Run: docker/run python3 cases/studies/positivity.py
"""

from __future__ import annotations

from mpi4py import MPI

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mfresnet.arrays import Array
from mfresnet.case import Case, parse
from mfresnet.errors import SolveError
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.optimise import minimise
from mfresnet.pictures import COLOURS, key, log_ticks
from mfresnet.runs import Study, main, slope
from mfresnet.verification import at_least, at_most, near, pathwise_loss

LIMITERS = ("none", "zhang_shu", "smooth_zhang_shu")
BOUND = 0.125
TOLERANCE = 1e-4
FINE = np.linspace(0.0, 1.0, 41)[:, None]
POINTS = np.concatenate([[0.0], 0.5 + np.sqrt(0.15) * np.arange(-1, 2), [1.0]])[:, None]
"""Facet and Gauss points of a cell of degree 2, where the limiters act."""


def jump_case(cells: int, limiter: str) -> Case:
    """Return the relu flow whose density jumps, V6."""
    return parse(
        {
            "mesh": {"cell": "interval", "cells": [cells], "lower": -0.53, "upper": 2.01},
            "time": {"limiter": limiter},
            "network": {"layers": 2, "activation": "relu"},
            "classes": [
                {"density": {"kind": "uniform_box", "lower": 0.0, "upper": 1.0}, "target": 0.0}
            ],
            "initial": {"kind": "values", "W": math.log(2.0), "b": -0.5 * math.log(2.0)},
        }
    )


def jump_density(x: Array) -> Array:
    """Return the density at T."""
    return np.where((x > 0.0) & (x <= 0.5), 1.0, np.where((x > 0.5) & (x < 1.5), 0.5, 0.0))


def swap_case(cells: int, limiter: str) -> Case:
    """Return the two densities that should change places."""
    return parse(
        {
            "mesh": {"cell": "interval", "cells": [cells], "lower": -3.0, "upper": 3.0},
            "time": {"limiter": limiter},
            "network": {"layers": 4, "final_time": 2.0},
            "classes": [
                {"density": {"kind": "uniform_box", "lower": lower, "upper": upper}, "target": t}
                for lower, upper, t in ((-0.93, -0.12, 0.5), (0.1, 0.88, -0.5))
            ],
            "penalty": {"tikhonov": 1e-4},
            "training": {"gradient_tolerance": TOLERANCE, "max_iterations": 200},
        }
    )


def samples(functional: ReducedFunctional, f: Array) -> tuple[Array, Array, Array]:
    """Return points, values and weights in every cell, from left to right."""
    space = functional.problem.space
    x, values = space.at_points(f, FINE)
    weights = np.full(len(FINE), 1.0 / (len(FINE) - 1))
    weights[[0, -1]] *= 0.5
    order = np.argsort(x[:, 0, 0])
    return x[order, :, 0], values[order], space.cell_volume[order, None] * weights


def trained(cells: int, limiter: str) -> tuple[ReducedFunctional, Array, tuple[float, ...]]:
    """Return J, controls, the loss on the mesh, that of particles and the gradient norm.

    Losses that are impossible are not numbers.
    """
    functional = ReducedFunctional(swap_case(cells, limiter), MPI.COMM_SELF)
    try:
        result = minimise(functional)
    except SolveError:
        return functional, functional.theta0, (math.nan,) * 3
    theta = result.theta
    losses = functional.loss(theta), pathwise_loss(functional, theta).loss
    return functional, theta, (*losses, result.gradient_norm)


def study(size: str = "full") -> Study:
    """Compare sweeps and trained networks with the limiters and without."""
    sizes = (20, 40, 80, 160, 320) if size == "full" else (20, 40, 80)
    coarse = (8, 12, 16, 24) if size == "full" else (8, 12)
    columns: dict[str, list[Any]] = {
        n: [] for n in ("case", "limiter", "cells", "least", "mass error", "L1 error", "loss",
                        "of particles", "gradient norm")
    }  # fmt: skip
    figure = Figure(figsize=(10.5, 7.6), layout="constrained")
    panels = figure.subplots(2, 2)
    jump = jump_errors(sizes, columns, panels[0])
    losses = swap_losses(coarse, columns, panels[1])
    key(figure, columns=4)
    rows = zip(columns["limiter"], columns["least"], strict=True)
    findings = [
        at_least("least density", min(least for name, least in rows if name != "none"), 0.0),
        at_most("mass error", max(columns["mass error"]), 1e-12),
        at_most(
            "12 cells without limiter: loss over the bound", losses["none"][12][0] / BOUND, 0.1
        ),
    ]
    for name in LIMITERS[1:]:
        good, particles, _ = losses[name][12]
        ratio = jump[name][-1] / jump["none"][-1]
        findings += [
            near(f"{name}: order in L1", -slope(sizes, jump[name]), 0.85, 0.15),
            at_most(f"{name}: L1 error over that without", ratio, 1.1),
            at_least(f"{name}, 12 cells: loss over the bound", good / BOUND, 1.0),
            near(f"{name}, 12 cells: loss over that of particles", good / particles, 1.0, 0.1),
        ]
    last = {name: [found[2] for found in losses[name].values()] for name in LIMITERS}
    kinks = min(last["zhang_shu"]) / TOLERANCE
    smooth = max(last["smooth_zhang_shu"]) / TOLERANCE
    findings += [
        at_least("zhang_shu: least last gradient norm over the tolerance", kinks, 10.0),
        at_most("smooth_zhang_shu: largest last gradient norm over the tolerance", smooth, 1.0),
    ]
    return Study("Positivity", __doc__ or "", columns, tuple(findings), figure)


def add(columns: dict[str, list[Any]], *row: Any) -> None:
    """Add a row to the table."""
    for column, value in zip(columns.values(), row, strict=True):
        column.append(value)


def jump_errors(
    sizes: tuple[int, ...], columns: dict[str, list[Any]], panels: Any
) -> dict[str, list[float]]:
    """Measure and draw the density that jumps."""
    errors: dict[str, list[float]] = {name: [] for name in LIMITERS}
    x = np.linspace(-0.4, 1.9, 2000)
    panels[0].fill_between(x, jump_density(x), color="0.88", lw=0, label="exact")
    for k, name in enumerate(LIMITERS):
        for n in sizes:
            functional = ReducedFunctional(jump_case(n, name), MPI.COMM_SELF)
            balance = Trajectory(functional, functional.theta0).balance()
            x, f, weights = samples(functional, functional.sweep.final[0])
            errors[name].append(float(np.sum(weights * np.abs(f - jump_density(x)))))
            row = (balance.min_density, balance.error, errors[name][-1], *(math.nan,) * 3)
            add(columns, "jump", name, n, *row)
            if n == 40:
                panels[0].plot(x.ravel(), f.ravel(), color=COLOURS[k], lw=1, label=label(name))
        panels[1].loglog(sizes, errors[name], "o-", color=COLOURS[k], label=label(name))
    line = errors["none"][0] * sizes[0] / np.array(sizes)
    panels[1].loglog(sizes, line, ls=":", color="0.45", lw=1.3, label="slope $-1$")
    panels[1].set_xticks(sizes, [str(n) for n in sizes])
    panels[1].minorticks_off()
    log_ticks(panels[1].yaxis)
    panels[1].grid(alpha=0.25)
    panels[0].axhline(0.0, color="0.3", lw=0.7)
    panels[0].set(xlabel="$x$", ylabel="density at $T$", title="relu flow of U[0, 1], 40 cells")
    panels[1].set(xlabel="cells", ylabel="$L^1$ error at $T$", title="relu flow of U[0, 1]")
    return errors


def swap_losses(
    sizes: tuple[int, ...], columns: dict[str, list[Any]], panels: Any
) -> dict[str, dict[int, tuple[float, ...]]]:
    """Train on coarse meshes and draw the densities and losses."""
    losses: dict[str, dict[int, tuple[float, ...]]] = {name: {} for name in LIMITERS}
    for k, name in enumerate(LIMITERS):
        for n in sizes:
            functional, theta, losses[name][n] = trained(n, name)
            balance = Trajectory(functional, theta).balance()
            add(columns, "swap", name, n, balance.min_density, balance.error, math.nan,
                *losses[name][n])  # fmt: skip
            if n == 12 and name != "zhang_shu":
                draw_densities(panels[0], functional, COLOURS[k])
        mesh, exact, _ = np.array(list(losses[name].values())).T
        panels[1].plot(sizes, mesh, "o-", color=COLOURS[k])
        panels[1].plot(sizes, exact, "x:", color=COLOURS[k])
    panels[0].axhline(0.0, color="0.3", lw=0.7)
    panels[0].set(
        xlabel="$x$", ylabel="densities at $T$", xlim=(-1.8, 1.6),
        title="trained to change places, 12 cells: both classes",
    )  # fmt: skip
    panels[1].axhspan(-1.0, BOUND, color="0.92", lw=0, zorder=0)
    panels[1].text(sizes[0], 0.8 * BOUND, "no network gets here", va="top", color="0.35")
    panels[1].set(
        xlabel="cells", ylabel="loss", title="trained to change places", ylim=(-0.01, 0.2),
        xticks=sizes,
    )  # fmt: skip
    panels[1].plot([], [], "o-", color="0.4", label="loss on the mesh")
    panels[1].plot([], [], "x:", color="0.4", label="loss of particles")
    return losses


def draw_densities(axes: Any, functional: ReducedFunctional, colour: Any) -> None:
    """Draw the densities of both classes at T, filled below zero, and the limited points."""
    for f, style in zip(functional.sweep.final, ("-", "--"), strict=True):
        x, values, _ = samples(functional, f)
        axes.plot(x.ravel(), values.ravel(), style, color=colour, lw=1.3)
        axes.fill_between(x.ravel(), np.minimum(values.ravel(), 0.0), color=colour, alpha=0.3, lw=0)
        if functional.problem.limiter.positive:
            x, values = functional.problem.space.at_points(f, POINTS)
            axes.plot(x.ravel(), values.ravel(), ".", color=colour, ms=6)


def label(limiter: str) -> str:
    """Return the words for a limiter."""
    return "without limiter" if limiter == "none" else limiter


if __name__ == "__main__":
    main(study)
