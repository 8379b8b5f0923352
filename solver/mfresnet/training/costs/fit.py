# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The figures of this machine, from the times of small problems."""

from __future__ import annotations

from mpi4py import MPI

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from mfresnet.arrays import Array
from mfresnet.compiled import cache_size
from mfresnet.functional import ReducedFunctional
from mfresnet.memory import resident
from mfresnet.parallel import maximum
from mfresnet.training.costs.machine import Machine, Pass, Rate
from mfresnet.training.costs.timing import (
    STEPS,
    bench_case,
    iteration_seconds,
    seconds_each,
    some_stages,
    whole_sweeps,
)
from mfresnet.training.costs.work import Work, features, stage_seconds

ELEMENTS: dict[str, dict[str, dict[int, int]]] = {
    "fused": {
        "interval": {1: 400, 2: 256, 3: 200},
        "triangle": {1: 32, 2: 24, 3: 18},
        "quadrilateral": {0: 64, 1: 40, 2: 32, 3: 24, 4: 20},
        "tetrahedron": {1: 8, 2: 6},
        "hexahedron": {1: 12, 2: 9, 3: 7},
    },
    "petsc": {
        "interval": {2: 256},
        "triangle": {2: 24},
        "quadrilateral": {2: 32},
        "tetrahedron": {2: 6},
        "hexahedron": {2: 9},
    },
}
"""Operator -> cell -> degree -> cells a direction: what a cache holds."""
LARGE = {2: ("quadrilateral", 256, 2), 3: ("hexahedron", 28, 2)}
"""Dimension -> what no cache holds; in space the cells behind a facet are far away too."""
SWEEPS: tuple[dict[str, Any], ...] = (
    {"cell": "interval", "n": 50, "degree": 3, "layers": 10},
    {"cell": "interval", "n": 256, "degree": 2, "layers": 20},
    {"cell": "quadrilateral", "n": 12, "degree": 2, "layers": 10},
    {"cell": "quadrilateral", "n": 32, "degree": 2, "layers": 10},
    {"cell": "quadrilateral", "n": 60, "degree": 1, "layers": 6},
    {"cell": "triangle", "n": 24, "degree": 2, "layers": 6},
    {"cell": "hexahedron", "n": 9, "degree": 2, "layers": 5},
    {"cell": "hexahedron", "n": 14, "degree": 1, "layers": 5},
    {"cell": "quadrilateral", "n": 24, "degree": 2, "layers": 5, "width": 4},
    {"cell": "quadrilateral", "n": 24, "degree": 2, "layers": 5, "width": 16},
    {"cell": "quadrilateral", "n": 48, "degree": 2, "layers": 5, "width": 8},
    {"cell": "interval", "n": 100, "degree": 2, "layers": 4, "limiter": "zhang_shu"},
    {"cell": "quadrilateral", "n": 16, "degree": 2, "layers": 4, "limiter": "zhang_shu"},
)
"""Arguments of ``bench_case``, for what is no stage."""
REPEATS = 7
FEW = "interval", 16, 2
"""Cell, cells a rank, and degree of a stage that mostly waits for messages."""
SMALL, LONG = 64, 100_000
"""Numbers of a message."""
LATENCY, BANDWIDTH = 5e-6, 2e9
"""Of messages where one rank measures: seconds, and bytes a second."""


def measure_machine(comm: MPI.Intracomm, say: Callable[[str], None] = lambda text: None) -> Machine:
    """Return the figures of this machine.

    Every rank works by itself, all at the same time, so that what they take from each other is in
    the figures; in seconds of its core, so that other programs are not. Messages are measured where
    there are several ranks, else they are ``LATENCY`` and ``BANDWIDTH``.

    Args:
        comm: the ranks.
        say: told what is measured now.

    Parallel: collective; the slowest rank counts.
    """
    base = resident(comm) / comm.size
    rates: dict[str, dict[str, dict[int, Rate]]] = {}
    for operator, cells in ELEMENTS.items():
        rates[operator] = {}
        for cell, degrees in cells.items():
            say(f"{operator}, {cell}")
            found = {p: _rate(comm, cell, n, p, operator) for p, n in degrees.items()}
            rates[operator][cell] = {p: rate for p, (rate, _) in found.items()}
    say("memory, messages, sweeps")
    latency, bandwidth = _messages(comm, rates["fused"][FEW[0]][FEW[2]])
    none = Pass(component=0, unit=0, batch=0, layer=0, sweep=0, limited_stage=0, limited_dof=0)
    machine = Machine(
        processor=_processor(),
        ranks=comm.size,
        cache=cache_size(),
        base=base,
        beyond=_beyond(comm, rates),
        rates=rates,
        forward=none,
        backward=none,
        iteration=_iteration(comm),
        latency=latency,
        bandwidth=bandwidth,
    )
    forward, backward = _passes(comm, machine)
    return machine.model_copy(update={"forward": forward, "backward": backward})


