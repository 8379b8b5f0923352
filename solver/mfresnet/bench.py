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
from mfresnet.functional import ReducedFunctional
from mfresnet.parallel import maximum
from mfresnet.space import Space
from mfresnet.weakform import JIT, weak_form

REPEATS, SWEEP_REPEATS = 40, 5
CELLS = {"quadrilateral": [32, 32], "triangle": [32, 32], "interval": [256]}
DEGREE = 2


def bench_case(cell: str) -> Case:
    """Return the case that is measured: two Gaussians, tanh, ten layers."""
    d = len(CELLS[cell])
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
    mesh = {"cell": cell, "cells": CELLS[cell], "lower": [-3.0] * d, "upper": [3.0] * d}
    return parse({"mesh": mesh, "space": {"degree": DEGREE}, "classes": classes})


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
    form = fem.form(weak_form(space, v, f, "smooth_upwind", 1.0), jit_options=JIT)
    vector = fem.assemble_vector(form)

    def assemble() -> None:
        vector.array[:] = 0.0
        fem.assemble_vector(vector.array, form)

    return assemble


def measure(comm: MPI.Intracomm) -> dict[str, Any]:
    """Return the times and ratios of every cell type. Parallel: collective."""
    rows = {cell: _measure_cell(comm, cell) for cell in CELLS}
    return {"ranks": comm.size, "degree": DEGREE, "cells": rows}


def _measure_cell(comm: MPI.Intracomm, cell: str) -> dict[str, Any]:
    functional = ReducedFunctional(bench_case(cell), comm)
    transport, theta = functional.transport, functional.theta0.copy()
    a = transport.coefficients(np.tanh(transport.points), transport.new_coefficients())
    f = functional.f0[0]

    def fresh() -> Array:
        """Return controls that J has not seen."""
        theta[0] += 1e-9
        return theta

    function = transport.space.to_function(f)
    operator = {
        "apply": lambda: transport.apply(f, a),
        "assemble": assembler(transport.space, function),
    }
    sweeps = {
        "value": lambda: functional.value(fresh()),
        "value_and_derivative": lambda: functional.derivative(fresh()),
    }
    times = _seconds(comm, operator, REPEATS, 20) | _seconds(comm, sweeps, SWEEP_REPEATS, 1)
    return {
        "dofs": transport.space.n_global,
        "milliseconds": {name: 1e3 * seconds for name, seconds in times.items()},
        "assemble_over_apply": times["assemble"] / times["apply"],
        "derivative_over_value": times["value_and_derivative"] / times["value"],
    }


def table(result: dict[str, Any]) -> str:
    """Return the ratios as a table."""
    head = f"degree {result['degree']}, {result['ranks']} rank(s)"
    names = ("cells", "dofs", "apply", "UFL assembly", "ratio", "J", "J and derivative", "ratio")
    rows = [[*names]]
    for cell, row in result["cells"].items():
        ms = row["milliseconds"]
        rows.append(
            [
                f"{cell} {'x'.join(map(str, CELLS[cell]))}",
                str(row["dofs"]),
                f"{ms['apply']:.3f} ms",
                f"{ms['assemble']:.3f} ms",
                f"{row['assemble_over_apply']:.1f}",
                f"{ms['value']:.1f} ms",
                f"{ms['value_and_derivative']:.1f} ms",
                f"{row['derivative_over_value']:.2f}",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(t.rjust(w) for t, w in zip(r, widths, strict=True)) for r in rows]
    return "\n".join([head, *lines])
