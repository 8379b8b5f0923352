# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Seconds and memory of J and its derivative for one size, in a process of its own.

[mpirun -n RANKS] python3 -m mpi4py -m benchmarks.peers.grown SIZE      # a line of JSON on rank 0
"""

from __future__ import annotations

from mpi4py import MPI

import json
import sys
import time
from typing import Any

import numpy as np

from mfresnet.case import Case
from mfresnet.functional import ReducedFunctional
from mfresnet.memory import peak, resident
from mfresnet.mesh import CELLS
from mfresnet.parallel import maximum

LAYER_TIME, HALF = 0.05, 3.0
LEAST, REPEATS = 0.5, 3
"""Seconds and times that an evaluation is repeated at least."""


def case_of(cell: str, cells: int, degree: int, layers: int, classes: int) -> Case:
    """Return Gaussians on a circle, or a line, that a tanh network moves outward."""
    d = CELLS[cell]
    angles = 2.0 * np.pi * np.arange(classes) / classes
    circle = np.array([np.cos(angles), np.sin(angles), np.zeros(classes)])[:d].T
    box: Any = ([-HALF] * d, [HALF] * d) if d > 1 else (-HALF, HALF)
    entries = [
        {
            "label": str(k),
            "density": {
                "kind": "gaussian",
                "mean": (0.7 * place).tolist(),
                "covariance": (0.1 * np.eye(d)).tolist(),
            },
            "target": (1.5 * place).tolist(),
        }
        for k, place in enumerate(circle)
    ]
    return Case(
        mesh={"cell": cell, "cells": [cells] * d, "lower": box[0], "upper": box[1]},
        space={"degree": degree},
        network={"layers": layers, "final_time": LAYER_TIME * layers},
        classes=entries,
        resources={"memory": "8 GB"},
    )


def measured(comm: MPI.Intracomm, size: dict[str, Any]) -> dict[str, Any]:
    """Return what a size takes."""
    before = resident(comm)
    functional = ReducedFunctional(case_of(**size), comm)
    theta = functional.theta0.copy()
    times: list[tuple[float, float]] = []
    functional.derivative(theta)
    begun = time.perf_counter()
    while comm.bcast(len(times) < REPEATS or time.perf_counter() < begun + LEAST):
        theta[0] += 1e-9
        comm.Barrier()
        start = time.perf_counter()
        functional.value(theta)
        middle = time.perf_counter()
        functional.derivative(theta)
        times.append((middle - start, time.perf_counter() - start))
    value, both = (float(maximum(comm, min(t))[0]) for t in zip(*times, strict=True))
    scheme = functional.scheme
    return {
        "dofs": functional.problem.space.n_global,
        "stages": size["layers"] * functional.steps_per_layer * scheme.stages,
        "value": value,
        "both": both,
        "memory": peak(comm) - before,
        "before": before,
    }


if __name__ == "__main__":
    found = measured(MPI.COMM_WORLD, json.loads(sys.argv[1]))
    if MPI.COMM_WORLD.rank == 0:
        print(json.dumps(found), flush=True)
