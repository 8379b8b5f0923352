# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What is new in a task is a row in the table of its room; all else it has from another task."""

from mpi4py import MPI

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from helpers import imported
from mfresnet.arrays import Array
from mfresnet.case.case import Case, parse
from mfresnet.case.checks import TASK_CHECKS
from mfresnet.case.population import POPULATIONS, Population
from mfresnet.data.tables.dataset import Dataset
from mfresnet.errors import InputError
from mfresnet.files import FileError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.handover import trained_network
from mfresnet.losses.point import PointLoss, Quadratic
from mfresnet.losses.table import LOSSES, Row
from mfresnet.pictures.table import PICTURES, Pictures
from mfresnet.runs.crossval import COMPARISONS, Comparison, cross_validate, split_table
from mfresnet.runs.runner import run
from mfresnet.tasks import TASKS, Task, of_task
from mfresnet.trained.answers import ANSWERS, Answer
from mfresnet.trained.exporters import export
from mfresnet.trained.loading import load_network
from mfresnet.trained.network import TrainedNetwork
from mfresnet.trained.prediction import predict
from mfresnet.trained.readings import READINGS
from mfresnet.trained.to_onnx import FORMS
from mfresnet.trained.to_torch import PARTS
from mfresnet.verification.measures.table import MEASURES
from mfresnet.verification.measures.verdict import CONTESTS

TABLES: dict[str, dict[str, Any]] = {
    "case: checks of the keys": TASK_CHECKS,
    "case: the classes of samples": POPULATIONS,
    "trained: how scores are read": READINGS,
    "trained: columns of a prediction": ANSWERS,
    "trained: ONNX": FORMS,
    "trained: PyTorch": PARTS,
    "verification: measures": MEASURES,
    "pictures: pictures": PICTURES,
    "verification: baselines": CONTESTS,
    "runs: cross-validation": COMPARISONS,
}
"""The tables that are kept by task beside ``TASKS``."""
PACKAGE = Path(__file__).parents[2] / "solver/mfresnet"


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_every_task(table: str) -> None:
    """But those that are like another one."""
    own = {name for name, task in TASKS.items() if not task.like}
    assert own <= set(TABLES[table]) <= set(TASKS)


@pytest.mark.parametrize("table", TABLES)
def test_a_task_has_the_nearest_row(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, known = TABLES[table], next(iter(TASKS))
    monkeypatch.setitem(TASKS, "first", Task("", None, like=known))
    monkeypatch.setitem(TASKS, "second", Task("", None, like="first"))
    assert of_task(rows, "second") is of_task(rows, "first") is rows[known]
    own = object()
    monkeypatch.setitem(rows, "first", own)
    assert of_task(rows, "second") is of_task(rows, "first") is own


def test_no_other_place_knows_a_task() -> None:
    """Nothing is compared with the name of a task; every table of tasks is in the list above."""
    tables = 0
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                told = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)}
                assert not told & set(TASKS), f"{path}:{node.lineno}"
            elif isinstance(node, ast.Dict):
                tables += set(TASKS) <= {k.value for k in node.keys if isinstance(k, ast.Constant)}
    assert tables == len(TABLES) + 1


# ---------------------------------------------------------------------- a task
GOAL = 0.5
"""Where the samples, which have no label, should all go."""


def refuse_label(case: Any) -> list[str]:
    given = case.data is not None and case.data.label is not None
    return ["data.label: nothing to gather by. Remove it."] * given


def to_the_goal(case: Case, given: Population, dataset: Dataset) -> Population:
    return replace(given, targets=np.full((1, dataset.dimension), GOAL))


def distances(network: TrainedNetwork, samples: Array, _: Array) -> dict[str, Array]:
    return {"distance": np.abs(network.positions(samples)[:, 0] - GOAL)}


def apart(functional: ReducedFunctional, theta: Array) -> dict[str, Any]:
    network, dataset = trained_network(functional, theta), functional.population.dataset
    assert dataset is not None
    parts = {"train": dataset.train, "test": dataset.test}
    return {"apart": {n: float(np.abs(network.carry(p.x) - GOAL).mean()) for n, p in parts.items()}}


