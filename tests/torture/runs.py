# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A small case that is run by the command again and again, and what its end must be like."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from commands import outside
from torture.chapter import check_command

CASE = """
[mesh]
cell = "interval"
cells = [12]
lower = [-7.0]
upper = [7.0]
outflow_tolerance = 1.0
[space]
degree = 1
[network]
layers = 3
[training]
max_iterations = 40
gradient_tolerance = 1e-9
[data]
file = "samples.csv"
label = "kind"
bandwidth = 0.4
[output]
fields = {fields}
pictures = {pictures}
"""
ENDINGS = (0, 4)
"""Exit statuses of a run that came to its end."""
HELD = "another process is writing"


def write_case(directory: Path, fields: bool = False, pictures: bool = False) -> Path:
    """Write a case with its samples; return its path."""
    x = np.random.default_rng(2).standard_normal(60) * 0.4
    rows = [f"{float(v + (k % 2) - 0.5)!r},{'ab'[k % 2]}" for k, v in enumerate(x)]
    (directory / "samples.csv").write_text("\n".join(["x,kind", *rows]) + "\n")
    path = directory / "case.toml"
    shown = {"fields": str(fields).lower(), "pictures": str(pictures).lower()}
    path.write_text(CASE.format(**shown))
    return path


def line(ranks: int, *arguments: object) -> list[str]:
    """Return the command on some ranks."""
    start = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    return [*start, sys.executable, "-m", "mfresnet", *map(str, arguments)]


def settings(cache: Path | None = None) -> dict[str, str]:
    """Return the environment of a command, with a cache of its own where it is given."""
    found = outside() | {"OMPI_MCA_mpi_yield_when_idle": "1"}
    return found if cache is None else found | {"XDG_CACHE_HOME": str(cache)}


def finish(
    ranks: int, *arguments: object, cache: Path | None = None, allowed: Sequence[int] = ENDINGS
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, which must be one of those allowed."""
    done = subprocess.run(
        line(ranks, *arguments), capture_output=True, text=True, timeout=200, env=settings(cache),
        check=False,
    )  # fmt: skip
    check_command(done.returncode, done.stderr, tuple(allowed))
    return done


def result(directory: Path) -> tuple[bytes, float]:
    """Return the bits of the controls, and J, of a finished run."""
    theta = np.load(directory / "controls.npz")["theta"]
    return theta.tobytes(), json.loads((directory / "run.json").read_text())["objective"]["total"]


def resume(ranks: int, case: Path, directory: Path, cache: Path | None = None) -> str:
    """Go on with a run, or begin it where nothing was begun; return which."""
    allowed, end = (*ENDINGS, 2), time.monotonic() + 20.0
    while True:
        done = finish(
            ranks, "run", case, "--out", directory, "--resume", cache=cache, allowed=allowed
        )
        if done.returncode != 2 or HELD not in done.stderr or time.monotonic() > end:
            break
        time.sleep(0.5)
    if done.returncode != 2:
        return "resumed"
    assert "no run in" in done.stderr, done.stderr
    finish(ranks, "run", case, "--out", directory, cache=cache)
    return "begun again"


def members(process: subprocess.Popen[str]) -> list[int]:
    """Return the processes of the session of a process, itself among them."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                if os.getsid(int(place.name)) == process.pid and state(int(place.name)) != "Z":
                    found.append(int(place.name))
            except (ProcessLookupError, FileNotFoundError):
                continue
    return found


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def ranks_of(process: subprocess.Popen[str]) -> list[int]:
    """Return the processes of Python in the session, which are the ranks."""
    found = []
    for pid in members(process):
        try:
            if b"mfresnet" in Path(f"/proc/{pid}/cmdline").read_bytes() and pid != process.pid:
                found.append(pid)
        except FileNotFoundError:
            continue
    return found


def gone(process: subprocess.Popen[str], patience: float = 20.0) -> None:
    """Wait until no process of the session is left."""
    end = time.monotonic() + patience
    while left := members(process):
        if time.monotonic() > end:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"{len(left)} processes are left after {patience:g} s")
        time.sleep(0.05)
