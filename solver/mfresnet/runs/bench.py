# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The benchmark: every figure is a ratio of two times taken in one process."""

from __future__ import annotations

from mpi4py import MPI

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import ufl
from dolfinx import fem

from mfresnet.functional import ReducedFunctional
from mfresnet.mesh import Space, create_form
from mfresnet.output import LIMITED
from mfresnet.parallel import together
from mfresnet.training import (
    STEPS,
    Triad,
    bench_case,
    measure_machine,
    save_machine,
    seconds_each,
    some_stages,
    whole_sweeps,
)
from mfresnet.transport import OPERATORS, FusedTransport, weak_form

REPEATS, SWEEP_REPEATS = 12, 5
ROWS: tuple[tuple[str, int, int], ...] = (
    ("interval", 256, 2),
    ("quadrilateral", 32, 1),
    ("quadrilateral", 32, 2),
    ("quadrilateral", 32, 3),
    ("quadrilateral", 24, 4),
    ("triangle", 24, 2),
    ("hexahedron", 12, 1),
    ("hexahedron", 9, 2),
    ("hexahedron", 7, 3),
    ("hexahedron", 5, 4),
    ("tetrahedron", 6, 2),
)
"""Cell type, cells a direction, degree: in cache."""
LARGE = ("quadrilateral", 256, 2)
"""The same, for a problem that is larger than the caches."""
SHARED = ("hexahedron", 32, 1)
"""The same, for the comparison of all ranks with one."""
SMALL = ("quadrilateral", 16, 2, 10)
"""The same and a number of layers, for the evaluations per second of a small case."""
ROUNDS, NAP = 4, 0.01


def keep_machine(comm: MPI.Intracomm, file: Path | None) -> Path:
    """Measure the figures that times are predicted from; return the file that has them.

    Args:
        comm: the communicator.
        file: where they go, into the user's cache when not given.

    Raises:
        InputError: the file cannot be written.

    Parallel: collective.
    """
    machine, place = measure_machine(comm), file
    with together(comm):
        if comm.rank == 0:
            place = save_machine(machine, file)
    return Path(comm.bcast(place, root=0))


def assembler(space: Space, f: fem.Function) -> Callable[[], Any]:
    """Return a call that assembles the UFL form of A f with v = tanh(x) into a vector."""
    x = ufl.SpatialCoordinate(space.mesh)
    v = ufl.as_vector([ufl.tanh(x[i]) for i in range(space.dimension)])
    form = create_form(space.comm, weak_form(space, v, f, "smooth_upwind", 1.0))
    vector = fem.assemble_vector(form)

    def again() -> None:
        vector.array[:] = 0.0
        fem.assemble_vector(vector.array, form)

    return again


def measure_speed(comm: MPI.Intracomm, cell: str | None = None) -> dict[str, Any]:
    """Return the times and ratios of every row, on more ranks the speed-up too.

    Args:
        comm: the communicator.
        cell: when given, the rows of this cell type only, and what else is for this cell type.

    Parallel: collective.
    """
    result: dict[str, Any] = {
        "ranks": comm.size,
        "rows": [_measure_row(comm, *row) for row in ROWS if cell in (None, row[0])],
        "large": _measure_stages(comm, *LARGE) if cell in (None, LARGE[0]) else None,
        "small": _measure_small(comm) if cell in (None, SMALL[0]) else None,
        "parallel": None,
    }
    if comm.size > 1 and cell in (None, SHARED[0]):
        result["parallel"] = _measure_parallel(comm)
    return result


