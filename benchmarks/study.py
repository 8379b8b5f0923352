# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Twelve members of a study in the plane: two ranks in two groups against one rank.

Measured in turn, and every rank in a session of its own: where other programs run too, Linux gives
each session the same share of the cores, so that they slow both down alike. Run:

    docker/run python3 benchmarks/study.py [repetitions]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LINE = ["setsid", "--wait", sys.executable, "-m", "mfresnet", "study", "cases/two_classes_2d.toml"]
LINE += ["--over", "penalty.tikhonov=1e-3:1e-1:4:log", "--over", "network.layers=5,10,20"]
LINE += ["--set", "mesh.cells=[48, 48]", "--set", "training.gradient_tolerance=1e-4", "--out"]
WAYS = {"one rank": [], "two ranks": ["mpirun", "-n", "2"]}


def cores() -> float:
    """Return the seconds of cores that children have used so far."""
    times = os.times()
    return times.children_user + times.children_system


def main() -> None:
    """Print seconds on the clock and their ratio."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for _ in range(repetitions):
        seconds = []
        for name, launcher in WAYS.items():
            with tempfile.TemporaryDirectory() as folder:
                start, before = time.perf_counter(), cores()
                out = Path(folder) / "study"
                subprocess.run([*launcher, *LINE, str(out)], check=True, capture_output=True)
                seconds.append(time.perf_counter() - start)
            used = cores() - before
            print(f"{name}: {seconds[-1]:.1f} s on the clock, {used:.1f} s of cores", flush=True)
        print(f"ratio: {seconds[0] / seconds[1]:.2f}, load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()
