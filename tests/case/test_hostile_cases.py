# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Case files that no one would write: a case or a sentence, never a traceback or a hang."""

from mpi4py import MPI

import copy
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hostile import VALUES
from mfresnet.case import checks_network as network_checks
from mfresnet.case import text as case_text
from mfresnet.case.case import load, parse
from mfresnet.case.completion import resolve
from mfresnet.case.population import populate
from mfresnet.data.laws.formula import read_formula
from mfresnet.errors import InputError
from mfresnet.functional import problem as problem_module
from mfresnet.functional.problem import create

ROOT = Path(__file__).parents[2]
CASES = sorted((ROOT / "cases").glob("*.toml"))
GOOD = tomllib.loads((ROOT / "cases" / "two_classes_2d.toml").read_text())
COUNT = int(os.environ.get("MFRESNET_HOSTILE", "300"))
"""Random cases; more of them by hand."""


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all keys and items."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    return [
        place
        for key, value in items
        for place in [
            (*path, key),
            *(places(value, (*path, key)) if isinstance(value, dict | list) else ()),
        ]
    ]


KEYS = (
    "mesh.kind mesh.file mesh.cell mesh.cells mesh.lower mesh.upper mesh.outflow_tolerance "
    "space.degree space.flux time.order time.stages time.steps_per_layer time.limiter "
    "resources.memory resources.operator resources.disk network.block network.activation "
    "network.layers network.final_time "
    "network.width network.shared network.trainable network.inference initial.kind initial.seed "
    "initial.scale initial.file initial.W loss.kind loss.terminal loss.running loss.target "
    "loss.targets penalty.tikhonov penalty.l1 penalty.smoothness training.method "
    "training.max_iterations training.gradient_tolerance training.lower training.levels "
    "training.seeds output.bp data.file data.label data.features data.bandwidth data.priors "
    "data.test_fraction data.seed data.reduce start task title classes mesh"
).split()


def hostile(rng: np.random.Generator) -> dict[str, Any]:
    """Return a case of the project with one to four values replaced, added or removed."""
    data = tomllib.loads(CASES[rng.integers(len(CASES))].read_text())
    for _ in range(rng.integers(1, 5)):
        found = places(data)
        if rng.random() < 0.4 or not found:
            path: tuple[Any, ...] = tuple(KEYS[rng.integers(len(KEYS))].split("."))
        else:
            path = found[rng.integers(len(found))]
        here: Any = data
        for key in path[:-1]:
            here = here.setdefault(key, {}) if isinstance(here, dict) else here[key]
            if not isinstance(here, dict | list):
                break
        if not isinstance(here, dict | list) or (isinstance(here, list) and path[-1] != 0):
            continue
        if rng.random() < 0.1 and isinstance(here, dict):
            here.pop(path[-1], None)
        else:
            here[path[-1]] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
    return data


@pytest.mark.parametrize("part", range(4))
def test_random_cases_end_in_a_case_or_a_sentence(part: int) -> None:
    """``MFRESNET_HOSTILE=10000 pytest`` tries more of them."""
    for seed in range(part, COUNT, 4):
        try:
            case = parse(hostile(np.random.default_rng(seed)), ROOT / "cases")
            if case.data is None:
                resolve(case, populate(case, MPI.COMM_SELF)).to_toml()
        except InputError as error:
            assert error.messages and all(error.messages), seed
        except BaseException as error:
            raise AssertionError(f"case {seed} ends in {type(error).__name__}") from error


