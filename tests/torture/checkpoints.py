# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Checkpoints and files of a run that are damaged, swapped, or of another case or version."""

from mpi4py import MPI

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from helpers import damaged as harmed
from helpers import make_case
from mfresnet.cli import app
from mfresnet.errors import InputError
from mfresnet.output.progress import Progress
from mfresnet.runs.runner import run
from mfresnet.trained.loading import load_network
from optimise.test_resume import TINY, damage_logs
from torture.chapter import Chapter, Outcomes, check_sentences

LOGS, DIRECTORIES = 60, 12
"""Damaged logs, and run directories with a file of another one, of a seed."""
FILES = ("case.toml", "controls.npz", "network.npz", "history.csv", "run.json")


def trial(seed: int, directory: Path) -> Outcomes:
    refused, used = damage_logs(directory, seed, LOGS)
    found = {"log: refused in a sentence": refused, "log: used, the same bits": used}
    return Counter(found) + directories(seed, directory)


# ---------------------------------------------------------------------- whole directories
def cases() -> dict[str, Any]:
    """Return cases whose files have the same shapes."""
    first = TINY.model_copy(update={"title": "first"})
    shifted = make_case(
        "interval",
        mesh={"cells": [8], "lower": [-7.0], "upper": [7.0], "outflow_tolerance": 1.0},
        space={"degree": 1},
        network={"layers": 2},
        training={"max_iterations": 3},
        penalty={"tikhonov": 0.3},
    )
    return {"first": first, "second": shifted}


def readings(place: Path, out: Path) -> dict[str, Callable[[], Any]]:
    """Return what reads a run directory."""

    def by_command(*line: str) -> Callable[[], Any]:
        return lambda: app(list(line), standalone_mode=False)()

    table = out / "table.csv"
    table.write_text("x\n0.5\n")
    return {
        "verify": by_command("verify", str(place)),
        "plot": by_command("plot", str(place)),
        "export": by_command("export", str(place), str(out / "a.npz"), "--to", "npz"),
        "load_network": lambda: load_network(place),
    }


def directories(seed: int, directory: Path) -> Outcomes:
    """Put a file of one run into another, or damage it: every command refuses what it reads."""
    found: Outcomes = Counter()
    rng = np.random.default_rng([seed, 1])
    made = cases()
    for name, case in made.items():
        run(case, directory / f"run-{name}", comm=MPI.COMM_SELF, progress=Progress(1))
    read_by = {
        "case.toml": ("verify", "plot"),
        "controls.npz": ("verify", "plot"),
        "network.npz": ("export", "load_network"),
        "history.csv": ("plot",),
        "run.json": ("verify", "plot", "export", "load_network"),
    }
    for number in range(DIRECTORIES):
        place, name = directory / f"trial{number}", FILES[rng.integers(len(FILES))]
        shutil.copytree(directory / "run-first", place)
        swap = bool(rng.integers(2))
        theirs = (directory / "run-second" / name).read_bytes()
        ours = (place / name).read_bytes()
        (place / name).write_bytes(theirs if swap else harmed(ours, rng))
        if (place / name).read_bytes() == ours:
            continue
        who = read_by[name][rng.integers(len(read_by[name]))]
        what = f"directory {number}: {name} {'swapped' if swap else 'damaged'}, {who}"
        try:
            readings(place, directory)[who]()
        except InputError as error:
            check_sentences(error)
            found[f"{name}: refused in a sentence"] += 1
        except BaseException as error:
            raise AssertionError(what) from error
        else:
            raise AssertionError(f"{what}: used")
        again = run(
            made["first"], place, comm=MPI.COMM_SELF, resume=True, progress=Progress(1)
        )  # whatever is wrong, --resume makes it again
        assert again.theta.tobytes() == run_theta(directory / "run-first"), what
        shutil.rmtree(place)
    return found


def run_theta(directory: Path) -> bytes:
    return np.load(directory / "controls.npz")["theta"].tobytes()


CHAPTER = Chapter(
    name="checkpoints",
    what=f"{LOGS} checkpoints a seed, cut, flipped, emptied, with records of another run, "
    f"of another "
    f"case or version; and {DIRECTORIES} run directories with a file that is damaged or of "
    "another run. Each is refused in a sentence or ends with the same bits; `--resume` makes every "
    "directory whole again.",
    trial=trial,
    quick=1,
    full=20,
)
