# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pages of the reference that are made from the code when the book is built.

A page holds ``<!-- made: NAME -->`` where the text of a row of ``PAGES`` goes.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import case_keys
import click
import typer

import mfresnet
from mfresnet.cli_study import app as command_line

PACKAGE = Path(mfresnet.__file__).parent
SCHEMA = Path(__file__).parents[1] / "run.schema.json"
MADE = re.compile(r"<!-- made: (\w+) -->")
LITERAL = re.compile(r"(``.*?``|:\w+:`[^`]+`)")


# ---------------------------------------------------------------------- the library
def names_of(stub: Path) -> dict[str, str]:
    """Return name -> module, below the package, of the public names in a stub."""
    found: dict[str, str] = {}
    room = "" if stub.parent == PACKAGE else f"{stub.parent.name}."
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {alias.name: room + node.module for alias in node.names}
    return found


def entry(home: str, name: str) -> list[str]:
    """Return the directive of autodoc for a public name."""
    value = getattr(importlib.import_module(home), name)
    full = f"{home}.{name}"
    if inspect.isclass(value) and not issubclass(value, BaseException):
        return [f".. autoclass:: {full}", "   :members:", ""]
    if isinstance(value, type):
        return [f".. autoexception:: {full}", ""]
    if inspect.isroutine(value) or hasattr(value, "__wrapped__"):
        return [f".. autofunction:: {full}", ""]
    said = [f"   {escaped(line)}" for line in said_below(home, name).splitlines()]
    return [f".. py:data:: {full}", "", *said, ""]


def said_below(home: str, name: str) -> str:
    """Return the text below the assignment of a public name that is no function or class."""
    where = names_of(PACKAGE.joinpath(*home.split(".")[1:], "__init__.pyi"))[name]
    module = ast.parse(PACKAGE.joinpath(*where.split(".")).with_suffix(".py").read_text())
    for node, below in itertools.pairwise(module.body):
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(below, ast.Expr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(name in ast.unparse(target).strip("()").split(", ") for target in targets):
                return inspect.cleandoc(str(ast.literal_eval(below.value)))
    return ""


def library() -> str:
    """Return the public names of the package."""
    lines = ["```{eval-rst}"]
    for name in names_of(PACKAGE / "__init__.pyi"):
        lines += entry("mfresnet", name)
    return "\n".join([*lines, "```"])


def rooms() -> str:
    """Return the public names of the rooms that the package itself does not have."""
    public, lines = names_of(PACKAGE / "__init__.pyi"), []
    for stub in sorted(PACKAGE.glob("*/__init__.pyi")):
        room = stub.parent.name
        sentence = inspect.getdoc(importlib.import_module(f"mfresnet.{room}"))
        lines += [f"## {room}", "", f"{sentence}", ""]
        shared = [name for name in names_of(stub) if name in public]
        if shared:
            lines += ["Also " + ", ".join(f"[`{n}`](#mfresnet.{n})" for n in shared) + ".", ""]
        lines.append("```{eval-rst}")
        for name in names_of(stub):
            if name not in public:
                lines += entry(f"mfresnet.{room}", name)
        lines += ["```", ""]
    return "\n".join(lines)


def docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make a docstring of plain text reStructuredText: equations stay as they are written."""
    text, in_block = [], False
    section = re.compile(r"^(Args|Attributes|Returns|Raises|Yields|Example|Examples|Parallel):")
    deep = False
    for number, line in enumerate(lines):
        if section.match(line):
            deep = True
        elif line and not line.startswith(" "):
            deep = False
        indented = line.startswith("    ") and not deep
        if indented and not in_block and (number == 0 or not lines[number - 1].strip()):
            text += [".. code-block:: none", ""]
            in_block = True
        elif line and not line.startswith(" "):
            in_block = False
        text.append(line if in_block or line.startswith(">>>") else escaped(line))
    lines[:] = text


def signature(
    app: Any, what: str, name: str, obj: Any, options: Any, given: str, returns: str
) -> tuple[str, str | None] | None:
    """Return that of a part of a case file in short: its keys have a page of their own."""
    if inspect.isclass(obj) and hasattr(obj, "model_fields"):
        return "(**keys)", None
    if not given:
        return None
    alias = re.compile(r"~?(?:[\w.]*\.)?TypeAliasForwardRef\('(\w+)'\)")
    return alias.sub(r"\1", given), alias.sub(r"\1", returns) if returns else returns


def skipped(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what scikit-learn gives to every estimator, and pydantic to every model."""
    return True if re.fullmatch(r"set_\w+_request|model_(config|post_init)", name) else None


def escaped(line: str) -> str:
    """Return a line without marks of reStructuredText but literals."""
    parts = LITERAL.split(line)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"([*|`\\]|(?<=\w)_(?=\W|$))", r"\\\1", parts[i])
    return "".join(parts)


