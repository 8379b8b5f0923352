# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The documents tell the truth: every key and every case is in them, and their examples work."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from mfresnet.case.case import Case, load, parse
from mfresnet.case.sections import ClassSection, LevelSection
from mfresnet.data.laws.density import KINDS
from mfresnet.data.laws.formula import FUNCTIONS
from mfresnet.data.section import DataSection
from mfresnet.data.tables.formats import FORMATS
from mfresnet.losses.table import LOSSES
from mfresnet.mesh.boxes import CELLS
from mfresnet.mesh.kinds import MESHES
from mfresnet.network.activations import ACTIVATIONS
from mfresnet.network.blocks import BLOCKS
from mfresnet.network.controls import INITIALS
from mfresnet.network.penalties import PENALTIES
from mfresnet.optimise.methods import METHODS
from mfresnet.tasks import TASKS
from mfresnet.trained.writers import WRITERS
from mfresnet.transport.operator.fluxes import FLUXES
from mfresnet.transport.steps.limiter import LIMITERS
from mfresnet.verification.bounds.table import LOWER_BOUNDS

ROOT = Path(__file__).parents[2]
KEYS = (ROOT / "docs/case-file.md").read_text()
TABLES = {
    "activations": ACTIVATIONS,
    "blocks": BLOCKS,
    "cells": CELLS,
    "densities": KINDS,
    "fluxes": FLUXES,
    "formats": FORMATS,
    "functions": FUNCTIONS,
    "initials": INITIALS,
    "lower bounds": LOWER_BOUNDS,
    "limiters": LIMITERS,
    "losses": LOSSES,
    "meshes": MESHES,
    "methods": METHODS,
    "penalties": PENALTIES,
    "tasks": TASKS,
    "writers": WRITERS,
}


def models() -> Iterator[type[BaseModel]]:
    yield Case
    for field in Case.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield field.annotation
    yield from (ClassSection, DataSection, LevelSection)
    yield from (row.section for row in (*LOSSES.values(), *MESHES.values()))


@pytest.mark.parametrize("model", set(models()), ids=lambda model: model.__name__)
def test_every_key_is_documented(model: type[BaseModel]) -> None:
    for name in model.model_fields:
        assert re.search(rf"`[^`]*\b{name}\b[^`]*`", KEYS), f"{model.__name__}: {name}"


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_documented(table: str) -> None:
    for name in TABLES[table]:
        assert re.search(rf"`[^`]*{re.escape(name)}\b[^`]*`", KEYS), name


def test_example_of_the_guide_is_a_case() -> None:
    """And the same as the file that it shows."""
    guide = (ROOT / "docs/guide.md").read_text()
    (block,) = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    assert parse(tomllib.loads(block)) == load(ROOT / "cases/two_classes_2d.toml").model_copy(
        update={"training": Case.model_fields["training"].default}
    )


def test_every_case_is_in_the_table() -> None:
    table = (ROOT / "cases/README.md").read_text()
    for path in (ROOT / "cases").glob("*.*"):
        if path.name != "README.md":
            assert f"`{path.name}`" in table, path.name


def test_sentences_say_what_to_do() -> None:
    """An error that ends with "Mend it." leaves the reader alone."""
    empty = re.compile(r"(Adapt|Adjust|Change|Check|Correct|Fix|Mend) (it|them|these|this)\.")
    found = {
        path.name: empty.findall(path.read_text())
        for folder in ("solver", "cases", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert not {name: words for name, words in found.items() if words}
