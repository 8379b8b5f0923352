# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Cases that hypothesis draws, trained for two iterations, and read by the command."""

from mpi4py import MPI

import signal
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import tomli_w
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from mfresnet.case.case import parse
from mfresnet.errors import InputError, SolveError
from mfresnet.output.progress import Progress
from mfresnet.runs.runner import run
from torture.cases import ROOT, nearly, valid
from torture.chapter import Chapter, Outcomes, check_sentences
from torture.runs import finish

TRAININGS, COMMANDS = 10, 6
"""Cases of a seed that are trained, and that the command reads."""
SECONDS = 30
"""After which a training is left: large velocities ask for many steps."""
MOST = {
    "network": {"layers": 3, "width": 4, "final_time": 2.0},
    "space": {"degree": 2},
    "time": {"steps_per_layer": 20},
    "initial": {"scale": 2.0},
    "mesh": {"max_cells": 200},
    "loss": {"prototypes": 4},
}


class Late(BaseException):
    """A training takes too long to wait for."""


def small(data: dict[str, Any]) -> dict[str, Any]:
    """Return a case that is trained in no time."""
    for section, keys in MOST.items():
        part = data.get(section)
        for key, most in keys.items():
            if isinstance(part, dict) and isinstance(part.get(key), int | float):
                part[key] = min(part[key], most)
    mesh, training = data["mesh"], data.get("training")
    if isinstance(mesh.get("cells"), list):
        mesh["cells"] = [min(n, 6 if len(mesh["cells"]) < 3 else 3) for n in mesh["cells"]]
    training = {k: v for k, v in (training or {}).items() if k not in ("levels", "seeds")}
    output = {"fields": False, "pictures": False}
    return data | {"training": training | {"max_iterations": 2}, "output": output}


def train(data: dict[str, Any], directory: Path) -> str:
    """Train a case; return what came out."""

    def late(*_: object) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        found = run(
            parse(data, ROOT / "cases"), directory, comm=MPI.COMM_SELF, progress=Progress(1)
        )
    except (InputError, SolveError) as error:
        check_sentences(error)
        return "refused in a sentence" if isinstance(error, InputError) else "ended in a sentence"
    except Late:
        return f"left after {SECONDS} s"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert np.isfinite(found.theta).all() and np.isfinite(found.report.objective.total)
    return f"trained: {found.report.status}"


def draws(seed: int, count: int, strategy: Any, use: Any) -> None:
    """Call ``use`` with so many values of a strategy, the same ones for the same seed."""

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategy)
    def one(data: Any) -> None:
        use(data)

    one()


def trial(seed: int, directory: Path) -> Outcomes:
    """Train some cases, and give some to the command."""
    warnings.simplefilter("ignore")
    found: Outcomes = Counter()

    def trained(data: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory(dir=directory) as place:
            found[train(small(data), Path(place) / "run")] += 1

    def commanded(data: dict[str, Any]) -> None:
        path = directory / "case.toml"
        try:
            path.write_bytes(tomli_w.dumps(data).encode("utf-8", "surrogatepass"))
        except (TypeError, ValueError):  # no TOML has it
            return
        done = finish(1 + seed % 2, "check", path, allowed=(0, 2, 3))
        end = {0: "accepted", 2: "refused in a sentence", 3: "ended in a sentence"}
        lines = done.stderr.splitlines()
        assert done.returncode == 0 or lines, "a failure without a word"
        found[f"by the command on {1 + seed % 2} ranks: {end[done.returncode]}"] += 1

    draws(seed, TRAININGS, valid(), trained)
    draws(seed, COMMANDS, st.one_of(valid().map(small), nearly()), commanded)
    return found


CHAPTER = Chapter(
    name="trainings",
    what=f"{TRAININGS} cases a seed, drawn from the models of the case and made small, that are "
    f"trained for two iterations, and {COMMANDS} that `mfresnet check` reads on 1 or 2 ranks.",
    trial=trial,
    quick=0,
    full=50,
    patience=900.0,
)
