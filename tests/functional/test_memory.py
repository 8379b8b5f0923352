# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A limit on the memory: the same numbers bit for bit, and as few repeated layers as it allows."""

from mpi4py import MPI

import json
import math
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoint_schedules.multistage import optimal_steps_binomial

from commands import command, execute
from helpers import make_case, shaped_mesh
from mfresnet import memory
from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.sweeps import layer
from mfresnet.functional.sweeps.plan import Plan, choose, fewest_steps
from mfresnet.functional.trajectory import Trajectory
from mfresnet.mesh.space import Space
from mfresnet.optimise.optimiser import minimise
from mfresnet.transport.operator.petsc import PetscTransport

LAYERS = 9
PLANE = Path(__file__).parents[2] / "cases/two_classes_2d.toml"


def limited(layers: float | None, **sections: Any) -> ReducedFunctional:
    """Return J with the memory for a number of layers (and a checkpoint), None for all."""
    sections = {
        "network": {"layers": LAYERS},
        "mesh": {"cells": [8, 8], "lower": [-2.0, -2.0], "upper": [1.4, 1.4]},
        "loss": {"kind": "quadratic", "running": 0.4},
    } | sections
    whole = ReducedFunctional(make_case("quadrilateral", **sections), MPI.COMM_SELF)
    if layers is None:
        return whole
    plan = whole.plan
    size = math.ceil(layers * plan.layer_bytes + plan.state_bytes)
    resources = {"memory": f"{size / 1e3} kB"} | sections.get("resources", {})
    return ReducedFunctional(
        make_case("quadrilateral", **(sections | {"resources": resources})), MPI.COMM_SELF
    )


def point(functional: ReducedFunctional) -> tuple[Array, Array]:
    rng = np.random.default_rng(3)
    size = functional.controls.size
    return functional.theta0 + 0.2 * rng.standard_normal(size), rng.standard_normal(size)


