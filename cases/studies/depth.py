# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The least J falls as 1/T with the depth T for goals in reach, and is concave in alpha.

A linear network that reaches its goal by theta(t) in T = 1 does so by theta(t/T)/T in T, at the
cost alpha/2 int |theta|^2 / T: J(T) <= C/T. A mean shifted by D with the bias alone has

linear  J = alpha D^2 / (2 (alpha + T))
tanh    J = min_v 1/2 (D - T v)^2 + alpha/2 T artanh(v)^2, at least (D - T)^2/2 while T < D

As a function of alpha the least J is concave with the slope 1/2 int |theta|^2, so that every secant
lies between the slopes at its ends; for the shift it is the closed form above.

Run: docker/run python3 cases/studies/depth.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize_scalar

from mfresnet.arrays import Array
from mfresnet.case import parse
from mfresnet.functional import ReducedFunctional
from mfresnet.network import gaussian_control
from mfresnet.optimise import minimise
from mfresnet.pictures import COLOURS
from mfresnet.runs import Study, draw_slope, main, slope
from mfresnet.verification import Check, at_least, at_most, lower_bound, near

ALPHA, D = 0.1, 1.5
NAMES = {"identity": "shift, linear", "tanh": "shift, tanh"}
START, GOAL = (0.0, 0.09), (1.0, 0.16)
"""Mean and variance of the Gaussians on the line."""


def gaussian(mean: Any, covariance: Any) -> dict[str, Any]:
    """Return the density."""
    return {"kind": "gaussian", "mean": mean, "covariance": covariance}


def line(network: dict[str, Any], alpha: float, **sections: Any) -> ReducedFunctional:
    """Return J on the line, from theta = 0."""
    data: dict[str, Any] = {
        "mesh": {"cell": "interval", "cells": [30], "lower": [-2.3], "upper": [3.8]},
        "space": {"degree": 3},
        "network": {"layers": 2} | network,
        "classes": [{"density": gaussian(*START)}],
        "penalty": {"tikhonov": alpha},
        "initial": {"kind": "zero"},
        "training": {"gradient_tolerance": 1e-7},
    }
    return ReducedFunctional(parse(data | sections))


def shift(activation: str, final_time: float, alpha: float) -> ReducedFunctional:
    """Return J of the mean that is shifted by D with the bias alone."""
    network = {"activation": activation, "trainable": ["b"], "final_time": final_time}
    return line(network, alpha, loss={"kind": "moments", "mean": START[0] + D})


def shift_exact(activation: str, final_time: float, alpha: float) -> float:
    """Return the least J of ``shift`` in closed form."""
    if activation == "identity":
        return alpha * D**2 / (2.0 * (alpha + final_time))

    def cost(v: float) -> float:
        return 0.5 * (D - final_time * v) ** 2 + 0.5 * alpha * final_time * np.arctanh(v) ** 2

    bounds, options = (0.0, 1.0 - 1e-12), {"xatol": 1e-13}
    return float(minimize_scalar(cost, bounds=bounds, method="bounded", options=options).fun)


def gaussians(final_time: float, alpha: float) -> ReducedFunctional:
    """Return J of one Gaussian that is led to another by a linear network."""
    network = {"activation": "identity", "final_time": final_time}
    return line(network, alpha, loss={"kind": "density_l2", "target": gaussian(*GOAL)})


def plane(alpha: float, full: bool) -> ReducedFunctional:
    """Return J of two classes in the plane, tanh."""
    spread, cells = [[0.12, 0.0], [0.0, 0.12]], 18 if full else 10
    return ReducedFunctional(
        parse(
            {
                "mesh": {"cells": [cells, cells], "lower": [-3.2] * 2, "upper": [3.2] * 2},
                "network": {"layers": 4},
                "classes": [
                    {"density": gaussian([-0.7, 0.3], spread), "target": [-1.5, 0.0]},
                    {"density": gaussian([0.7, -0.3], spread), "target": [1.5, 0.0]},
                ],
                "penalty": {"tikhonov": alpha},
                "training": {"gradient_tolerance": 1e-5},
            }
        )
    )


