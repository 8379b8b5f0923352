# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The case of a finished run."""

from __future__ import annotations

from pathlib import Path

from mfresnet.case import Case, load
from mfresnet.output.run_json import read_report


def case_of_run(directory: Path) -> Case:
    """Return the case of a run directory, with the mesh that an accuracy has chosen.

    Raises:
        InputError: a file is missing or damaged.
    """
    case = load(directory / "case.toml")
    if case.accuracy is None:
        return case
    return case.with_({"accuracy": None} | read_report(directory).discretisation)
