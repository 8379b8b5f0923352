# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Cases to measure with, and times of their parts."""

from __future__ import annotations

from mpi4py import MPI

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case, parse
from mfresnet.functional import Layer, ReducedFunctional
from mfresnet.mesh import CELLS
from mfresnet.optimise import Iteration, minimise
from mfresnet.parallel import maximum
from mfresnet.transport import Adjoint

STEPS = 3
"""Time steps in what is measured as some stages."""


def bench_case(
    cell: str,
    n: int,
    degree: int,
    layers: int = 4,
    limiter: str = "none",
    operator: str = "fused",
    layer_time: float = 0.1,
    width: int | None = None,
) -> Case:
    """Return a case to measure with: two Gaussians, tanh, layers of one depth, wide where asked."""
    d = CELLS[cell]
    classes = [
        {
            "density": {
                "kind": "gaussian",
                "mean": [s] * d,
                "covariance": (0.1 * np.eye(d)).tolist(),
            },
            "target": [1.5 * s] * d,
        }
        for s in (-0.7, 0.7)
    ]
    mesh = {"cell": cell, "cells": [n] * d, "lower": [-3.0] * d, "upper": [3.0] * d}
    network: dict[str, Any] = {"layers": layers, "final_time": layer_time * layers}
    if width is not None:
        network |= {"block": "wide", "width": width}
    sections: dict[str, Any] = {"mesh": mesh, "network": network, "classes": classes}
    sections |= {"space": {"degree": degree}, "time": {"limiter": limiter}}
    return parse(sections | {"resources": {"operator": operator}})


def seconds_each(
    comm: MPI.Intracomm,
    actions: dict[str, Callable[[], Any]],
    repeats: int,
    count: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Return the time of one call of each action: the least mean of ``count`` calls.

    The actions take turns, so that a busy machine slows all of them. What one rank does by itself
    may be measured in seconds of its core, by ``time.process_time``: other programs do not count.

    Parallel: collective; the slowest rank counts.
    """
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            action()
            comm.Barrier()
            start = clock()
            for _ in range(count):
                action()
            times[name].append((clock() - start) / count)
    return {name: float(maximum(comm, min(values))[0]) for name, values in times.items()}


def whole_sweeps(functional: ReducedFunctional) -> dict[str, Callable[[], Any]]:
    """Return calls of J, and of J and its derivative, with controls that J has not seen."""
    theta = functional.theta0.copy()

    def fresh() -> Array:
        theta[0] += 1e-9
        return theta

    return {
        "value": lambda: functional.value(fresh()),
        "value_and_derivative": lambda: functional.derivative(fresh()),
    }


def some_stages(functional: ReducedFunctional) -> dict[str, Callable[[], Any]]:
    """Return ``STEPS`` time steps of all classes, forward and, with sensitivities, back."""
    transport = functional.problem.transport
    march = functional.problem.march(1e-3, functional.scheme)
    f0 = functional.problem.f0
    layer = Layer(transport, march, STEPS, len(f0))
    transport.coefficients(np.tanh(transport.points), layer.coefficients)
    steps, states = layer.steps(slice(0, STEPS)), np.array(march.limiter.packed(f0))
    left, after = np.zeros((len(f0), transport.n_exit)), march.limiter.density(states)
    weights, sensitivity = functional.problem.class_weights, transport.new_coefficients()
    adjoint = Adjoint(np.array(march.limiter.packed(f0)), np.zeros_like(left), weights, sensitivity)
    return {
        "stage": lambda: march.forward(steps, states, left),
        "transpose": lambda: march.transpose(steps, adjoint, after),
    }


def iteration_seconds(
    functional: ReducedFunctional, most: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the least seconds of an iteration with one evaluation.

    Of iterations with different numbers of time steps those with the most count: these are as many
    as the functional has afterwards.

    Args:
        functional: J, which is minimised by the method of its case, again where that takes fewer
            iterations.
        most: iterations.
        clock: see ``seconds_each``.

    Parallel: collective.
    """
    found = defaultdict[int, float](lambda: np.inf)
    before = [0.0, clock()]

    def look(iteration: Iteration) -> None:
        now, steps = clock(), functional.steps_per_layer
        if iteration.iteration and functional.adjoint_sweeps == before[0] + 1:
            found[steps] = min(found[steps], now - before[1])
        before[:] = functional.adjoint_sweeps, clock()

    left = most
    while left > 0:
        ended = minimise(
            functional,
            on_iteration=look,
            enough=lambda search, left=left: len(search.history) > left,  # type: ignore[misc]
        )
        left -= max(1, ended.iterations)
    return float(maximum(functional.comm, found[functional.steps_per_layer])[0])
