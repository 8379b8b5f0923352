# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How sweeps scale: measured on the cores there are, counted on partitions, predicted beyond.

docker/run python3 benchmarks/scaling.py                  writes docs/scaling.md, some minutes
docker/run mpirun -n 16 python3 benchmarks/scaling.py same    J and derivative against one rank
"""

from __future__ import annotations

from mpi4py import MPI

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from dolfinx import graph
from dolfinx import mesh as dmesh

from mfresnet.arrays import Array
from mfresnet.case import load
from mfresnet.functional import ReducedFunctional
from mfresnet.mesh import MESHES, box
from mfresnet.output import in_seconds, scaling_table
from mfresnet.training import (
    Machine,
    Scaling,
    Work,
    bench_case,
    load_machine,
    predict,
    worth_it,
)

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/scaling.md"
BOXES = {
    "quadrilaterals": ("quadrilateral", [256, 256]),
    "triangles": ("triangle", [181, 181]),
    "hexahedra": ("hexahedron", [40, 40, 40]),
    "tetrahedra": ("tetrahedron", [22, 22, 22]),
}
FILES = {"disk.msh": "quadrilateral", "ball.msh": "hexahedron"}
PARTS = (2, 16, 128, 1024)
LEAST = 4
"""Cells of a part below which a mesh is not cut further."""
DEGREE, CLASSES = 2, 2
LARGE = (("quadrilateral", 16, 64), ("quadrilateral", 16, 4096), ("hexahedron", 6, 8),
         ("hexahedron", 6, 512), ("hexahedron", 6, 32768))  # fmt: skip
"""Cell, cells a direction of what is counted, how many times as many are predicted."""
NETWORK = {"latency": 5e-6, "bandwidth": 1e9}
RANKS = (1, 16, 64, 256, 1024, 4096)
SAME = {
    "two_classes_2d": ["mesh.cells=[16, 16]"],
    "three_classes_3d": ["mesh.cells=[8, 8, 8]"],
}
TOLERANCE = 1e-10


@dataclass(frozen=True)
class Cut:
    """A mesh in parts: cells, facets to other parts and other parts of a part."""

    parts: int
    cells: int
    largest: int
    facets: int
    mean_facets: float
    others: int


def neighbours(mesh: dmesh.Mesh) -> Array:
    """Return the pairs of cells with a common facet, (facets, 2)."""
    topology, d = mesh.topology, mesh.topology.dim
    topology.create_connectivity(d - 1, d)
    cells = topology.connectivity(d - 1, d)
    start = cells.offsets[:-1][np.diff(cells.offsets) == 2]
    return np.column_stack([cells.array[start], cells.array[start + 1]])


def cut(pairs: Array, cells: int, parts: int) -> Cut:
    """Return the parts that the graph partitioner of DOLFINx makes."""
    here, there = np.concatenate([pairs, pairs[:, ::-1]]).T
    order = np.argsort(here, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(here, minlength=cells))])
    links = graph.adjacencylist(there[order].astype(np.int64), offsets.astype(np.int32))
    inside = getattr(links, "_cpp_object", links)
    owner = np.asarray(graph.partitioner()(MPI.COMM_SELF, parts, inside, False).array)
    a, b = owner[pairs].T
    between = np.concatenate([np.stack([a, b]), np.stack([b, a])], axis=1)[:, np.tile(a != b, 2)]
    facets = np.bincount(between[0], minlength=parts)
    others = np.bincount(np.unique(between, axis=1)[0], minlength=parts)
    largest = int(np.bincount(owner, minlength=parts).max())
    return Cut(parts, cells, largest, int(facets.max()), float(facets.mean()), int(others.max()))


def meshes() -> dict[str, dmesh.Mesh]:
    """Return the meshes that are cut."""
    made = {
        name: box(MPI.COMM_SELF, cell, cells, np.zeros(len(cells)), np.ones(len(cells)))
        for name, (cell, cells) in BOXES.items()
    }
    kind, nowhere = MESHES["file"], (np.zeros(0), np.zeros(0))
    for name, cell in FILES.items():
        section = kind.section.model_validate(
            {"kind": "file", "file": ROOT / "meshes" / name, "cell": cell}
        )
        made[name] = kind.make(MPI.COMM_SELF, section, [], nowhere)
    return made


def table_of_cuts() -> tuple[str, list[float], list[float]]:
    """Return the table; largest over mean cells, facets over those of a compact part."""
    lines = ["| mesh | cells | parts | largest over mean | facets sent, most | mean | bytes, most "
             "| neighbours, most |", "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    uneven, compact = [], []
    for name, mesh in meshes().items():
        d, pairs = mesh.topology.dim, neighbours(mesh)
        cells = mesh.topology.index_map(d).size_local
        for parts in PARTS:
            if cells < LEAST * parts:
                continue
            found = cut(pairs, cells, parts)
            size = 8 * CLASSES * (DEGREE + 1) ** (d - 1) * found.facets
            ratio = found.largest * parts / cells
            if cells >= 50 * parts:
                uneven.append(ratio)
                compact.append(found.mean_facets / (cells / parts) ** (1 - 1 / d))
            row = [name, cells, parts, f"{ratio:.2f}", found.facets, f"{found.mean_facets:.0f}"]
            lines.append(f"| {' | '.join(map(str, [*row, f'{size:,}', found.others]))} |")
    return "\n".join(lines), uneven, compact


def enlarged(cell: str, n: int, times: int) -> Work:
    """Return the work of so many times as many cells, with steps as long as the smaller cells ask.

    The memory and what is kept grow with cells and steps.
    """
    functional = ReducedFunctional(bench_case(cell, n, DEGREE, 10), MPI.COMM_SELF)
    found, finer = Work.of(functional), times ** (1 / functional.problem.space.dimension)
    steps = max(1, round(found.steps * finer))
    held = found.held * times * steps // found.steps
    sizes = {name: getattr(found, name) * times for name in ("cells", "dofs", "points", "batches")}
    return replace(found, **sizes, steps=steps, held=held, memory=found.memory + held)


def table_of_predictions(machine: Machine) -> tuple[str, list[str]]:
    """Return the predicted seconds and efficiencies, and where ranks do not pay any more."""
    titles = ["cells", "1 rank", *(f"{r:,} ranks" for r in RANKS[1:])]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    limits = []
    for cell, n, times in LARGE:
        work = enlarged(cell, n, times)
        one = predict(work, machine, 1).derivative
        row = []
        for ranks in RANKS:
            if ranks > work.cells // LEAST:
                row.append("-")
                continue
            seconds = predict(work, machine, ranks).derivative
            row.append(f"{in_seconds(seconds)}, {one / ranks / seconds:.2f}")
        lines.append(f"| {work.cells:,} {cell} | {' | '.join(row)} |")
        last = worth_it(work, machine, 2**20)[-1]
        hidden = last.derivative - last.messages
        limits.append(
            f"- {work.cells:,} {cell} cells: half of the cores are wasted on {last.ranks:,} ranks, "
            f"{work.cells / last.ranks:.0f} cells each; messages are "
            f"{last.messages / last.derivative:.0%} of the time there, and an efficiency of "
            f"{one / last.ranks / last.derivative:.2f} would be {one / last.ranks / hidden:.2f} "
            "without them."
        )
    return "\n".join(lines), limits


def measured(ranks: int) -> list[Scaling]:
    """Return what `mfresnet bench --scaling` measures on some ranks."""
    line = ["mpirun", "--mca", "mpi_yield_when_idle", "1", "-n", str(ranks), sys.executable, "-m"]
    line += ["mfresnet", "bench", "--scaling", "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    return [Scaling(**{**row, "cells": tuple(row["cells"])}) for row in json.loads(done.stdout)]


def same(comm: MPI.Intracomm) -> float:
    """Print how far J and its derivative are from those of one rank; return the largest."""
    worst = 0.0
    for name, settings in SAME.items():
        case = load(ROOT / f"cases/{name}.toml", settings)
        f = ReducedFunctional(case, comm)
        value, derivative = f.value(f.theta0), f.derivative(f.theta0)
        if comm.rank == 0:
            one = ReducedFunctional(case, MPI.COMM_SELF)
            expected, wanted = one.value(one.theta0), one.derivative(one.theta0)
            in_value = abs(value - expected) / abs(expected)
            in_derivative = float(abs(derivative - wanted).max() / abs(wanted).max())
            print(f"{name}, {comm.size} ranks: J {in_value:.1e}, derivative {in_derivative:.1e}")
            worst = max(worst, in_value, in_derivative)
    return float(comm.bcast(worst))


def sixteen() -> str:
    """Return what 16 ranks say."""
    line = ["mpirun", "--mca", "mpi_yield_when_idle", "1", "-n", "16", sys.executable, __file__]
    done = subprocess.run([*line, "same"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


TEXT = """# Scaling

