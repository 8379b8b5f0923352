# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The log of all answers of J, from which an interrupted run goes on bit for bit.

The memory of an optimiser cannot be stored. A resumed run starts the same optimisation again and
answers its first questions from the log; then it computes on. Every record is a row of float64

    [kind, J or steps, forward sweeps, adjoint sweeps, Hessian actions, n, question, answer]   (8)

whose question and answer have n numbers: theta and the derivative of J; h and J'' h; or theta and
the minimiser of the Hamiltonian.

The file begins with a line that names version and case. A seal follows the first six numbers of a
record and its end: a digest of what it closes and of the seal before it. So no byte can change and
no record can come from elsewhere unnoticed; what a kill has cut off at the end is all that may
lack, and it is computed again.
"""

from __future__ import annotations

from mpi4py import MPI

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import InputError, SolveError, StepsError
from mfresnet.files import write_atomically
from mfresnet.optimise.result import Functional
from mfresnet.optimise.search import Oracle
from mfresnet.parallel import pause, together

VALUE, STEPS, FAILED, HESSIAN, LEAST = range(5)
HEAD = 6
"""Numbers of a record before the question."""
FORMAT, SEAL = 2, 16
"""Version of the file's format; bytes of a seal."""
FIRST = re.compile(rb"(?P<version>log \d{1,9} of mfresnet [\w.+]{1,40}), case [0-9a-f]{64}\n")
"""The first line of the file."""
SAME = 1e-8
"""J on another number of ranks differs by less."""
DIFFERS = (
    "--resume: this run differs from the one that wrote the checkpoint (another version of a "
    "library, other samples or other options). Use --overwrite to start anew."
)


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
            InputError: the log belongs to another case or is damaged.
        """
        self.comm, self.replayed = comm, 0
        self._records: list[Array] = []
        self._path = directory / "evaluations.bin"
        with together(comm):
            if comm.rank == 0:
                self._open(_first_line(case_text))
        self._records = comm.bcast(self._records, root=0)
        self._next = 0
        self._last: tuple[Functional, Array, float] | None = None

    def _open(self, line: bytes) -> None:
        """Read the records that are there, or begin a file."""
        self._seal, self._end = _seal(b"", line), len(line)
        if not self._path.exists():
            write_atomically(self._path, lambda stream: stream.write(line))
            return
        data = self._path.read_bytes()
        if not data.startswith(line):
            raise InputError(_refusal(self._path, data, line))
        for record, seal, end in _records(self._path, data, self._seal, self._end):
            self._records.append(record)
            self._seal, self._end = seal, end

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
            InputError: the log has another question at this place.
            SolveError: J cannot be computed.
        """
        pause(self.comm)
        if self._next < len(self._records):
            record = self._records[self._next]
            of_kind = record[0] == kind or (kind == VALUE and record[0] in (STEPS, FAILED))
            if not of_kind or not np.array_equal(record[HEAD : HEAD + question.size], question):
                raise InputError(DIFFERS)
            self._next += 1
            self.replayed += 1
            self._last = functional, theta, record[1] if record[0] == VALUE else np.nan
            _count(functional, record[2:5])
            return record
        self._catch_up(functional)
        return self._compute(functional, theta, question, kind)

    def _catch_up(self, functional: Functional) -> None:
        """Make the sweep of the last replayed answer, so that the next one finds the same state.

        Raises:
            InputError: J is another one there, as with other samples in the file of the case.
        """
        last, self._last = self._last, None
        if last is None or last[0] is not functional:
            return
        before, found = _counts(functional), np.nan
        try:
            found = functional.value(last[1], fixed_steps=True)
        except SolveError:
            pass  # as it did when the record was written
        if np.isfinite(last[2]) and not abs(found - last[2]) <= SAME * max(abs(last[2]), 1.0):
            raise InputError(DIFFERS)
        _count(functional, before - _counts(functional))

    def _compute(self, functional: Functional, theta: Array, question: Array, kind: int) -> Array:
        """Return the record of a new answer, which the log then has.

        What ends the run, as an interrupt, is no answer and leaves no record.
        """
        n, before = question.size, _counts(functional)
        record = np.concatenate([[kind, 0.0, 0.0, 0.0, 0.0, n], question, np.zeros(n)])
        answers: dict[int, Callable[[], Array]] = {
            HESSIAN: lambda: super(EvaluationLog, self).hessian_action(functional, theta, question),
            LEAST: lambda: super(EvaluationLog, self).least_hamiltonian(functional, theta),
        }
        failure: SolveError | None = None
        try:
            with together(self.comm):
                if kind == VALUE:
                    record[1], record[HEAD + n :] = super().evaluate(functional, theta)
                else:
                    record[HEAD + n :] = answers[kind]()
        except StepsError as error:
            record[0:2], failure = (STEPS, error.needed), error
        except SolveError as error:
            record[0], failure = FAILED, error
        record[2:5] = _counts(functional) - before
        self._append(record)
        if failure is not None:
            raise failure
        return record

    def _append(self, record: Array) -> None:
        """Write a record behind the last one.

        Raises:
            OSError: on all ranks; no SolveError, which the search would take for one of J.
        """
        failed: tuple[int, str] | None = None
        if self.comm.rank == 0:
            data = b""
            for part in (record[:HEAD], record[HEAD:]):
                content = part.tobytes()
                self._seal = _seal(self._seal, content)
                data += content + self._seal
            try:
                with self._path.open("r+b") as file:
                    file.seek(self._end)
                    file.truncate()
                    file.write(data)
            except OSError as error:
                failed = error.errno or 0, error.strerror or str(error)
            self._end += len(data)
        failed = self.comm.bcast(failed, root=0)
        if failed is not None:
            raise OSError(*failed, str(self._path))


