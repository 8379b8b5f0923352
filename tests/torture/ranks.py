# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""An error on one rank, at any place where ranks talk, ends all of them with one message."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from torture.chapter import Chapter, Outcomes, check_command
from torture.runs import ENDINGS, finish, settings, write_case

LIMIT = 20.0
"""Seconds after the error within which all have ended."""
SCRIPT = """
import sys, json, os
import petsc4py
petsc4py.init(["mfresnet", "-no_signal_handler"])
from mpi4py import MPI
from mfresnet.__main__ import main

mode, rank, place, mark = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
sys.argv = ["mfresnet", *sys.argv[5:]]
seen = {}

def hook(code, offset, function, first):
    if "/mfresnet/" not in code.co_filename:
        return sys.monitoring.DISABLE
    name = getattr(function, "__name__", "")
    if not isinstance(first, MPI.Comm) or name in SILENT or not hasattr(MPI.Comm, name):
        return
    # who has asked: the helpers of parallel.py are everywhere
    caller = sys._getframe(1)
    while caller.f_back and caller.f_code.co_filename.endswith(("/parallel.py", "/contextlib.py")):
        caller = caller.f_back
    here = f"{os.path.basename(caller.f_code.co_filename)}:{caller.f_lineno} {name}"
    seen[here] = seen.get(here, 0) + 1
    if mode == "fail" and here == place and MPI.COMM_WORLD.rank == rank:
        sys.monitoring.set_events(TOOL, 0)
        open(mark, "w").close()
        raise RuntimeError("odd end")

SILENT = ("Free", "Get_size", "Get_rank", "Abort", "py2f")
TOOL = sys.monitoring.PROFILER_ID
sys.monitoring.use_tool_id(TOOL, "torture")
sys.monitoring.register_callback(TOOL, sys.monitoring.events.CALL, hook)
sys.monitoring.set_events(TOOL, sys.monitoring.events.CALL)
try:
    main()
finally:
    sys.monitoring.set_events(TOOL, 0)
    if mode == "list" and MPI.COMM_WORLD.rank == rank:
        with open(mark, "w") as file:
            json.dump(seen, file)
"""


def start(ranks: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["mpirun", "-n", str(ranks), sys.executable, *map(str, arguments)], capture_output=True,
        text=True, timeout=200, env=settings(), check=False,
    )  # fmt: skip


def trial(seed: int, directory: Path) -> Outcomes:
    """Find where the ranks talk, and fail at one of these places; or run on too many ranks."""
    rng = np.random.default_rng(seed)
    ranks = 2 + seed % 2
    case = write_case(directory, fields=True)
    if seed % 8 == 7:
        return few_cells(ranks, case, directory)
    script = directory / "fail.py"
    script.write_text(SCRIPT)
    rank = int(rng.integers(ranks))
    listing = directory / "places.json"
    done = start(
        ranks, script, "list", rank, "-", listing, "run", case, "--out", directory / "whole"
    )
    check_command(done.returncode, done.stderr, ENDINGS)
    places = sorted(json.loads(listing.read_text()))
    print("\n".join(places), file=sys.stderr)
    assert len(places) > 10, places
    place, mark = places[rng.integers(len(places))], directory / "mark"
    done = start(ranks, script, "fail", rank, place, mark, "run", case, "--out", directory / "run")
    what = f"rank {rank} of {ranks} at {place}: {done.stderr[-3000:]}"
    assert mark.exists(), f"never there: {what}"
    took = time.time() - mark.stat().st_mtime
    assert took < LIMIT, f"{took:.1f} s: {what}"
    assert done.returncode == 3, f"status {done.returncode}: {what}"
    assert done.stderr.count("RuntimeError: odd end") == 1, what
    return Counter(["an error on one rank: all end with one message"])


def few_cells(ranks: int, case: Path, directory: Path) -> Outcomes:
    """Run on more ranks than there are cells."""
    text = re.sub(r"cells = \[12\]", "cells = [1]", case.read_text())
    case.write_text(text)
    done = finish(ranks, "run", case, "--out", directory / "run", allowed=(*ENDINGS, 2, 3))
    how = "a run" if done.returncode in ENDINGS else "a sentence"
    return Counter([f"more ranks than cells: {how}"])


CHAPTER = Chapter(
    name="ranks",
    what="An error on one of 2 or 3 ranks at a random one of all the places where ranks talk in a "
    "run: all end within 20 s with status 3 and one message. And runs on more ranks than cells.",
    trial=trial,
    quick=0,
    full=24,
)