Written by `docker/run python3 benchmarks/scaling.py`; {processor}, {cores} cores, load
{load:.1f} before.

## What is sent

A rank has its cells and one layer of cells behind the facets that it shares. In every stage of
the transport, and in every transpose, it sends to each neighbour one message with g at the
points of these facets, for all classes: 8 K (p + 1)^(d - 1) bytes a facet on intervals,
quadrilaterals and hexahedra. Besides there are a few reductions of single numbers for each J.

## Measured

`mpirun -n R mfresnet bench --scaling`: strong is the same problem on 1, 2, ... R ranks, weak as
many cells for each. Efficiency is that of J and derivative against one rank by itself; halo the
share of the time that the exchange takes when nothing else is done, on ranks that are in step;
messages and bytes are those of a rank in a stage, the most and the mean.{busy}

```text
{measured}
```

## Partitions

The meshes are cut by the graph partitioner of DOLFINx on one rank into as many parts as there
would be ranks; counted are the cells of the largest part over the mean, the facets to other
parts, and the bytes of a stage for {classes} classes and degree {degree}.

{cuts}

Parts of 50 cells and more have {uneven:.0%} cells over the mean at most; the model takes 4 %.
Their mean number of facets is {low:.1f} to {high:.1f} n^(1 - 1/d) with n cells. The model takes
that of a compact part, 4 for squares, 6 for cubes.

