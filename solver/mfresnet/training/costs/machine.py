# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Figures of a machine that time and memory of a training follow from, kept in a file."""

from __future__ import annotations

import math
from pathlib import Path

from pydantic import ValidationError

from mfresnet.compiled import cache_directory
from mfresnet.errors import InputError
from mfresnet.files import FileError, read_text, write_text
from mfresnet.mesh import CELLS, SIMPLICES
from mfresnet.schema import Model, NonNegativeFloat, PositiveFloat

NAME = "machine.json"
SHIPPED = Path(__file__).with_name(NAME)


class Pass(Model):
    """Seconds of what a sweep does besides stages; and of a stage with a limiter."""

    component: NonNegativeFloat
    """Of a component of the velocity at a point, and the coefficients it makes."""
    unit: NonNegativeFloat
    """Of a hidden unit at a point."""
    batch: NonNegativeFloat
    """Of a call for as many layers as a cache holds."""
    layer: NonNegativeFloat
    sweep: NonNegativeFloat
    limited_stage: NonNegativeFloat
    """Of a call for one stage."""
    limited_dof: NonNegativeFloat
    """Of a degree of freedom in a stage, more than without a limiter."""


class Rate(Model):
    """Seconds of a degree of freedom of a class in a stage, in cache."""

    stage: PositiveFloat
    transpose: PositiveFloat


class Machine(Model):
    """What `mfresnet bench` finds, per core with all ranks at work."""

    processor: str
    ranks: int
    """How many measured at the same time."""
    cache: PositiveFloat
    """Bytes of the last cache, of all ranks of a node together."""
    base: PositiveFloat
    """Bytes of a process before it has read a case."""
    beyond: dict[int, NonNegativeFloat]
    """Dimension, 2 (the line too) or 3 -> seconds of a byte from memory in place of a cache."""
    rates: dict[str, dict[str, dict[int, Rate]]]
    """Operator -> cell -> degree -> rate."""
    forward: Pass
    backward: Pass
    iteration: NonNegativeFloat
    """Seconds of an iteration besides J and its derivative."""
    latency: NonNegativeFloat
    """Seconds of the messages of a stage that are short, with their calls."""
    bandwidth: PositiveFloat
    """Bytes a second between two ranks."""

    def rate(self, operator: str, cell: str, degree: int) -> Rate:
        """Return the rate of an element; that of the nearest degree by the arithmetic of both."""
        known = self.rates[operator][cell]
        nearest = min(known, key=lambda p: abs(p - degree))
        factor = arithmetic(cell, degree) / arithmetic(cell, nearest)
        found = known[nearest]
        return Rate(stage=factor * found.stage, transpose=factor * found.transpose)


def arithmetic(cell: str, p: int) -> float:
    """Return the multiplications and additions of a stage for a degree of freedom, roughly."""
    d = CELLS[cell]
    if cell not in SIMPLICES:
        return d * (p + 1) + 4.0 * d
    facets = (d + 1) * math.comb(p + d, d - 1) if p else d + 1
    return d * math.comb(p + d, d) + 2.0 * facets


def kept_at() -> Path:
    """Return where the figures of this machine are kept; the file may be missing."""
    return cache_directory() / NAME


def load_machine(file: Path | None = None) -> tuple[Machine, str]:
    """Return the figures, and whose they are.

    Args:
        file: that of another machine; when not given, that which was kept by ``save_machine`` for
            this machine, or where there is none, or one of another version, the figures that come
            with mfresnet.

    Raises:
        InputError: the file that was given is not such a file.
    """
    place = file or (kept_at() if kept_at().exists() else SHIPPED)
    try:
        machine = Machine.model_validate_json(read_text(place))
    except FileError as error:
        raise InputError(
            f"--machine: cannot be read; got {place} ({error}), expected what mfresnet bench --fit "
            "--machine FILE writes. Make it there, or omit it."
        ) from None
    except ValidationError as error:
        if place != file:  # kept by another version, or damaged: no reason not to check a case
            shipped = Machine.model_validate_json(read_text(SHIPPED))
            return shipped, (
                f"figures that come with mfresnet, as {place} holds none that this version knows; "
                "mfresnet bench --fit makes it again"
            )
        raise InputError(
            f"{place}: no figures of a machine; {error.errors()[0]['msg'].lower()}, expected what "
            "mfresnet bench --fit writes. Make it again."
        ) from None
    if place == SHIPPED:
        return machine, "figures that come with mfresnet; mfresnet bench measures this machine"
    return machine, f"figures of {place}"


def save_machine(machine: Machine, file: Path | None = None) -> Path:
    """Write the figures, into the user's cache when no file is given; return the file.

    Raises:
        InputError: the file cannot be written.
    """
    place = file or kept_at()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_text(place, machine.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise InputError(
            f"{place}: cannot be written; {error.strerror}. Give another file by --machine."
        ) from error
    return place
