# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A grid of cases: all combinations of the values that some keys take."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfresnet.case.case import Case, parse
from mfresnet.case.text import put
from mfresnet.errors import InputError

MOST = 10_000
"""Members of a grid."""
RANGE = re.compile(r"([^:,]+):([^:,]+):([^:,]+?)(:log)?")
PIECE = re.compile(r"""("[^"]*"|'[^']*'|[^,\[\]{}"']|[\[{]|[\]}]|,|.)""")
DIGITS = 12
"""Significant digits of the values of a range, so that 0.001 is among them."""


@dataclass(frozen=True)
class Axis:
    """A key and the values that it takes.

    Attributes:
        key: a key of the case file, ``penalty.tikhonov``.
        values: at least one, all different.
        text: what the user has written.
    """

    key: str
    values: tuple[Any, ...]
    text: str


@dataclass(frozen=True)
class Member:
    """One case of a grid.

    Attributes:
        number: from 0, the last key runs fastest.
        place: the number of its value on every axis.
        values: key -> value.
        case: the case with these values.
    """

    number: int
    place: tuple[int, ...]
    values: dict[str, Any]
    case: Case

    @property
    def name(self) -> str:
        """The values for a reader: ``penalty.tikhonov=0.01, network.layers=5``."""
        return ", ".join(f"{key}={value_text(value)}" for key, value in self.values.items())


def value_text(value: Any) -> str:
    """Return a value for a reader."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def axes_of(over: Mapping[str, Any] | Sequence[str]) -> list[Axis]:
    """Return the axes of a grid.

    Args:
        over: texts ``KEY=VALUES`` as of the command line, or key -> values, which are a sequence
            or a text. VALUES are ``a,b,c``, ``low:high:count`` or ``low:high:count:log``.

    Raises:
        InputError: a text is no list and no range, or a key or a value is there twice.
    """
    if isinstance(over, Mapping):
        axes = [
            _axis(k, v if isinstance(v, str) else _plain(v), f"{k}={v}") for k, v in over.items()
        ]
    else:
        axes = []
        for text in over:
            key, equals, values = text.partition("=")
            if not equals or not key.strip() or not values.strip():
                raise InputError(
                    f"--over: no values; got '{text}', expected KEY=VALUES. For example --over "
                    "penalty.tikhonov=1e-4:1e-1:7:log or --over network.layers=5,10."
                )
            axes.append(_axis(key.strip(), values.strip(), text))
    keys = [axis.key for axis in axes]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise InputError(
            f"--over {twice}: given twice, expected every key once. Put its values into one --over."
        )
    if not axes:
        raise InputError(
            "--over: missing; got no key, expected at least one. For example --over "
            "penalty.tikhonov=1e-4:1e-1:7:log."
        )
    return axes


def _plain(values: Any) -> list[Any]:
    """Return values as a list without types of NumPy."""
    return [v.item() if isinstance(v, np.generic) else v for v in values]


def _axis(key: str, given: str | list[Any], text: str) -> Axis:
    values = given if isinstance(given, list) else _values(key, given)
    shown = [f"{type(v).__name__ if isinstance(v, bool) else ''}{v!r}" for v in values]
    if twice := next((v for i, v in enumerate(shown) if v in shown[:i]), None):
        raise InputError(
            f"--over {text}: a value twice; got {twice}, expected different ones. Remove one."
        )
    if not values:
        raise InputError(f"--over {key}: no values; got none, expected at least one. Add one.")
    return Axis(key, tuple(values), text)


def _values(key: str, text: str) -> list[Any]:
    """Return the values of a list or a range."""
    pieces = _split(text)
    if len(pieces) > 1 or ":" not in text or text[0] in "[{\"'":
        return [_value(piece) for piece in pieces]
    match = RANGE.fullmatch(text)
    found = None if match is None else _range(*match.groups())
    if found is None:
        raise InputError(
            f"--over {key}: not a range; got '{text}', expected low:high:count or "
            "low:high:count:log with two different numbers (for log positive) and a count from 2 "
            f"to {MOST}. Put a text with a colon into quotes."
        )
    return found


def _split(text: str) -> list[str]:
    """Return the parts between commas that are not inside of brackets or quotes."""
    parts, depth = [""], 0
    for piece in PIECE.findall(text):
        depth += (piece in "[{") - (piece in "]}")
        if piece == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    return [part.strip() for part in parts if part.strip()]


def _value(text: str) -> Any:
    """Return a value of TOML; what is none is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _range(low: str, high: str, count: str, log: str | None) -> list[Any] | None:
    """Return the values of a range, as whole numbers where all are; None for what is no range."""
    try:
        ends, n = (float(low), float(high)), int(count)
    except ValueError:
        return None
    spread = ends[0] != ends[1] and bool(np.isfinite(ends).all())
    if not spread or not 2 <= n <= MOST or (log and min(ends) <= 0.0):
        return None
    values = [float(f"{v:.{DIGITS}g}") for v in (np.geomspace if log else np.linspace)(*ends, n)]
    whole = all(re.fullmatch(r"\s*[+-]?\d+\s*", end) for end in (low, high))
    if whole and all(v.is_integer() for v in values):
        return [int(v) for v in values]
    return values


def members_of(case: Case, axes: Sequence[Axis]) -> list[Member]:
    """Return all members, each a valid case.

    Args:
        case: the case that all have in common.
        axes: the keys that change.

    Raises:
        InputError: there are too many, or a value does not fit; the sentence names its --over.
    """
    count = int(np.prod([len(axis.values) for axis in axes], dtype=object))
    if count > MOST:
        raise InputError(
            f"--over: too many members; got {count}, expected at most {MOST}. Give fewer values."
        )
    members: list[Member] = []
    for place in itertools.product(*(range(len(axis.values)) for axis in axes)):
        values = {axis.key: axis.values[i] for axis, i in zip(axes, place, strict=True)}
        try:
            members.append(Member(len(members), place, values, _replaced(case, values)))
        except InputError as error:
            why = error.messages[0].removeprefix("--over: ")
            raise InputError(f"{_culprit(case, axes, values)}: {why}") from None
    return members


def _replaced(case: Case, values: Mapping[str, Any]) -> Case:
    """Return the case with other values of some keys, of which those of lists have numbers."""
    data = case.model_dump(exclude_none=True, exclude_unset=True)
    for key, value in values.items():
        put(data, key, value, "--over")
    return parse(data)


def _culprit(case: Case, axes: Sequence[Axis], values: Mapping[str, Any]) -> str:
    """Return the --over that does not fit, all of them where only their combination does not."""
    for axis in axes:
        try:
            _replaced(case, {axis.key: values[axis.key]})
        except InputError:
            return f"--over {axis.text}"
    return " ".join(f"--over {axis.text}" for axis in axes)
