# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""J and its derivative in space within less and less memory.

    docker/run python3 benchmarks/memory.py            the whole table, some minutes
    docker/run python3 benchmarks/memory.py "300 MB"   one row

Three classes on hexahedra, a hundred layers, about 10 GB of stages. A row a process: what is held,
the forward sweeps of one derivative against the least number that a schedule with so many
checkpoints can have (Griewank and Walther, 2000), the predicted and the measured peak memory of the
process, the seconds and the derivative, which is the same bit for bit. Where the machine has not
enough memory only the prediction is given.
"""

from __future__ import annotations

from mpi4py import MPI

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

from checkpoint_schedules.multistage import optimal_steps_binomial

from mfresnet.case import load
from mfresnet.functional import ReducedFunctional
from mfresnet.memory import available, in_units, peak

CASE = Path(__file__).parents[1] / "cases/three_classes_3d.toml"
SETTINGS = [
    "mesh.cells=[18, 18, 18]",
    "network.layers=100",
    "network.final_time=20.0",
    "mesh.outflow_tolerance=1.0",
]
LIMITS = ["", "5 GB", "2 GB", "1 GB", "400 MB", "200 MB"]


def measure(limit: str) -> dict[str, object]:
    """Return one row."""
    settings = SETTINGS + [f'resources.memory="{limit}"'] * bool(limit)
    functional = ReducedFunctional(load(CASE, settings), MPI.COMM_WORLD)
    plan = functional.plan
    row: dict[str, object] = {
        "limit": limit or "none",
        "held": plan.held,
        "checkpoints": plan.in_memory,
        "factor": plan.recompute_factor,
        "bound": optimal_steps_binomial(plan.segments, plan.in_memory) / plan.segments
        if plan.segments > 1
        else 1.0,
        "stages": plan.memory,
        "predicted": functional.predicted_memory,
    }
    if functional.predicted_memory < 0.8 * available(MPI.COMM_WORLD):
        start = time.perf_counter()
        derivative = functional.derivative(functional.theta0)
        row["seconds"] = time.perf_counter() - start
        row["measured"] = peak(MPI.COMM_WORLD)
        row["derivative"] = hashlib.sha256(derivative.tobytes()).hexdigest()[:8]
    return row


def main() -> None:
    """Measure every limit in a process of its own and print the table."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    print(
        f"{'limit':>8} {'layers':>7} {'checkpoints':>12} {'forward sweeps':>15} {'bound':>6} "
        f"{'stages':>9} {'predicted':>10} {'measured':>9} {'seconds':>8}  derivative"
    )
    for limit in LIMITS:
        done = subprocess.run(
            [sys.executable, __file__, limit], capture_output=True, text=True, check=True
        )
        row = json.loads(done.stdout)
        measured = in_units(row["measured"]) if "measured" in row else "-"
        print(
            f"{row['limit']:>8} {row['held']:>7} {row['checkpoints']:>12} {row['factor']:>15.3f} "
            f"{row['bound']:>6.3f} {in_units(row['stages']):>9} {in_units(row['predicted']):>10} "
            f"{measured:>9} {row.get('seconds', float('nan')):>8.1f}  {row.get('derivative', '-')}",
            flush=True,
        )


if __name__ == "__main__":
    main()