## Predicted

By the model of [prediction.md](prediction.md) with the kernel rates of {figures}. Assumed: one
rank a core; what a rank sends in a stage takes {latency:.0f} us, however many its neighbours
are, and moves at {bandwidth:.1f} GB/s; parts are even but for 4 %; nothing of a message is
hidden; a core has the memory bandwidth of one core alone, and no more cache than here;
reductions and waiting for slower ranks cost nothing. What this machine cannot show is not
measured: nothing here has run on more than one node.

Degree {degree}, {classes} classes, ten layers, time steps as long as the cells allow: seconds of
J and derivative, efficiency.

{predictions}

{limits}

## Overlap

The cells with facets of other ranks are computed first, their messages start, and the other
cells are computed while they travel; `Waitall` comes after these. MPI without a thread of its
own sends long messages only when it is called, so that the model counts none of it as hidden.
What hiding all of it would give is in the list above: it pays where ranks have few cells. There
most cells have a facet of another rank, so that little is left to compute while messages travel.

## Many ranks on few cores

J and derivative on 16 ranks and on one, relative differences, by `mpirun -n 16 python3
benchmarks/scaling.py same` (it fails above {tolerance:.0e}):

```text
{sixteen}
```
"""


def main() -> int:
    """Write the page, or compare with one rank."""
    if sys.argv[1:] == ["same"]:
        return int(same(MPI.COMM_WORLD) > TOLERANCE)
    load_before = os.getloadavg()[0]
    known, figures = load_machine()
    shipped = "come with" in figures
    machine = known.model_copy(update=NETWORK)
    cuts, uneven, compact = table_of_cuts()
    predictions, limits = table_of_predictions(machine)
    busy = ""
    if load_before > 1.0:
        busy = (
            " Other programs computed at the\nsame time, so that ranks waited for each other: the "
            "times on two ranks are no measure of the\nprogram."
        )
    PAGE.write_text(
        TEXT.format(
            processor=known.processor,
            cores=os.cpu_count(),
            load=load_before,
            busy=busy,
            measured=scaling_table(measured(min(2, os.cpu_count() or 1))),
            classes=CLASSES,
            degree=DEGREE,
            cuts=cuts,
            uneven=max(uneven) - 1.0,
            low=min(compact),
            high=max(compact),
            figures="the figures that come with mfresnet" if shipped else "this machine",
            latency=1e6 * NETWORK["latency"],
            bandwidth=NETWORK["bandwidth"] / 1e9,
            predictions=predictions,
            limits="\n".join(limits),
            tolerance=TOLERANCE,
            sixteen=sixteen(),
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
