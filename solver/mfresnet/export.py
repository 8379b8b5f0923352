# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The numbers of a run directory: run.json, history.csv, controls.npz. All written atomically."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter

from mfresnet.archive import read_arrays, write_arrays
from mfresnet.arrays import Array
from mfresnet.control import ControlSpace
from mfresnet.errors import InputError
from mfresnet.files import FileError, read_text, write_text
from mfresnet.optimise import Iteration

COLUMNS = [field.name for field in fields(Iteration)]
ROWS: TypeAdapter[list[Iteration]] = TypeAdapter(Annotated[list[Iteration], Field(min_length=1)])


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write a report as JSON; numbers keep all their digits."""
    write_text(path, json.dumps(report, indent=2) + "\n")


def write_history(path: Path, history: Sequence[Iteration]) -> None:
    """Write history.csv, one row an iteration."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in history)
    write_text(path, text.getvalue())


def read_history(path: Path) -> list[Iteration]:
    """Return the iterates of a run.

    Raises:
        InputError: the file is not there or not whole.
    """
    try:
        names, *rows = csv.reader(io.StringIO(read_text(path), newline=""))
        if names != COLUMNS:
            raise FileError("its columns are others")
        return ROWS.validate_python([dict(zip(names, row, strict=True)) for row in rows])
    except (FileError, csv.Error, ValueError) as error:
        raise _unusable(path, "history", error) from None


def _unusable(path: Path, what: str, error: Exception) -> InputError:
    """Return the sentence for a file of a run directory that is missing, damaged or another one."""
    reason = f" ({error})" if isinstance(error, FileError) else ""
    return InputError(
        f"{path}: cannot be read{reason}, expected the {what} of a finished run. Run the case "
        "again."
    )


def write_controls(path: Path, controls: ControlSpace, theta: Array) -> None:
    """Write controls.npz: theta, t (start of every layer), and every parameter by its name."""
    times = np.arange(controls.layers) * controls.layer_time
    write_arrays(path, {"theta": theta, **controls.from_vector(theta).values, "t": times})


def read_theta(directory: Path, controls: ControlSpace) -> Array:
    """Return the trained controls of a run directory.

    Raises:
        InputError: there are none, or they belong to another case.
    """
    path = directory / "controls.npz"
    try:
        theta = read_arrays(path).get("theta", np.empty(0))
        if theta.dtype != float or not np.isfinite(theta).all():
            raise FileError(f"numbers of the type {theta.dtype}, or not finite")
    except FileError as error:
        raise _unusable(path, "controls", error) from None
    if theta.shape != (controls.size,):
        raise InputError(
            f"{path}: of another case; got {theta.size} controls, expected {controls.size}. Run "
            "the case again."
        )
    return theta


def versions() -> dict[str, str]:
    """Return the versions of mfresnet and of the libraries that its numbers depend on."""
    from mfresnet import __version__

    names = ("fenics-dolfinx", "petsc4py", "mpi4py", "numpy", "scipy")
    return {"mfresnet": __version__} | {name: metadata.version(name) for name in names}
