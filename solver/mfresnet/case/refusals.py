# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Sentences for the mistakes in a case file."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from mfresnet.errors import InputError, suggestion, unknown
from mfresnet.schema import SectionError

KINDS_OF_VALUE = {
    "path_type": "a path in quotes",
    "list_type": "a list",
    "model_type": "a table",
    "dict_type": "a table",
    "too_short": "a longer list",
    "too_long": "a shorter list",
}
"""pydantic's name of a mistake, where its own sentence speaks of Python -> what is expected."""


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
    location, given = error["loc"], error["input"]
    where, kind = ".".join(map(str, [*section, *location])), error["type"]
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        known = _fields(model, error["loc"][:-1])
        text = f"{where}: unknown key; got '{location[-1]}', expected one of {', '.join(known)}."
        return text + (suggestion(str(location[-1]), known) or " Remove it.")
    if kind == "unknown_name":
        return unknown(where, given, context["known"]) + f" Change {where}."
    if kind == "missing":
        expected = context.get("expected", "a value")
        return f"{where}: missing; got nothing, expected {expected}. Add {where}."
    message = error["msg"].removeprefix("Value error, ")
    expected = message.removeprefix("Input should be ").removeprefix("expected ")
    expected = KINDS_OF_VALUE.get(kind, expected)
    return f"{where}: wrong value; got {_short(given)}, expected {expected}. Change {where}."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _fields(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the known keys of the section at a location of pydantic."""
    here: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        field = here.model_fields.get(part) if hasattr(here, "model_fields") else None
        annotation = None if field is None else field.annotation
        inner = [a for a in get_args(annotation) if isinstance(a, type)]
        here = inner[0] if inner else annotation
    return sorted(here.model_fields) if hasattr(here, "model_fields") else []
