# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Case files made from the models of the case: valid ones, nearly valid ones, hostile ones."""

from mpi4py import MPI

import copy
import inspect
import tomllib
import types
import typing
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import annotated_types
import hypothesis
import numpy as np
import tomli_w
from hypothesis import strategies as st
from pydantic import BaseModel

from helpers import damaged, gaussian
from hostile import VALUES
from mfresnet.case.case import Case, load, parse
from mfresnet.case.completion import resolve
from mfresnet.case.population import populate
from mfresnet.data.laws.density import KINDS
from mfresnet.errors import InputError
from mfresnet.losses.table import LOSSES
from mfresnet.mesh.boxes import CELLS
from mfresnet.mesh.kinds import MESHES
from mfresnet.network.penalties import penalty_section
from torture.chapter import Chapter, Outcomes, check_sentences

ROOT = Path(__file__).parents[2]
SIZE = 1000
"""Cases of a seed."""
GOOD = [0.1, 0.5, 1.0, 2.0, 1e-3]
MATRICES = ("covariance",)
"""Keys whose vectors are matrices."""


# ---------------------------------------------------------------------- from the models
@cache
def of_model(model: type[BaseModel], d: int, kind: str | None = None) -> st.SearchStrategy[Any]:
    """Return sections of a model: what it needs, and any of the other keys."""
    fields = model.model_fields.items()
    parts = {
        name: of_type(field.annotation, field.metadata, d, name)
        for name, field in fields
        if name not in ("kind", "file")
    }
    needed = {n: parts[n] for n, field in fields if field.is_required() and n in parts}
    others = {n: part for n, part in parts.items() if n not in needed}
    made = st.fixed_dictionaries(needed, optional=others)
    few = st.tuples(made, st.sets(st.sampled_from(sorted(others) or [""]), max_size=3))
    chosen = few.map(lambda p: {k: v for k, v in p[0].items() if k in needed or k in p[1]})
    return chosen if kind is None else chosen.map(lambda section: {"kind": kind} | section)


def of_type(annotation: Any, metadata: Any, d: int, name: str) -> st.SearchStrategy[Any]:
    """Return values of an annotation of pydantic, with the bounds and the tables in it."""
    if name in SECTIONS:
        return st.deferred(lambda: SECTIONS[name](d))
    if typing.get_origin(annotation) is typing.Annotated:
        first, *more = typing.get_args(annotation)
        return of_type(first, [*more, *metadata], d, name)
    for check in metadata:
        function = getattr(check, "func", None)
        known = inspect.getclosurevars(function).nonlocals if function else {}
        if "table" in known:
            return st.sampled_from([*known["table"], *known.get("others", ())])
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        kinds = [a for a in inner if a is not type(None)]
        return st.one_of([of_type(a, metadata, d, name) for a in kinds])
    if origin is typing.Literal:
        return st.sampled_from(inner)
    if origin is list:
        return lists(inner[0], d, name)
    if origin is dict:
        return st.dictionaries(st.sampled_from(["0", "1", "a"]), of_type(inner[1], (), d, name))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return of_model(annotation, d)
    return numbers(annotation, metadata, name)


def lists(item: Any, d: int, name: str) -> st.SearchStrategy[Any]:
    if name in MATRICES:
        sizes = st.lists(st.sampled_from(GOOD), min_size=d, max_size=d)
        return sizes.map(lambda diagonal: np.diag(diagonal).tolist())
    if name == "classes":
        return st.lists(of_type(item, (), d, ""), min_size=1, max_size=3)
    if name in ("trainable", "features"):
        return st.lists(st.sampled_from(["W", "b", "V", "c", "H", "h"]), min_size=1, max_size=3)
    return st.lists(of_type(item, (), d, ""), min_size=d, max_size=d)


def numbers(annotation: Any, metadata: Any, name: str) -> st.SearchStrategy[Any]:
    """Return values of a plain type: those in use, the bounds, and any between."""
    low, high = -1e100, 1e100
    for bound in flat(metadata):
        low = max(low, *(getattr(bound, key, low) for key in ("ge", "gt")))
        high = min(high, *(getattr(bound, key, high) for key in ("le", "lt")))
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        low, high = max(int(low), -(2**31)), min(int(high), 2**31)
        return st.one_of(st.sampled_from([1, 2, 3, 4, 8]), st.integers(low, high))
    if annotation is float:
        return st.one_of(st.sampled_from(GOOD), st.sampled_from(GOOD), st.floats(low, high))
    if name == "expression":
        return st.sampled_from(["exp(-x[0]**2)", "1 + 0*x[0]", "where(x[0] < 0, 1, 2)", "x[0]"])
    return st.sampled_from(["a", "b", "1 GB", "20 kB", "0"])


def flat(metadata: Any) -> list[Any]:
    """Return the bounds in metadata, also those that a Field holds."""
    found = []
    for item in metadata:
        inside = getattr(item, "metadata", None)
        found += inside if inside is not None else [item]
    return [item for item in found if isinstance(item, annotated_types.BaseMetadata)]


def density(d: int) -> st.SearchStrategy[Any]:
    return st.one_of([of_model(model, d, kind) for kind, model in KINDS.items()])


