# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Exact controls of linear networks reach their targets on the mesh with the order p + 1.

In the plane a constant (W, b) carries N(m0, C0) to N(m1, C1), W = log M / T with the optimal map M;
on the line the bias of least norm steers the mean, w fixed. The L2 error at T tends to 0 with the
order p + 1 of the space, and training from theta = 0 finds a control of the plane that is at least
as good on the same mesh.

Run: docker/run python3 cases/studies/exact_control.py
"""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mfresnet.arrays import Array
from mfresnet.case import parse
from mfresnet.data import Gaussian
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.network import as_initial, gaussian_control, mean_control, mean_steering
from mfresnet.optimise import minimise
from mfresnet.parallel import total
from mfresnet.pictures import COLOURS
from mfresnet.runs import Study, draw_slope, main, slope
from mfresnet.verification import at_most, near

START = Gaussian(mean=[-1.0, 0.0], covariance=[[0.25, 0.0], [0.0, 0.09]])
GOAL = Gaussian(mean=[1.0, 0.5], covariance=[[0.16, 0.06], [0.06, 0.25]])
W, M0, M1, V0, LAYERS = 0.5, 0.2, 1.0, 0.04, 8
"""The field W x + b on the line, means, variance at 0, and layers of the bias."""


def plane(cells: int, degree: int, initial: dict[str, Any]) -> ReducedFunctional:
    """Return J of the Gaussian in the plane."""
    case = parse(
        {
            "mesh": {"cells": [cells, cells], "lower": [-4.1, -2.6], "upper": [3.5, 3.6]},
            "space": {"degree": degree},
            "time": {"order": 4},
            "network": {"activation": "identity", "layers": 1},
            "classes": [{"density": START.model_dump()}],
            "loss": {"kind": "density_l2", "target": GOAL.model_dump()},
            "penalty": {"tikhonov": 0.0},
            "initial": initial,
            "training": {"gradient_tolerance": 1e-6},
        }
    )
    return ReducedFunctional(case, MPI.COMM_WORLD)


def on_the_line(cells: int, degree: int, initial: dict[str, Any]) -> ReducedFunctional:
    """Return J of the Gaussian whose mean is steered on the line."""
    case = parse(
        {
            "mesh": {"cell": "interval", "cells": [cells], "lower": [-1.5], "upper": [3.2]},
            "space": {"degree": degree},
            "time": {"order": 4},
            "network": {"activation": "identity", "layers": LAYERS, "trainable": ["b"]},
            "classes": [{"density": {"kind": "gaussian", "mean": M0, "covariance": V0}}],
            "loss": {"kind": "moments", "mean": M1},
            "initial": initial,
        }
    )
    return ReducedFunctional(case, MPI.COMM_WORLD)


def error(functional: ReducedFunctional, goal: Callable[[Array], Array]) -> float:
    """Return the L2 norm of f(T) - g over that of g, with a rule of high degree."""
    space, f = (
        functional.problem.space,
        Trajectory(functional, functional.theta0).densities()[-1, 0],
    )
    rule = space.cell_quadrature(2 * space.degree + 8)
    exact = goal(rule.x.reshape(-1, space.dimension).T).reshape(rule.weights.shape)
    found = space.at_quadrature(f, rule.basis)
    squares = [np.sum(rule.weights * g**2) for g in (found - exact, exact)]
    over, under = total(space.comm, squares)
    return float(np.sqrt(over / under))


def study(size: str = "full") -> Study:
    """Measure the errors over the cells for several degrees, and train from zero."""
    full = size == "full"
    exact = as_initial(gaussian_control(START.mean, START.covariance, GOAL.mean, GOAL.covariance))
    bias = mean_control(W, M0, M1, layers=LAYERS)
    variance = float(np.exp(2 * W)) * V0
    moved = Gaussian(mean=M1, covariance=variance)
    # a bias that differs between layers goes by start_from
    still = {"kind": "values", "W": W, "b": 0.0}

    def steered(cells: int, degree: int) -> float:
        functional = on_the_line(cells, degree, still)
        functional.start_from(bias)
        return error(functional, moved.density)

    parts: dict[str, tuple[Callable[[int, int], float], dict[int, list[int]]]] = {
        "plane": (
            lambda cells, degree: error(plane(cells, degree, exact), GOAL.density),
            {1: [48, 96, 192], 2: [24, 48, 96], 3: [12, 24, 48]}
            if full
            else {1: [24, 48], 2: [16, 32]},
        ),
        "line": (
            steered,
            {1: [160, 320, 640], 2: [80, 160, 320], 3: [80, 160, 320]}
            if full
            else {1: [40, 80, 160], 2: [20, 40, 80]},
        ),
    }
    columns: dict[str, list[Any]] = {n: [] for n in ("target", "degree", "cells", "L2 error")}
    findings, tolerance = [], 0.1 if full else 0.35
    figure = Figure(figsize=(11.5, 4), layout="constrained")
    panels = figure.subplots(1, 3)
    for axes, (name, (measure, meshes)) in zip(panels[:2], parts.items(), strict=True):
        for degree, counts in meshes.items():
            errors = [measure(n, degree) for n in counts]
            for row in zip(counts, errors, strict=True):
                for column, value in zip(columns.values(), (name, degree, *row), strict=True):
                    column.append(value)
            last = -slope(counts[-2:], errors[-2:])
            findings.append(near(f"{name}, p = {degree}: order", last, degree + 1.0, tolerance))
            axes.loglog(
                counts,
                errors,
                "osD"[degree - 1],
                color=COLOURS[degree - 1],
                label=f"$p = {degree}$",
            )
            draw_slope(axes, counts, _through_last(counts, errors, degree), f"-{degree + 1}")
        ticks = sorted({n for counts in meshes.values() for n in counts})
        axes.set_xticks(ticks, [str(n) for n in ticks], fontsize=8)
        axes.minorticks_off()
        axes.set_xlim(ticks[0] / 2.8, 1.2 * ticks[-1])
        axes.set(xlabel="cells in a direction", ylabel=r"$\|f(T) - g\| \,/\, \|g\|$")
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8, loc="lower left")
    panels[0].set_title("plane: Gaussian to Gaussian")
    panels[1].set_title("line: the mean by the least bias")
    norm = float(np.sum(bias.b**2)) / LAYERS
    least = mean_steering(W, M0, M1).squared_norm
    findings += [
        at_most(
            "line: least int b^2 of the layers over the continuous one", norm / least - 1, 1e-3
        ),
        near("line: least int b^2 in closed form", least, 0.261448824877, 1e-11),
    ]
    cells = 16 if full else 10
    given, functional = plane(cells, 2, exact), plane(cells, 2, {"kind": "zero"})
    result, value = minimise(functional), given.value(given.theta0)
    findings.append(at_most("plane: J trained from zero over exact", result.value / value, 1.0))
    axes = panels[2]
    axes.semilogy(
        [row.iteration for row in result.history],
        [row.objective for row in result.history],
        "o-",
        ms=4,
        color=COLOURS[0],
        label=r"training from $\theta = 0$",
    )
    axes.axhline(value, color=COLOURS[3], ls="--", label="exact control, same mesh")
    axes.set(
        xlabel="iteration",
        ylabel=r"$J = \frac{1}{2} \|f(T) - g\|^2$",
        title=f"plane: {cells} x {cells} cells, $p = 2$",
    )
    axes.legend(fontsize=8)
    axes.grid(alpha=0.25)
    return Study("Exact controls", __doc__, columns, tuple(findings), figure)


def _through_last(counts: list[int], errors: list[float], degree: int) -> list[float]:
    """Return values with which the reference line goes through the last error."""
    return [errors[-1] * (counts[-1] / n) ** (degree + 1) for n in counts]


if __name__ == "__main__":
    main(study)
