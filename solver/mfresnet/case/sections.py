# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The sections of the case file: the keys of each, their kinds and their defaults.

``data`` has [data], ``mesh`` [mesh]; the rows of losses, penalties and kinds of mesh bring their
own keys.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_serializer, model_validator

from mfresnet.data import Density
from mfresnet.network import ACTIVATIONS, BLOCKS, INFERENCES, INITIALS, SCHEMES
from mfresnet.optimise import METHODS
from mfresnet.schema import (
    MOST,
    Count,
    Counts,
    File,
    FiniteFloat,
    Model,
    Name,
    NonNegativeFloat,
    Number,
    PositiveFloat,
    Seed,
    Vector,
)
from mfresnet.transport import FLUXES, LIMITERS, OPERATORS

SIZES = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12}
Layers = Annotated[int, Field(gt=0, le=100_000)]
DEFAULT_ACCURACY = 1e-3


class AccuracySection(Model):
    """[accuracy]: how far the J that a training finds may be off.

    Attributes:
        relative: the largest error over |J|; where J is the square of a distance over that at
            first.
        absolute: an error of J that is small enough however small J is.
    """

    relative: Annotated[float, Field(gt=0.0, lt=1.0)] = DEFAULT_ACCURACY
    absolute: NonNegativeFloat = 0.0

    @model_serializer
    def _short(self) -> Any:
        both = {"relative": self.relative, "absolute": self.absolute}
        return both if self.absolute else self.relative


def _as_keys(value: Any) -> Any:
    known = value is None or isinstance(value, dict | AccuracySection)
    return value if known else {"relative": value}


Accuracy = Annotated[AccuracySection | None, BeforeValidator(_as_keys)]
"""A number is the relative one."""


class SpaceSection(Model):
    """[space]: the discontinuous Galerkin space."""

    degree: Annotated[int, Field(ge=0, le=6)] = 2
    flux: Annotated[str, Name(FLUXES)] = "smooth_upwind"


class TimeSection(Model):
    """[time]: the time stepping inside a layer.

    A limiter works on every stage, and with it order 3 takes the least time; else order 4 costs a
    few per cent more than order 3 and its error is far below that of the mesh.
    """

    order: Annotated[int, Number(SCHEMES)] = 4
    stages: Count | None = None
    steps_per_layer: Count | None = None
    limiter: Annotated[str, Name(LIMITERS)] = "none"

    @model_validator(mode="before")
    @classmethod
    def _choose_order(cls, data: Any) -> Any:
        if isinstance(data, dict) and "order" not in data and data.get("limiter", "none") != "none":
            return data | {"order": 3}
        return data


def _size(size: str) -> str:
    """Check that a text is a number with a unit of bytes."""
    if SIZE.fullmatch(size) is None:
        raise ValueError("expected a number and one of kB, MB, GB, TB, such as '2 GB'")
    return size


SIZE = re.compile(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*([kmgt]b)\s*", re.IGNORECASE)
Size = Annotated[str, AfterValidator(_size)]


class ResourcesSection(Model):
    """[resources]: memory and disk for what the backward sweep needs, of the whole run.

    And how the operator is applied: by compiled kernels, or by matrices of PETSc.
    """

    operator: Annotated[str, Name(OPERATORS)] = "fused"
    memory: Size | None = None
    disk: Size | None = None

    def bytes(self) -> float | None:
        """Return the memory in bytes, None for no limit."""
        return None if self.memory is None else _bytes(self.memory)

    def disk_bytes(self) -> float:
        """Return the bytes on disk."""
        return 0.0 if self.disk is None else _bytes(self.disk)


def _bytes(size: str) -> float:
    number, unit = SIZE.fullmatch(size).groups()  # type: ignore[union-attr]
    return float(number) * SIZES[unit.lower()]


class NetworkSection(Model):
    """[network]: the residual network."""

    block: Annotated[str, Name(BLOCKS)] = "square"
    activation: Annotated[str, Name(ACTIVATIONS)] = "tanh"
    layers: Layers = 10
    final_time: PositiveFloat = 1.0
    width: Count | None = None
    shared: bool = False
    trainable: Annotated[list[str], Field(min_length=1)] | None = None
    inference: Annotated[str, Name(INFERENCES)] = "runge_kutta"


class ClassSection(Model):
    """[[classes]]: one class with its density."""

    label: str | int | None = None
    weight: PositiveFloat | None = None
    density: Density
    target: Vector | None = None


class InitialSection(Model, extra="allow"):
    """[initial]: the controls to start from; the other keys are values of parameters."""

    kind: Annotated[str, Name(INITIALS, "values", "file")] | None = None
    seed: Seed = 0
    scale: PositiveFloat = 1.0
    file: File | None = None

    def values(self) -> dict[str, Any]:
        """Return the given values of parameters."""
        return dict(self.model_extra or {})


class LevelSection(Model):
    """One entry of training.levels: a coarser mesh with fewer layers.

    Attributes:
        cells: cells per direction.
        layers: number of layers.
        gradient_tolerance: that of the case when not given.
    """

    cells: Counts
    layers: Layers
    gradient_tolerance: PositiveFloat | None = None


class TrainingSection(Model):
    """[training]: the optimiser."""

    method: Annotated[str, Name(METHODS)] = "lmvm"
    max_iterations: Annotated[int, Field(ge=0, le=MOST)] = 200
    gradient_tolerance: PositiveFloat = 1e-6
    lower: FiniteFloat | None = None
    upper: FiniteFloat | None = None
    levels: list[LevelSection] | Literal["auto"] | None = None
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None


class OutputSection(Model):
    """[output]: what the run directory holds besides the numbers."""

    fields: bool = True
    bp: bool = False
    pictures: bool = True

    def endings(self) -> list[str]:
        """Return the endings of the files with fields."""
        return [".pvd"] * self.fields + [".bp"] * self.bp
