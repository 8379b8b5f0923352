# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The log of all answers of J, from which an interrupted run goes on bit for bit.

The memory of an optimiser cannot be stored. A resumed run starts the same optimisation again and
answers its first questions from the log; then it computes on. Every record is a row of float64

    [kind, J or steps, forward sweeps, adjoint sweeps, Hessian actions, n, question, answer]   (8)

whose question and answer have n numbers: theta and the derivative of J; h and J'' h; or theta and
the minimiser of the Hamiltonian.
"""

from __future__ import annotations

from mpi4py import MPI

import hashlib
import json
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import numpy as np

from mfresnet.arrays import Array
from mfresnet.cfl import StepsError
from mfresnet.errors import InputError, Preempted, SolveError
from mfresnet.outcome import Functional, Oracle
from mfresnet.parallel import maximum, together

VALUE, STEPS, FAILED, HESSIAN, LEAST = range(5)
HEAD = 6
"""Numbers of a record before the question."""


class EvaluationLog(Oracle):
    """Answers for J, keeps a record, and answers from the records of an earlier run.

    Attributes:
        replayed: number of answers that came from the log.

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
        self._last: tuple[Functional, Array] | None = None
        for number in (signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _open(self, directory: Path, key: str) -> None:
        header = directory / "log.json"
        if header.exists():
            if json.loads(header.read_text())["case"] != key:
                raise InputError(
                    f"--resume: the checkpoint in {directory} belongs to another case, expected "
                    "the same case file and --set. Use --overwrite to start anew."
                )
            if self._path.exists():
                self._records = _complete(np.fromfile(self._path))
                np.concatenate([np.empty(0), *self._records]).tofile(self._path)
        else:
            header.write_text(json.dumps({"case": key}))

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop = True

    # ------------------------------------------------------------------ the questions
    def evaluate(self, functional: Functional, theta: Array) -> tuple[float, Array]:
        """Return J and its derivative at theta."""
        record = self._ask(functional, theta, theta, VALUE)
        if record[0] == STEPS:
            raise StepsError(functional.steps_per_layer, int(record[1]))
        if record[0] == FAILED:
            raise SolveError("the objective could not be computed at this trial point.")
        return float(record[1]), record[HEAD + theta.size :].copy()

    def hessian_action(self, functional: Functional, theta: Array, h: Array) -> Array:
        """Return J''(theta) h."""
        return self._ask(functional, theta, h, HESSIAN)[HEAD + h.size :].copy()

    def least_hamiltonian(self, functional: Functional, theta: Array) -> Array:
        """Return the controls of the least Hamiltonian."""
        return self._ask(functional, theta, theta, LEAST)[HEAD + theta.size :].copy()

    def _ask(self, functional: Functional, theta: Array, question: Array, kind: int) -> Array:
        """Return the record of an answer, from the log when it is the next one.

        Raises:
            Preempted: a signal has come; what was computed is in the log.
            SolveError: the log has another question at this place, or J cannot be computed.
        """
        if maximum(self.comm, float(self._stop))[0] > 0.0:
            raise Preempted
        if self._next < len(self._records):
            record = self._records[self._next]
            of_kind = record[0] == kind or (kind == VALUE and record[0] in (STEPS, FAILED))
            if not of_kind or not np.array_equal(record[HEAD : HEAD + question.size], question):
                raise SolveError(
                    "--resume: this run differs from the one that wrote the checkpoint (another "
                    "version of a library or other options). Use --overwrite to start anew."
                )
            self._next += 1
            self.replayed += 1
            self._last = functional, theta
            _count(functional, record[2:5])
            return record
        self._catch_up(functional)
        return self._compute(functional, theta, question, kind)

    def _catch_up(self, functional: Functional) -> None:
        """Make the sweep of the last replayed answer, so that the next one finds the same state."""
        last, self._last = self._last, None
        if last is None or last[0] is not functional:
            return
        before = _counts(functional)
        try:
            functional.value(last[1])
        except SolveError:
            pass  # as it did when the record was written
        _count(functional, before - _counts(functional))

    def _compute(self, functional: Functional, theta: Array, question: Array, kind: int) -> Array:
        n, before = question.size, _counts(functional)
        record = np.concatenate([[kind, 0.0, 0.0, 0.0, 0.0, n], question, np.zeros(n)])
        answers: dict[int, Callable[[], Array]] = {
            HESSIAN: lambda: super(EvaluationLog, self).hessian_action(functional, theta, question),
            LEAST: lambda: super(EvaluationLog, self).least_hamiltonian(functional, theta),
        }
        try:
            if kind == VALUE:
                record[1], record[HEAD + n :] = super().evaluate(functional, theta)
            else:
                record[HEAD + n :] = answers[kind]()
        except StepsError as error:
            record[0:2] = STEPS, error.needed
            raise
        except SolveError:
            record[0] = FAILED
            raise
        finally:
            record[2:5] = _counts(functional) - before
            if self.comm.rank == 0:
                with self._path.open("ab") as file:
                    record.tofile(file)
        return record


def _complete(data: Array) -> list[Array]:
    """Return the records in a file, without one that was being written."""
    records, start = [], 0
    while start + HEAD <= data.size:
        stop = start + HEAD + 2 * int(data[start + HEAD - 1])
        if stop > data.size:
            break
        records.append(data[start:stop])
        start = stop
    return records


def _counts(functional: Functional) -> Array:
    f = functional
    return np.array([f.forward_sweeps, f.adjoint_sweeps, f.hessian_actions], dtype=float)


def _count(functional: Functional, added: Array) -> None:
    functional.forward_sweeps += int(added[0])
    functional.adjoint_sweeps += int(added[1])
    functional.hessian_actions += int(added[2])
