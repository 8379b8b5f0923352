# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Two densities drift apart no faster than exp(Lip(sigma) int |W| dt) allows.

W_p(f_t, g_t) <= exp(Lip(sigma) int_0^t |W| ds) W_p(f_0, g_0) for every p. On the line the
distances are exact, from the quantiles of the densities on the mesh; the identity with w > 0
attains the bound. In the plane W_1 is that of quasi-random samples by the best assignment, and the
mean over directions of the distances of the projected densities on the mesh lies below it.

Run: docker/run python3 cases/studies/stability.py
"""

from __future__ import annotations

from mpi4py import MPI

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm, qmc, wasserstein_distance

from mfresnet.arrays import Array
from mfresnet.case import parse
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.network import ACTIVATIONS, SCHEMES, flow
from mfresnet.pictures import COLOURS
from mfresnet.runs import Study, between, by_assignment, main, on_mesh
from mfresnet.verification import at_most, near

LINE = {"identity": (1.0, 0.2), "tanh": (2.0, 0.3), "relu": (1.5, 0.4), "sigmoid": (-3.0, 0.5)}
"""Activation -> w and b; w of tanh and sigmoid changes over the depth."""
POINTS = np.linspace(-20.0, 20.0, 4001)


def lipschitz(activation: str) -> float:
    """Return the largest slope of an activation."""
    return float(np.abs(ACTIVATIONS[activation].derivative(POINTS)).max())


def bound(functional: ReducedFunctional, theta: Array, activation: str) -> Array:
    """Return exp(Lip int_0^t |W|) at the start of every layer and at T."""
    sizes = np.linalg.norm(functional.controls.from_vector(theta).W, ord=2, axis=(1, 2))
    steps = lipschitz(activation) * sizes * functional.controls.layer_time
    return np.exp(np.concatenate([[0.0], np.cumsum(steps)]))


def on_the_line(activation: str, layers: int, cells: int) -> tuple[ReducedFunctional, Array]:
    """Return J of a Gaussian and a mixture on the line, for their densities, and the controls."""
    w, b = LINE[activation]
    mixture = [
        {"weight": 1.0, "density": {"kind": "gaussian", "mean": m, "covariance": 0.03}}
        for m in (0.1, 0.9)
    ]
    case = parse({
        "mesh": {"cell": "interval", "cells": [cells], "lower": [-6.0], "upper": [8.0]},
        "space": {"degree": 3},
        "network": {"activation": activation, "layers": layers},
        "classes": [
            {"density": {"kind": "gaussian", "mean": -0.3, "covariance": 0.06}, "target": 0.0},
            {"density": {"kind": "mixture", "components": mixture}, "target": 0.0},
        ],
    })  # fmt: skip
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    t = (np.arange(layers) + 0.5) / layers
    turning = np.cos(2.0 * t) if activation in ("tanh", "sigmoid") else np.ones(layers)
    values = {"W": (w * turning)[:, None, None], "b": np.full((layers, 1), b)}
    theta = functional.controls.to_vector(values)
    functional.set_steps(max(functional.steps_per_layer, functional.steps_for(theta)))
    return functional, theta


def in_the_plane(layers: int, cells: int) -> tuple[ReducedFunctional, Array]:
    """Return the same for two Gaussians in the plane, tanh; the network stretches and turns."""
    case = parse({
        "mesh": {"cells": [cells, cells], "lower": [-4.0, -4.0], "upper": [4.0, 4.0]},
        "network": {"layers": layers},
        "classes": [
            {"density": {"kind": "gaussian", "mean": [-0.4, 0.2],
                         "covariance": [[0.2, 0.08], [0.08, 0.15]]}, "target": [0.0, 0.0]},
            {"density": {"kind": "gaussian", "mean": [0.3, -0.2],
                         "covariance": [[0.12, 0.0], [0.0, 0.3]]}, "target": [0.0, 0.0]},
        ],
    })  # fmt: skip
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    t = (np.arange(layers) + 0.5) / layers
    w = [[1.2 + 0.0 * t, -np.sin(3.0 * t)], [np.sin(3.0 * t), 0.6 * np.cos(3.0 * t)]]
    values = {"W": np.moveaxis(np.array(w), -1, 0), "b": np.full((layers, 2), 0.1)}
    return functional, functional.controls.to_vector(values)


def sliced(functional: ReducedFunctional, pair: Array, directions: int) -> float:
    """Return the mean over directions of W_1 of two projected densities on the mesh."""
    space = functional.problem.space
    rule = space.quadrature
    x = rule.x.reshape(-1, 2)
    weights = [(rule.weights * space.at_quadrature(f, rule.basis)).ravel().clip(0.0) for f in pair]
    angles = np.pi * (np.arange(directions) + 0.5) / directions
    lines = (x @ np.array([np.cos(a), np.sin(a)]) for a in angles)
    return float(np.mean([wasserstein_distance(s, s, *weights) for s in lines]))


def study(size: str = "full") -> Study:
    """Measure on the line for four activations, and in the plane."""
    full = size == "full"
    layers, cells = (20, 140) if full else (8, 80)
    columns: dict[str, list[Any]] = {"case": [], "t": [], "W1": [], "W2": [], "bound": []}
    findings = []
    figure = Figure(figsize=(10, 4.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    for k, activation in enumerate(LINE):
        functional, theta = on_the_line(activation, layers, cells)
        space, growth = functional.problem.space, bound(functional, theta, activation)
        times = np.linspace(0.0, 1.0, growth.size)
        laws = [
            [on_mesh(space, f) for f in pair] for pair in Trajectory(functional, theta).densities()
        ]
        one, two = (np.array([between(f, g, p) for f, g in laws]) for p in (1.0, 2.0))
        add(columns, f"line, {activation}", times, one, two, growth)
        for p, distance in ((1, one), (2, two)):
            ratio = float((distance / (growth * distance[0]))[1:].max())
            findings.append(at_most(f"{activation}: W{p} over its bound", ratio, 1.0 + 1e-4))
        if activation == "identity":
            ratio = float(two[-1] / (growth[-1] * two[0]))
            findings.append(near("identity: W2 attains the bound", ratio, 1.0, 1e-3))
        label = activation + ", attains the bound" * (activation == "identity")
        left.plot(times, two / two[0], color=COLOURS[k], label=label)
        left.plot(times, growth, color=COLOURS[k], ls="--", lw=1.0)
    left.plot([], [], color="0.3", ls="--", lw=1.0,
                  label=r"$\exp(\mathrm{Lip}(\sigma)\int|w|)$")  # fmt: skip
    left.set(xlabel="depth $t$", ylabel=r"$W_2(f_t, g_t)\,/\,W_2(f_0, g_0)$", title="on the line")

    functional, theta = in_the_plane(*((10, 32) if full else (5, 20)))
    growth, n = bound(functional, theta, "tanh"), 1024 if full else 256
    noise = norm.ppf(qmc.Sobol(2, seed=0).random(n)).T
    clouds = []
    for section in functional.case.classes:
        factor = np.linalg.cholesky(np.array(section.density.covariance))
        x = np.array(section.density.mean)[:, None] + factor @ noise
        clouds.append(flow(functional.network(theta), x, SCHEMES[4], 8))
    times = np.linspace(0.0, 1.0, growth.size)
    matched = np.array([by_assignment(x, y) for x, y in zip(*clouds, strict=True)])
    matched2 = np.array([by_assignment(x, y, 2.0) for x, y in zip(*clouds, strict=True)])
    projected = np.array(
        [sliced(functional, pair, 16) for pair in Trajectory(functional, theta).densities()]
    )
    add(columns, "plane, samples", times, matched, matched2, growth)
    findings += [
        at_most(f"plane: W{p} over its bound", float((w / (growth * w[0]))[1:].max()), 1.0 + 1e-9)
        for p, w in ((1, matched), (2, matched2))
    ]
    findings += [
        at_most("plane: projections on the mesh over W1", float((projected / matched).max()), 1.0)
    ]
    right.plot(times, matched, "o-", ms=4, color=COLOURS[0], label="$W_1$, samples assigned")
    right.plot(times, projected, "s-", ms=4, color=COLOURS[2],
                   label="mean $W_1$ of projections, mesh")  # fmt: skip
    right.plot(times, growth * matched[0], "--", color=COLOURS[0], lw=1.0,
                   label=r"$\exp(\int|W|)\,W_1(f_0, g_0)$")  # fmt: skip
    right.set(xlabel="depth $t$", ylabel="$W_1(f_t, g_t)$", title="in the plane, tanh")
    for axes in (left, right):
        axes.legend(fontsize=8)
        axes.grid(alpha=0.25, which="both")
    return Study("Stability", __doc__, columns, tuple(findings), figure)


def add(columns: dict[str, list[Any]], case: str, *values: Array) -> None:
    """Append rows to the table."""
    columns["case"] += [case] * values[0].size
    for name, value in zip(list(columns)[1:], values, strict=True):
        columns[name] += value.tolist()


if __name__ == "__main__":
    main(study)
