# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The same discretisation by dolfinx-adjoint: J, its derivative, memory."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from benchmarks.peers.annotated import PROBLEM
from benchmarks.peers.page import ROOT, seconds, table

HERE = Path(__file__).parent
PINS = HERE / "requirements-machinery.txt"
TITLE = "Same discretisation, other machinery"
CELLS, QUICK = (16, 32, 64, 128), (16,)
RANKS = (1, 2)
REPEATS = 3
PATIENCE = 300.0
"""Seconds after which a way is stopped."""
OPTIONS = "--quiet --no-deps --require-hashes --no-cache-dir --disable-pip-version-check"
WAYS = ("mfresnet", "dolfinx_adjoint")
EXPECTED = 40.0


def environment() -> Path:
    """Return the directory of an environment of the pins, made where it is missing.

    Raises:
        CalledProcessError: pip cannot install them.
    """
    pins = hashlib.sha256((sys.version + PINS.read_text()).encode()).hexdigest()[:12]
    place = ROOT / "build/peers" / f"machinery-{pins}"
    if not (place / "complete").exists():
        venv = [sys.executable, "-m", "venv", "--clear", "--without-pip", str(place)]
        subprocess.run(venv, check=True)
        pip = ["-m", "pip", "--python", str(place / "bin/python"), "install", *OPTIONS.split()]
        command = [sys.executable, *pip, "-r", str(PINS)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        (place / "complete").touch()
    return place


def run(place: Path, way: str, cells: int, ranks: int, repeats: int) -> dict[str, Any] | None:
    """Return what a process of its own has measured, None where it was stopped."""
    kept = ("HOME", "XDG_CACHE_HOME", "LC_ALL", "TMPDIR")  # not those of another MPI
    settings = {name: os.environ[name] for name in kept if name in os.environ}
    settings |= {"PATH": f"{place / 'bin'}:/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    settings["PYTHONPATH"] = str(ROOT / "solver")
    given = [str(HERE / "annotated.py"), way, str(cells), str(repeats)]
    command = [str(place / "bin/mpiexec"), "-n", str(ranks), str(place / "bin/python"), *given]
    try:
        done = subprocess.run(
            command, env=settings, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        raise RuntimeError(f"{' '.join(given)} on {ranks} rank(s):\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def versions() -> dict[str, str]:
    """Return the versions of what is compared and of what it stands on."""
    lines = (line.rstrip(" \\") for line in PINS.read_text().splitlines() if "==" in line)
    pins = (line.split("==") for line in lines)
    wanted = ("dolfinx-adjoint", "pyadjoint-ad", "dolfinx-solver-real", "mpich")
    return {name: version for name, version in pins if name in wanted}


def measure(quick: bool) -> dict[str, Any]:
    """Return J, derivative, seconds and memory of both ways on all meshes and ranks."""
    rows: list[dict[str, Any]] = []
    try:
        place = environment()
    except subprocess.CalledProcessError as error:
        return {"rows": rows, "versions": {}, "missing": str(error.stderr).strip()[-300:]}
    for ranks in RANKS:
        for cells in QUICK if quick else CELLS:
            repeats = 1 if quick else REPEATS
            ways = {way: run(place, way, cells, ranks, repeats) for way in WAYS}
            rows.append({"ranks": ranks, "cells": cells} | ways)
    return {"rows": rows, "versions": versions()}


def difference(row: dict[str, Any]) -> float:
    """Return how far the derivatives of both ways are from each other, relative."""
    ours, theirs = (np.array(row[way]["derivative"]) for way in WAYS)
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(ours))


def cells_of(row: dict[str, Any]) -> list[str]:
    """Return a row of the table."""
    ours, theirs = (row[way] for way in WAYS)
    own = [f"{ours['dofs']:,}", str(row["ranks"]), seconds(1e3 * ours["value"])]
    own += [seconds(1e3 * ours["both"]), f"{ours['memory'] / 2**20:.0f}"]
    if theirs is None:
        return [*own, f"stopped after {PATIENCE:.0f} s", *["-"] * 5]
    return [
        *own,
        seconds(1e3 * theirs["value"]),
        seconds(1e3 * theirs["both"]),
        f"{theirs['memory'] / 2**20:.0f}",
        *(f"{theirs[name] / ours[name]:.0f}" for name in ("value", "both")),
        f"{difference(row):.0e}",
    ]


def page(found: dict[str, Any]) -> str:
    """Return the section."""
    p, rows = PROBLEM, found["rows"]
    stages = p["layers"] * p["steps"] * p["order"]
    done = [row for row in rows if row["dolfinx_adjoint"] is not None]
    if not done:
        why = found.get("missing", "it was stopped on every mesh")
        return f"dolfinx-adjoint could not be measured: {why}"
    over = [row["dolfinx_adjoint"]["both"] / row["mfresnet"]["both"] for row in done]
    largest = max(done, key=lambda row: (row["cells"], -row["ranks"]))
    memory = [largest[way]["memory"] / 2**20 for way in WAYS]
    ranks = f"{largest['ranks']} rank{'s' * (largest['ranks'] > 1)}"
    named = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    said = "as expected" if min(over) >= EXPECTED else f"{EXPECTED:.0f} times were expected"
    head = ["dofs", "ranks", "J, ms", "J and derivative, ms", "MB", "dolfinx-adjoint: J, ms"]
    head += ["J and derivative, ms", "MB", "times J", "times both", "derivatives differ by"]
    return f"""\
One Gaussian density on squares, degree {p["degree"]}, upwind flux (smooth), {p["layers"]} layers
of v = tanh(W x + b) with {p["steps"]} Runge-Kutta steps of order {p["order"]} each: {stages}
stages, a quadratic loss, the derivative in all W and b. Both ways have the same mesh, basis,
quadrature, flux and steps, in one environment of their own with DOLFINx from binary wheels
({named}). dolfinx-adjoint has each stage as an annotated `LinearProblem` with a diagonal mass
matrix and Jacobi's method, which is its exact inverse, the controls as its `Constant`, as its
documentation shows them, and forms compiled for this processor
(`benchmarks/peers/annotated.py`). Compilation and the first evaluation
are not counted; the least of {REPEATS} repeats or more; memory is the peak of all processes, with
Python and its libraries.

{table(head, [cells_of(row) for row in rows])}

J and derivative are {min(over):.0f} to {max(over):.0f} times as fast ({said}). On small meshes
dolfinx-adjoint spends its time on symbolic work: every block of the tape differentiates its form
and looks the compiled code up again in every derivative; on large ones it assembles forms and the
mass matrix in every stage. With {largest["mfresnet"]["dofs"]:,} degrees of freedom on
{ranks} it takes {memory[1]:.0f} MB, mfresnet {memory[0]:.0f} MB; on the
smallest mesh mfresnet takes more, as its libraries are larger. What the derivatives differ by on
coarse meshes is the cost of undershoots that leave the mesh, which mfresnet charges.
dolfinx-adjoint does this for any form; mfresnet for transport alone.

Not compared: cashocs, which pip installs but which stands on the FEniCS of before DOLFINx, for
which there are no wheels; Firedrake, which comes as source and was still building what it stands
on, a PETSc among it, when its installation was stopped after 400 s.
"""


def line(found: dict[str, Any]) -> tuple[str, str]:
    """Return the line of the README."""
    done = [row for row in found["rows"] if row["dolfinx_adjoint"] is not None]
    if not done:
        return "J and its derivative on the same mesh and steps by dolfinx-adjoint", "not measured"
    over = [row["dolfinx_adjoint"]["both"] / row["mfresnet"]["both"] for row in done]
    dofs = [row["mfresnet"]["dofs"] for row in done]
    return (
        f"J and its derivative on the same mesh and steps by dolfinx-adjoint, {min(dofs):,} to "
        f"{max(dofs):,} degrees of freedom, 1 and 2 ranks",
        f"{min(over):.0f} to {max(over):.0f} times as long",
    )


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw seconds and memory over the degrees of freedom."""
    figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.2), layout="constrained")
    kinds = (("both", 1.0, "J and derivative, s"), ("memory", 2.0**-20, "peak memory, MB"))
    for axis, (name, unit, label) in zip(axes, kinds, strict=True):
        for way, colour in zip(WAYS, ("C0", "C1"), strict=True):
            for ranks, style in zip(RANKS, ("o-", "s--"), strict=True):
                rows = [r for r in found["rows"] if r["ranks"] == ranks and r[way] is not None]
                dofs = [row[way]["dofs"] for row in rows]
                values = [unit * row[way][name] for row in rows]
                text = f"{way.replace('_', '-')}, {ranks} rank{'s' * (ranks > 1)}"
                axis.loglog(dofs, values, style, color=colour, label=text, markersize=4)
        axis.set_xlabel("degrees of freedom")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=7)
    figure.savefig(path, dpi=160)
    plt.close(figure)
