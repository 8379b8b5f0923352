# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The log of all evaluations of J, from which an interrupted run goes on bit for bit.

TAO's memory cannot be stored. A resumed run starts the same optimisation again and answers its
first calls from the log; then it computes on. Every record is a row of float64

    [outcome, J or steps needed, forward sweeps, adjoint sweeps, theta, derivative]          (8)

with outcome 0 for a value, 1 for StepsError, 2 for SolveError.
"""

from __future__ import annotations

from mpi4py import MPI

import hashlib
import json
import signal
from pathlib import Path
from types import FrameType

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import InputError, SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import evaluate
from mfresnet.parallel import maximum, together
from mfresnet.sweep import StepsError

VALUE, STEPS, FAILED = 0.0, 1.0, 2.0


class Preempted(Exception):  # noqa: N818
    """The process was asked to stop (signal USR1 or TERM); exit status 75."""


class EvaluationLog:
    """Evaluates J and its derivative, keeps a record, answers from the records of an earlier run.

    Attributes:
        replayed: number of evaluations that came from the log.

    Parallel: every method is collective; rank 0 holds the file.
    """

    def __init__(self, directory: Path, case_text: str, comm: MPI.Intracomm) -> None:
        """Open or continue the log in ``directory``.

        Args:
            directory: the checkpoint directory, which exists on rank 0.
            case_text: the resolved case; a log of another case is refused.
            comm: the communicator.

        Raises:
            InputError: the log belongs to another case.
        """
        self.comm, self.replayed = comm, 0
        self._records: list[Array] = []
        self._stop = False
        self._path = directory / "evaluations.bin"
        with together(comm):
            if comm.rank == 0:
                self._open(directory, hashlib.sha256(case_text.encode()).hexdigest())
        self._records = comm.bcast(self._records, root=0)
        self._next = 0
        for number in (signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _open(self, directory: Path, key: str) -> None:
        header = directory / "log.json"
        if header.exists():
            known = json.loads(header.read_text())
            if known["case"] != key:
                raise InputError(
                    f"--resume: the checkpoint in {directory} belongs to another case, expected "
                    "the same case file and --set. Use --overwrite to start anew."
                )
            if self._path.exists():
                data, width = np.fromfile(self._path), known["width"]
                self._records = list(data[: len(data) // width * width].reshape(-1, width))
                np.asarray(self._records).tofile(self._path)
        else:
            header.write_text(json.dumps({"case": key, "width": 0}))
        self._header, self._key = header, key

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop = True

    def evaluate(self, functional: ReducedFunctional, theta: Array) -> tuple[float, Array]:
        """Return J and its derivative at theta, from the log when it is the next record.

        Raises:
            Preempted: a signal has come; what was computed is in the log.
        """
        if maximum(self.comm, float(self._stop))[0] > 0.0:
            raise Preempted
        n = theta.size
        if self._next < len(self._records):
            record = self._records[self._next]
            if np.array_equal(record[4 : 4 + n], theta):
                self._next += 1
                self.replayed += 1
                functional.forward_sweeps += int(record[2])
                functional.adjoint_sweeps += int(record[3])
                return _answer(functional, record, n)
            raise SolveError(
                "--resume: this run differs from the one that wrote the checkpoint (another "
                "version of a library or other options). Use --overwrite to start anew."
            )
        record = np.zeros(4 + 2 * n)
        record[4 : 4 + n] = theta
        before = functional.forward_sweeps, functional.adjoint_sweeps
        try:
            value, derivative = evaluate(functional, theta)
            record[0:2], record[4 + n :] = (VALUE, value), derivative
        except StepsError as error:
            record[0:2] = STEPS, error.needed
            raise
        except SolveError:
            record[0] = FAILED
            raise
        finally:
            record[2] = functional.forward_sweeps - before[0]
            record[3] = functional.adjoint_sweeps - before[1]
            self._append(record)
        return value, derivative

    def _append(self, record: Array) -> None:
        if self.comm.rank == 0:
            if self._path.exists() is False:
                self._header.write_text(json.dumps({"case": self._key, "width": len(record)}))
            with self._path.open("ab") as file:
                record.tofile(file)


def _answer(functional: ReducedFunctional, record: Array, n: int) -> tuple[float, Array]:
    if record[0] == STEPS:
        raise StepsError(functional.steps_per_layer, int(record[1]))
    if record[0] == FAILED:
        raise SolveError("the objective could not be computed at this trial point.")
    return float(record[1]), record[4 + n :].copy()