def _first_line(case_text: str) -> bytes:
    """Return the line that the log of a case begins with."""
    from mfresnet import __version__

    key = hashlib.sha256(case_text.encode()).hexdigest()
    return f"log {FORMAT} of mfresnet {__version__}, case {key}\n".encode()


def _refusal(path: Path, data: bytes, line: bytes) -> str:
    """Return the sentence for a log that begins with another line."""
    found, ours = FIRST.match(data), FIRST.match(line)
    if found is None or ours is None:
        return _damaged(path)
    if found["version"] != ours["version"]:
        got, expected = (match["version"].decode() for match in (found, ours))
        return (
            f"--resume: {path} is of another version; got {got}, expected {expected}. Take that "
            "version, or use --overwrite to start anew."
        )
    return (
        f"--resume: the checkpoint in {path.parent} belongs to another case, expected "
        "the same case file and --set. Use --overwrite to start anew."
    )


def _damaged(path: Path) -> str:
    return (
        f"--resume: {path} is damaged, expected it as the interrupted run has left it. Restore it "
        "from a copy, or use --overwrite to start anew."
    )


def _seal(before: bytes, content: bytes) -> bytes:
    """Return the digest that closes a part of the file."""
    return hashlib.blake2b(content, key=before, digest_size=SEAL).digest()


def _records(path: Path, data: bytes, seal: bytes, at: int) -> Iterator[tuple[Array, bytes, int]]:
    """Yield the whole records of a file, with their seal and their end.

    Args:
        path: the file.
        data: what it holds.
        seal: that of the first line.
        at: where the first line ends.

    Raises:
        InputError: something else is wrong than an end that is cut off.
    """
    while True:
        parts, size = b"", 8 * HEAD
        for _ in ("head", "question and answer"):
            content, found = data[at : at + size], data[at + size : at + size + SEAL]
            if len(found) < SEAL:
                return
            seal = _seal(seal, content)
            if seal != found:
                raise InputError(_damaged(path))
            parts, at = parts + content, at + size + SEAL
            size = 16 * int(np.frombuffer(parts)[HEAD - 1])
        yield np.frombuffer(parts), seal, at


def _counts(functional: Functional) -> Array:
    f = functional
    return np.array([f.forward_sweeps, f.adjoint_sweeps, f.hessian_actions], dtype=float)


def _count(functional: Functional, added: Array) -> None:
    functional.forward_sweeps += int(added[0])
    functional.adjoint_sweeps += int(added[1])
    functional.hessian_actions += int(added[2])