@pytest.mark.parametrize("held", [None, 4])
@pytest.mark.parametrize("together", [0, 3])
def test_layers_together_change_no_bit(
    together: int, held: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers one by one or three at a time, of all layers or of segments of some."""
    whole = limited(None)
    size = whole.problem.transport.points.size
    monkeypatch.setattr(layer, "TOGETHER", together * size)
    few = limited(held)
    theta, _ = point(whole)
    assert few.value(theta) == whole.value(theta)
    np.testing.assert_array_equal(few.derivative(theta), whole.derivative(theta))


@pytest.mark.parametrize("layers", [1, 2.2, 4, 8])
def test_derivatives_are_the_same_bit_for_bit(layers: float) -> None:
    whole, little = limited(None), limited(layers)
    assert not little.plan.whole
    assert little.plan.memory <= layers * little.plan.layer_bytes + little.plan.state_bytes + 1
    theta, h = point(whole)
    assert little.value(theta) == whole.value(theta)
    for _ in range(2):
        np.testing.assert_array_equal(little.derivative(theta), whole.derivative(theta))
        np.testing.assert_array_equal(
            little.hessian_action(theta, h), whole.hessian_action(theta, h)
        )
    np.testing.assert_array_equal(
        Trajectory(little, theta).densities(), Trajectory(whole, theta).densities()
    )
    np.testing.assert_array_equal(
        Trajectory(little, theta).adjoints(), Trajectory(whole, theta).adjoints()
    )
    assert Trajectory(little, theta).balance().outflow.min() > 0.0
    for name in ("final", "outflow", "min_density", "max_density"):
        np.testing.assert_array_equal(
            getattr(Trajectory(little, theta).balance(), name),
            getattr(Trajectory(whole, theta).balance(), name),
        )
    pairs = zip(
        Trajectory(little, theta).snapshots(7), Trajectory(whole, theta).snapshots(7), strict=True
    )
    for (t, f), (s, g) in pairs:
        assert t == s
        np.testing.assert_array_equal(f, g)


def test_checkpoints_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    whole = limited(None)
    few, many = limited(1), limited(1, resources={"disk": "10 MB"})
    assert few.plan.on_disk == 0 and many.plan.on_disk == LAYERS - 2
    assert many.plan.recompute_factor < few.plan.recompute_factor
    theta, h = point(whole)
    np.testing.assert_array_equal(many.derivative(theta), whole.derivative(theta))
    np.testing.assert_array_equal(many.hessian_action(theta, h), whole.hessian_action(theta, h))


def test_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    functional = limited(1, resources={"disk": "10 MB"})

    def full(**_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(InputError, match=r"^resources\.disk.*No space left.*TMPDIR"):
        functional.derivative(functional.theta0)


@pytest.mark.parametrize("method", ["lmvm", "nls", "maximum_principle"])
def test_training_is_the_same(method: str) -> None:
    training = {"method": method, "max_iterations": 3, "gradient_tolerance": 1e-9}
    sections = {"training": training, "mesh": {"cells": [4, 4]}, "loss": {"kind": "cross_entropy"}}
    if method == "maximum_principle":
        sections["loss"] = {"kind": "cross_entropy", "running": 0.5}
    whole = limited(None, **sections)
    little = limited(5, **sections)
    assert not little.plan.whole
    results = [minimise(j, j.theta0) for j in (whole, little)]
    np.testing.assert_array_equal(results[0].theta, results[1].theta)
    assert results[0].iterations == results[1].iterations > 0


def test_memory_for_less_than_a_layer_is_an_error() -> None:
    sentence = r"resources\.memory.*got 1 kB, expected at least .* kB\. Raise it"
    with pytest.raises(InputError, match=sentence):
        limited(None, resources={"memory": "1 kB"})
    with pytest.raises(InputError, match=r"at least 3 kB"):
        choose(4, 2000, 1000, memory=1500.0)
    # with disk the checkpoint needs no memory
    with pytest.raises(InputError, match=r"at least 2 kB"):
        choose(4, 2000, 1000, memory=1500.0, disk=1e6)
    assert choose(4, 2000, 1000, memory=2000.0, disk=1e6).held == 1
    # the sentence counts what else the memory holds, as the case file does
    with pytest.raises(InputError, match=r"got 4 kB, expected at least 5 kB"):
        choose(4, 2000, 1000, memory=4000.0, reserved=2000)
    assert choose(4, 2000, 1000, memory=5000.0, reserved=2000) == choose(4, 2000, 1000, 3000.0)


def binomial(segments: int, checkpoints: int) -> int:
    """Return the fewest steps forward that n steps back need with s checkpoints.

    The recurrence of Griewank and Walther (2000): advance m steps, reverse the rest with one
    checkpoint less, then the first m.
    """
    best = np.full((segments + 1, checkpoints + 1), np.inf)
    best[1] = 1.0
    for n in range(2, segments + 1):
        for s in range(1, checkpoints + 1):
            rest = [m + best[n - m, s - 1 if n - m > 1 else s] + best[m, s] for m in range(1, n)]
            best[n, s] = min(rest)
    return int(best[segments, checkpoints])


@pytest.mark.parametrize(("segments", "checkpoints"), [(2, 1), (7, 2), (10, 3), (23, 4), (40, 5)])
def test_schedule_is_the_binomial_one(segments: int, checkpoints: int) -> None:
    plan = Plan(segments, 1, checkpoints, 0, 1, 1)
    assert plan.recompute_factor * segments == pytest.approx(binomial(segments, checkpoints))


@pytest.mark.parametrize("layers", [1, 2, 7, 30])
@pytest.mark.parametrize("room", [11.0, 12.0, 25.0, 100.0, 299.0, 300.0, np.inf])
def test_plan(layers: int, room: float) -> None:
    plan = choose(layers, 10, 1, room)
    assert plan.memory <= room
    assert plan.whole == (room >= 10 * layers)
    parts = [n for i in range(plan.segments) for n in plan.segment(i)]
    assert parts == list(range(layers))
    for i in range(plan.segments):
        assert {plan.start_of(n) for n in plan.segment(i)} == {plan.segment(i).start}
        assert len(plan.segment(i)) <= plan.held
    assert (plan.recompute_factor == 1.0) == plan.whole
    if room < 300.0:
        assert plan.recompute_factor >= choose(layers, 10, 1, 300.0).recompute_factor


def test_memory_of_the_machine_is_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limited(None).plan.whole
    needed = limited(None).plan.memory
    monkeypatch.setattr(memory, "_free_of_node", lambda: needed)
    assert not limited(None).plan.whole
    monkeypatch.setattr(memory, "_free_of_node", lambda: 2.0 * needed)
    assert limited(None).plan.whole


def test_memory_of_a_control_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    free = memory.available(MPI.COMM_SELF)
    assert 0.0 < free < np.inf
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("3000000\n")
    assert memory.available(MPI.COMM_SELF) == 2e6
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available(MPI.COMM_SELF) == pytest.approx(free, rel=0.5)


def test_predicted_memory_is_that_of_the_process(tmp_path: Path) -> None:
    """Within 20 % of the measured peak, with all layers held and with few of them."""
    settings = ["mesh.cells=[48, 48]", "time.steps_per_layer=40", "training.max_iterations=1"]
    settings += ["output.fields=false", "output.pictures=false"]
    measured = []
    for name, limit in (("whole", []), ("little", ['resources.memory="100 MB"'])):
        command("run", PLANE, "--out", tmp_path / name, settings=settings + limit)
        report = json.loads((tmp_path / name / "run.json").read_text())["memory"]
        measured.append(report["measured"])
        assert report["predicted"] == pytest.approx(report["measured"], rel=0.2)
    assert measured[0] - measured[1] > 2e8


@pytest.mark.parametrize(("cell", "n", "degree"), [("hexahedron", 5, 4), ("tetrahedron", 5, 3)])
def test_setting_up_takes_little_more_than_the_operator(cell: str, n: int, degree: int) -> None:
    """The matrices are made a block at a time: their dense rows are never there at once."""
    space = Space(shaped_mesh(MPI.COMM_SELF, cell, n, "perturbed"), degree)
    tracemalloc.start()
    transport = PetscTransport(space)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert transport.bytes < most < 1.8 * transport.bytes


def test_peak_is_that_of_the_process_alone() -> None:
    """A program that a large process starts does not count what that process has held."""
    held = np.ones(int(1e9) // 8)
    measure = "from mpi4py import MPI; from mfresnet.memory import peak; print(peak(MPI.COMM_SELF))"
    of_program = int(execute([sys.executable, "-c", measure]).stdout)
    assert 1e6 < of_program < held.nbytes < memory.peak(MPI.COMM_SELF)


def test_fewest_steps_are_those_of_the_recursion() -> None:
    """And as quick for many layers, where the recursion of the package is too deep."""
    for checkpoints in (1, 2, 3, 5, 9):
        for n in range(1, 60):
            assert fewest_steps(n, checkpoints) == optimal_steps_binomial(n, checkpoints)
    plan = choose(100_000, 10**6, 10**4, 1e9)
    assert plan.memory <= 1e9 and plan.recompute_factor < 3.0
