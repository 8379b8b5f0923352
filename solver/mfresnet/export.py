# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The numbers of a run directory: run.json, history.csv, controls.npz. All written atomically."""

from __future__ import annotations

from mpi4py import MPI

import csv
import importlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from mfresnet.arrays import Array
from mfresnet.control import ControlSpace
from mfresnet.errors import InputError
from mfresnet.files import alone, write_atomically, write_text
from mfresnet.optimise import Iteration
from mfresnet.parallel import together

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
    """Write run.json; numbers keep all their digits."""
    write_text(path, json.dumps(report, indent=2) + "\n")


def write_history(path: Path, history: Sequence[Iteration]) -> None:
    """Write history.csv, one row an iteration."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(Iteration)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in history)
    write_text(path, text.getvalue())


def read_history(path: Path) -> list[Iteration]:
    """Return the iterates of a run.

    Raises:
        InputError: the file is not there or not whole.
    """
    kinds = get_type_hints(Iteration)
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        return [Iteration(**{name: kinds[name](row[name]) for name in kinds}) for row in rows]
    except (OSError, KeyError, ValueError):
        raise InputError(
            f"{path}: cannot be read, expected the history of a finished run. Run the case first."
        ) from None


def write_controls(path: Path, controls: ControlSpace, theta: Array) -> None:
    """Write controls.npz: theta, t (start of every layer), and every parameter by its name."""
    arrays: dict[str, Any] = {"theta": theta, **controls.from_vector(theta).values}
    arrays["t"] = np.arange(controls.layers) * controls.layer_time
    write_atomically(path, lambda stream: np.savez(stream, **arrays))


def read_theta(directory: Path, controls: ControlSpace) -> Array:
    """Return the trained controls of a run directory.

    Raises:
        InputError: there are none, or they belong to another case.
    """
    path = directory / "controls.npz"
    try:
        with np.load(path) as file:
            theta: Array = file["theta"]
    except (OSError, KeyError, ValueError):
        raise InputError(
            f"{path}: cannot be read, expected the controls of a finished run. Run the case first."
        ) from None
    if theta.shape != (controls.size,):
        raise InputError(
            f"{path}: of another case; got {theta.size} controls, expected {controls.size}. Run "
            "the case again."
        )
    return theta


def add_certificate(directory: Path, certificate: dict[str, Any]) -> None:
    """Put a certificate into run.json."""
    path = directory / "run.json"
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError):
        raise InputError(
            f"{path}: cannot be read, expected the report of a finished run. Run the case first."
        ) from None
    write_report(path, report | {"certificate": certificate})


LIBRARIES = {
    "fenics-dolfinx": "dolfinx",
    "petsc4py": "petsc4py",
    "mpi4py": "mpi4py",
    "numpy": "numpy",
    "scipy": "scipy",
}
"""What the numbers depend on, and the modules that know their version: not every distribution
installs the metadata of its packages."""


def versions() -> dict[str, str]:
    """Return the versions of mfresnet and of the libraries that its numbers depend on."""
    from mfresnet import __version__

    modules = {name: importlib.import_module(module) for name, module in LIBRARIES.items()}
    return {"mfresnet": __version__} | {name: m.__version__ for name, m in modules.items()}
