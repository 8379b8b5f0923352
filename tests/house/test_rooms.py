# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The package is a ground and rooms: every module has its place, and imports keep the order."""

import ast
import graphlib
import itertools
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "solver/mfresnet"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
(CONTRACT,) = [c for c in SETTINGS["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
ORDER = [
    [part.strip() for part in layer.replace("|", ":").split(":")] for layer in CONTRACT["layers"]
]
PLACE = {part: height for height, layer in enumerate(reversed(ORDER)) for part in layer}
ROOMS = [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()]
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
ENTRIES = ("__init__", "__main__")
LONG = {
    ("cli_study", "study"): "typer asks for every option by its name",
    ("runs.estimators.base", "__init__"): "scikit-learn asks for every parameter by its name",
}
"""Functions with more lines or parameters than the rule allows, and why."""


def faces() -> dict[tuple[str, str], str]:
    """Return (room, public name) -> the module that has it, from the stubs."""
    found = {}
    for room in ROOMS:
        for node in ast.parse((PACKAGE / room / "__init__.pyi").read_text()).body:
            assert isinstance(node, ast.ImportFrom)
            assert node.level == 1 and node.module is not None
            for alias in node.names:
                assert alias.asname == alias.name
                found[room, alias.name] = f"{room}.{node.module}"
    return found


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (module of the package, name) for every import, also in functions and for types."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            first, _, rest = node.module.partition(".")
            if first == "mfresnet":
                yield from ((rest, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            assert all(not alias.name.startswith("mfresnet.") for alias in node.names), path


FACES = faces()


def test_every_module_has_its_place() -> None:
    for name in MODULES:
        assert name.split(".")[0] in {*PLACE, *ENTRIES}, name
    assert len(ROOMS) <= 14
    assert set(ROOMS) < set(PLACE)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_is_for(room: str) -> None:
    """In one sentence; and it has tests of its own, and not too many lines."""
    text = (PACKAGE / room / "__init__.py").read_text()
    sentence = ast.get_docstring(ast.parse(text)) or ""
    assert sentence.endswith(".") and "\n" not in sentence and sentence.count(". ") == 0
    assert f"| `{room}` | {sentence} |" in (ROOT / "docs/architecture.md").read_text()
    assert list((ROOT / "tests" / room).glob("test_*.py"))
    lines = sum(len(p.read_text().splitlines()) for p in (PACKAGE / room).rglob("*.py"))
    assert lines <= 3000


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_down_and_through_the_door(name: str) -> None:
    """From lower rooms and the ground only, and of another room its public names only."""
    own = name.split(".")[0]
    for module, what in imported(MODULES[name]):
        room, _, inside = module.partition(".")
        if room == "" and what in PLACE:
            room, inside = what, ""
        if own in ENTRIES or room in ("", own):
            continue
        assert PLACE[room] < PLACE[own], f"{name} imports {module}"
        if room in ROOMS:
            assert not inside, f"{name} imports {module}, expected mfresnet.{room}"
            assert (room, what) in FACES, f"{name} imports {what}, no public name of {room}"


def test_no_public_name_is_hidden_by_its_module() -> None:
    """An imported module becomes an attribute of its room, in place of what has its name."""
    assert not [pair for pair, home in FACES.items() if home == ".".join(pair)]


def test_no_circle() -> None:
    """Of modules, also in functions and for types."""
    graph: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        needs = graph.setdefault(name, set())
        for module, what in imported(path):
            inner = f"{module}.{what}".lstrip(".")
            home = FACES.get((module, what), inner if inner in MODULES else module)
            if home in MODULES and home != name:
                needs.add(home)
    assert list(graphlib.TopologicalSorter(graph).static_order())


def test_public_names_are_used_elsewhere() -> None:
    """By another room, the package itself, or the studies, tutorials and benchmarks."""
    files = itertools.chain(
        MODULES.values(),
        (ROOT / "cases").rglob("*.py"),
        (ROOT / "docs/tutorials").glob("*.py"),
        (ROOT / "benchmarks").glob("*.py"),
    )
    used = {(module, what) for path in files for module, what in imported(path)}
    top = ast.parse((PACKAGE / "__init__.pyi").read_text())
    for node in ast.walk(top):
        if isinstance(node, ast.ImportFrom) and node.module:
            used |= {(node.module, alias.name) for alias in node.names}
    assert {pair for pair in FACES if pair not in used} == set()


@pytest.mark.parametrize("name", MODULES)
def test_nothing_is_too_long(name: str) -> None:
    """A module has at most 300 lines, a function at most 60 and 8 parameters."""
    text = MODULES[name].read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and (name, node.name) not in LONG:
            given = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
            count = len([a for a in given if a not in ("self", "cls")]) + len(node.args.kwonlyargs)
            assert (node.end_lineno or 0) - node.lineno < 60, f"{name}.{node.name}"
            assert count <= 8, f"{name}.{node.name}"
