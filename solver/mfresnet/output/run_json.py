# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""run.json: what is in it, as a model, and how it is written and read.

A new number is one line here and one where the report is made; what is not set is not written.
docs/run.schema.json is what ``python3 -m mfresnet.output.run_json`` prints.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from mfresnet.errors import InputError
from mfresnet.files import (
    REPORT,
    FileError,
    check_digests,
    digests,
    read_report_text,
    write_report,
)
from mfresnet.output.run_metrics import Metrics
from mfresnet.output.run_parts import Asked, Objective, Part
from mfresnet.training import Stage
from mfresnet.verification import Check

SCHEMA = 1
"""Number of the schema of run.json."""
SEALED = ("case.toml", "controls.npz", "network.npz", "history.csv")
"""Files whose digests are in it."""


class Bound(Part):
    """The largest lower bound of the loss."""

    name: str
    """The argument, a name in ``LOWER_BOUNDS``."""
    value: float
    gap: float
    """The loss that was reached, less the bound."""


class Checkpoints(Part):
    """Densities that are kept to carry layers forward again."""

    memory: int
    disk: int


class Memory(Part):
    """Memory of the run, in bytes."""

    predicted: int
    measured: int
    stages: int
    """Of the stages of the layers that are held, and of the checkpoints."""
    disk: int
    layers_held: int
    checkpoints: Checkpoints
    recompute_factor: float
    """Layers carried forward for one derivative, over the number of layers."""


class Data(Part):
    """The samples and their way to the mesh, x = matrix^T (features - shift)."""

    labels: list[str]
    features: list[str]
    shift: list[float]
    matrix: list[list[float]]
    back: list[list[float]]
    train_samples: int
    test_samples: int
    bandwidths: list[float]


class Certificate(Part):
    """The lines of ``mfresnet verify``."""

    passed: bool
    checks: list[Check]


class RunReport(Part):
    """run.json: the numbers of a run."""

    number: Literal[1] = Field(alias="schema")
    """Number of the schema."""
    case: str
    """Title of the case."""
    status: str
    message: str
    """Why the run ended, one sentence."""
    versions: dict[str, str]
    ranks: int
    dofs: int
    """Degrees of freedom of a class."""
    layers: int
    steps_per_layer: int
    objective: Objective
    initial_objective: float
    gradient_norm: float
    """In L2(0, T)."""
    iterations: int
    forward_sweeps: int
    adjoint_sweeps: int
    hessian_actions: int
    mass_error: float
    initial_mass_error: float
    outflow: float
    """Mass of a class that has left the mesh, the largest."""
    min_density: float
    damping: float
    drift: float | None
    """None where points have left the mesh for good."""
    warnings: list[str]
    notes: list[str]
    metrics: Metrics
    data: Data | None
    """None without samples."""
    memory: Memory
    certificate: Certificate | None
    """None before ``mfresnet verify``."""
    seconds: float
    stages: list[Stage] = []
    """The minimisations on the way, where there is more than one."""
    accuracy: Asked | None = None
    """None where the mesh was given."""
    petsc_options: dict[str, str] = {}
    """Those that were given, without which the run is another one."""
    discretisation: dict[str, Any] = {}
    """Keys of the case with the values that were chosen for the accuracy."""
    lower_bound: Bound | None
    """None where no argument bounds the loss."""
    files: dict[str, str] = {}
    """SHA-256 of the other files of the run, by name."""
    digest: str = ""
    """SHA-256 of the text of run.json up to the comma before this last entry."""

    def with_(self, **changes: Any) -> RunReport:
        """Return the report with other values of some fields."""
        return self.model_copy(update=changes)

    def sealed(self, directory: Path) -> RunReport:
        """Return the report with the digests of the other files of its run directory."""
        return self.with_(files=digests(directory, SEALED))

    def to_data(self) -> dict[str, Any]:
        """Return the content of run.json, without its own digest."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude={"digest"})

    def write(self, directory: Path) -> None:
        """Write run.json of a run directory; numbers keep all their digits."""
        write_report(directory, self.to_data())


def read_report(directory: Path) -> RunReport:
    """Return the report of a run directory.

    Raises:
        InputError: there is none, or it is damaged or of another version; or a file of the run is
            not the one that it was written with.
    """
    path = directory / REPORT
    try:
        report = RunReport.model_validate_json(read_report_text(directory), strict=True)
        check_digests(directory)
        return report
    except FileError as error:
        reason = str(error)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        reason = f"{place}: {first['msg']}" if place else first["msg"]
    raise InputError(
        f"{path}: cannot be read ({reason}), expected the report of a finished run. Run the case "
        "again."
    )


if __name__ == "__main__":
    print(json.dumps(RunReport.model_json_schema(), indent=2))
