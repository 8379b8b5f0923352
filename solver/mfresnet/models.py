# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What the pydantic models of the case file share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError


class Model(BaseModel):
    """A part of the case file: immutable, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def as_list(value: Any) -> Any:
    """Return a plain number as a list of one, anything else as it is."""
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else value


FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]
Vector = Annotated[list[FiniteFloat], BeforeValidator(as_list), Field(min_length=1, max_length=3)]


def Name(known: Collection[str]) -> AfterValidator:  # noqa: N802
    """Return the pydantic check that a text is one of the known names."""

    def check(name: str) -> str:
        if name not in known:
            raise PydanticCustomError("unknown_name", "", {"known": list(known)})
        return name

    return AfterValidator(check)