def study(size: str = "full") -> Study:
    """Train over T and over alpha."""
    full = size == "full"
    columns: dict[str, list[Any]] = {
        n: [] for n in ("goal", "T", "alpha", "J", "loss", "closed form")
    }
    figure = Figure(figsize=(12, 4.1), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    findings = [
        *_over_depth(left, columns, full),
        *_shift_over_alpha(middle, columns, full),
        *_plane_over_alpha(right, columns, full),
    ]
    return Study("Depth and regularisation", __doc__, columns, tuple(findings), figure)


def _append(columns: dict[str, list[Any]], *row: Any) -> None:
    for column, value in zip(columns.values(), row, strict=True):
        column.append(value)


def _over_depth(axes: Any, columns: dict[str, list[Any]], full: bool) -> list[Check]:
    """Train over T; draw the closed forms, the lower bound and the bound C/T."""
    times = 2.0 ** np.arange(-2, 5 if full else 3)
    fine = np.geomspace(times[0], times[-1], 200)
    findings = []
    for k, (activation, name) in enumerate(NAMES.items()):
        values, worst, margin = [], 0.0, np.inf
        for final_time in map(float, times):
            functional = shift(activation, final_time, ALPHA)
            result, exact = minimise(functional), shift_exact(activation, final_time, ALPHA)
            values.append(result.value)
            loss = functional.loss(result.theta)
            _append(columns, name, final_time, ALPHA, result.value, loss, exact)
            worst = max(worst, abs(result.value / exact - 1.0))
            bound = lower_bound(functional.problem)
            if bound is not None:
                margin = min(margin, loss / bound.value)
        findings.append(at_most(f"{name}: error over T", worst, 1e-5))
        if np.isfinite(margin):
            findings.append(at_least(f"{name}: loss over the lower bound", margin, 1.0))
        axes.loglog(times, values, "os"[k], color=COLOURS[k], label=name)
        axes.loglog(fine, [shift_exact(activation, t, ALPHA) for t in fine], color=COLOURS[k], lw=1)
        local = -slope(times[-2:], values[-2:])
        findings.append(at_least(f"{name}: decay at the largest T", local, 0.9))
    below = fine[fine < 0.97 * D]
    axes.fill_between(below, 1e-6, 0.5 * (D - below) ** 2, color="0.88", lw=0,
                      label=r"out of reach for $|\sigma| \leq 1$")  # fmt: skip
    unit = gaussian_control(START[0], START[1], GOAL[0], GOAL[1])
    cost = 0.5 * ALPHA * float(unit.W[0, 0, 0] ** 2 + unit.b[0, 0] ** 2)
    values = []
    for final_time in map(float, times[1:]):
        functional = gaussians(final_time, ALPHA)
        result = minimise(functional)
        values.append(result.value)
        loss = functional.loss(result.theta)
        _append(columns, "Gaussians, linear", final_time, ALPHA, result.value, loss, None)
    findings.append(
        at_most("Gaussians: T J(T) over C", float(np.max(times[1:] * values)) / cost, 1.001)
    )
    axes.loglog(times[1:], values, "D", color=COLOURS[2], label="Gaussian to Gaussian, linear")
    axes.loglog(fine, cost / fine, "--", color=COLOURS[2], lw=1, label="its bound $C/T$")
    draw_slope(axes, times[-3:], [1.25 * ALPHA * D**2 / (2 * t) for t in times[-3:]], "-1")
    axes.set(
        xlabel="depth $T$",
        ylabel="least $J$",
        ylim=(1e-3, 60.0),
        title=f"$\\alpha = {ALPHA}$, lines: closed forms",
    )
    axes.legend(fontsize=8, loc="upper right")
    axes.grid(alpha=0.25)
    return findings


def _shift_over_alpha(axes: Any, columns: dict[str, list[Any]], full: bool) -> list[Check]:
    """Train the shift over alpha at T = 2, where D is in reach; J falls to zero with slope 1."""
    alphas = 10.0 ** np.arange(-4, 1.1, 0.5 if full else 2.0)
    fine = np.geomspace(alphas[0], alphas[-1], 200)
    findings = []
    for k, (activation, name) in enumerate(NAMES.items()):
        values, worst = [], 0.0
        for alpha in map(float, alphas):
            functional = shift(activation, 2.0, alpha)
            result, exact = minimise(functional), shift_exact(activation, 2.0, alpha)
            values.append(result.value)
            worst = max(worst, abs(result.value / exact - 1.0))
            loss = functional.loss(result.theta)
            _append(columns, name, 2.0, alpha, result.value, loss, exact)
        findings.append(at_most(f"{name}: error over alpha", worst, 1e-4))
        findings.append(
            near(f"{name}: slope for small alpha", slope(alphas[:2], values[:2]), 1, 0.05)
        )
        axes.loglog(alphas, values, "os"[k], color=COLOURS[k], label=name)
        axes.loglog(fine, [shift_exact(activation, 2.0, a) for a in fine], color=COLOURS[k], lw=1)
    draw_slope(axes, alphas[:3], [0.3 * v for v in values[:3]], "1")
    axes.set(xlabel=r"$\alpha$", ylabel="least $J$", title="$T = 2$, lines: closed forms")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.25)
    return findings


def _plane_over_alpha(axes: Any, columns: dict[str, list[Any]], full: bool) -> list[Check]:
    """Train two classes in the plane over alpha; draw J with its slopes 1/2 int |theta|^2."""
    alphas = np.linspace(0.05, 0.5, 10 if full else 4)
    values, slopes, theta = [], [], None
    for alpha in map(float, alphas[::-1]):
        functional = plane(alpha, full)
        result = minimise(functional, theta)
        theta = result.theta
        values.append(result.value)
        slopes.append(functional.penalty(theta) / alpha)
        _append(columns, "two classes, tanh", 1.0, alpha, values[-1], functional.loss(theta), None)
    value, tangent = np.array(values[::-1]), np.array(slopes[::-1])
    secants = np.diff(value) / np.diff(alphas)
    axes.plot(alphas, value, "o", color=COLOURS[0], label="trained")
    half = 0.4 * (alphas[1] - alphas[0])
    for a, j, s in zip(alphas, value, tangent, strict=True):
        axes.plot([a - half, a + half], [j - half * s, j + half * s], color=COLOURS[3], lw=1.5)
    axes.plot([], [], color=COLOURS[3], label=r"slope $\frac{1}{2}\int|\theta|^2 dt$")
    axes.set(xlabel=r"$\alpha$", ylabel="least $J$", title="plane, two classes, tanh, $T = 1$")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.25)
    return _between(secants, tangent)


def _between(secants: Array, slopes: Array) -> list[Check]:
    """Hold the secants between the slopes at both ends."""
    left, right = float(np.max(secants / slopes[:-1])), float(np.min(secants / slopes[1:]))
    return [
        at_most("plane: secant over the slope on its left", left, 1.0),
        at_least("plane: secant over the slope on its right", right, 1.0),
    ]


if __name__ == "__main__":
    main(study)
