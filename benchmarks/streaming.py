# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Reading, deposition and one sweep with many samples, and the memory that they take.

    docker/run mpirun -n 2 python3 benchmarks/streaming.py 10000000

makes a Parquet file of so many two-moons samples in three columns (once, in a temporary folder) and
prints the seconds of each part and the largest memory of a rank.
"""

from mpi4py import MPI

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from mfresnet.case import from_samples, parse
from mfresnet.data import load_data
from mfresnet.functional import ReducedFunctional
from mfresnet.memory import peak

PART = 1_000_000


def make(path: Path, n: int) -> None:
    """Write n samples in row groups of a million: two moons, noise 0.15, and a third column."""
    rng, writer = np.random.default_rng(0), None
    for start in range(0, n, PART):
        count = min(PART, n - start)
        y, angle = rng.integers(2, size=count), np.pi * rng.random(count)
        x = np.stack([np.cos(angle), np.sin(angle)]) * (1 - 2 * y) + np.outer([1.0, 0.5], y)
        x += 0.15 * rng.standard_normal(x.shape)
        columns = {"a": x[0], "b": x[1], "c": rng.standard_normal(count), "y": y.astype(np.int8)}
        table = pa.table(columns)
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def main() -> None:
    """Measure."""
    comm, n = MPI.COMM_WORLD, int(sys.argv[1])
    path = Path(tempfile.gettempdir()) / f"mfresnet-moons-{n}.parquet"
    if comm.rank == 0 and not path.exists():
        make(path, n)
    comm.Barrier()
    case = parse(
        {
            "mesh": {"cells": [48, 48]},
            "data": {
                "file": str(path),
                "label": "y",
                "features": ["a", "b", "c"],
                "reduce": {"dimension": 2},
                "bandwidth": 0.15,
            },
        }
    )
    assert case.data is not None
    marks = [("start", time.perf_counter())]
    dataset = load_data(case.data, comm)
    marks.append(("reading: labels, moments, extent", time.perf_counter()))
    functional = ReducedFunctional(case, comm, from_samples(case, dataset))
    marks.append(("deposition and smoothing", time.perf_counter()))
    functional.value(functional.theta0)
    marks.append(("one value of J", time.perf_counter()))
    functional.derivative(functional.theta0)
    marks.append(("its derivative", time.perf_counter()))
    memory = comm.reduce(peak(MPI.COMM_SELF) / 1e9, op=MPI.MAX)
    if comm.rank == 0:
        print(f"{n} samples, {comm.size} rank(s), {sum(dataset.counts)} used")
        for (_, before), (name, after) in zip(marks, marks[1:], strict=False):
            print(f"{name:>34} {after - before:10.2f} s")
        print(f"{'largest memory of a rank':>34} {memory:10.2f} GB")


if __name__ == "__main__":
    main()