# ---------------------------------------------------------------------- the command
def commands() -> str:
    """Return the help of every command."""
    group = typer.main.get_command(command_line)
    assert isinstance(group, click.Group)
    lines = []
    for name, command in group.commands.items():
        context = click.Context(command, info_name=f"mfresnet {name}")
        usage = " ".join(command.collect_usage_pieces(context))
        lines += [f"## {name}", "", "```", f"mfresnet {name} {usage}", "```", ""]
        lines += [
            inspect.cleandoc(command.help or ""),
            "",
            "| | meaning | default |",
            "|---|---|---|",
        ]
        for given in command.params:
            said = (getattr(given, "help", None) or "").replace("<", "&lt;")
            said = re.sub(r"(--\w+( \w+)?)", r"`\1`", said)
            if isinstance(given, click.Option):
                shown = ", ".join((*given.opts, *given.secondary_opts))
            else:
                shown = given.human_readable_name
            empty = given.default in (None, False) or callable(given.default)
            default = "" if empty else f"`{given.default}`"
            lines.append(f"| `{shown}` | {said} | {default} |".replace("RUN|CASE", "RUN or CASE"))
        lines.append("")
    return "\n".join(lines)


# ---------------------------------------------------------------------- run.json
def schema() -> str:
    """Return the tables of run.json, from its schema."""
    whole = json.loads(SCHEMA.read_text())
    lines = ["## run.json", "", *_table(whole)]
    for name, part in sorted(whole["$defs"].items()):
        if part.get("type") == "object":
            said = part.get("description", "").split("\n\n")[0]
            lines += ["", f"({_anchor(name)})=", f"### {name}", "", _plain(said), "", *_table(part)]
    return "\n".join(lines)


def _anchor(name: str) -> str:
    return f"run-{name.lower()}"


def _table(part: dict[str, Any]) -> list[str]:
    needed = part.get("required", [])
    rows = ["| key | type | always there | meaning |", "|---|---|---|---|"]
    for key, value in part.get("properties", {}).items():
        said = _plain(value.get("description", ""))
        rows.append(f"| `{key}` | {_type(value)} | {'yes' if key in needed else ''} | {said} |")
    return rows if part.get("properties") else ["Any keys."]


def _type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{_anchor(name)})"
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_type(v) for v in value["anyOf"]))
    if value.get("type") == "array":
        return f"list of {_type(value.get('items', {}))}"
    if value.get("type") == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"name to {_type(value['additionalProperties'])}"
    return str(value.get("type", "any")) if "const" not in value else f"`{value['const']}`"


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").split())


PAGES: dict[str, Callable[[], str]] = {
    "library": library,
    "rooms": rooms,
    "case_keys": case_keys.page,
    "commands": commands,
    "schema": schema,
}
"""Name -> what makes the text of a page."""


def read(app: Any, name: str, source: list[str]) -> None:
    """Put what is made into a page before it is read."""
    source[0] = MADE.sub(lambda match: PAGES[match[1]](), source[0])


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx."""
    app.connect("source-read", read, priority=400)
    app.connect("autodoc-process-docstring", docstring, priority=400)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-skip-member", skipped)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