ROWS: dict[str, Any] = {
    "case: checks of the keys": (refuse_label,),
    "case: the classes of samples": to_the_goal,
    "trained: columns of a prediction": Answer(distances, lambda counts: {}),
    "verification: measures": apart,
    "pictures: pictures": Pictures(samples=lambda functional, theta: {"apart": Figure()}),
    "runs: cross-validation": Comparison(
        ("apart",), (), lambda metrics, _, part: [metrics["apart"][part]]
    ),
}
"""Where it is new; its scores are read, and its network is exported, as those of classes are."""


def gathering(path: Path, **sections: Any) -> Case:
    x = np.random.default_rng(2).normal(size=40)
    pd.DataFrame({"x": x}).to_csv(path, index=False)
    mesh = {"cell": "interval", "cells": [16], "lower": -5.0, "upper": 5.0}
    data: dict[str, Any] = {
        "task": "gathering",
        "data": {"file": str(path)},
        "mesh": mesh | {"outflow_tolerance": 1e-2},
        "space": {"degree": 1},
        "network": {"layers": 2},
        "training": {"max_iterations": 3},
        "output": {"fields": False},
    }
    for name, section in sections.items():
        data[name] = data.get(name, {}) | section
    return parse(data)


def test_a_task_that_is_new_in_some_rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the case file to run directory, pictures, prediction, export and cross-validation."""
    with pytest.raises(InputError, match=r"^task: unknown name; got 'gathering'"):
        gathering(tmp_path / "a.csv")
    gathered = Row(
        lambda s: PointLoss(s, Quadratic(s)), cost=Quadratic, targets=True, tasks=("gathering",)
    )
    monkeypatch.setitem(LOSSES, "gathered", gathered)
    monkeypatch.setitem(TASKS, "gathering", Task("gathered", None, like="classification"))
    for name, row in ROWS.items():
        monkeypatch.setitem(TABLES[name], "gathering", row)
    with pytest.raises(InputError, match=r"^data\.label: nothing to gather by"):
        gathering(tmp_path / "a.csv", data={"label": "x"})
    case = gathering(tmp_path / "a.csv")
    run(case, tmp_path / "run", comm=MPI.COMM_SELF)
    left = json.loads((tmp_path / "run/run.json").read_text())
    found = left["metrics"]["apart"]
    assert 0.0 < found["train"] < 0.8 and 0.0 < found["test"] < 0.8
    names = {p.name for p in (tmp_path / "run/pictures").iterdir()}
    assert {"apart.png", "density.png"} < names and "decision.png" not in names

    network, x = load_network(tmp_path / "run"), np.linspace(-1.0, 1.0, 5)[:, None]
    assert network.task == "gathering" and not network.head
    told = predict(network, tmp_path / "a.csv", tmp_path / "b.csv", MPI.COMM_SELF)
    assert told.sentence() == "40 rows."
    columns = pd.read_csv(tmp_path / "b.csv")
    assert list(columns) == ["distance"] and len(columns) == 40
    export(network, "torch", tmp_path / "a.pt")
    with torch.no_grad():
        given = imported(tmp_path / "a.py").load()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(given, network.positions(x), rtol=1e-12)
    export(network, "onnx", tmp_path / "a.onnx")
    (given,) = onnxruntime.InferenceSession(tmp_path / "a.onnx").run(["positions"], {"features": x})
    np.testing.assert_allclose(given, network.positions(x), rtol=1e-12)
    result = cross_validate(case, seeds=2, comm=MPI.COMM_SELF)
    assert list(result["mean"]) == ["train_apart", "test_apart"]
    assert split_table(result).splitlines()[0].split() == ["apart"]


def test_a_network_of_an_unknown_task_is_refused(tmp_path: Path) -> None:
    network = TrainedNetwork(
        ("x",), ("a",), np.zeros(1), np.eye(1), np.eye(1), "square", "tanh",
        {"W": np.ones((1, 1, 1)), "b": np.zeros((1, 1))}, 1.0, 1, 1, task="gathering",
    )  # fmt: skip
    with pytest.raises(FileError, match="its task: none that is known"):
        TrainedNetwork.from_arrays(network.to_arrays())
