# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How time and memory of J and its derivative grow, and what bounds a stage."""

from __future__ import annotations

from mpi4py import MPI

import json
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from benchmarks.peers.page import ROOT, number, seconds, table

from mfresnet.compiled import library, vectors
from mfresnet.mesh import CELLS
from mfresnet.runs import measure_speed

TITLE = "Growth"
BASE: dict[str, Any] = {
    "cell": "quadrilateral", "cells": 32, "degree": 2, "layers": 4, "classes": 2, "ranks": 1
}  # fmt: skip
ROWS: dict[str, tuple[dict[str, Any], ...]] = {
    "cells": tuple({"cells": n} for n in (16, 32, 64, 128, 192)),
    "degree": tuple({"degree": p} for p in (1, 2, 3, 4, 5, 6)),
    "layers": tuple({"layers": n} for n in (2, 4, 8, 16, 32)),
    "classes": tuple({"classes": k} for k in (1, 2, 4, 8)),
    "dimension": (
        {"cell": "interval", "cells": 4096},
        {"cell": "quadrilateral", "cells": 36},
        {"cell": "hexahedron", "cells": 8},
    ),
    "ranks": ({"cells": 128, "ranks": 1}, {"cells": 128, "ranks": 2}),
}
"""What grows -> the sizes that differ from the base."""
OVER = {"cells": "dofs", "degree": "degree", "layers": "layers", "classes": "classes"}
"""What grows -> what the slopes are fitted over."""
EXPECTED = {
    "cells": "1.5 in all: with twice the cells a direction steps are half as long",
    "degree": "about 3 in time: more degrees of freedom, shorter steps, longer lines",
    "layers": "1 in both",
    "classes": "below 1 in time, as velocities and indices are shared",
}
QUICK, SMALL = 2, {"cells": 16}
"""Sizes of each kind in a quick run, and its base."""
LAST = 3
"""Sizes, the largest ones, over which slopes are fitted."""
CHAINS, LENGTH = Path(__file__).with_name("arithmetic.c"), 2_000_000
"""Where arithmetic is measured, and how long."""
DENSE = {"triangle": 36.0, "tetrahedron": 112.0}
"""Multiplications and additions a degree of freedom of the tables of degree 2."""


@cache
def found_by(size: str) -> dict[str, Any]:
    """Return what ``run`` finds for a size, a dictionary as JSON, once for equal ones."""
    return run(json.loads(size))


