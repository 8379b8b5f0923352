# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A network trained on N samples has a population loss that exceeds the optimum by c / N.

Two overlapping classes on the line, cross-entropy with a trained head. The population loss J comes
from the densities on the mesh, J_N from the samples, theta_N and theta* are their minimisers. To
first order

    J(theta_N) - J(theta*)  and  J_N(theta*) - J_N(theta_N)  have the mean  tr(H^-1 S) / (2 N),

while |J(theta_N) - J_N(theta_N)|, the gap between test and training, has the root mean square
(var(l) / N)^1/2: the samples' loss itself is known no better. Slopes and constants are held.

Run: docker/run python3 cases/studies/generalisation_gap.py
"""

from __future__ import annotations

from mpi4py import MPI

import numpy as np
from matplotlib.figure import Figure

from mfresnet.case import parse
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import minimise
from mfresnet.pictures import COLOURS
from mfresnet.runs import Study, draw_slope, main, sample_limit, slope, train_on_samples
from mfresnet.verification import at_least, at_most, near

CASE = {
    "mesh": {"cell": "interval", "cells": [60], "lower": [-6.0], "upper": [6.0]},
    "space": {"degree": 3},
    "time": {"order": 4},
    "network": {"layers": 3},
    "classes": [
        {"density": {"kind": "gaussian", "mean": -0.6, "covariance": 0.4}},
        {"density": {"kind": "gaussian", "mean": 0.5, "covariance": 0.2}},
    ],
    "loss": {"kind": "cross_entropy"},
    "penalty": {"tikhonov": 0.02},
    "training": {"method": "ntr", "gradient_tolerance": 1e-7},
}


def study(size: str = "full") -> Study:
    """Train on samples for every N and seed, and evaluate on samples and densities."""
    full = size == "full"
    counts = 100 * 4 ** np.arange(6) if full else np.array([300, 1200, 4800])
    seeds = (200_000 // counts).clip(12, 100) if full else np.full(counts.size, 50)
    case = parse(CASE if full else CASE | {"network": {"layers": 1}})
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    optimum = minimise(functional)
    limit = sample_limit(functional, optimum.theta, 1500 if full else 100, seed=10_000)
    excess, optimism, gap, unfinished = [], [], [], 0
    for n, m in zip(counts, seeds, strict=True):
        rows = []
        for i in range(m):
            particles, result = train_on_samples(functional, optimum.theta, int(n), int(n) + i)
            population = functional.value(result.theta)
            before = particles.value(optimum.theta)
            rows.append(
                (population - optimum.value, before - result.value, population - result.value)
            )
            unfinished += not result.converged
        over, better, difference = np.transpose(rows)
        excess.append(over)
        optimism.append(better)
        gap.append(difference)
    means = np.array([e.mean() for e in excess])
    trained = np.array([e.mean() for e in optimism])
    rms = np.array([np.sqrt(np.mean(e**2)) for e in gap])
    expected = np.array([limit.excess(n) for n in counts])
    expected_gap = np.array([limit.gap(n) for n in counts])
    columns = {
        "N": counts,
        "seeds": seeds,
        "population excess": means,
        "training gain": trained,
        "tr(H^-1 S)/2N": expected,
        "rms gap": rms,
        "(var l/N)^1/2": expected_gap,
    }
    findings = (
        at_most("trainings that have not converged", unfinished, 0),
        at_least("least population excess", min(e.min() for e in excess), 0.0),
        near("slope of the population excess", slope(counts, means, seeds), -1.0, 0.1),
        near("slope of the training gain", slope(counts, trained, seeds), -1.0, 0.1),
        near("slope of the gap between test and training", slope(counts, rms, seeds), -0.5, 0.1),
        near(
            "excess over the expected one, all N",
            float(np.exp(np.average(np.log(means / expected), weights=seeds))),
            1.0,
            0.25,
        ),
        near(
            "gap over the expected one, all N",
            float(np.exp(np.average(np.log(rms / expected_gap), weights=seeds))),
            1.0,
            0.25,
        ),
    )
    figure = Figure(figsize=(10.5, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.loglog(counts, rms, "s", color=COLOURS[2],
                label=r"$|J(\theta_N) - J_N(\theta_N)|$, rms: test against training")  # fmt: skip
    axes.loglog(counts, expected_gap, color=COLOURS[2], lw=1, label=r"$(\mathrm{var}\,l/N)^{1/2}$")
    axes.loglog(counts, means, "o", color=COLOURS[0],
                label=r"$J(\theta_N) - J(\theta^*)$, mean: population excess")  # fmt: skip
    axes.loglog(counts, trained, "D", ms=10, mfc="none", color=COLOURS[1],
                label=r"$J_N(\theta^*) - J_N(\theta_N)$, mean: training gain")  # fmt: skip
    axes.loglog(counts, expected, color=COLOURS[0], lw=1, label=r"$\mathrm{tr}(H^{-1}S)/2N$")
    for k, values in enumerate(excess):
        low, high = np.quantile(values, [0.1, 0.9])
        axes.vlines(counts[k], low, high, color=COLOURS[0], alpha=0.35, lw=5,
                    label="10 to 90 % of the seeds" if k == 0 else "")  # fmt: skip
    draw_slope(axes, counts, 1.7 * rms, "-1/2")
    draw_slope(axes, counts, 0.3 * means, "-1")
    axes.set(xlabel="number of samples $N$", ylabel="difference of losses",
             xlim=(counts[0] / 1.6, counts[-1] * 1.6),
             ylim=(0.08 * means[-1], None))  # fmt: skip
    figure.legend(fontsize=9, loc="outside right upper", frameon=False)
    axes.grid(alpha=0.25)
    return Study("Generalisation", __doc__, columns, findings, figure)


if __name__ == "__main__":
    main(study)
