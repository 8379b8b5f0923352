# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What no network can reach is known before training, and training comes as close as it can.

Every row is a goal with the lower bound of its loss, computed from the densities alone, and the
loss that training reaches. x -> -x is out of reach on the line, where paths do not cross, and
reached in the plane by half a turn; a far target is out of reach for |sigma| <= 1, one on the left
for sigma >= 0, a reflection for a linear network, classes at the same place for any.

Run: docker/run python3 cases/studies/unreachable.py
"""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mfresnet.arrays import Array
from mfresnet.case import Case, parse
from mfresnet.functional import ReducedFunctional
from mfresnet.network import SCHEMES, flow
from mfresnet.optimise import minimise
from mfresnet.pictures import COLOURS, key
from mfresnet.runs import Study, main
from mfresnet.verification import at_least, at_most, lower_bound

VARIANCE = 0.04
CORNERS = np.array([[-1.0, -0.6], [1.0, -0.6], [0.0, 1.1]])
"""Means of three classes in the plane."""


@dataclass(frozen=True)
class Goal:
    """One goal: Gaussian classes, their targets, and the network.

    Attributes:
        means: of the classes, (classes, d).
        targets: (classes, d).
        network: [network] of the case.
        half_width: of the box.
        gap: share of the bound by which the trained loss may be above it; None when the bound is
            not the infimum.
        initial: [initial] of the case.
    """

    means: Array
    targets: Array
    network: dict[str, Any]
    half_width: float
    gap: float | None
    initial: dict[str, Any]

    def case(self, full: bool) -> Case:
        """Return the case; alpha is small, as it keeps a network from its bound."""
        d = self.means.shape[1]
        cells = (80 if full else 30) if d == 1 else (26 if full else 12)
        classes = [
            {
                "density": {
                    "kind": "gaussian",
                    "mean": mean.tolist(),
                    "covariance": (VARIANCE * np.eye(d)).tolist(),
                },
                "target": target.tolist(),
            }
            for mean, target in zip(self.means, self.targets, strict=True)
        ]
        return parse(
            {
                "mesh": {
                    "cell": "interval" if d == 1 else "quadrilateral",
                    "cells": [cells] * d,
                    "lower": [-self.half_width] * d,
                    "upper": [self.half_width] * d,
                },
                "space": {"degree": 3 if d == 1 else 2},
                "network": {"layers": 4} | self.network,
                "classes": classes,
                "penalty": {"tikhonov": 1e-3},
                "initial": self.initial,
                "training": {
                    "max_iterations": 150 if full else 15,
                    "gradient_tolerance": 1e-4,
                },
            }
        )


def line(*values: float) -> Array:
    """Return points on the line, (n, 1)."""
    return np.array(values)[:, None]


IDENTITY, ZERO = {"activation": "identity"}, {"kind": "zero"}
TURNED: dict[str, Any] = {"kind": "values", "W": [[0.0, -1.0], [1.0, 0.0]], "b": [0.0, 0.0]}
THREE = line(-1.0, 0.0, 1.0)
GOALS: dict[str, Goal] = {
    "x to -x, line, tanh": Goal(THREE, -THREE, {"final_time": 2.0}, 3.5, 0.05, ZERO),
    "x to -x, line, linear": Goal(THREE, -THREE, IDENTITY, 3.5, 0.05, ZERO),
    "x to -x, plane, linear": Goal(CORNERS, -CORNERS, IDENTITY, 3.2, 0.15, TURNED),
    "reflection, plane, linear": Goal(
        CORNERS, CORNERS * [-1.0, 1.0], IDENTITY, 3.2, 0.15, {"kind": "identity"}
    ),
    "target 3 away, tanh, T = 1": Goal(line(-1.0), line(2.0), {}, 3.5, 0.05, ZERO),
    "target on the left, relu": Goal(
        line(0.5), line(-1.0), {"activation": "relu"}, 3.5, 0.01, {"kind": "identity"}
    ),
    "target on the left, sigmoid": Goal(
        line(0.5), line(-1.0), {"activation": "sigmoid"}, 3.5, 0.2, ZERO
    ),
    "classes at one place, tanh": Goal(
        line(0.0, 0.4), line(-0.7, 0.7), {"final_time": 2.0}, 3.5, 0.05, {"kind": "identity"}
    ),
}


def study(size: str = "full") -> Study:
    """Train every goal and compare with its bound."""
    names = ("goal", "argument", "lower bound", "loss reached", "gap", "iterations")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    findings, kept = [], {}
    for name, goal in GOALS.items():
        functional = ReducedFunctional(goal.case(size == "full"), MPI.COMM_WORLD)
        bound = lower_bound(functional.problem)
        assert bound is not None
        result = minimise(functional)
        loss = functional.loss(result.theta)
        row = (name, bound.name, bound.value, loss, loss - bound.value, result.iterations)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
        kept[name] = (functional, result.theta)
        findings.append(at_least(f"{name}: loss over its bound", loss / bound.value, 0.9999))
        if goal.gap is not None:
            rest = (loss - bound.value) / bound.value
            findings.append(at_most(f"{name}: gap over its bound", rest, goal.gap))
    reached = dict(zip(columns["goal"], columns["loss reached"], strict=True))
    share = reached["x to -x, plane, linear"] / (0.5 * np.mean(np.sum((2 * CORNERS) ** 2, axis=1)))
    findings.append(at_most("half a turn: loss over that of staying", float(share), 0.05))
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    grid = figure.subplot_mosaic("ABC", width_ratios=[1.7, 1.0, 1.1])
    _bars(grid["A"], columns)
    _line(grid["B"], *kept["x to -x, line, tanh"])
    _plane(grid["C"], *kept["x to -x, plane, linear"])
    key(figure)
    title = "Lower bounds before training"
    return Study(title, __doc__, columns, tuple(findings), figure)


def _bars(axes: Any, columns: Mapping[str, Sequence[Any]]) -> None:
    """Draw the bounds as bars up to which no loss comes, and the losses as points."""
    y = np.arange(len(columns["goal"]))[::-1]
    axes.barh(y, columns["lower bound"], color="0.82", height=0.6, label="no network gets below")
    axes.plot(columns["loss reached"], y, "o", color=COLOURS[0], label="loss reached by training")
    rows = zip(y, *(columns[n] for n in ("loss reached", "lower bound", "argument")), strict=True)
    for where, loss, bound, argument in rows:
        text = f"{loss:.4g}, bound {bound:.4g} ({argument})"
        axes.annotate(text, (loss, where), xytext=(8, 0), textcoords="offset points",
                      va="center", fontsize=8, color="0.25")  # fmt: skip
    axes.set_yticks(y, columns["goal"])
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0.0, 3.6), xlabel="loss", xticks=np.arange(0.0, 2.5, 0.5))
    axes.spines[["top", "right", "left"]].set_visible(False)


def _line(axes: Any, functional: ReducedFunctional, theta: Array) -> None:
    """Draw the map of the line: it increases, whatever is wanted."""
    x = np.linspace(-1.6, 1.6, 161)
    end = flow(functional.network(theta), x[None], SCHEMES[4], 8)[-1, 0]
    axes.plot(x, -x, color="0.5", ls=":", label="wanted: $-x$")
    axes.plot(x, x, color="0.6", lw=1, label="staying")
    axes.plot(x, end, color=COLOURS[0], label="trained")
    axes.plot(THREE, -THREE, "P", color="0.7", mec="black", ms=9, label="target")
    axes.set(xlabel="$x$ at 0", ylabel="$X(x)$ at $T$", title="line, tanh: paths do not cross")
    axes.grid(alpha=0.25)


def _plane(axes: Any, functional: ReducedFunctional, theta: Array) -> None:
    """Draw the paths of the class means, and some points around them, in the plane."""
    network = functional.network(theta)
    angles = np.linspace(0.0, 2.0 * np.pi, 60)
    ring = np.sqrt(VARIANCE) * np.array([np.cos(angles), np.sin(angles)])
    for k, mean in enumerate(CORNERS):
        path = [mean[:, None]]
        for layer in range(network.layers):
            x, n = path[-1], 12
            dt = network.final_time / network.layers / n
            for _ in range(n):
                x = x + dt * network.velocity(x + 0.5 * dt * network.velocity(x, layer), layer)
                path.append(x)
        line = np.concatenate(path, axis=1)
        axes.plot(*line, color=COLOURS[k])
        half = line[:, line.shape[1] // 2 - 1 : line.shape[1] // 2 + 1].T
        axes.annotate("", half[1], half[0], arrowprops={"arrowstyle": "->", "color": COLOURS[k]})
        for x in (mean[:, None] + ring, flow(network, mean[:, None] + ring, SCHEMES[4], 8)[-1]):
            axes.fill(*x, color=COLOURS[k], alpha=0.35, lw=0)
        axes.plot(*-mean, "P", color=COLOURS[k], ms=9, mec="black", zorder=3)
    axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", title="plane, linear: half a turn")
    axes.text(0.5, 0.5, "discs: one standard deviation\nat 0 and at $T$", fontsize=8, ha="center",
              va="center", transform=axes.transAxes)  # fmt: skip
    axes.grid(alpha=0.25)


if __name__ == "__main__":
    main(study)
