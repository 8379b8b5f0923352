# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What can be made again from a run directory."""

from __future__ import annotations

from mpi4py import MPI

from pathlib import Path

from mfresnet.functional import ReducedFunctional
from mfresnet.output import case_of_run, own, read_history, read_report, read_theta
from mfresnet.parallel import together
from mfresnet.pictures import draw


def draw_again(run: Path, comm: MPI.Intracomm) -> Path:
    """Draw the pictures of a run directory; return their folder.

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
    return pictures
