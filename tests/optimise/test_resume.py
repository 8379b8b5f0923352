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

from helpers import largest_file, make_case
from mfresnet.arrays import Array
from mfresnet.case.case import Case
from mfresnet.errors import InputError, Preempted
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.optimise.log import HEAD, EvaluationLog, _records, _seal
from mfresnet.output.run_json import RunReport
from mfresnet.runs.runner import run
from mfresnet.training.levels import train

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
    "points": {"training": {"levels": "auto"}},
    # points, meshes, corrections, and the estimates of the error
    "accuracy": {"accuracy": 1e-4, "mesh": {"cells": None}},
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
    own = KINDS[kind]
    mesh = {"cells": [14], "lower": [-7.0], "upper": [7.0], "outflow_tolerance": 1.0}
    network = {"layers": 4} | own.get("network", {})
    return make_case("interval", **own | {"mesh": mesh | own.get("mesh", {}), "network": network})


def records(log: Path) -> tuple[list[Array], list[int]]:
    """Return the records of a log, and where they end: first the line before them."""
    data = log.read_bytes()
    start = data.index(b"\n") + 1
    found = list(_records(log, data, _seal(b"", data[:start]), start))
    return [record for record, _, _ in found], [start, *(end for _, _, end in found)]


def numbers(report: RunReport) -> RunReport:
    """Return a report without times and without the memory of this process.

    The estimate of the error after the last answer is a sweep more where that came from the log.
    """
    stages = [replace(stage, seconds=0.0, forward_sweeps=0) for stage in report.stages]
    return report.with_(seconds=0.0, memory=None, stages=stages, files={})


@pytest.mark.parametrize("kind", KINDS)
def test_run_goes_on_from_every_stage(kind: str, tmp_path: Path) -> None:
    """The log is cut at several places, as a kill would; numbers and counts of sweeps agree."""
    case, first = small(kind), tmp_path / "whole"
    whole = run(case, first, comm=MPI.COMM_SELF)
    assert len(whole.report.stages) >= 3
    log = first / "checkpoint/evaluations.bin"
    answers, ends = records(log)
    sizes = {int(record[HEAD - 1]) for record in answers}
    assert len(sizes) == len({stage.layers for stage in whole.report.stages})
    for place in PLACES:
        directory = tmp_path / f"cut{place}"
        shutil.copytree(first, directory)
        (directory / "run.json").unlink()
        cut = directory / "checkpoint/evaluations.bin"
        cut.write_bytes(log.read_bytes()[: ends[int(place * len(answers))]])
        again = run(case, directory, comm=MPI.COMM_SELF, resume=True)
        assert again.theta.tobytes() == whole.theta.tobytes(), place
        assert numbers(again.report) == numbers(whole.report), place
        assert cut.read_bytes() == log.read_bytes(), place


def test_answers_come_from_the_log(tmp_path: Path) -> None:
    """All of them, when the log is whole: no sweep of the training is made again."""
    case = small("both")
    run(case, tmp_path / "a", comm=MPI.COMM_SELF)
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    log = EvaluationLog(tmp_path / "a/checkpoint", functional.case.to_toml(), MPI.COMM_SELF)
    train(functional, oracle=log)
    answers, _ = records(tmp_path / "a/checkpoint/evaluations.bin")
    assert log.replayed == len(answers) > 20