SECTIONS: dict[str, Any] = {
    "density": density,
    "start": density,
    "loss": lambda d: st.one_of([of_model(row.section, d, k) for k, row in LOSSES.items()]),
    "mesh": lambda d: st.one_of([of_model(row.section, d, k) for k, row in MESHES.items()]),
    "penalty": lambda d: of_model(penalty_section(None), d),
}
"""Key -> what makes a section whose model a table chooses."""


@cache
def key(name: str, d: int) -> st.SearchStrategy[Any]:
    """Return values of a key of a case, the same strategy for every case."""
    field = Case.model_fields[name]
    return of_type(field.annotation, field.metadata, d, name)


@cache
def project() -> list[dict[str, Any]]:
    """Return the cases of the project."""
    return [tomllib.loads(path.read_text()) for path in sorted((ROOT / "cases").glob("*.toml"))]


@st.composite
def valid(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a case: the smallest one that is right, and some sections from their models."""
    cell = draw(st.sampled_from(sorted(CELLS)))
    d = CELLS[cell]
    n = draw(st.integers(1, 3))
    data: dict[str, Any] = {
        "mesh": {"cell": cell, "cells": [4] * d, "lower": [-6.0] * d, "upper": [6.0] * d},
        "network": {"layers": 2},
        "classes": [
            {
                "density": gaussian([0.1 * k] * d, np.eye(d).tolist()),
                "target": [0.5 * k] * d,
            }
            for k in range(n)
        ],
    }  # fmt: skip
    names = sorted(set(Case.model_fields) - {"data", "title", "accuracy"})
    for name in draw(st.sets(st.sampled_from(names), max_size=4)):
        value = draw(key(name, d))
        both = isinstance(value, dict) and isinstance(data.get(name), dict)
        data[name] = data[name] | value if both else value
    if isinstance(data["mesh"], dict):
        data["mesh"]["cell"] = cell
    return data


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


NEAR = st.one_of(valid(), st.deferred(lambda: st.sampled_from(project())))


@st.composite
def nearly(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a valid case, or one of the project, of which some values are others or missing."""
    data = copy.deepcopy(draw(NEAR))
    for _ in range(draw(st.integers(1, 3))):
        found = places(data)
        if not found:
            break
        *path, last = draw(st.sampled_from(found))
        here: Any = data
        for key in path:
            here = here[key]
        if draw(st.integers(0, 9)) == 0:
            del here[last]
        elif draw(st.integers(0, 9)) == 0 and isinstance(here, dict):
            here[str(last) + draw(st.sampled_from(["s", "", " ", "_", "é"]))] = here.pop(last)
        else:
            here[last] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    return data


KEYS = sorted({*Case.model_fields, *(k for m in Case.model_fields for k in (f"{m}s",))})
ANYTHING = st.recursive(
    st.one_of(
        st.sampled_from(VALUES), st.text(max_size=20), st.floats(), st.integers(), st.booleans(),
        st.datetimes(), st.dates(), st.times(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(["kind", "file", "cell"]), st.text()), inner),
    ),
    max_leaves=12,
)  # fmt: skip
HOSTILE = st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=9)), ANYTHING)
CASES = st.one_of(valid(), nearly(), nearly(), HOSTILE)


# ---------------------------------------------------------------------- the trials
def settings(size: int) -> hypothesis.settings:
    """Return those of a batch that depends on its seed alone."""
    return hypothesis.settings(
        max_examples=size,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


def outcome(data: dict[str, Any]) -> str:
    """Read a case, and what it says when it is written; return what came out."""
    try:
        case = parse(data, ROOT / "cases")
        if case.data is None:
            case = resolve(case, populate(case, MPI.COMM_SELF))
        text = case.to_toml()
    except InputError as error:
        check_sentences(error)
        return "refused in a sentence"
    assert parse(tomllib.loads(text)) == case
    return "accepted, and the same when written and read again"


def damaged_text(data: dict[str, Any], number: int, path: Path) -> str:
    """Damage the text of a case; return what came out."""
    try:
        content = tomli_w.dumps(data).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError):  # no TOML has it
        return "no TOML has it"
    path.write_bytes(damaged(content or b"a", np.random.default_rng(number)))
    try:
        load(path)
    except InputError as error:
        check_sentences(error)
        return "damaged text refused in a sentence"
    return "damaged text accepted"


def trial(seed: int, directory: Path) -> Outcomes:
    """Read a batch of cases."""
    found: Outcomes = Counter()

    @hypothesis.seed(seed)
    @settings(SIZE)
    @hypothesis.given(CASES, st.integers(0, 2**32 - 1))
    def one(data: dict[str, Any], number: int) -> None:
        if number % 5 == 0:
            found[damaged_text(data, number, directory / "case.toml")] += 1
        else:
            found[outcome(data)] += 1

    one()
    return found


CHAPTER = Chapter(
    name="cases",
    what=f"{SIZE} case files a seed, drawn from the models of the case by hypothesis: "
    f"valid, nearly "
    "valid, hostile, and texts that are damaged.",
    trial=trial,
    quick=1,
    full=50,
    patience=600.0,
)