def _measure_stages(comm: MPI.Intracomm, cell: str, n: int, degree: int) -> dict[str, Any]:
    """Return how fast a stage of two classes is, by both operators, and what the memory allows."""
    made = {
        name: ReducedFunctional(bench_case(cell, n, degree, 1, operator=name), comm)
        for name in OPERATORS
    }
    fused = made["fused"].problem
    space, transport = fused.space, fused.transport
    assert isinstance(transport, FusedTransport)
    triad, count = Triad(), len(fused.f0)
    actions: dict[str, Callable[[], Any]] = {"triad": triad.run}
    for name, functional in made.items():
        actions |= {f"{name} {what}": run for what, run in some_stages(functional).items()}
    actions["assemble"] = assembler(space, space.to_function(fused.f0[0]))
    times = seconds_each(comm, actions, REPEATS, max(1, 20_000 // space.n_global))
    stages, dofs = made["fused"].scheme.stages, count * space.n_global
    each = {name: seconds / (STEPS * stages) for name, seconds in times.items() if " " in name}
    moved = transport.bytes_moved(count)
    speed = {name: dofs / seconds for name, seconds in each.items()}
    bandwidth = comm.size * triad.bytes / times["triad"]
    return {
        "cell": cell,
        "cells": n,
        "degree": degree,
        "dofs": space.n_global,
        "dofs_per_second": speed,
        "fused_over_petsc": {
            what: each[f"petsc {what}"] / each[f"fused {what}"] for what in ("stage", "transpose")
        },
        "assemble_over_stage": count * times["assemble"] / each["fused stage"],
        "bytes_per_dof": dict(zip(("stage", "transpose"), moved, strict=True)),
        "bandwidth": bandwidth,
        "share_of_bandwidth": {
            what: bytes_per_dof * speed[f"fused {what}"] / bandwidth
            for what, bytes_per_dof in zip(("stage", "transpose"), moved, strict=True)
        },
    }


def _measure_row(comm: MPI.Intracomm, cell: str, n: int, degree: int) -> dict[str, Any]:
    result = _measure_stages(comm, cell, n, degree)
    functional = ReducedFunctional(bench_case(cell, n, degree), comm)
    sweeps, more_steps = whole_sweeps(functional), {}
    for kind in LIMITED:
        limited = ReducedFunctional(bench_case(cell, n, degree, limiter=kind), comm)
        sweeps |= {f"{kind}_{name}": action for name, action in whole_sweeps(limited).items()}
        more_steps[kind] = limited.steps_per_layer / functional.steps_per_layer
    times = seconds_each(comm, sweeps, SWEEP_REPEATS, 1)
    result["milliseconds"] = {name: 1e3 * seconds for name, seconds in times.items()}
    result["derivative_over_value"] = times["value_and_derivative"] / times["value"]
    result["limited_over_free"] = {
        kind: {"steps": steps}
        | {
            name: times[f"{kind}_{name}"] / times[name] / steps
            for name in ("value", "value_and_derivative")
        }
        for kind, steps in more_steps.items()
    }
    return result


def _measure_small(comm: MPI.Intracomm) -> dict[str, Any]:
    """Return evaluations of J and its derivative per second of a small case, by both operators."""
    cell, n, degree, layers = SMALL
    actions = {}
    for name in OPERATORS:
        case = bench_case(cell, n, degree, layers, operator=name)
        actions[name] = whole_sweeps(ReducedFunctional(case, comm))["value_and_derivative"]
    times = seconds_each(comm, actions, 2 * REPEATS, 3)
    return {
        "cell": cell,
        "cells": n,
        "degree": degree,
        "layers": layers,
        "evaluations_per_second": {name: 1.0 / seconds for name, seconds in times.items()},
    }


def _measure_parallel(comm: MPI.Intracomm) -> dict[str, Any]:
    """Return how much faster all ranks are than rank 0 alone, with the other ranks asleep.

    And how much slower rank 0 is when every rank works on a copy of the whole: what the ranks take
    from each other without a message. All take turns, so that a machine that is busy for a while
    favours none.
    """
    case = bench_case(*SHARED, layers=1)
    everyone, lone = (ReducedFunctional(case, c) for c in (comm, MPI.COMM_SELF))
    best = {
        name: dict.fromkeys(whole_sweeps(lone), np.inf) for name in ("alone", "copies", "shared")
    }

    def update(name: str, functional: ReducedFunctional) -> None:
        times = seconds_each(functional.comm, whole_sweeps(functional), SWEEP_REPEATS, 1)
        best[name] = {what: min(best[name][what], t) for what, t in times.items()}

    for _ in range(ROUNDS):
        if comm.rank == 0:
            update("alone", lone)
        request = comm.Ibarrier()
        while not request.Test():
            time.sleep(NAP)
        update("copies", lone)
        comm.Barrier()
        update("shared", everyone)
    best = comm.bcast(best, root=0)
    cell, n, degree = SHARED

    def over(name: str) -> dict[str, float]:
        return {what: t / best[name][what] for what, t in best["alone"].items()}

    speedup = over("shared")
    return {
        "cell": cell,
        "cells": n,
        "degree": degree,
        "speedup": speedup,
        "efficiency": {what: up / comm.size for what, up in speedup.items()},
        "copies": {what: 1.0 / up for what, up in over("copies").items()},
    }