SIZES: dict[str, tuple[dict[str, Any], str]] = {
    "cells": ({"mesh": {"cells": [2**63 - 1, 4]}}, r"^mesh\.cells\.0: wrong value; got 922337"),
    "layers": ({"network": {"layers": 10**9}}, r"^network\.layers: wrong value; got 1000000000"),
    "seed": ({"initial": {"seed": 2**32}}, r"^initial\.seed: wrong value; got 4294967296"),
    "steps": ({"time": {"steps_per_layer": 2**31}}, r"^time\.steps_per_layer: wrong value"),
    "large": ({"network": {"final_time": 1e300}}, r"^network\.final_time: .*got 1e\+300"),
    "denormal": ({"network": {"final_time": 1e-310}}, r"^network\.final_time: .*got 1e-310"),
    "zero byte": ({"mesh": {"file": "a\0b"}}, r"^mesh\.file: wrong value; .*without a zero byte"),
    "deep": ({"initial": {"W": 0}}, "too deep; got more than 20 inside one another"),
}


@pytest.mark.parametrize("name", SIZES)
def test_bounds(name: str) -> None:
    change, pattern = SIZES[name]
    data = GOOD | {section: GOOD.get(section, {}) | keys for section, keys in change.items()}
    if name == "deep":
        for _ in range(10_000):
            data["initial"]["W"] = [data["initial"]["W"]]
    with pytest.raises(InputError) as caught:
        parse(data)
    assert any(re.search(pattern, m) for m in caught.value.messages), caught.value.messages


def test_sizes_are_held_against_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is allocated: 10^18 cells, and 10^5 layers of 10^9 parameters."""
    mesh = GOOD["mesh"] | {"cells": [10**9, 10**9]}
    case = parse(GOOD | {"mesh": mesh})
    with pytest.raises(InputError, match=r"^mesh\.cells: too many for the memory; got 1e\+18 cell"):
        create(case, populate(case, MPI.COMM_SELF).extent, MPI.COMM_SELF)
    wide = {"block": "wide", "width": 10**9, "layers": 10**5}
    case = parse(GOOD | {"network": wide})
    with pytest.raises(InputError, match=r"^network\.layers: too many parameters for the memory"):
        case.initial_controls(2)
    monkeypatch.setattr(problem_module, "available", lambda comm: 1e4)
    monkeypatch.setattr(network_checks, "free", lambda: 100.0)
    case = parse(GOOD)
    with pytest.raises(InputError, match=r"^mesh\.cells: .*got 1.02e\+03 cells .*at most 10 kB"):
        create(case, populate(case, MPI.COMM_SELF).extent, MPI.COMM_SELF)
    with pytest.raises(InputError, match=r"^network\.layers: .* got 60 that take"):
        case.initial_controls(2)


TEXTS = {
    "lists": "a = " + "[" * 5000 + "]" * 5000,
    "tables": "a = " + "{a = " * 3000 + "1" + "}" * 3000,
    "digits": "a = " + "9" * 5000,
    "date": "a = 2020-13-41",
    "nothing": "\0",
    "long": "# " + "a" * case_text.LONGEST,
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_are_no_case_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(TEXTS[name])
    with pytest.raises(InputError, match=r"case\.toml: (not a TOML file|cannot be read \(\d+ byt)"):
        load(path)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    """A named pipe would keep its reader waiting for ever."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero"), "a\0b", "\udcff" * 3):
        with pytest.raises(
            InputError, match=r"cannot be read \((No regular|Is a dir|No path|No su)"
        ):
            load(path)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 400 + "1" + ")" * 400, "-" * 3000 + "x[0]", "not " * 3000 + "1", "~" * 3000 + "1",
        "x[0]" + ".a" * 3000, "x[0]" + "[0]" * 3000, "f" + "(1)" * 3000, "9" * 10000, "a" * 10**5,
        "x[0]\0", "\ud800", "+".join(["x[0]"] * 5000), "", "x[10**9]", "1j", "'a' * 9", "(y := 1)",
    ],
    ids=range(17),
)  # fmt: skip
def test_formulas(text: str) -> None:
    with pytest.raises(ValueError, match="^expected") as caught:
        read_formula(text)
    assert len(str(caught.value)) < 400


def test_formulas_of_huge_numbers_are_quick() -> None:
    for text in ("9**9**9", "2**" * 290 + "2", "1e999"):
        assert np.isinf(read_formula(text)(np.ones((1, 2)))).all()
