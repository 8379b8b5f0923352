# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The section [data] of the case file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt

from mfresnet.data.tables.scaling import SCALERS, ReduceSection
from mfresnet.schema import Either, File, Model, Name, PositiveFloat, Seed

Column = Annotated[str | StrictInt, Either("the name of a column, or its number from 0")]


class DataSection(Model):
    """[data]: the samples, their label, and what is done to the features."""

    file: File
    label: Column | None = None
    features: Annotated[list[Column], Field(min_length=1)] | None = None
    weights: Column | None = None
    missing: Literal["refuse", "drop"] = "refuse"
    scale: Annotated[str, Name(SCALERS)] = "standard"
    reduce: ReduceSection | None = None
    test_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.3
    stratify: bool = True
    seed: Seed = 0
    bandwidth: Annotated[
        PositiveFloat
        | Literal["scott", "silverman", "likelihood", "sharp"]
        | dict[str, PositiveFloat],
        Either("scott, silverman, likelihood, sharp, a positive number or one for each label"),
    ] = "scott"
    priors: Annotated[
        Literal["frequency", "balanced"] | dict[str, PositiveFloat],
        Either("frequency, balanced or a positive number for each label"),
    ] = "frequency"
