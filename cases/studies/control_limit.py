# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Controls trained on N samples approach those trained on the densities, as N^-1/2.

Two classes in the plane. The mean-field controls theta* come from the densities on the mesh, the
others from N random samples, for many seeds. Their distance in L2(0, T) has the root mean square
sqrt(tr(H^-1 S H^-1) / N), with the Hessian H of J and the covariance S of its derivative by one
sample: slope and constant are held.

Run: docker/run python3 cases/studies/control_limit.py
"""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from mfresnet.arrays import Array
from mfresnet.case import parse
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import minimise
from mfresnet.pictures import COLOURS, key, light, log_ticks
from mfresnet.runs import Study, draw_slope, main, sample_limit, slope, train_on_samples
from mfresnet.verification import at_most, near

CASE: dict[str, Any] = {
    "mesh": {"cells": [24, 24], "lower": [-3.2, -3.2], "upper": [3.2, 3.2]},
    "space": {"degree": 2},
    "time": {"order": 4},
    "network": {"layers": 4},
    "classes": [
        {
            "density": {
                "kind": "gaussian",
                "mean": [-0.5, 0.3],
                "covariance": [[0.16, 0.05], [0.05, 0.1]],
            },
            "target": [-1.2, 0.0],
        },
        {
            "density": {
                "kind": "gaussian",
                "mean": [0.5, -0.2],
                "covariance": [[0.1, 0.0], [0.0, 0.16]],
            },
            "target": [1.2, 0.0],
        },
    ],
    "penalty": {"tikhonov": 0.05},
    "training": {"method": "ntr", "gradient_tolerance": 1e-7},
}
SHOWN = ("W_{11}", "W_{12}", "b_1")


def study(size: str = "full") -> Study:
    """Train on the densities once, and on samples for every N and seed."""
    full = size == "full"
    counts = np.array([128, 512, 2048, 8192] if full else [64, 256, 1024])
    seeds = (150_000 // counts).clip(max=60) if full else np.full(counts.size, 15)
    smaller = {"network": {"layers": 2}, "mesh": CASE["mesh"] | {"cells": [16, 16]}}
    case = parse(CASE if full else CASE | smaller)
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    mean_field = minimise(functional)
    theta, norm = mean_field.theta, functional.controls.norm
    limit = sample_limit(functional, theta, 600 if full else 100, seed=10_000)
    found = {
        int(n): [train_on_samples(functional, theta, int(n), int(n) + i)[1] for i in range(m)]
        for n, m in zip(counts, seeds, strict=True)
    }
    errors = [np.array([norm(r.theta - theta) for r in rows]) for rows in found.values()]
    rms = np.array([np.sqrt(np.mean(e**2)) for e in errors])
    expected = np.array([limit.control_error(n) for n in counts])
    unfinished = sum(not r.converged for rows in found.values() for r in rows)
    columns: dict[str, Any] = {
        "N": counts,
        "seeds": seeds,
        "rms distance": rms,
        "expected": expected,
        "least": [e.min() for e in errors],
        "largest": [e.max() for e in errors],
    }
    findings = (
        at_most("mean-field gradient norm", mean_field.gradient_norm, 1e-7),
        at_most("trainings that have not converged", unfinished, 0),
        near("slope of the distance", slope(counts, rms, seeds), -0.5, 0.1),
        near(
            "distance over the expected one, all N",
            float(np.exp(np.average(np.log(rms / expected), weights=seeds))),
            1.0,
            0.25,
        ),
    )
    figure = Figure(figsize=(10, 4.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    for n, error in zip(counts, errors, strict=True):
        left.loglog(np.full(error.size, n), error, ".", ms=4, color=light(0), zorder=1)
    left.loglog([], [], ".", color=light(0), label="one seed")
    left.loglog(counts, rms, "o", color=COLOURS[0], label="root mean square over the seeds")
    left.loglog(counts, expected, color=COLOURS[1], label=r"$(\mathrm{tr}\,H^{-1}SH^{-1}/N)^{1/2}$")
    draw_slope(left, counts, 1.8 * rms, "-1/2")
    left.set(xlabel="number of samples $N$", xlim=(counts[0] / 1.6, counts[-1] * 1.6),
             ylabel=r"$\|\theta_N - \theta^*\|_{L^2(0,T)}$")  # fmt: skip
    log_ticks(left.yaxis)
    left.set_xticks(counts, [str(n) for n in counts], minor=False)
    left.xaxis.set_minor_locator(NullLocator())
    left.grid(alpha=0.25)
    _draw_controls(right, functional, theta, found[int(counts[1])], int(counts[1]))
    key(figure, left)
    return Study("Trained controls", __doc__, columns, findings, figure)


def _draw_controls(
    axes: Any, functional: ReducedFunctional, theta: Array, results: Sequence[Any], n: int
) -> None:
    """Draw some controls over depth: of every seed, and of the densities."""
    times = np.linspace(0.0, functional.controls.final_time, functional.controls.layers + 1)

    def rows(vector: Array) -> tuple[Array, ...]:
        controls = functional.controls.from_vector(vector)
        return controls.W[:, 0, 0], controls.W[:, 0, 1], controls.b[:, 0]

    for i, name in enumerate(SHOWN):
        for result in results:
            axes.stairs(rows(result.theta)[i], times, baseline=None, color=light(i), lw=0.6)
        axes.stairs(rows(theta)[i], times, baseline=None, color=COLOURS[i], lw=2.2)
        axes.annotate(f"${name}$", (times[-1], rows(theta)[i][-1]), xytext=(5, 0), va="center",
                      textcoords="offset points", color=COLOURS[i])  # fmt: skip
    axes.set(xlabel="depth $t$", ylabel="controls", xlim=(-0.04 * times[-1], 1.1 * times[-1]),
             title=f"trained on the densities (bold) and on $N = {n}$ samples")  # fmt: skip
    axes.title.set_fontsize(10)
    axes.grid(alpha=0.25)


if __name__ == "__main__":
    main(study)
