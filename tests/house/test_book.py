# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The book tells the truth: its code runs, its links lead somewhere, every public name is told of.

A block ``python`` runs, after those above it on the page; one that cannot is ``python fragment``.
``make docs`` runs the tutorials.
"""

import ast
import importlib
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import case_keys
import pytest
import reference_pages
from links import FENCE, LINK
from pydantic import TypeAdapter

from commands import outside
from mfresnet.errors import Exit

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.py"))
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        ROOT / "cases/README.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
)
STUBS = [
    reference_pages.PACKAGE / "__init__.pyi",
    *sorted(reference_pages.PACKAGE.glob("*/__init__.pyi")),
]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DIFF = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def prose(path: Path) -> str:
    """Return the Markdown of a page or a tutorial."""
    text = path.read_text()
    if path.suffix != ".py":
        return text
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)
    told = [cell for cell in cells if cell.startswith(" [markdown]")]
    return "\n".join(re.sub(r"^# ?", "", cell, flags=re.MULTILINE) for cell in told)


# ---------------------------------------------------------------------- names and keys
@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.parent.name)
def test_every_public_name_has_a_docstring(stub: Path) -> None:
    """And every public method of a class, but the keys of data classes."""
    home = "mfresnet" if stub == STUBS[0] else f"mfresnet.{stub.parent.name}"
    for name in reference_pages.names_of(stub):
        value = getattr(importlib.import_module(home), name)
        if reference_pages.entry(home, name)[0].startswith(".. py:data"):
            assert reference_pages.said_below(home, name), f"{home}.{name}"
            continue
        assert inspect.getdoc(value), f"{home}.{name}"
        for part, own in list(vars(value).items()) if inspect.isclass(value) else ():
            told = inspect.isfunction(own) or isinstance(own, property)
            if told and not part.startswith("_") and part not in inspect.get_annotations(value):
                assert inspect.getdoc(getattr(value, part)), f"{home}.{name}.{part}"


def test_every_example_of_a_key_is_taken() -> None:
    """By the check of its key; and every section of a case is there."""
    count, heads = 0, [head for head, _ in case_keys.sections()]
    for head, model in case_keys.sections():
        for name, field in case_keys.keys(model).items():
            line = f"{name} = {case_keys.toml(case_keys.example(head, name, field))}"
            value = tomllib.loads(line)[name]
            TypeAdapter(case_keys.annotation(field)).validate_python(value)
            assert case_keys.kind_of(field), f"{head}.{name}"
            count += 1
    assert count > 90 and len(heads) == len(set(heads))


def test_every_command_and_every_status_is_told() -> None:
    text = reference_pages.commands()
    assert re.findall(r"^## ([\w-]+)$", text, re.MULTILINE)[:2] == ["run", "check"]
    assert "`--overwrite" in text and "`--set`" in text
    ends = (ROOT / "docs/reference/ends.md").read_text()
    for status in Exit:
        assert f"| {int(status)} |" in ends, status


# ---------------------------------------------------------------------- links
def anchors(path: Path) -> set[str]:
    """Return the names of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", prose(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", [*PAGES, *TUTORIALS], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for match in LINK.finditer(FENCE.sub("", prose(page))):
        target, _, anchor = match["target"].partition("#")
        if re.match(r"[a-z]+:", target) or anchor.startswith("mfresnet."):
            continue
        where = page.parent / target if target else page
        assert where.exists(), match[0]
        if anchor and where.suffix == ".md":
            assert anchor in anchors(where), match[0]


def test_every_page_is_in_the_book() -> None:
    """That is, in a table of contents."""
    listed = {ROOT / "docs/index.md", *(ROOT / "docs/paper").glob("*.md")}
    for page in (ROOT / "docs").rglob("*.md"):
        for block in re.findall(r"^```{toctree}\n(.*?)^```$", page.read_text(), re.M | re.S):
            for name in re.findall(r"^(?:.* <)?([\w./-]+)>?$", block, re.MULTILINE):
                for ending in (".md", ".py"):
                    listed.add((page.parent / f"{name}{ending}").resolve())
    for page in [*(ROOT / "docs").rglob("*.md"), *TUTORIALS]:
        assert page in listed, page


# ---------------------------------------------------------------------- code
@pytest.mark.parametrize("page", [p for p in PAGES if BLOCK.search(p.read_text())], ids=str)
def test_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    (tmp_path / "cases").symlink_to(ROOT / "cases")
    (tmp_path / "page.py").write_text("\n".join(BLOCK.findall(page.read_text())))
    done = subprocess.run(
        [sys.executable, "page.py"],
        capture_output=True, text=True, timeout=200, check=False, cwd=tmp_path, env=outside(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_tutorials_use_what_there_is(path: Path) -> None:
    """Every name of the package in them exists."""
    count = 0
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("mfresnet"):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "mfresnet":
            assert hasattr(importlib.import_module("mfresnet"), node.attr), node.attr
            count += 1
    assert count or path.stem == "parallel"


TRAIN = """
import mfresnet
from mfresnet.verification import certify, passed

for changes in (
    {"network": {"activation": "bump", "layers": 2}},
    {"network": {"block": "leaky", "layers": 2}},
    {"network": {"layers": 2}, "loss": {"kind": "logarithmic"}},
    {"network": {"layers": 2}, "penalty": {"quartic": 0.1}},
):
    case = mfresnet.Case(
        mesh={"cell": "interval", "cells": [40], "lower": -4.0, "upper": 4.0},
        classes=[
            {"density": {"kind": "gaussian", "mean": -0.4, "covariance": 0.06}, "target": 0.4}
        ],
        training={"gradient_tolerance": 1e-3},
        **changes,
    )
    J = mfresnet.ReducedFunctional(case)
    result = mfresnet.minimise(J)
    assert result.value < J.value(J.theta0)
    checks = certify(J, result.theta)
    assert passed(checks), (changes, [c for c in checks if not c.passed])
print(mfresnet.__file__)
"""


def test_diffs_of_the_tutorial_are_real(tmp_path: Path) -> None:
    """They apply, and what they add passes its certificate."""
    shutil.copytree(ROOT / "solver", tmp_path / "solver")
    diffs = DIFF.findall(prose(ROOT / "docs/tutorials/new_rows.py"))
    assert len(diffs) == 4
    (tmp_path / "rows.diff").write_text("".join(diffs))
    line = ["git", "apply", "-C1", "rows.diff"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path = {"PYTHONPATH": str(tmp_path / "solver")}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN],
        capture_output=True, text=True, timeout=200, check=False, env=outside() | path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(str(tmp_path))
