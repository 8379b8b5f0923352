# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""J and its derivative of one transported density by dolfinx-adjoint or by mfresnet.

python annotated.py dolfinx_adjoint|mfresnet CELLS REPEATS, in the environment that ``machinery``
makes; prints one line of JSON on rank 0, the least
times of REPEATS or more evaluations. The discretisation is that of ``PROBLEM``.
"""

from __future__ import annotations

from mpi4py import MPI

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PROBLEM: dict[str, Any] = {
    "degree": 3,
    "half": 3.0,
    "mean": [-0.7, 0.3],
    "variance": 0.1,
    "target": [1.0, 0.0],
    "layers": 2,
    "steps": 5,
    "order": 4,
    "courant": 0.1,
}
"""Degree, box [-half, half]^2, Gaussian, target of the quadratic loss, layers, Runge-Kutta steps in
a layer and their order, dt times the rate at which the fastest flow crosses cells."""
SMOOTHING = 0.05
"""Of the upwind flux, in parts of the largest |v.n|."""
LEAST = 1.0
"""Seconds for which an evaluation is repeated at least."""


def depth(cells: int) -> float:
    """Return T: all steps have the same Courant number on every mesh."""
    p = PROBLEM
    rate = 2.0 * cells / (2.0 * p["half"])
    return float(p["layers"] * p["steps"] * p["courant"] / rate)


def controls() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return W, (layers, 2, 2), and b, (layers, 2), at which J is measured."""
    layers = range(PROBLEM["layers"])
    weights = [np.array([[1.0, 0.2 * k], [-0.3, 0.8]]) for k in layers]
    return np.array(weights), np.array([[0.4, 0.1 * k] for k in layers])


def by_adjoint(cells: int) -> tuple[Callable[[int], float], Callable[[], np.ndarray[Any, Any]]]:
    """Return J and its derivative as the documentation of dolfinx-adjoint has them written."""
    import basix.ufl
    import pyadjoint
    import ufl
    from dolfinx import fem, mesh
    from dolfinx_adjoint import Constant, Function, LinearProblem, assemble_scalar, assign

    p, half = PROBLEM, PROBLEM["half"]
    domain = mesh.create_rectangle(
        MPI.COMM_WORLD,
        [[-half, -half], [half, half]],
        [cells, cells],
        mesh.CellType.quadrilateral,
        ghost_mode=mesh.GhostMode.shared_facet,
    )
    # nodes in the Gauss points: the mass matrix is diagonal, and Jacobi's method its exact inverse
    element = basix.ufl.element(
        "Lagrange",
        "quadrilateral",
        p["degree"],
        lagrange_variant=basix.LagrangeVariant.gl_isaac,
        discontinuous=True,
    )
    space = fem.functionspace(domain, element)
    rule = {"quadrature_degree": 2 * p["degree"] + 1}
    dx, dS, ds = (ufl.Measure(kind, domain, metadata=rule) for kind in ("dx", "dS", "ds"))  # noqa: N806
    x, n = ufl.SpatialCoordinate(domain), ufl.FacetNormal(domain)

    # every layer has its own W and b, one vector of six numbers
    rows = np.hstack([part.reshape(p["layers"], -1) for part in controls()])
    theta = Constant(domain, rows[0])
    layers = [Function(theta.function_space) for _ in rows]
    for layer, row in zip(layers, rows, strict=True):
        layer.x.array[:] = row

    f, *stages = (Function(space) for _ in range(1 + p["order"]))
    affine = ufl.as_matrix([[theta[0], theta[1]], [theta[2], theta[3]]]) * x
    v = ufl.as_vector([ufl.tanh(affine[i] + theta[4 + i]) for i in range(2)])
    trial, w = ufl.TrialFunction(space), ufl.TestFunction(space)
    from_mean = x - ufl.as_vector(p["mean"])
    density = ufl.exp(-ufl.dot(from_mean, from_mean) / (2 * p["variance"]))
    density /= 2 * np.pi * p["variance"]
    fine = ufl.dx(domain, metadata={"quadrature_degree": 2 * p["degree"] + 8})
    options = {"ksp_type": "preonly", "pc_type": "jacobi"}
    f0 = LinearProblem(trial * w * dx, density * w * fine, petsc_options=options).solve(
        annotate=False
    )

    vn, out = ufl.dot(v("+"), n("+")), ufl.dot(v, n)
    speed = ufl.sqrt(vn**2 + (SMOOTHING * (abs(n("+")[0]) + abs(n("+")[1]))) ** 2)

    def transported(y: Function) -> ufl.Form:
        flux = 0.5 * (vn + speed) * y("+") + 0.5 * (vn - speed) * y("-")
        return (
            y * ufl.dot(v, ufl.grad(w)) * dx
            - flux * (w("+") - w("-")) * dS
            - 0.5 * (out + abs(out)) * y * w * ds
        )

    # the stages of a step, f + dt/s A (... f + dt A f), each of which is a linear problem
    dt = depth(cells) / (p["layers"] * p["steps"])
    problems = [
        LinearProblem(
            trial * w * dx,
            f * w * dx + dt / (p["order"] - i) * transported(y),
            u=stages[i],
            jit_options={"cffi_extra_compile_args": ["-O3", "-march=native"]},
            petsc_options=options,
            adjoint_petsc_options=options,
        )
        for i, y in enumerate([f, *stages[:-1]])
    ]

    assign(f0, f)
    for layer in layers:
        assign(layer, theta)
        for _ in range(p["steps"]):
            for problem in problems:
                problem.solve()
            assign(stages[-1], f)
    to = ufl.as_vector(p["target"])
    loss = assemble_scalar(0.5 * ufl.dot(x - to, x - to) * f * dx)
    functional = pyadjoint.ReducedFunctional(loss, [pyadjoint.Control(layer) for layer in layers])

    def value(again: int, _alive: Any = problems) -> float:
        layers[0].x.array[4] = rows[0, 4] + 1e-9 * again
        return float(functional(layers))

    def derivative() -> np.ndarray[Any, Any]:
        return np.concatenate([part.x.array for part in functional.derivative()])

    return value, derivative


