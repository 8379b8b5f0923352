# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The text of a case file as nested tables, with the keys that the command line replaces."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from mfresnet.errors import InputError
from mfresnet.files import unreadable

DEEPEST, LONGEST = 20, 1 << 20
"""Tables and lists inside one another, and bytes of a case file."""


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the tables of a case file.

    Raises:
        InputError: it cannot be read, or is no TOML.
    """
    if (why := unreadable(path, LONGEST)) is not None:
        raise InputError(f"{path}: cannot be read ({why}); expected a case file. Check the path.")
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        # of TOML, of a text that is not in UTF-8, of a number of many thousand digits
        raise InputError(f"{path}: not a TOML file; {error}. Correct this line.") from None
    return data


def check_depth(data: Any) -> None:
    """Refuse tables and lists inside one another that are no case and too deep to walk through.

    Raises:
        InputError: there are more than ``DEEPEST``.
    """
    inside, depth = [data], 0
    while inside and depth <= DEEPEST:
        parts = [p.values() if isinstance(p, dict) else p for p in inside]
        inside = [v for part in parts for v in part if isinstance(v, dict | list)]
        depth += 1
    if inside:
        raise InputError(
            f"the case: tables or lists too deep; got more than {DEEPEST} inside one another, "
            "expected those of a case file. Remove the inner ones."
        )


def assign(data: dict[str, Any], assignment: str) -> None:
    """Set one key from a text such as ``mesh.cells=[8, 8]``; a value that is not TOML is text."""
    key, equals, text = assignment.partition("=")
    if not equals or not key.strip():
        raise InputError(
            f"--set: not an assignment; got '{assignment}', expected KEY=VALUE. For example "
            "--set training.max_iterations=50"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    put(data, key.strip(), value, "--set")


def put(data: dict[str, Any], key: str, value: Any, option: str) -> None:
    """Set one key such as ``classes.0.weight`` in nested tables; tables that lack are made.

    Raises:
        InputError: there is no such place; the sentence begins with ``option``.
    """
    *parents, last = key.split(".")
    place: Any = data
    try:
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        place[int(last) if isinstance(place, list) else last] = value
    except (ValueError, IndexError, TypeError, AttributeError):
        raise InputError(
            f"{option}: no such place; got '{key}', expected a key of the case file. "
            f"For example {option} classes.0.weight=0.5"
        ) from None