def _rate(
    comm: MPI.Intracomm, cell: str, n: int, degree: int, operator: str = "fused"
) -> tuple[Rate, Work]:
    """Return the rate of an element, and the work of the problem that it was measured with."""
    case = bench_case(cell, n, degree, 1, operator=operator)
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    work = Work.of(functional)
    count = max(1, 20_000 // work.dofs)
    times = seconds_each(comm, some_stages(functional), REPEATS, count, time.process_time)
    each = STEPS * work.stages * work.classes * work.dofs
    return Rate(stage=times["stage"] / each, transpose=times["transpose"] / each), work


def _beyond(comm: MPI.Intracomm, rates: dict[str, dict[str, dict[int, Rate]]]) -> dict[int, float]:
    """Return the seconds of a byte beyond the caches, by problems that they do not hold."""
    found = {}
    for dimension, (cell, n, degree) in LARGE.items():
        large, work = _rate(comm, cell, n, degree)
        small = rates["fused"][cell][degree]
        more = large.stage - small.stage, large.transpose - small.transpose
        found[dimension] = max(0.0, float(np.mean(np.array(more) / work.moved)))
    return found


def _passes(comm: MPI.Intracomm, machine: Machine) -> tuple[Pass, Pass]:
    """Return what is no stage, by least squares of relative errors without negative seconds."""
    rows: list[Array] = []
    rest: list[tuple[float, float]] = []
    sizes: list[tuple[float, float]] = []
    for given in SWEEPS:
        functional = ReducedFunctional(bench_case(**given), MPI.COMM_SELF)
        work = Work.of(functional)
        times = seconds_each(comm, whole_sweeps(functional), REPEATS, 1, time.process_time)
        value, both = times["value"], times["value_and_derivative"]
        stages = stage_seconds(work, machine)
        rows.append(np.array(features(work)))
        rest.append((max(0.0, value - stages[0]), max(0.0, both - value - stages[1])))
        sizes.append((value, both - value))
    found = []
    for seconds, size in zip(np.transpose(rest), np.transpose(sizes), strict=True):
        scaled = np.array(rows) / size[:, None]
        columns = scaled.max(axis=0)
        solution, _ = nnls(scaled / columns, seconds / size)
        names = Pass.model_fields
        found.append(Pass(**dict(zip(names, (solution / columns).tolist(), strict=True))))
    return found[0], found[1]


def _iteration(comm: MPI.Intracomm) -> float:
    """Return the seconds of an iteration besides J and its derivative, by a problem of no size."""
    functional = ReducedFunctional(bench_case(**SWEEPS[0]), MPI.COMM_SELF)
    each = iteration_seconds(functional, 4 * REPEATS, time.process_time)
    sweeps = seconds_each(comm, whole_sweeps(functional), REPEATS, 3, time.process_time)
    return max(0.0, float(maximum(comm, each)[0]) - sweeps["value_and_derivative"])


def _messages(comm: MPI.Intracomm, rate: Rate) -> tuple[float, float]:
    """Return the seconds of a small message in a stage, and bytes a second of long ones.

    The first is what a stage of few cells on all ranks takes more than its cells, whose seconds a
    degree of freedom are the rate.
    """
    if comm.size == 1:
        return LATENCY, BANDWIDTH
    cell, n, degree = FEW
    functional = ReducedFunctional(bench_case(cell, n * comm.size, degree, 1), comm)
    work = Work.of(functional)
    stage = seconds_each(comm, some_stages(functional), REPEATS, 20)["stage"]
    cells = rate.stage * work.classes * work.dofs / comm.size
    latency = max(0.0, stage / (STEPS * work.stages) - cells)
    times = {}
    others = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    for n in (SMALL, LONG):
        out, got = np.zeros(n), np.empty(n)
        requests = [comm.Recv_init(got, others[1]), comm.Send_init(out, others[0])]

        def exchange(requests: list[MPI.Prequest] = requests) -> None:
            MPI.Prequest.Startall(requests)
            MPI.Request.Waitall(requests)

        times[n] = seconds_each(comm, {"": exchange}, REPEATS, 100)[""]
    return latency, 8 * (LONG - SMALL) / max(times[LONG] - times[SMALL], 1e-9)


def _processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
