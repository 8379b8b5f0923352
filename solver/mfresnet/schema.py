# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What the pydantic models of the case file share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WrapValidator,
)
from pydantic_core import PydanticCustomError


class Model(BaseModel):
    """A part of the case file: immutable, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def as_list(value: Any) -> Any:
    """Return a plain number as a list of one, anything else as it is."""
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else value


LARGEST, LEAST = 1e100, 1e-100
"""Bounds of the size of a number in a case file: in three dimensions its powers are numbers too."""
MOST = 2**31 - 1
"""Largest count: what PETSc and DOLFINx number."""

FiniteFloat = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
PositiveFloat = Annotated[float, Field(gt=LEAST, le=LARGEST)]
NonNegativeFloat = Annotated[float, Field(ge=0.0, le=LARGEST)]
Count = Annotated[int, Field(gt=0, le=MOST)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _whole_path(path: Path) -> Path:
    """Check that a path can be given to the system."""
    if "\0" in str(path):
        raise ValueError("expected a path without a zero byte")
    return path


File = Annotated[Path, AfterValidator(_whole_path)]
Counts = Annotated[list[Count], BeforeValidator(as_list)]
Vector = Annotated[list[FiniteFloat], BeforeValidator(as_list), Field(min_length=1, max_length=3)]


def Name(table: Collection[str], *others: str) -> AfterValidator:  # noqa: N802
    """Return the pydantic check that a text is a name in a table, or one of a few others.

    The table is read when a case is, so that a row added to it is known at once.
    """

    def check(name: str) -> str:
        if name not in table and name not in others:
            raise PydanticCustomError("unknown_name", "", {"known": [*table, *others]})
        return name

    return AfterValidator(check)


def Number(table: Collection[int]) -> AfterValidator:  # noqa: N802
    """Return the pydantic check that a number is one of a table, read when a case is."""

    def check(number: int) -> int:
        if number not in table:
            raise ValueError(f"expected one of {', '.join(map(str, table))}")
        return number

    return AfterValidator(check)


def Either(rule: str) -> WrapValidator:  # noqa: N802
    """Return the pydantic check of a union that says in one sentence what is expected."""

    def check(value: Any, accept: Callable[[Any], Any]) -> Any:
        try:
            return accept(value)
        except ValidationError:
            raise ValueError(f"expected {rule}") from None

    return WrapValidator(check)


class SectionError(ValueError):
    """Mistakes in a section whose model is chosen by a table.

    Attributes:
        error: what pydantic has found.
        model: the model.
    """

    def __init__(self, error: ValidationError, model: type[BaseModel]) -> None:
        self.error, self.model = error, model
        super().__init__(str(error))


def Chosen(choose: Callable[[Any], type[BaseModel]]) -> PlainValidator:  # noqa: N802
    """Return the pydantic check of a section by the model that ``choose`` finds for its content.

    The model is looked up when a case is read, so that a row added to a table is known at once.
    """

    def check(value: Any) -> BaseModel:
        if isinstance(value, BaseModel):
            return value
        model = choose(value)
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise SectionError(error, model) from None

    return PlainValidator(check)