def test_log_of_other_seeds_is_refused(tmp_path: Path) -> None:
    run(small("seeds"), tmp_path / "a", comm=MPI.COMM_SELF)
    other = make_case(
        "interval", network=KINDS["seeds"]["network"], training={"seeds": [3, 1], "levels": LEVELS}
    )
    before = {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"^--resume: the checkpoint in .* another case"):
        run(other, tmp_path / "a", comm=MPI.COMM_SELF, resume=True)
    after = {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    assert after == before


# ---------------------------------------------------------------- damage
TINY = make_case(
    "interval",
    mesh={"cells": [8], "lower": [-7.0], "upper": [7.0], "outflow_tolerance": 1.0},
    space={"degree": 1},
    network={"layers": 2},
    training={"max_iterations": 8},
)
DAMAGES = 300


def trained(directory: Path, case: Case = TINY, text: str = "") -> tuple[Any, ...]:
    """Train with the log in a directory; return what has to be the same bit for bit."""
    log = EvaluationLog(directory, text or case.to_toml(), MPI.COMM_SELF)
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    result, _ = train(functional, oracle=log)
    history = [tuple(vars(row).values())[:-1] for row in result.history]
    return result.theta.tobytes(), result.value, result.status, history


def damaged(data: bytes, ends: list[int], other: bytes, rng: np.random.Generator) -> bytes:
    """Return a log that was damaged in one of many ways."""
    a, b = sorted(rng.integers(0, len(data) + 1, 2))
    parts = [data[i:j] for i, j in zip([0, *ends[:-1]], ends, strict=True)]
    i, j = sorted(rng.choice(np.arange(1, len(parts)), 2, replace=False))
    some = rng.bytes(int(rng.integers(1, 60)))
    spot = int(rng.integers(len(data)))
    bit = bytes([data[spot] ^ (1 << int(rng.integers(8)))])
    ways = [
        lambda: data[:spot] + bit + data[spot + 1 :],
        lambda: data[:spot] + some + data[spot + len(some) :],
        lambda: data[:spot] + some + data[spot:],
        lambda: data[:a],
        lambda: data[:a] + data[b:],
        lambda: data[:a] + bytes(b - a) + data[b:],
        lambda: data + some,
        lambda: b"".join([*parts[:i], parts[j], *parts[i + 1 : j], parts[i], *parts[j + 1 :]]),
        lambda: b"".join([*parts[: i + 1], *parts[i:]]),
        lambda: b"".join([*parts[:i], *parts[j:]]),
        lambda: other,
        lambda: other[: other.index(b"\n") + 1] + data[ends[0] :],
        lambda: data[: ends[0]] + other[other.index(b"\n") + 1 :],
        lambda: data.replace(b"log 2", b"log 3", 1),
        lambda: data.replace(b"mfresnet ", b"mfresnet 9.", 1),
        lambda: b"",
        lambda: np.frombuffer(some[: len(some) // 8 * 8]).tobytes(),
    ]
    return ways[int(rng.integers(len(ways)))]()


def damage_logs(directory: Path, seed: int, count: int) -> tuple[int, int]:
    """Damage the log of a training: it is refused in a sentence, or all ends as undisturbed.

    Returns:
        How many are refused, and how many are used.
    """
    for name in ("whole", "other", "damaged"):
        (directory / name).mkdir()
    expected = trained(directory / "whole")
    theirs = TINY.model_copy(update={"title": "another"})
    assert trained(directory / "other", theirs) == expected
    log, other = (directory / name / "evaluations.bin" for name in ("whole", "other"))
    data, (_, ends), rng = log.read_bytes(), records(log), np.random.default_rng(seed)
    refused = used = 0
    for number in range(count):
        content = damaged(data, ends, other.read_bytes(), rng)
        (directory / "damaged/evaluations.bin").write_bytes(content)
        try:
            found = trained(directory / "damaged")
        except InputError as error:
            (sentence,) = error.messages
            assert sentence.startswith("--resume: ") and sentence.endswith("."), number
            refused += 1
        else:
            assert found == expected, number
            # only the end may lack
            whole = content[: max(end for end in ends if end <= len(content))]
            assert data.startswith(whole), number
            used += 1
    return refused, used


def test_damaged_log_is_refused_or_used_rightly(tmp_path: Path) -> None:
    refused, used = damage_logs(tmp_path, 1, DAMAGES)
    assert refused > 150 and used > 15


def test_damaged_log_says_what_is_wrong(tmp_path: Path) -> None:
    trained(tmp_path)
    log = tmp_path / "evaluations.bin"
    data, (_, ends) = log.read_bytes(), records(log)
    for content, sentence in (
        (b"", "is damaged"),
        (data[: ends[0] - 3], "is damaged"),
        (data[:-3], None),
        (data[: ends[1]] + b"\0" * 500, "is damaged"),
        (data.replace(b"log 2", b"log 1", 1), "of another version; got log 1 of mfresnet "),
        (data.replace(b", case ", b", case 0", 1), "is damaged"),
    ):
        log.write_bytes(content)
        if sentence is None:
            trained(tmp_path)
            assert log.read_bytes() == data
            continue
        with pytest.raises(InputError, match=sentence):
            trained(tmp_path)
        assert log.read_bytes() == content


@pytest.mark.parametrize("method", ["cg", "ntr", "maximum_principle"])
def test_other_questions_end_the_run(method: str, tmp_path: Path) -> None:
    """An optimiser that asks other questions is noticed; no line search steps over it."""
    trained(tmp_path)
    other = TINY.model_copy(
        update={"training": TINY.training.model_copy(update={"method": method})}
    )
    with pytest.raises(InputError, match="this run differs from the one that wrote"):
        trained(tmp_path, other, text=TINY.to_toml())


def test_other_samples_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the log ends J is computed again and held to what the log says."""
    trained(tmp_path)
    log = tmp_path / "evaluations.bin"
    _, ends = records(log)
    log.write_bytes(log.read_bytes()[: ends[3]])
    value = ReducedFunctional.value
    monkeypatch.setattr(ReducedFunctional, "value", lambda *a, **k: value(*a, **k) * 1.001)
    with pytest.raises(InputError, match="this run differs .* other samples"):
        trained(tmp_path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, Preempted, MemoryError, OSError])
def test_what_ends_a_run_is_no_answer(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt within J leaves no record, in which J would be 0 or could not be computed."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    expected, calls = trained(tmp_path / "a"), []
    value = ReducedFunctional.value

    def interrupted(*arguments: Any, **keywords: Any) -> float:
        calls.append(1)
        if len(calls) == 4:
            raise error
        return value(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(ReducedFunctional, "value", interrupted)
        with pytest.raises(error):
            trained(tmp_path / "b")
    answers, _ = records(tmp_path / "b/evaluations.bin")
    assert len(answers) == 3
    assert trained(tmp_path / "b") == expected


def test_full_disk_ends_the_training(tmp_path: Path) -> None:
    """No line search steps over a record that cannot be written; what is there is used."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    expected, log = trained(tmp_path / "a"), tmp_path / "b/evaluations.bin"
    with largest_file(1000), pytest.raises(OSError, match=r"File too large: .*evaluations.bin"):
        trained(tmp_path / "b")
    assert log.stat().st_size == 1000 and len(records(log)[0]) > 2
    assert trained(tmp_path / "b") == expected
