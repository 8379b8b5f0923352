# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The numbers of a run directory: run.json, history.csv, controls.npz, each whole or not at all."""

from __future__ import annotations

from mpi4py import MPI

import csv
import importlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter

from mfresnet.archive import read_arrays, write_arrays
from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.files import FileError, alone, read_text, write_text
from mfresnet.network import ControlSpace
from mfresnet.optimise import Iteration
from mfresnet.parallel import together

COLUMNS = [field.name for field in fields(Iteration)]
ROWS: TypeAdapter[list[Iteration]] = TypeAdapter(Annotated[list[Iteration], Field(min_length=1)])
OURS: dict[str, str | None] = {"no_signal_handler": None, "heat_sub_pc_type": "icc"}
"""Options of PETSc that the program gives itself, with their values where it chooses one."""
MARK = ".mfresnet"
"""The first file of a run directory; who writes into the directory holds its lock."""


@contextmanager
def own(directory: Path, comm: MPI.Intracomm) -> Iterator[bool]:
    """Keep a run directory for this process and its ranks alone.

    Yields:
        Whether the file system knows locks, on rank 0.

    Raises:
        InputError: another process writes into it.

    Parallel: collective on entering the block.
    """
    busy = (
        f"{directory}: another process is writing into this run directory, expected one at a time. "
        "Wait for its end or choose another directory."
    )
    with ExitStack() as stack:
        locked = True
        with together(comm):
            if comm.rank == 0:
                locked = stack.enter_context(alone(directory / MARK, busy))
        yield locked


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
    names = ("mfresnet", "fenics-dolfinx", "petsc4py", "mpi4py", "numpy", "scipy")
    return {name: _version(name) for name in names}


def petsc_options() -> dict[str, str]:
    """Return the options that PETSc was given by the user."""
    from petsc4py import PETSc

    given = PETSc.Options().getAll().items()
    ours = {name for name, value in given if name in OURS and OURS[name] in (None, value)}
    return {name: value or "" for name, value in given if name not in ours}


def _version(distribution: str) -> str:
    """Return the version that a module names, else that of its package, else "unknown"."""
    module = importlib.import_module(distribution.removeprefix("fenics-"))
    named = getattr(module, "__version__", None)
    if named is not None:
        return str(named)
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"
