# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""N samples in a residual network approach the density that solves the continuity equation.

The distance W1 at T of N samples and the density falls as N^-1 when the samples begin at the
quantiles of f0, and as N^-1/2 when they are drawn at random. For the linear flow of U[0, 1] the
quantiles have W1 = e^{wT} / (4 N) and W2 = e^{wT} / (2 sqrt(3) N); random samples have the mean

    E W1 = sqrt(2 / (pi N)) int_0^1 sqrt(s (1 - s)) Q_T'(s) ds

with the quantile function Q_T at T, here exact for the linear and for the tanh flow. The density
that mfresnet computes on a mesh of 100 cells is as near as many more random samples.

Run: docker/run python3 cases/studies/mean_field_limit.py
"""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.special import roots_jacobi

from mfresnet.arrays import Array
from mfresnet.case import parse
from mfresnet.data import UniformBox
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.network import ACTIVATIONS, BLOCKS, SCHEMES, Network, flow, same_in_every_layer
from mfresnet.pictures import COLOURS, light
from mfresnet.runs import (
    Law,
    Study,
    between,
    draw_slope,
    main,
    moved,
    of_density,
    on_mesh,
    slope,
    to_samples,
)
from mfresnet.verification import at_least, at_most, near

LAYERS, STEPS, CELLS = 10, 4, 100


def linear_flow(x: Array, w: float, b: float, t: float) -> Array:
    """Return the points after the time t, for the velocity w x + b."""
    return np.exp(w * t) * x + b / w * np.expm1(w * t)


def tanh_flow(x: Array, w: float, b: float, t: float) -> Array:
    """Return the points after the time t, for the velocity tanh(w x + b)."""
    return (np.arcsinh(np.exp(w * t) * np.sinh(w * x + b)) - b) / w


@dataclass(frozen=True)
class Flow:
    """A network with the same (w, b) in every layer and T = 1, and its flow in closed form."""

    activation: str
    exact: Callable[[Array, float, float, float], Array]
    w: float
    b: float
    f0: UniformBox

    def over(self, t: float) -> Callable[[Array], Array]:
        """Return the exact map of points over the time t."""
        return lambda x: self.exact(x, self.w, self.b, t)

    def push(self, x: Array) -> Array:
        """Return samples (n,) at T, moved by the network."""
        parameters = {"W": np.array([[self.w]]), "b": np.array([self.b])}
        network = Network(
            BLOCKS["square"],
            ACTIVATIONS[self.activation],
            same_in_every_layer(parameters, LAYERS),
            1.0,
        )
        return flow(network, x[None], SCHEMES[4], STEPS)[-1, 0]

    def on_mesh(self, cells: int) -> Law:
        """Return the law of the density that is carried on a mesh."""
        case = parse({
            "mesh": {"cell": "interval", "cells": [cells], "lower": [-2.5], "upper": [2.5]},
            "network": {"activation": self.activation, "layers": LAYERS},
            "classes": [{"density": self.f0.model_dump(), "target": 0.0}],
            "initial": {"kind": "values", "W": [[self.w]], "b": [self.b]},
        })  # fmt: skip
        functional = ReducedFunctional(case, MPI.COMM_SELF)
        space, theta = functional.problem.space, functional.theta0
        return on_mesh(space, Trajectory(functional, theta).densities()[-1, 0])

    def slope(self, x0: Array) -> Array:
        """Return dX/dx0 at T by the ratio of the velocities at both ends of the path."""
        sigma = ACTIVATIONS[self.activation].value
        end = self.exact(x0, self.w, self.b, 1.0)
        return sigma(self.w * end + self.b) / sigma(self.w * x0 + self.b)


FLOWS = {
    "identity": Flow("identity", linear_flow, -1.0, 0.3, UniformBox(lower=0.0, upper=1.0)),
    "tanh": Flow("tanh", tanh_flow, 2.0, 0.5, UniformBox(lower=-1.0, upper=1.0)),
}


def theory(case: Flow) -> float:
    """Return sqrt(N) E W1 for N to infinity."""
    z, weights = roots_jacobi(80, 0.5, 0.5)
    x0, length = case.f0.quantile(0.5 + 0.5 * z), case.f0.upper[0] - case.f0.lower[0]
    # s = (1 + z) / 2, sqrt(s (1 - s)) ds = sqrt(1 - z^2) dz / 4
    return float(np.sqrt(2.0 / np.pi) * 0.25 * np.sum(weights * case.slope(x0) * length))


def study(size: str = "full") -> Study:
    """Measure the distances for two flows."""
    counts = 4 ** np.arange(2, 8 if size == "full" else 6)
    seeds = 200 if size == "full" else 60
    columns: dict[str, list[Any]] = {
        n: [] for n in ("activation", "N", "quantiles W1", "quantiles W2", "random W1", "spread")
    }
    findings = []
    figure = Figure(figsize=(10, 4.3), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (name, case) in zip(panels, FLOWS.items(), strict=True):
        law = moved(of_density(case.f0), case.over(1.0), case.over(-1.0))
        ordered, random = np.empty((2, counts.size)), np.empty((seeds, counts.size))
        for j, n in enumerate(map(int, counts)):
            x = case.push(case.f0.quantile((np.arange(n) + 0.5) / n))
            ordered[:, j] = to_samples(x, law, 1.0), to_samples(x, law, 2.0)
            for seed in range(seeds):
                x = case.f0.sample(n, np.random.default_rng([seed, n]))[0]
                random[seed, j] = to_samples(case.push(x), law)
        mean, constant = random.mean(axis=0), theory(case)
        values = (counts, *ordered, mean, random.std(axis=0))
        columns["activation"] += [name] * counts.size
        for column, value in zip(list(columns)[1:], values, strict=True):
            columns[column] += value.tolist()
        findings += [
            near(f"{name}: slope of W1, quantiles", slope(counts, ordered[0]), -1.0, 0.02),
            near(f"{name}: slope of W1, random", slope(counts, mean), -0.5, 0.1),
            near(
                f"{name}: sqrt(N) W1 over its limit, random",
                float(np.sqrt(counts[-1]) * mean[-1] / constant),
                1.0,
                0.15,
            ),
        ]
        mesh = between(case.on_mesh(CELLS), law)
        findings.append(
            at_least(
                f"{name}: random samples as near as {CELLS} cells", (constant / mesh) ** 2, 1e4
            )
        )
        if name == "identity":
            exact = np.exp(case.w) / np.outer([4.0, 2.0 * np.sqrt(3.0)], counts)
            error = float(np.abs(ordered / exact - 1.0).max())
            findings.append(at_most("identity: W1 and W2 against the closed form", error, 1e-6))
        low, high = np.quantile(random, [0.1, 0.9], axis=0)
        axes.fill_between(counts, low, high, color=light(1), label="random, 10 to 90 %", lw=0)
        axes.loglog(counts, mean, "o", color=COLOURS[1], label="random, mean $W_1$")
        axes.loglog(counts, constant / np.sqrt(counts), color=COLOURS[1], lw=1,
                    label="its limit, slope $-1/2$")  # fmt: skip
        axes.loglog(counts, ordered[1], "D", ms=5, mfc="none", color=COLOURS[2],
                    label="quantiles, $W_2$")  # fmt: skip
        axes.loglog(counts, ordered[0], "s", color=COLOURS[0], label="quantiles, $W_1$")
        axes.axhline(mesh, color=COLOURS[3], lw=1.2, ls="--", label=f"mesh of {CELLS} cells, $W_1$")
        draw_slope(axes, counts, ordered[0], "-1")
        law_text = "$x' = -x + 0.3$" if name == "identity" else r"$x' = \tanh(2x + 0.5)$"
        axes.set(xlabel="number of samples $N$", title=law_text)
        axes.grid(alpha=0.25)
    panels[0].set(ylabel="Wasserstein distance to the density at $T$")
    panels[1].legend(fontsize=8, loc="lower left")
    return Study("The mean-field limit", __doc__, columns, tuple(findings), figure)


if __name__ == "__main__":
    main(study)
