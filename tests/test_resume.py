# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A run over levels and seeds that was stopped at any place goes on bit for bit."""

from mpi4py import MPI

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import make_case
from mfresnet.case import Case
from mfresnet.checkpoint import HEAD, EvaluationLog, _complete
from mfresnet.errors import InputError
from mfresnet.functional import ReducedFunctional
from mfresnet.nested import train
from mfresnet.run_json import RunReport
from mfresnet.runner import run

LEVELS = [{"cells": [6], "layers": 1, "gradient_tolerance": 1e-2}, {"cells": [10], "layers": 2}]
KINDS: dict[str, dict[str, Any]] = {
    "levels": {"training": {"levels": LEVELS}},
    "seeds": {
        "network": {"block": "wide", "width": 3, "layers": 2},
        "training": {"seeds": [3, 1, 2], "max_iterations": 12},
    },
    "both": {
        "network": {"block": "wide", "width": 3, "layers": 4},
        "training": {"levels": LEVELS, "seeds": [2, 5], "max_iterations": 12},
    },
    # exact Hessian actions; the velocity has no bound
    "newton": {
        "network": {"activation": "identity", "layers": 4},
        "training": {"levels": LEVELS, "method": "ntr", "gradient_tolerance": 1e-4},
    },
}
PLACES = (0.0, 0.2, 0.45, 0.7, 0.95, 1.0)
"""Shares of the answers that the log of the stopped run has."""


def small(kind: str) -> Case:
    """Return a case on the line with an unbounded or a bounded velocity."""
    sections = KINDS[kind] | {"network": {"layers": 4} | KINDS[kind].get("network", {})}
    return make_case(
        "interval",
        mesh={"cells": [14], "lower": [-7.0], "upper": [7.0], "outflow_tolerance": 1.0},
        **sections,
    )


def numbers(report: RunReport) -> RunReport:
    """Return a report without times and without the memory of this process."""
    stages = [replace(stage, seconds=0.0) for stage in report.stages]
    return report.with_(seconds=0.0, memory=None, stages=stages)


@pytest.mark.parametrize("kind", KINDS)
def test_run_goes_on_from_every_stage(kind: str, tmp_path: Path) -> None:
    """The log is cut at several places, as a kill would; numbers and counts of sweeps agree."""
    case, first = small(kind), tmp_path / "whole"
    whole = run(case, first, comm=MPI.COMM_SELF)
    assert len(whole.report.stages) >= 3
    records = _complete(np.fromfile(first / "checkpoint/evaluations.bin"))
    sizes = {int(record[HEAD - 1]) for record in records}
    assert len(sizes) == len({stage.layers for stage in whole.report.stages})
    for place in PLACES:
        directory = tmp_path / f"cut{place}"
        shutil.copytree(first, directory)
        (directory / "run.json").unlink()
        kept = [np.empty(0), *records[: int(place * len(records))]]
        np.concatenate(kept).tofile(directory / "checkpoint/evaluations.bin")
        again = run(case, directory, comm=MPI.COMM_SELF, resume=True)
        assert again.theta.tobytes() == whole.theta.tobytes(), place
        assert numbers(again.report) == numbers(whole.report), place
        data = np.fromfile(directory / "checkpoint/evaluations.bin")
        assert len(_complete(data)) == len(records), place


def test_answers_come_from_the_log(tmp_path: Path) -> None:
    """All of them, when the log is whole: no sweep of the training is made again."""
    case = small("both")
    run(case, tmp_path / "a", comm=MPI.COMM_SELF)
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    log = EvaluationLog(tmp_path / "a/checkpoint", functional.case.to_toml(), MPI.COMM_SELF)
    train(functional, oracle=log)
    records = _complete(np.fromfile(tmp_path / "a/checkpoint/evaluations.bin"))
    assert log.replayed == len(records) > 20


def test_log_of_other_seeds_is_refused(tmp_path: Path) -> None:
    run(small("seeds"), tmp_path / "a", comm=MPI.COMM_SELF)
    other = make_case(
        "interval", network=KINDS["seeds"]["network"], training={"seeds": [3, 1], "levels": LEVELS}
    )
    with pytest.raises(InputError, match=r"^--resume: the checkpoint in .* another case"):
        run(other, tmp_path / "a", comm=MPI.COMM_SELF, resume=True)
