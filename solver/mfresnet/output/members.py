# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The members of a study on the disk: a run directory each, and beside it what it is a run of.

``members/003/`` is a run directory as any other, ``members/003.json`` says which values it has,
where it starts from, and how it has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from mfresnet.case import Case, Member
from mfresnet.errors import InputError
from mfresnet.files import FileError, read_text, write_text
from mfresnet.output.run_directory import MARK
from mfresnet.output.run_json import RunReport, read_report

QUALITIES = ("accuracy", "log_loss", "r2", "rmse")


class Record(BaseModel):
    """What is known of a member.

    Attributes:
        member: its number.
        values: key -> value.
        case: its case, but for its output.
        start: the number of the member whose controls it starts from.
        ended: exit status of its run, once that has come to an end.
        message: why it has ended.
    """

    member: int
    values: dict[str, Any]
    case: str
    start: int | None = None
    ended: int | None = None
    message: str = ""


@dataclass(frozen=True)
class Ended:
    """How a member has ended.

    Attributes:
        exit: the exit status of its run.
        message: why.
    """

    exit: int
    message: str


class Members:
    """The folder of the members of a study."""

    def __init__(self, directory: Path, members: Sequence[Member]) -> None:
        """Give every member its place."""
        self._directory, self.members = directory / "members", members
        self._digits = max(3, len(str(len(members) - 1)))

    def place(self, number: int) -> Path:
        """Return the run directory of a member."""
        return self._directory / f"{number:0{self._digits}d}"

    def file(self, number: int) -> Path:
        """Return the file beside it."""
        return self.place(number).with_suffix(".json")

    def read(self, number: int) -> Record | None:
        """Return what is known of a member, None where it was not begun.

        Raises:
            InputError: its file is damaged, or it is a member of another study.
        """
        path = self.file(number)
        if not path.exists():
            return None
        try:
            record = Record.model_validate_json(read_text(path))
        except (FileError, ValidationError):
            raise InputError(
                f"{path}: damaged, expected it as the study has left it. Remove it and "
                f"{self.place(number)}, or use --overwrite."
            ) from None
        if record.case != record_text(self.members[number].case):
            raise InputError(
                f"{self.place(number)}: of another study; got a run with "
                f"{', '.join(f'{k}={v}' for k, v in record.values.items())}, expected the same "
                "case, --over and --set as before. Use --overwrite or another --out."
            )
        return record

    def ended(self, number: int) -> Ended | None:
        """Return how the run of a member has ended, converged or not; None before its end."""
        record = self.read(number)
        if record is None or record.ended is None:
            return None
        try:
            read_report(self.place(number))
        except InputError:  # it is damaged, or gone; the checkpoint makes it again
            return None
        return Ended(record.ended, record.message)

    def begun(self, number: int) -> bool:
        """Return whether a member has left anything."""
        place = self.place(number)
        return place.exists() and any(path.name != MARK for path in place.iterdir())

    def check(self, numbers: Sequence[int], *, resume: bool, overwrite: bool) -> None:
        """Refuse what another study, or an earlier one, has left.

        Raises:
            InputError: there is a member already and neither flag is given, or it is another one.
        """
        for number in () if overwrite else numbers:
            if self.read(number) is None and not self.begun(number):
                continue
            if not resume:
                raise InputError(
                    f"--out: {self.place(number)} holds an earlier run, expected a new directory. "
                    "Use --resume to go on with the study, --overwrite to replace it, or choose "
                    "another one."
                )

    def write(self, record: Record) -> None:
        """Write what is known of a member."""
        write_text(self.file(record.member), record.model_dump_json(indent=2) + "\n")


def record_text(case: Case) -> str:
    """Return a case but for its output, which may differ when a study goes on."""
    return case.with_({"output": None}).to_toml()


def study_row(report: RunReport) -> dict[str, Any]:
    """Return the columns of a run in the table of a study."""
    objective, asked = report.objective, report.accuracy
    row: dict[str, Any] = {
        "objective": objective.total,
        "error": objective.loss_error.error if asked is None else asked.size,
        "loss": objective.loss,
        "penalty": objective.penalty,
    }
    for part in ("train", "test"):
        found = getattr(report.metrics, part)
        values = {f"{part}_{name}": getattr(found, name, None) for name in QUALITIES}
        row |= {name: value for name, value in values.items() if value is not None}
        if (rows := report.metrics.log_likelihood) and (line := getattr(rows, part)):
            row[f"{part}_log_likelihood"] = line.network
    ran = {"iterations": report.iterations, "seconds": report.seconds}
    return row | ran | {"status": report.status, "message": report.message}