def run(change: dict[str, Any]) -> dict[str, Any]:
    """Return what a process of its own has measured for a size."""
    size = BASE | change
    ranks = size.pop("ranks")
    program = ["-m", "mpi4py", "-m", "benchmarks.peers.grown", json.dumps(size)]
    parallel = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run(
        [*parallel, sys.executable, *program], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{size} on {ranks} rank(s):\n{done.stderr[-3000:]}")
    return size | {"ranks": ranks} | dict(json.loads(done.stdout.splitlines()[-1]))


def slope(x: list[float], y: list[float]) -> float:
    """Return the slope of a line through the logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def arithmetic() -> float:
    """Return the multiplications and additions a second of one core, in registers alone."""
    width, flags = vectors()
    declarations = "double chains(long n, double a, double b);"
    made = library(MPI.COMM_SELF, CHAINS, declarations, f"#define W {width}\n", flags)
    best = np.inf
    for _ in range(20):
        start = time.perf_counter()
        made.lib.chains(LENGTH, 0.5, 0.25)
        best = min(best, time.perf_counter() - start)
    return 2.0 * 12 * width * LENGTH / best


def flops(cell: str, degree: int) -> float:
    """Return the additions and multiplications of a stage a degree of freedom, performance.md."""
    d = CELLS[cell]
    return 2.0 * (DENSE[cell] if cell in DENSE else d * (degree + 1) + 4 * d)


def roofline(quick: bool) -> dict[str, Any]:
    """Return bytes, flops and speeds of stages, and what memory and processor give."""
    found = measure_speed(MPI.COMM_SELF, "interval" if quick else None)
    rows = [*found["rows"], *([found["large"]] if found["large"] else [])]
    stages = [
        {
            "cell": row["cell"],
            "cells": row["cells"],
            "degree": row["degree"],
            "flops": flops(row["cell"], row["degree"]),
            "bytes": row["bytes_per_dof"]["stage"],
            "speed": row["dofs_per_second"]["fused stage"],
            "share": row["share_of_bandwidth"]["stage"],
            "back": row["share_of_bandwidth"]["transpose"],
            "bandwidth": row["bandwidth"],
        }
        for row in rows
    ]
    return {"stages": stages, "arithmetic": arithmetic()}


def measure(quick: bool) -> dict[str, Any]:
    """Return seconds and memory of all sizes, slopes, and the roofline."""
    base = BASE | (SMALL if quick else {})
    rows = {
        kind: [
            found_by(json.dumps(base | change)) for change in (sizes[:QUICK] if quick else sizes)
        ]
        for kind, sizes in ROWS.items()
    }
    slopes = {
        kind: {
            name: slope(*([row[key] for row in rows[kind][-LAST:]] for key in (over, name)))
            for name in ("value", "both", "memory")
        }
        for kind, over in OVER.items()
    }
    return {"rows": rows, "slopes": slopes, "roofline": roofline(quick)}


def line_of(row: dict[str, Any]) -> list[str]:
    """Return the cells of a row."""
    cells = " x ".join([str(row["cells"])] * CELLS[row["cell"]])
    each = 1e9 * row["both"] / (row["dofs"] * row["stages"] * row["classes"])
    return [
        f"{row['cell']} {cells}",
        *(str(row[name]) for name in ("degree", "layers", "classes", "ranks")),
        f"{row['dofs']:,}",
        str(row["stages"]),
        seconds(1e3 * row["value"]),
        seconds(1e3 * row["both"]),
        number(each),
        seconds(row["memory"] / 2**20),
    ]


def page(found: dict[str, Any]) -> str:
    """Return the section."""
    head = ["cells", "degree", "layers", "classes", "ranks", "dofs a class", "stages", "J, ms"]
    head += ["J and derivative, ms", "ns a dof, class and stage", "MB"]
    rows = [line_of(row) for rows in found["rows"].values() for row in rows]
    unique = list({tuple(row[:5]): row for row in rows}.values())
    slopes = [
        [kind, f"{s['value']:.2f}", f"{s['both']:.2f}", f"{s['memory']:.2f}", EXPECTED[kind]]
        for kind, s in found["slopes"].items()
    ]
    roof = found["roofline"]
    stages = [
        [
            f"{s['cell']} {' x '.join([str(s['cells'])] * CELLS[s['cell']])}",
            str(s["degree"]),
            number(s["flops"]),
            number(s["bytes"]),
            number(s["flops"] / s["bytes"], 2),
            seconds(s["speed"] / 1e6),
            number(s["flops"] * s["speed"] / 1e9, 2),
            number(s["share"], 2),
            number(s["back"], 2),
            number(s["flops"] * s["speed"] / roof["arithmetic"], 2),
        ]
        for s in roof["stages"]
    ]
    titles = ["stage", "degree", "flops a dof", "bytes a dof", "flops a byte", "Mdof/s", "Gflop/s"]
    titles += ["of the triad", "transpose", "of arithmetic"]
    bandwidths = [s["bandwidth"] / 1e9 for s in roof["stages"]]
    alone, shared = found["rows"]["ranks"] if len(found["rows"]["ranks"]) == 2 else (None, None)
    parallel = ""
    if alone and shared:
        parallel = (
            f"Two ranks are {alone['both'] / shared['both']:.2f} times as fast as one with "
            f"{alone['dofs']:,} degrees of freedom a class."
        )
    rate = roof["arithmetic"] / 1e9
    return f"""\
Gaussian classes, tanh, layers of depth 0.05, steps of order 4 whose number the Courant number
sets; every size in a process of its own, the least of some evaluations. Memory is the peak of all
ranks above what they have after loading the library.

{table(head, unique)}

Slopes in doubly logarithmic axes, over degrees of freedom, degree, layers, classes, of the {LAST}
largest sizes:

{table(["against", "J", "J and derivative", "memory", "what one expects"], slopes)}

Costs of a call and of a layer, and memory that does not grow, flatten the slopes. Where J and its
derivative no longer fit into the memory that is given, here 8 GB, checkpoints keep the memory and
cost sweeps ([performance](performance.md)). {parallel}

What bounds a stage of two classes: the bytes that it must move and the multiplications and
additions of its tables ([performance](performance.md) has both models) against the triad a = b +
s c, {min(bandwidths):.1f} to {max(bandwidths):.1f} GB/s in the same processes, and against
multiplications with additions in registers alone, {rate:.1f} Gflop/s, one core.

{table(titles, stages)}

Above 1 of the triad the caches help; the line of the picture is the memory's, the level that of
arithmetic. In cache a stage is bound by arithmetic and by loads of single numbers from behind the
facets, out of cache by the memory.
"""


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw times and memory over what grows, and the roofline."""
    figure, axes = plt.subplots(2, 3, figsize=(7.0, 4.8), layout="constrained")
    for axis, (kind, over) in zip(axes.flat, OVER.items(), strict=False):
        rows = found["rows"][kind]
        x = [row[over] for row in rows]
        axis.loglog(x, [1e3 * row["value"] for row in rows], "o-", ms=3, label="J, ms")
        axis.loglog(x, [1e3 * row["both"] for row in rows], "s-", ms=3, label="J, J', ms")
        axis.loglog(x, [row["memory"] / 2**20 for row in rows], "^-", ms=3, label="MB")
        axis.set_xlabel("degrees of freedom" if kind == "cells" else kind)
        axis.minorticks_off()
        if kind != "cells":
            axis.set_xticks(x, [str(n) for n in x])
    axes[0, 0].legend(fontsize=7)
    axis, rows = axes[1, 1], found["rows"]["dimension"]
    names = [f"{CELLS[row['cell']]}-D" for row in rows]
    each = [1e9 * r["both"] / (r["dofs"] * r["stages"] * r["classes"]) for r in rows]
    axis.bar(names, each, width=0.5)
    axis.set_ylabel("ns a dof, class, stage")
    axis, roof = axes[1, 2], found["roofline"]
    bandwidth = max(s["bandwidth"] for s in roof["stages"])
    bytes_to = np.geomspace(0.05, 10.0, 50)
    axis.loglog(bytes_to, np.minimum(bytes_to * bandwidth, roof["arithmetic"]) / 1e9, "k-", lw=1)
    for i, cell in enumerate(CELLS):
        mine = [s for s in roof["stages"] if s["cell"] == cell]
        points = [(s["flops"] / s["bytes"], s["flops"] * s["speed"] / 1e9) for s in mine]
        if points:
            axis.plot(*zip(*points, strict=True), "o", color=f"C{i}", ms=4, label=cell)
    axis.set_xlabel("flops a byte")
    axis.set_ylabel("Gflop/s")
    axis.legend(fontsize=6)
    for axis in axes.flat:
        axis.grid(alpha=0.3)
        axis.tick_params(labelsize=7)
        axis.xaxis.label.set_size(8)
        axis.yaxis.label.set_size(8)
    figure.savefig(path, dpi=160)
    plt.close(figure)