def by_mfresnet(cells: int) -> tuple[Callable[[int], float], Callable[[], np.ndarray[Any, Any]]]:
    """Return J and its derivative by the library."""
    import mfresnet

    p = PROBLEM
    weights, biases = controls()
    case = mfresnet.Case(
        mesh={
            "cell": "quadrilateral",
            "cells": [cells, cells],
            "lower": [-p["half"]] * 2,
            "upper": [p["half"]] * 2,
        },
        space={"degree": p["degree"]},
        time={"order": p["order"], "stages": p["order"], "steps_per_layer": p["steps"]},
        network={"layers": p["layers"], "final_time": depth(cells), "activation": "tanh"},
        classes=[
            {
                "density": {
                    "kind": "gaussian",
                    "mean": p["mean"],
                    "covariance": (p["variance"] * np.eye(2)).tolist(),
                },
                "target": p["target"],
            }
        ],
        penalty={"tikhonov": 0.0},
    )
    functional = mfresnet.ReducedFunctional(case, MPI.COMM_WORLD)
    theta = functional.controls.to_vector({"W": weights, "b": biases})
    first = functional.controls.to_vector({"W": 0.0 * weights, "b": np.eye(*biases.shape)})
    first[np.flatnonzero(first)[1:]] = 0.0

    def value(again: int) -> float:
        theta[:] = functional.controls.to_vector({"W": weights, "b": biases}) + 1e-9 * again * first
        return functional.value(theta)

    def derivative() -> np.ndarray[Any, Any]:
        found = functional.controls.from_vector(functional.derivative(theta)).values
        parts = zip(found["W"], found["b"], strict=True)
        return np.concatenate([np.ravel(part) for pair in parts for part in pair])

    return value, derivative


WAYS = {"dolfinx_adjoint": by_adjoint, "mfresnet": by_mfresnet}


def peak(comm: MPI.Intracomm) -> int:
    """Return the largest resident memory so far of all ranks, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    most = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return int(comm.allreduce(1024 * most))


def main(way: str, cells: int, repeats: int) -> None:
    """Measure, and print what was found."""
    comm = MPI.COMM_WORLD
    start = time.perf_counter()
    value, derivative = WAYS[way](cells)
    setup = time.perf_counter() - start
    J, slope, times = value(0), derivative(), []  # noqa: N806
    begun, again = time.perf_counter(), 0
    while comm.bcast(again < repeats or time.perf_counter() < begun + LEAST):
        again += 1
        comm.Barrier()
        start = time.perf_counter()
        value(again)
        comm.Barrier()
        middle = time.perf_counter()
        derivative()
        comm.Barrier()
        times.append((middle - start, time.perf_counter() - start))
    found = {
        "dofs": (cells * (PROBLEM["degree"] + 1)) ** 2,
        "J": J,
        "derivative": slope.tolist(),
        "setup": setup,
        "value": min(t for t, _ in times),
        "both": min(t for _, t in times),
        "memory": peak(comm),
    }
    if comm.rank == 0:
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
