# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Grids of cases: lists and ranges of values, and sentences that name what does not fit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfresnet.case.case import Case, load, parse
from mfresnet.case.grid import DIGITS, axes_of, members_of
from mfresnet.errors import InputError

QUIET = settings(database=None, deadline=None)
"""No folder in the checkout, and no clock."""
ROOT = Path(__file__).parents[2]
CASES = sorted((ROOT / "cases").glob("*.toml"))
SHIFT = load(ROOT / "cases/shift_1d.toml")


def values(text: str) -> tuple[Any, ...]:
    (axis,) = axes_of([f"some.key={text}"])
    return axis.values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5,10,20", (5, 10, 20)),
        ("tanh, relu", ("tanh", "relu")),
        ("true,1", (True, 1)),
        ("[8, 8],[16, 16]", ([8, 8], [16, 16])),
        ("{weight = 1e-3, head = 0.1},2", ({"weight": 1e-3, "head": 0.1}, 2)),
        ("'a,b',\"c:d\"", ("a,b", "c:d")),
        ("0:9:10", tuple(range(10))),
        ("4:16:3:log", (4, 8, 16)),
        ("0:1:3", (0.0, 0.5, 1.0)),
        ("1e-4:1e-1:4:log", (1e-4, 1e-3, 1e-2, 1e-1)),
        ("1e-1:1e-3:3:log", (1e-1, 1e-2, 1e-3)),
        ("7", (7,)),
    ],
)
def test_values(text: str, expected: tuple[Any, ...]) -> None:
    assert values(text) == expected
    assert [type(v) for v in values(text)] == [type(v) for v in expected]


VALUE = st.one_of(
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda v: v != int(v) or abs(v) > 1e12),
    st.booleans(),
    st.text("abc ,:[]{}'", max_size=6),
    st.lists(st.integers(0, 99), max_size=3),
)


@QUIET
@given(st.lists(VALUE, min_size=1, max_size=6, unique_by=lambda v: repr(v)))
def test_lists_come_back(given_values: list[Any]) -> None:
    text = ",".join(json.dumps(v) for v in given_values)
    assert values(text) == tuple(given_values)


@QUIET
@given(
    st.floats(1e-8, 1e8), st.floats(1e-8, 1e8), st.integers(2, 60), st.sampled_from(["", ":log"])
)
def test_ranges_run_from_end_to_end(low: float, high: float, count: int, log: str) -> None:
    if abs(low - high) < 1e-6 * max(low, high):
        return
    found = np.array(values(f"{low!r}:{high!r}:{count}{log}"), float)
    assert len(found) == count
    np.testing.assert_allclose(found[[0, -1]], [low, high], rtol=10.0 ** (1 - DIGITS))
    steps = np.diff(np.log(found) if log else found)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)


@QUIET
@given(st.text("0123456789.:e-+log,x[]{}'\" ", max_size=20))
def test_no_text_is_a_defect(text: str) -> None:
    try:
        assert len(values(text)) > 0
    except InputError as error:
        assert str(error).startswith("--over")


WRONG = {
    "penalty.tikhonv=1,2": "Did you mean 'tikhonov'",
    "network.layers=5,0": "network.layers: wrong value; got 0",
    "network.layers=5:7:4": "network.layers: wrong value; got 5.66",
    "network.activation=tanh,rleu": "Did you mean 'relu'",
    "classes.3.weight=0.5,1": "no such place",
    "mesh.cells=[8],[8, 8]": "wrong length; got 2",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_does_not_fit_is_named(text: str) -> None:
    with pytest.raises(InputError) as error:
        members_of(SHIFT, axes_of(["space.degree=1,2", text]))
    (message,) = error.value.messages
    assert message.startswith(f"--over {text}: ") and WRONG[text] in message
    assert message.count("--over") == 1 or "For example" in message


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        ([], "missing"),
        (["network.layers"], "no values"),
        (["network.layers="], "no values"),
        (["network.layers=1:2"], "not a range"),
        (["network.layers=0:2:3:log"], "not a range"),
        (["network.layers=1:inf:3"], "not a range"),
        (["network.layers=5,6,5"], "a value twice; got 5"),
        (["network.layers=5", "network.layers=6"], "given twice"),
    ],
)
def test_texts_that_are_no_grid(texts: list[str], what: str) -> None:
    with pytest.raises(InputError, match=what):
        axes_of(texts)


def test_values_that_only_together_do_not_fit() -> None:
    """All are named then."""
    over = ["mesh.lower=[-2],[2]", "mesh.upper=[4],[1]"]
    with pytest.raises(InputError) as error:
        members_of(SHIFT, axes_of(over))
    assert str(error.value).startswith("--over mesh.lower=[-2],[2] --over mesh.upper=[4],[1]: mesh")


def test_too_many_members() -> None:
    over = [f"data.seed{i}=0:99:100" for i in range(3)]
    with pytest.raises(InputError, match="got 1000000, expected at most 10000"):
        members_of(SHIFT, axes_of(over))


def test_last_key_runs_fastest() -> None:
    members = members_of(SHIFT, axes_of({"penalty.tikhonov": np.array([0.1, 0.2]),
                                         "network.layers": "4,8"}))  # fmt: skip
    assert [m.values for m in members] == [
        {"penalty.tikhonov": a, "network.layers": n} for a in (0.1, 0.2) for n in (4, 8)
    ]
    assert [m.number for m in members] == [0, 1, 2, 3]
    assert members[2].place == (1, 0)
    assert members[2].name == "penalty.tikhonov=0.2, network.layers=4"
    assert members[2].case == SHIFT.with_({"penalty": {"tikhonov": 0.2}, "network": {"layers": 4}})


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_cases_are_members_of_their_own_grids(path: Path) -> None:
    """What is not changed stays, and another kind of loss brings its own keys."""
    case = load(path)
    (member,) = members_of(case, axes_of({"title": [case.title]}))
    assert member.case == case == parse(case.model_dump(exclude_none=True, exclude_unset=True))
    if case.task == "classification" and len(case.classes) > 1:
        kinds = [
            m.case.loss.kind
            for m in members_of(case, axes_of(["loss.kind=quadratic,cross_entropy"]))
        ]
        assert kinds == ["quadratic", "cross_entropy"]


def test_library_takes_what_numpy_makes() -> None:
    (axis,) = axes_of({"penalty.tikhonov": np.geomspace(1e-3, 1e-1, 3)})
    assert all(type(v) is float for v in axis.values)
    assert isinstance(members_of(SHIFT, [axis])[0].case, Case)
