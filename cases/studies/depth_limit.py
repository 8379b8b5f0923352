# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A residual network of L layers approaches its neural ODE as 1/L, and so does its trained loss.

Left: controls given as functions of depth, x_{l+1} = x_l + (T/L) v(x_l; theta(lT/L)), against the
differential equation (DOP853 to 1e-12), for the samples at T and for their loss. Right: controls
trained for every L. The least loss of the plain network has an error of first order, that of a
network with exact layers, whose controls are constant in each, one of second order: the optimum is
flat. The limit is extrapolated from the two finest networks with exact layers.

Run: docker/run python3 cases/studies/depth_limit.py
"""

from __future__ import annotations

from mpi4py import MPI

import numpy as np
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp

from mfresnet.arrays import Array
from mfresnet.case import parse
from mfresnet.functional import ParticleFunctional, drawn
from mfresnet.network import ACTIVATIONS, BLOCKS, SCHEMES, Controls, Network, flow, prolong
from mfresnet.optimise import minimise
from mfresnet.pictures import COLOURS
from mfresnet.runs import Study, draw_slope, main, slope
from mfresnet.verification import at_most, near

CASE = {
    "classes": [
        {
            "density": {
                "kind": "gaussian",
                "mean": [-0.5, 0.3],
                "covariance": [[0.1, 0], [0, 0.1]],
            },
            "target": [-1.2, 0.0],
        },
        {
            "density": {
                "kind": "gaussian",
                "mean": [0.5, -0.3],
                "covariance": [[0.1, 0], [0, 0.1]],
            },
            "target": [1.2, 0.4],
        },
    ],
    "time": {"order": 4, "steps_per_layer": 1},
    "penalty": {"tikhonov": 0.1},
    "training": {"method": "ntr", "gradient_tolerance": 1e-9},
}
SAMPLES = 100


def given(t: float | Array) -> tuple[Array, Array]:
    """Return W(t), (..., 2, 2), and b(t), (..., 2)."""
    t = np.asarray(t, float)
    w = [[1.5 * np.cos(2.0 * t), -1.0 + 0.0 * t], [1.0 + 0.0 * t, 0.8 * np.sin(3.0 * t)]]
    return np.moveaxis(np.array(w), (0, 1), (-2, -1)), np.stack(
        [0.5 * np.sin(t), 0.3 + 0.0 * t], axis=-1
    )


def fixed_controls(counts: Array, x: Array, targets: Array) -> tuple[Array, Array]:
    """Return the root mean square error of the points at T, and that of their loss, for every L."""

    def velocity(t: float, flat: Array) -> Array:
        w, b = given(t)
        return np.tanh(w @ flat.reshape(x.shape) + b[:, None]).ravel()

    def loss(points: Array) -> float:
        return 0.5 * float(np.mean(np.sum((points - targets) ** 2, axis=0)))

    exact = solve_ivp(velocity, (0.0, 1.0), x.ravel(), method="DOP853", rtol=1e-12, atol=1e-13)
    end = exact.y[:, -1].reshape(x.shape)
    rows = []
    for layers in counts:
        w, b = given(np.arange(layers) / layers)
        network = Network(
            BLOCKS["square"], ACTIVATIONS["tanh"], Controls({"W": w, "b": b}), final_time=1.0
        )
        found = flow(network, x, SCHEMES[1])[-1]
        distance = np.sqrt(np.mean(np.sum((found - end) ** 2, axis=0)))
        rows.append((distance, abs(loss(found) - loss(end))))
    points, losses = np.transpose(rows)
    return points, losses


def trained(inference: str, counts: Array) -> Array:
    """Return the least J for every number of layers, each trained from the one before."""
    controls, found = None, []
    for layers in counts:
        case = parse(CASE | {"network": {"layers": int(layers), "inference": inference}})
        functional = ParticleFunctional(case, drawn(case, SAMPLES), MPI.COMM_SELF)
        start = functional.theta0
        if controls is not None:
            start = functional.controls.to_vector(prolong(controls, int(layers)).values)
        result = minimise(functional, start)
        controls = functional.controls.from_vector(result.theta)
        found.append(result.value)
    return np.array(found)


def study(size: str = "full") -> Study:
    """Measure the errors for L = 4, 8, 16, ..."""
    full = size == "full"
    counts = 2 ** np.arange(3, 9 if full else 7)
    case = parse(CASE)
    samples = drawn(case, SAMPLES)
    targets = np.array([c.target for c in case.classes])[samples.y].T
    points, losses = fixed_controls(counts, samples.x, targets)
    exact_counts = 2 ** np.arange(2, 9 if full else 7)
    exact = trained("runge_kutta", exact_counts)
    limit = exact[-1] + (exact[-1] - exact[-2]) / 3.0
    plain = np.abs(trained("euler", counts) - limit)
    layered = np.abs(exact[1 : counts.size + 1] - limit)
    # the limit is extrapolated from the last two, whose slope is -2 by that
    seen = slice(0, -2)
    columns = {
        "L": counts,
        "points": points,
        "loss": losses,
        "trained, plain": plain,
        "trained, exact layers": layered,
    }
    findings = (
        near("slope of the error of the points", slope(counts, points), -1.0, 0.1),
        near("slope of the error of the loss", slope(counts[1:], losses[1:]), -1.0, 0.1),
        near("slope of the trained loss, plain network", slope(counts[1:], plain[1:]), -1.0, 0.1),
        near(
            "slope of the trained loss, exact layers",
            slope(exact_counts[seen], np.abs(exact - limit)[seen]),
            -2.0,
            0.1,
        ),
        at_most(
            "finest exact layers: error over that of the plain network",
            float(layered[-1] / plain[-1]),
            0.02,
        ),
    )
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.loglog(counts, points, "o", color=COLOURS[0], label="samples at $T$, root mean square")
    left.loglog(counts, losses, "s", color=COLOURS[1], label="loss")
    draw_slope(left, counts, points, "-1")
    left.loglog(counts, losses[-1] * counts[-1] / counts, ls=":", color="0.45", lw=1.3, zorder=0)
    left.set(xlabel="number of layers $L$", ylabel="error against the neural ODE",
             title="given controls")  # fmt: skip
    right.loglog(counts, plain, "o", color=COLOURS[0], label="plain ResNet")
    right.loglog(counts, layered, "D", color=COLOURS[2], label="exact layers")
    draw_slope(right, counts, plain, "-1")
    draw_slope(right, counts, layered, "-2")
    right.set(xlabel="number of layers $L$", ylabel=r"$|\min\,J_L - \min\,J_\infty|$",
              title="trained controls")  # fmt: skip
    for axes in (left, right):
        axes.legend(fontsize=8)
        axes.grid(alpha=0.25)
    return Study("The limit of depth", __doc__, columns, findings, figure)


if __name__ == "__main__":
    main(study)
