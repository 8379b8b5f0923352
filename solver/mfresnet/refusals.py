# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Sentences for the mistakes in a case file, and the names that are not available yet."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from mfresnet.errors import InputError, suggestion, unknown
from mfresnet.models import SectionError

NOT_YET: dict[str, Collection[str] | None] = {
    "classes.*.density.kind": ("expression",),
}
"""Place in the case file -> the values that a later version takes, None for any value."""


def _places(data: Any, path: list[str], so_far: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yield (where, the mapping, its key) for every place that a dotted path matches."""
    head, *rest = path
    if head == "*" and isinstance(data, list):
        for i, item in enumerate(data):
            yield from _places(item, rest, f"{so_far}{i}.")
    elif isinstance(data, dict) and head in data:
        if rest:
            yield from _places(data[head], rest, f"{so_far}{head}.")
        else:
            yield so_far + head, data, head


def available(data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the data without what is not available yet, and a sentence for each of that."""
    result, found = copy.deepcopy(data), []
    for place, names in NOT_YET.items():
        for where, section, key in list(_places(result, place.split("."))):
            value = section[key]
            if names is None:
                found.append(f"{where}: not available yet. Remove it.")
            elif value in names:
                found.append(f"{where}: not available yet; got '{value}'. Choose another.")
            if names is None or value in names:
                section.pop(key)
    return result, found


def without_consequences(messages: list[str], refused: list[str]) -> list[str]:
    """Return the messages that are not due to something else being refused.

    Args:
        messages: sentences about the data without the refused keys.
        refused: the sentences of ``available``.
    """
    places = {sentence.split(":")[0] for sentence in refused}
    due = [p.removesuffix(".kind") for p in places if p.endswith(".density.kind")]
    return [m for m in messages if not m.startswith(tuple(due))]


def sentences(
    error: ValidationError, model: type[BaseModel], section: tuple[int | str, ...] = ()
) -> list[str]:
    """Return one sentence for every mistake that pydantic has found.

    Args:
        error: what pydantic has found.
        model: the model that was checked.
        section: its place in the case file.
    """
    result: list[str] = []
    for e in error.errors(include_url=False):
        cause = e.get("ctx", {}).get("error")
        if isinstance(cause, InputError):
            result += cause.messages
        elif isinstance(cause, SectionError):
            result += sentences(cause.error, cause.model, (*section, *e["loc"]))
        else:
            result.append(_sentence(e, model, section))
    return result


def _sentence(error: Any, model: type[BaseModel], section: tuple[int | str, ...]) -> str:
    location, given = _without_tags(error["loc"]), error["input"]
    where, kind = ".".join(map(str, [*section, *location])), error["type"]
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        known = _fields(model, location[:-1])
        text = f"{where}: unknown key; got '{location[-1]}', expected one of {', '.join(known)}."
        return text + (suggestion(str(location[-1]), known) or " Remove it.")
    if kind == "unknown_name":
        return unknown(where, given, context["known"]) + f" Change {where}."
    if kind == "union_tag_invalid":
        known = [name.strip().strip("'") for name in context["expected_tags"].split(",")]
        return unknown(f"{where}.kind", context["tag"], known) + f" Change {where}.kind."
    if kind in ("missing", "union_tag_not_found"):
        missing = where + ".kind" * (kind != "missing")
        return f"{missing}: missing; got nothing, expected a value. Add {missing}."
    message = error["msg"].removeprefix("Value error, ")
    expected = message.removeprefix("Input should be ").removeprefix("expected ")
    return f"{where}: wrong value; got {_short(given)}, expected {expected}. Change {where}."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _without_tags(location: tuple[int | str, ...]) -> list[int | str]:
    """Return a location without the names of the density kinds that pydantic puts into it."""
    result: list[int | str] = []
    for part in location:
        of_density = bool(result) and result[-1] in ("density", "start", "target")
        if not (of_density and isinstance(part, str) and _tag(part)):
            result.append(part)
    return result


def _tag(part: str) -> bool:
    from mfresnet.density import KINDS

    return part in KINDS


def _fields(model: type[BaseModel], location: list[int | str]) -> list[str]:
    """Return the known keys of the section at a location."""
    here: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        field = here.model_fields.get(part) if hasattr(here, "model_fields") else None
        annotation = None if field is None else field.annotation
        inner = [a for a in get_args(annotation) if isinstance(a, type)]
        here = inner[0] if inner else annotation
    return sorted(here.model_fields) if hasattr(here, "model_fields") else []
