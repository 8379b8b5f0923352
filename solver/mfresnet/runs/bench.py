# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The benchmark: every figure is a ratio of two times taken in one process."""

from __future__ import annotations

from mpi4py import MPI

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import ufl
from dolfinx import fem

from mfresnet.arrays import Array
from mfresnet.case import Case, parse
from mfresnet.columns import plain
from mfresnet.functional import ReducedFunctional
from mfresnet.mesh import CELLS, Space, create_form
from mfresnet.parallel import maximum, total
from mfresnet.transport import LIMITERS, weak_form

REPEATS, SWEEP_REPEATS = 20, 5
ROWS: tuple[tuple[str, int, int], ...] = (
    ("interval", 256, 2),
    ("quadrilateral", 32, 1),
    ("quadrilateral", 32, 2),
    ("quadrilateral", 32, 3),
    ("triangle", 32, 2),
    ("hexahedron", 16, 1),
    ("hexahedron", 12, 2),
    ("tetrahedron", 8, 2),
)
"""Cell type, cells a direction, degree."""
SHARED = ("hexahedron", 32, 1)
"""The same, for the comparison of all ranks with one."""
LIMITED = [name for name in LIMITERS if name != "none"]
"""The limiters whose cost is measured, as the ratio of times of one step with and without them."""
SHARED_TIMES = ("apply", "transpose", "value", "value_and_derivative")
ROUNDS, NAP = 4, 0.01


def bench_case(cell: str, n: int, degree: int, layers: int = 4, limiter: str = "none") -> Case:
    """Return the case that is measured: two Gaussians, tanh, layers of depth 0.1."""
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
    network = {"layers": layers, "final_time": 0.1 * layers}
    space, time = {"degree": degree}, {"limiter": limiter}
    return parse(
        {"mesh": mesh, "space": space, "time": time, "network": network, "classes": classes}
    )


