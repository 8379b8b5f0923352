# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Levels from coarse to fine, several random starts, and starts from the file of another run."""

from mpi4py import MPI

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import gaussian, make_case
from mfresnet.case.case import Case
from mfresnet.case.population import populate
from mfresnet.errors import InputError, SolveError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.network.controls import prolong
from mfresnet.optimise.optimiser import minimise
from mfresnet.optimise.result import Iteration
from mfresnet.optimise.search import Oracle
from mfresnet.output.run_directory import write_controls
from mfresnet.training.levels import Stage, train
from mfresnet.training.of_case import train_case

WIDE = {"block": "wide", "width": 3, "layers": 4}


def trained(case: Case, **options: object) -> tuple[ReducedFunctional, object, tuple[Stage, ...]]:
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    return functional, *train(functional, **options)  # type: ignore[arg-type]


def test_levels_end_in_the_fine_optimum() -> None:
    levels = [{"cells": [6], "layers": 2, "gradient_tolerance": 1e-3}, {"cells": [12], "layers": 2}]
    settings = {"mesh": {"cells": [16]}, "network": {"layers": 4}}
    direct = minimise(ReducedFunctional(make_case("interval", **settings), MPI.COMM_SELF))
    case = make_case("interval", **settings, training={"levels": levels})
    _, result, stages = trained(case)
    assert [(s.cells, s.layers) for s in stages] == [((6,), 2), ((12,), 2), ((16,), 4)]
    assert all(s.status == "converged" for s in stages)
    assert result.value == pytest.approx(direct.value, rel=1e-9)
    # the coarse optimum is a good start: the first J of the finest level is close to the last
    assert result.history[0].objective == pytest.approx(direct.value, rel=2e-2)
    assert stages[-1].iterations < direct.iterations


@pytest.mark.parametrize("loss", [{}, {"kind": "density_l2", "target": gaussian(0.4, 0.1)}])
def test_levels_that_nobody_names(loss: dict[str, Any]) -> None:
    """Points where the loss is a mean over points, then half the cells; the optimum is the same."""
    settings = {"mesh": {"cells": [24]}, "network": {"layers": 4}, "loss": loss}
    direct = minimise(ReducedFunctional(make_case("interval", **settings), MPI.COMM_SELF))
    case = make_case("interval", **settings, training={"levels": "auto"})
    rows: list[Iteration] = []
    population = populate(case, MPI.COMM_SELF)
    found = train_case(case, population, MPI.COMM_SELF, on_iteration=rows.append)
    points = [] if loss else [()]
    first = [row.objective for row in rows if row.iteration == 0]
    assert len(first) == len(found.stages)
    for before, start in zip(found.stages, first[1:], strict=False):
        assert start == pytest.approx(before.objective, rel=0.05) and start < 0.95 * first[0]
    assert [s.cells for s in found.stages] == [*points, (12,), (24,)]
    assert all(s.points for s in found.stages[: len(points)])
    assert found.result.converged
    assert found.result.value == pytest.approx(direct.value, rel=1e-9)
    assert found.stages[-1].iterations < direct.iterations


def test_prolonged_controls_have_the_same_velocity_and_penalty() -> None:
    """On the same mesh with the same number of time steps J does not change at all."""
    network = {"layers": 2}
    coarse = ReducedFunctional(
        make_case("interval", network=network, time={"steps_per_layer": 16}), MPI.COMM_SELF
    )
    theta = coarse.theta0 + 0.2 * np.sin(np.arange(coarse.controls.size))
    fine = ReducedFunctional(
        make_case("interval", network={"layers": 8}, time={"steps_per_layer": 4}), MPI.COMM_SELF
    )
    controls = prolong(coarse.controls.from_vector(theta), 8)
    prolonged = fine.controls.to_vector(controls.values)
    assert fine.value(prolonged) == pytest.approx(coarse.value(theta), rel=1e-13)


def test_best_of_several_starts_is_kept() -> None:
    """Also the parameters that are not trained are those of the best seed."""
    network = WIDE | {"trainable": ["V", "c"]}
    case = make_case("interval", network=network, training={"seeds": [5, 2, 9]})
    seen: list[Stage] = []
    functional, result, stages = trained(case, on_stage=seen.append)
    assert [s.seed for s in stages] == [5, 2, 9] and seen == list(stages)
    objectives = [s.objective for s in stages]
    assert len(set(objectives)) == 3 and result.value == min(objectives)
    assert functional.value(result.theta) == pytest.approx(result.value, rel=1e-13)
    best = stages[int(np.argmin(objectives))].seed
    expected = functional.case.initial_controls(2, best).W
    np.testing.assert_array_equal(functional.controls.from_vector(result.theta).W, expected)


def test_start_that_fails_is_reported_and_passed_over() -> None:
    class Oracle2(Oracle):
        calls = 0

        def evaluate(self, functional: ReducedFunctional, theta: object) -> object:
            Oracle2.calls += 1
            if Oracle2.calls == 1:
                raise SolveError("out of luck.")
            return super().evaluate(functional, theta)  # type: ignore[arg-type]

    case = make_case("interval", network=WIDE, training={"seeds": [1, 2], "max_iterations": 2})
    _, result, stages = trained(case, oracle=Oracle2())
    assert stages[0].status == "failed" and stages[0].message == "out of luck."
    assert result.value == stages[1].objective


def test_start_from_the_controls_of_another_run(tmp_path: Path) -> None:
    one = ReducedFunctional(make_case("interval", network=WIDE | {"layers": 2}), MPI.COMM_SELF)
    theta, path = one.theta0 + 0.1, tmp_path / "controls.npz"
    write_controls(path, one.controls, theta)
    initial = {"kind": "file", "file": str(path)}
    two = ReducedFunctional(make_case("interval", network=WIDE, initial=initial), MPI.COMM_SELF)
    for layer in range(4):
        before = one.controls.from_vector(theta).layer(layer // 2)
        for name, value in two.controls.initial.layer(layer).items():
            np.testing.assert_array_equal(value, before[name])
    for change, text in (
        ({"layers": 3}, "expected a multiple of 2"),
        ({"width": 4}, r"does not fit the network; got W of shape \(2, 3, 1\)"),
    ):
        with pytest.raises(InputError, match=text):
            ReducedFunctional(
                make_case("interval", network=WIDE | change, initial=initial), MPI.COMM_SELF
            )
    with pytest.raises(InputError, match=r"initial\.file: cannot be read"):
        initial = {"kind": "file", "file": str(tmp_path / "none.npz")}
        ReducedFunctional(make_case("interval", network=WIDE, initial=initial), MPI.COMM_SELF)
