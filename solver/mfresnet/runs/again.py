# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What can be made again, or later, from a run directory."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Sequence
from pathlib import Path

from mfresnet.case import load
from mfresnet.errors import InputError
from mfresnet.functional import ReducedFunctional
from mfresnet.output import (
    Certificate,
    case_of_run,
    own,
    read_history,
    read_report,
    read_theta,
    write_page,
)
from mfresnet.parallel import together
from mfresnet.pictures import draw
from mfresnet.verification import Check, certify, passed


def draw_again(run: Path, comm: MPI.Intracomm) -> Path:
    """Draw the pictures of a run directory and make its page again; return their folder.

    Raises:
        InputError: a file of the run is missing or damaged.

    Parallel: collective.
    """
    functional, pictures = ReducedFunctional(case_of_run(run), comm), run / "pictures"
    with own(run, comm):
        with together(comm):
            theta = read_theta(run, functional.controls)
            history = read_history(run / "history.csv")
            report = read_report(run)
            pictures.mkdir(exist_ok=True)
        functional.make_room(functional.steps_for(theta))
        draw(functional, theta, history, pictures, report)
        with together(comm):
            if comm.rank == 0:
                write_page(run)
    return pictures


def certificate_of(target: Path, settings: Sequence[str], comm: MPI.Intracomm) -> list[Check]:
    """Return the certificate of a case, or of a run, whose run.json and page then have it.

    Args:
        target: a case file or a run directory.
        settings: assignments that replace keys of the case file.
        comm: the communicator.

    Raises:
        InputError: a file is missing or damaged, or settings are given for a run.

    Parallel: collective.
    """
    if not target.is_dir():
        return certify(ReducedFunctional(load(target, settings), comm))
    if settings:
        raise InputError(f"--set: not for a run; got {target}. Give a case file or omit --set.")
    functional = ReducedFunctional(case_of_run(target), comm)
    with own(target, comm):
        with together(comm):
            theta, report = read_theta(target, functional.controls), read_report(target)
        asked = report.accuracy
        checks = certify(functional, theta, asked.asked * asked.scale if asked else 0.0)
        with together(comm):
            if comm.rank == 0:
                certificate = Certificate(passed=passed(checks), checks=checks)
                report.with_(certificate=certificate).write(target)
                write_page(target)
    return checks