def _seconds(
    comm: MPI.Intracomm, actions: dict[str, Callable[[], Any]], repeats: int, count: int
) -> dict[str, float]:
    """Return the time of one call of each action: the least mean of ``count`` calls.

    The actions take turns, so that a busy machine slows all of them.
    """
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            action()
            comm.Barrier()
            start = time.perf_counter()
            for _ in range(count):
                action()
            times[name].append((time.perf_counter() - start) / count)
    return {name: float(maximum(comm, min(values))[0]) for name, values in times.items()}


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
        cell: when given, the rows of this cell type only, and the speed-up for hexahedra only.

    Parallel: collective.
    """
    result: dict[str, Any] = {
        "ranks": comm.size,
        "rows": [_measure_row(comm, *row) for row in ROWS if cell in (None, row[0])],
        "parallel": None,
    }
    if comm.size > 1 and cell in (None, SHARED[0]):
        result["parallel"] = _measure_parallel(comm)
    return result


def _sweeps(functional: ReducedFunctional) -> dict[str, Callable[[], Any]]:
    theta = functional.theta0.copy()

    def fresh() -> Array:
        """Return controls that J has not seen."""
        theta[0] += 1e-9
        return theta

    return {
        "value": lambda: functional.value(fresh()),
        "value_and_derivative": lambda: functional.derivative(fresh()),
    }


def _operator(functional: ReducedFunctional) -> dict[str, Callable[[], Any]]:
    transport, f = functional.problem.transport, functional.problem.f0[0]
    a = transport.coefficients(np.tanh(transport.points), transport.new_coefficients())
    return {
        "apply": lambda: transport.apply(f, a),
        "transpose": lambda: transport.apply_transpose(f, a),
    }


def _measure_row(comm: MPI.Intracomm, cell: str, n: int, degree: int) -> dict[str, Any]:
    functional = ReducedFunctional(bench_case(cell, n, degree), comm)
    space = functional.problem.space
    operator = _operator(functional)
    operator["assemble"] = assembler(space, space.to_function(functional.problem.f0[0]))
    times = _seconds(comm, operator, REPEATS, 20)
    sweeps, more_steps = _sweeps(functional), {}
    for kind in LIMITED:
        limited = ReducedFunctional(bench_case(cell, n, degree, limiter=kind), comm)
        sweeps |= {f"{kind}_{name}": action for name, action in _sweeps(limited).items()}
        more_steps[kind] = limited.steps_per_layer / functional.steps_per_layer
    times |= _seconds(comm, sweeps, SWEEP_REPEATS, 1)
    return {
        "cell": cell,
        "cells": n,
        "degree": degree,
        "dofs": space.n_global,
        "milliseconds": {name: 1e3 * seconds for name, seconds in times.items()},
        "apply_dofs_per_second": space.n_global / times["apply"],
        "transpose_dofs_per_second": space.n_global / times["transpose"],
        "bytes_per_dof": float(total(comm, functional.problem.transport.bytes)[0]) / space.n_global,
        "assemble_over_apply": times["assemble"] / times["apply"],
        "derivative_over_value": times["value_and_derivative"] / times["value"],
        "limited_over_free": {
            kind: {"steps": steps}
            | {
                name: times[f"{kind}_{name}"] / times[name] / steps
                for name in ("value", "value_and_derivative")
            }
            for kind, steps in more_steps.items()
        },
    }


def _measure_parallel(comm: MPI.Intracomm) -> dict[str, Any]:
    """Return how much faster all ranks are than rank 0 alone, with the other ranks asleep.

    Both take turns, so that a machine that is busy for a while does not favour one of them.
    """
    case = bench_case(*SHARED, layers=1)
    everyone = ReducedFunctional(case, comm)
    lone = ReducedFunctional(case, MPI.COMM_SELF) if comm.rank == 0 else None
    alone, together = (dict.fromkeys(SHARED_TIMES, np.inf) for _ in range(2))

    def update(best: dict[str, float], functional: ReducedFunctional) -> None:
        times = _seconds(functional.comm, _operator(functional), SWEEP_REPEATS, 10)
        times |= _seconds(functional.comm, _sweeps(functional), SWEEP_REPEATS, 1)
        best.update({name: min(best[name], seconds) for name, seconds in times.items()})

    for _ in range(ROUNDS):
        if lone is not None:
            update(alone, lone)
        request = comm.Ibarrier()
        while not request.Test():
            time.sleep(NAP)
        update(together, everyone)
    alone = comm.bcast(alone, root=0)
    cell, n, degree = SHARED
    return {
        "cell": cell,
        "cells": n,
        "degree": degree,
        "speedup": {name: alone[name] / together[name] for name in SHARED_TIMES},
        "efficiency": {name: alone[name] / together[name] / comm.size for name in SHARED_TIMES},
    }


def speed_table(result: dict[str, Any]) -> str:
    """Return the figures as a table."""
    titles = ["cells", "degree", "dofs", "apply", "transpose", "UFL / apply", "bytes/dof"]
    titles += ["J", "J and derivative", "ratio"]
    for kind in LIMITED:
        titles += [f"{kind}: steps", "J", "J and derivative"]
    rows = []
    for row in result["rows"]:
        ms, d = row["milliseconds"], CELLS[row["cell"]]
        limited = [r for costs in row["limited_over_free"].values() for r in costs.values()]
        rows.append(
            [
                f"{row['cell']} {'x'.join([str(row['cells'])] * d)}",
                str(row["degree"]),
                str(row["dofs"]),
                f"{row['apply_dofs_per_second'] / 1e6:.0f} Mdof/s",
                f"{row['transpose_dofs_per_second'] / 1e6:.0f} Mdof/s",
                f"{row['assemble_over_apply']:.1f}",
                f"{row['bytes_per_dof']:.0f}",
                f"{ms['value']:.1f} ms",
                f"{ms['value_and_derivative']:.1f} ms",
                f"{row['derivative_over_value']:.2f}",
                *(f"{ratio:.2f}" for ratio in limited),
            ]
        )
    table = plain(rows, "w" + "n" * (len(titles) - 1), titles)
    lines = [f"{result['ranks']} rank(s)", table]
    if (shared := result["parallel"]) is not None:
        n, up = shared["cells"], shared["speedup"]
        lines.append(
            f"{shared['cell']} {n}x{n}x{n}, degree {shared['degree']}: {result['ranks']} ranks are "
            f"{up['apply']:.2f} times as fast as one in apply, {up['value_and_derivative']:.2f} "
            "times in J and derivative"
        )
    return "\n".join(lines)
