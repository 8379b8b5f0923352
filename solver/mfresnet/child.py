# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Processes of our own that know nothing of the MPI of this one."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mfresnet.interrupt import ended_by, leave_if_asked

MPI_VARIABLES = ("OMPI_", "PMIX_", "PRTE_", "PMI_", "MPI_")
SLICE = 0.1
"""Seconds between two looks for a signal."""
KILLED = 124
"""Status of a process that had no time left."""


@dataclass(frozen=True)
class Ended:
    """How a process has ended.

    Attributes:
        status: its exit status; 124 when its time was up.
        output: what it has written to stdout.
        errors: what it has written to stderr.
        seconds: time on the clock.
        core_seconds: time of one core, that of its own children included.
    """

    status: int
    output: str
    errors: str
    seconds: float
    core_seconds: float

    @property
    def last(self) -> str:
        """The last line of stderr, the status when it is empty."""
        return (self.errors.strip().splitlines() or [f"status {self.status}"])[-1]


def outside() -> dict[str, str]:
    """Return the environment without what MPI has told this process; mfresnet can be imported."""
    found = {k: v for k, v in os.environ.items() if not k.startswith(MPI_VARIABLES)}
    home = str(Path(__file__).parents[1])
    found["PYTHONPATH"] = os.pathsep.join([home, found.get("PYTHONPATH", "")]).rstrip(":")
    return found


def execute(line: Sequence[str], patience: float) -> Ended:
    """Run a command to its end.

    Args:
        line: the command and its arguments.
        patience: seconds after which it is ended.

    Raises:
        Preempted: a signal has come to this process; the other one is ended.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done: tuple[str, str] | None = None

    def kill() -> None:
        # its children too, which may hold the pipes
        os.killpg(process.pid, 9)

    with subprocess.Popen(
        line, env=outside(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process, ended_by(kill):  # fmt: skip
        try:
            while done is None and time.perf_counter() < start + patience:
                leave_if_asked()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    done = process.communicate(timeout=min(SLICE, patience))
        finally:
            if process.poll() is None:
                kill()
        status, (output, errors) = process.returncode, done or process.communicate()
    if done is None:
        status, errors = KILLED, f"{errors}\nEnded after {patience:g} s."
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cores = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ended(status, output, errors, time.perf_counter() - start, cores)
