# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Two moons: as many samples as one wants, made on the spot; a wide network and cross-entropy.

The moons cannot be parted by a line: logistic regression stays below 0.9. Expected: test accuracy
0.994 for any number of rows, limited by the smoothing of the densities over a cell. The
regularisation has to be felt: a head that may grow without bound rewards the undershoots of
densities pressed below the cell size, which is an error.

The samples are written to a Parquet file and read from it in blocks; the training knows their
densities alone, so that a sweep takes as long with 10^5 rows as with 10^7. With several numbers of
rows the sweeps of all of them are timed in turn, for their ratio to those of the first. Expected on
one core: 6 s to read 10^7 rows, 7 to 20 s to deposit them, ratio 0.96 to 1.02.

Run: docker/run python3 cases/two_moons.py [rows ...]; writes results/two_moons_ROWS of each. The
default is 1000000; the comparison is made by 100000 10000000.
"""

from __future__ import annotations

from mpi4py import MPI

import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from mfresnet.arrays import Array
from mfresnet.case import from_samples, parse
from mfresnet.data import load_data
from mfresnet.functional import ReducedFunctional
from mfresnet.output import read_history
from mfresnet.runs import run

CASE = """
title = "Two moons"

[mesh]
cells = [36, 36]
lower = [-5.0, -5.0]
upper = [5.0, 5.0]
outflow_tolerance = 1e-2

[data]
file = "two_moons.parquet"
label = "moon"
bandwidth = 0.28
test_fraction = 0.1

[network]
block = "wide"
width = 8
activation = "tanh"
layers = 5

[loss]
kind = "cross_entropy"

[penalty]
tikhonov = 2e-2

[initial]
kind = "random"
seed = 1

[training]
max_iterations = 60
gradient_tolerance = 1e-2

[output]
fields = false
"""
NOISE = 0.1
PART = 1_000_000
"""Rows that are made at once."""
SWEEPS = 15
"""Timed forward and adjoint sweeps; their median counts."""


def moons(n: int, part: int) -> dict[str, Array]:
    """Return n samples: two half circles of radius 1 with normal noise, features and label."""
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(part,)))
    angle, moon = rng.uniform(0.0, np.pi, n), np.arange(n) % 2
    x1 = np.where(moon, 1.0 - np.cos(angle), np.cos(angle))
    x2 = np.where(moon, 0.5 - np.sin(angle), np.sin(angle))
    noise = NOISE * rng.standard_normal((2, n))
    return {"x1": x1 + noise[0], "x2": x2 + noise[1], "moon": moon.astype(np.int8)}


def write(path: Path, n: int) -> None:
    """Write n samples to a Parquet file, a part at a time."""
    schema = pyarrow.Table.from_pydict(moons(1, 0)).schema
    with parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, n, PART):
            part = moons(min(PART, n - start), start // PART)
            writer.write_table(pyarrow.Table.from_pydict(part, schema))


@dataclass(frozen=True)
class Prepared:
    """The samples of one number of rows, on the mesh: J, and the seconds that it took."""

    rows: int
    functional: ReducedFunctional
    read: float
    deposit: float


def prepare(rows: int, file: Path, case: dict[str, Any], comm: MPI.Intracomm) -> Prepared:
    """Make a file of samples, read it and deposit the densities."""
    if comm.rank == 0:
        write(file, rows)
    comm.Barrier()
    given = parse(case | {"data": case["data"] | {"file": file.name}}, file.parent)
    assert given.data is not None
    start = time.perf_counter()
    population = from_samples(given, load_data(given.data, comm))
    read, seconds = time.perf_counter() - start, []

    def project(space: Any) -> Any:
        begin = time.perf_counter()
        found = population.project(space)
        seconds.append(time.perf_counter() - begin)
        return found

    functional = ReducedFunctional(given, comm, replace(population, project=project))
    return Prepared(rows, functional, read, sum(seconds))


def sweep_seconds(prepared: Sequence[Prepared]) -> Array:
    """Return seconds per sweep, (rows, SWEEPS): all in turn, at the same controls."""
    found = np.zeros((len(prepared), SWEEPS))
    for i in range(SWEEPS):
        theta = (1.0 + 1e-6 * i) * prepared[0].functional.theta0
        for k, entry in enumerate(prepared):
            f = entry.functional
            before, start = f.forward_sweeps + f.adjoint_sweeps, time.perf_counter()
            f.value(theta)
            f.derivative(theta)
            found[k, i] = time.perf_counter() - start
            found[k, i] /= f.forward_sweeps + f.adjoint_sweeps - before
    return found


def study(
    counts: Sequence[int], directory: Path, case: dict[str, Any], comm: MPI.Intracomm
) -> list[dict[str, Any]]:
    """Return a row of the table for each number of samples; write their runs."""
    if comm.rank == 0:
        directory.mkdir(parents=True, exist_ok=True)
    names = [f"two_moons_{n}" for n in counts]
    prepared = [
        prepare(n, directory / f"{name}.parquet", case, comm)
        for n, name in zip(counts, names, strict=True)
    ]
    sweeps = sweep_seconds(prepared)
    rows = []
    for k, (entry, name) in enumerate(zip(prepared, names, strict=True)):
        f, out = entry.functional, directory / name
        result = run(f.case, out, comm=comm, overwrite=True, functional=f)
        metrics = result.report.metrics
        assert metrics.logistic_regression is not None
        rows.append(
            {
                "rows": entry.rows,
                "read": entry.read,
                "deposit": entry.deposit,
                "sweep": float(np.median(sweeps[k])),
                "ratio": float(np.median(sweeps[k] / sweeps[0])),
                "train": read_history(out / "history.csv")[-1].seconds,
                "accuracy": metrics.test_accuracy,
                "logistic": metrics.logistic_regression.test_accuracy,
            }
        )
    return rows


def as_text(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as lines of text; times in seconds, those of sweeps in milliseconds."""
    lines = [
        f"{'rows':>10} {'read s':>8} {'deposit s':>10} {'sweep ms':>9} {'ratio':>6} {'train s':>8} "
        f"{'accuracy':>9} {'logistic regression':>20}"
    ]
    lines += [
        f"{r['rows']:>10} {r['read']:8.2f} {r['deposit']:10.2f} {1e3 * r['sweep']:9.2f} "
        f"{r['ratio']:6.3f} {r['train']:8.2f} {r['accuracy']:9.4f} {r['logistic']:20.4f}"
        for r in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    counts = [int(float(n)) for n in sys.argv[1:]] or [1_000_000]
    found = study(counts, Path("results"), tomllib.loads(CASE), MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        print(as_text(found))
