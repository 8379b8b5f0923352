# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Time and memory before a run: counted by hand, by laws of the model, and loosely by the clock."""

from mpi4py import MPI

import time
from dataclasses import replace
from pathlib import Path

import pytest

from commands import command
from mfresnet.case import load
from mfresnet.errors import InputError
from mfresnet.functional import ReducedFunctional
from mfresnet.training import (
    Work,
    load_machine,
    measure_machine,
    measure_scaling,
    predict,
    save_machine,
    seconds_each,
    whole_sweeps,
    worth_it,
)
from mfresnet.training.costs.machine import SHIPPED

PLANE = Path(__file__).parents[2] / "cases/two_classes_2d.toml"
MACHINE = load_machine(SHIPPED)[0]
LARGE = 1e4


def work(*settings: str) -> tuple[Work, ReducedFunctional]:
    functional = ReducedFunctional(load(PLANE, list(settings)), MPI.COMM_SELF)
    return Work.of(functional), functional


def enlarged(found: Work, factor: int) -> Work:
    """Return the work of as many times as many cells."""
    names = "cells", "dofs", "points", "batches", "held", "memory"
    return replace(found, **{name: factor * getattr(found, name) for name in names})


def test_work_is_counted() -> None:
    found, functional = work("mesh.cells=[12, 10]", "space.degree=3", "network.layers=4")
    assert (found.cells, found.dofs, found.classes, found.layers) == (120, 16 * 120, 2, 4)
    assert found.steps == functional.steps_per_layer and found.stages == functional.scheme.stages
    inside, outside = 12 * 9 + 11 * 10, 2 * (12 + 10)
    assert found.points == 16 * 120 + 4 * (inside + outside)
    assert (found.units, found.facet_points, found.limited) == (2, 4, False)
    wide, _ = work("network.block=wide", "network.width=7", "initial.kind=random")
    assert wide.units == 7


def test_more_work_takes_longer() -> None:
    """And stages are all that counts in the end: twice of these is twice of everything."""
    found, _ = work()
    small = predict(found, MACHINE, 1)
    assert 0.0 < small.value < small.derivative < small.iteration and small.messages == 0.0
    for change in ({"layers": 20}, {"steps": 2}, {"classes": 4}, {"degree": 6}, {"limited": True}):
        assert predict(replace(found, **change), MACHINE, 1).derivative > small.derivative
    repeated = predict(replace(found, repeated=2.5), MACHINE, 1)
    assert repeated.value == small.value and repeated.derivative > small.derivative
    huge = enlarged(found, 10_000)
    once, twice = (predict(replace(huge, steps=n), MACHINE, 1).value for n in (500, 1000))
    assert twice == pytest.approx(2 * once, rel=0.01)


def test_ranks_pay_until_they_have_too_little() -> None:
    found, _ = work()
    large = enlarged(found, 1000)
    few, many = worth_it(found, MACHINE), worth_it(large, MACHINE)
    assert [p.ranks for p in many] == [2**k for k in range(len(many))]
    assert len(few) < len(many)
    for rows in (few, many):
        speed = [rows[0].derivative / (p.ranks * p.derivative) for p in rows]
        assert all(e >= 0.5 for e in speed[:-1]) and max(speed) <= 1.1
        shares = [p.messages / p.derivative for p in rows]
        assert shares == sorted(shares) and shares[-1] < 1.0
    assert worth_it(large, MACHINE, 8)[-1].ranks == 8
    slow = MACHINE.model_copy(update={"latency": LARGE})
    assert [p.ranks for p in worth_it(large, slow)] == [1, 2]


def test_memory_grows_with_ranks_by_that_of_a_process() -> None:
    found, functional = work()
    one, eight = (predict(found, MACHINE, ranks).memory for ranks in (1, 8))
    assert one == max(MACHINE.base, functional.predicted_memory)
    assert eight == pytest.approx(max(one + 7 * MACHINE.base, 8 * MACHINE.base))


@pytest.mark.parametrize("settings", [[], ["mesh.cells=[8, 8]"], ["space.degree=5"]])
def test_degrees_and_sizes_that_were_not_measured(settings: list[str]) -> None:
    found, functional = work(*settings)
    given = predict(found, MACHINE, 1)
    times = seconds_each(MPI.COMM_SELF, whole_sweeps(functional), 7, 1, time.process_time)
    # the figures are those of another machine, which may be busy besides
    assert 0.1 < given.value / times["value"] < 10.0
    assert 0.1 < given.derivative / times["value_and_derivative"] < 10.0


def test_this_machine_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "mfresnet.training.costs.fit.ELEMENTS",
        {"fused": {"quadrilateral": {2: 32}, "interval": {2: 256, 3: 200}, "triangle": {2: 24},
                   "hexahedron": {1: 12, 2: 9}}},
    )  # fmt: skip
    machine = measure_machine(MPI.COMM_SELF)
    file = save_machine(machine, tmp_path / "new" / "machine.json")
    again, whose = load_machine(file)
    assert again == machine and str(file) in whose
    found, functional = work()
    times = seconds_each(MPI.COMM_SELF, whole_sweeps(functional), 7, 1, time.process_time)
    given = predict(found, machine, 1)
    assert 0.4 < given.value / times["value"] < 2.5
    assert 0.4 < given.derivative / times["value_and_derivative"] < 2.5


def test_files_that_are_no_machine(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"processor": "x"}')
    with pytest.raises(InputError, match="no figures of a machine"):
        load_machine(file)
    done = command("check", PLANE, "--machine", file)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert str(file) in done.stderr
    done = command("check", PLANE, "--machine", tmp_path / "none.json")
    assert done.returncode == 2 and done.stderr.startswith("--machine: cannot be read")


def test_figures_of_another_version_do_not_stop_a_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept for this machine is no file that the user has given."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shipped, _ = load_machine()
    file = save_machine(shipped)
    assert tmp_path in file.parents and load_machine()[1] == f"figures of {file}"
    file.write_text('{"processor": "x"}')
    again, whose = load_machine()
    assert again == shipped and str(file) in whose and "bench --fit makes it again" in whose


def test_check_says_whose_figures_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = command("check", PLANE)
    assert "mfresnet bench" in done.stdout or "machine.json" in done.stdout
    file = save_machine(MACHINE, tmp_path / "machine.json")
    done = command("check", PLANE, "--machine", file)
    assert done.returncode == 0 and f"from figures of {file}:" in done.stdout
    lines = done.stdout.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("# Predicted"))
    assert [line.split()[1] for line in lines[start + 2 : start + 5]] == ["1", "2", "4"]


def test_scaling_of_one_rank() -> None:
    rows = measure_scaling(MPI.COMM_SELF)
    assert [(r.kind, r.ranks, r.messages, r.bytes) for r in rows] == [
        ("strong", 1, 0, 0), ("strong", 1, 0, 0), ("weak", 1, 0, 0), ("weak", 1, 0, 0)
    ]  # fmt: skip
    assert all(r.efficiency == 1.0 and 0.0 < r.value < r.derivative for r in rows)
