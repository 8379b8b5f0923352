# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Carry something forward through the layers and back again within the memory of a plan."""

from __future__ import annotations

from mpi4py import MPI

import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import numpy as np
from checkpoint_schedules import Copy, EndForward, Forward, Move, Reverse, StorageType

from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.functional.sweeps.plan import Plan
from mfresnet.parallel import together

Carry = Callable[[int, bool], None]
"""(layer, keep) -> None: carry the state through a layer; keep what the way back needs."""


class States:
    """Copies of a state by number, in memory or in a scratch file of this rank.

    Parallel: collective where a copy is on disk.
    """

    def __init__(self, comm: MPI.Intracomm) -> None:
        """Start with none; the scratch file is made when it is needed, where TMPDIR says."""
        self._comm = comm
        self._memory: dict[int, list[Array]] = {}
        self._free: list[list[Array]] = []
        self._places: dict[int, int] = {}
        self._file: BinaryIO | None = None

    def clear(self) -> None:
        """Forget all copies; their memory is used again."""
        self._free += self._memory.values()
        self._memory.clear()
        self._places.clear()

    def put(self, number: int, state: Sequence[Array], disk: bool = False) -> None:
        """Copy the state.

        Raises:
            InputError: the disk is full; no failure of J, which a line search would step over.
        """
        if disk:
            self._write(number, state)
            return
        copies = self._free.pop() if self._free else [np.empty_like(a) for a in state]
        for copy, a in zip(copies, state, strict=True):
            copy[:] = a
        self._memory[number] = copies

    def get(self, number: int, state: Sequence[Array], *, forget: bool = False) -> None:
        """Set the state to its copy."""
        if number in self._places:
            self._read(number, state)
            if forget:
                del self._places[number]
            return
        for copy, a in zip(self._memory[number], state, strict=True):
            a[:] = copy
        if forget:
            self._free.append(self._memory.pop(number))

    def _write(self, number: int, state: Sequence[Array]) -> None:
        used = set(self._places.values())
        place = self._places[number] = next(i for i in range(len(used) + 1) if i not in used)
        with together(self._comm):
            try:
                if self._file is None:
                    self._file = tempfile.TemporaryFile(prefix="mfresnet-")
                    weakref.finalize(self, self._file.close)
                self._file.seek(place * sum(a.nbytes for a in state))
                for a in state:
                    self._file.write(a.data)
                self._file.flush()
            except OSError as error:
                raise InputError(
                    f"resources.disk: a checkpoint cannot be written; got '{error}', expected "
                    "room on the disk. Lower resources.disk or set TMPDIR to another place."
                ) from error

    def _read(self, number: int, state: Sequence[Array]) -> None:
        with together(self._comm):
            assert self._file is not None
            self._file.seek(self._places[number] * sum(a.nbytes for a in state))
            for a in state:
                self._file.readinto(a.data)  # type: ignore[attr-defined]


class Reversal:
    """One forward and one backward sweep by the schedule of a plan.

    Parallel: every method is collective.
    """

    def __init__(self, plan: Plan, comm: MPI.Intracomm) -> None:
        """Start with nothing kept."""
        self.plan, self._states = plan, States(comm)
        self._actions: Iterator[object] | None = None

    @property
    def ready(self) -> bool:
        """Whether what was kept on the way forward is there for a way back."""
        return self._actions is not None

    def forget(self) -> None:
        """What was kept is no longer there."""
        self._actions = None
        self._states.clear()

    def forward(self, state: Sequence[Array], carry: Carry) -> None:
        """Carry the state from 0 to T.

        Args:
            state: contiguous arrays, changed by ``carry``.
            carry: makes one layer.
        """
        self.forget()
        actions = self.plan.schedule()
        for action in actions:
            if isinstance(action, EndForward):
                break
            self._act(action, state, carry)
        self._actions = actions

    def backward(self, state: Sequence[Array], carry: Carry, back: Callable[[int], None]) -> None:
        """Go through the layers from T to 0, carrying the state forward again where it must be.

        With all layers held it may be repeated, otherwise a forward sweep comes first.

        Args:
            state: as in ``forward``.
            carry: as in ``forward``.
            back: called for every layer, when all that was kept of it is there.
        """
        assert self._actions is not None, "a forward sweep comes first"
        if self.plan.whole:
            for layer in reversed(self.plan.segment(0)):
                back(layer)
            return
        actions, self._actions = self._actions, None
        for action in actions:
            if isinstance(action, Reverse):
                for i in reversed(range(action.n0, action.n1)):
                    for layer in reversed(self.plan.segment(i)):
                        back(layer)
            else:
                self._act(action, state, carry)

    def _act(self, action: object, state: Sequence[Array], carry: Carry) -> None:
        if isinstance(action, Forward):
            if action.write_ics:
                self._states.put(action.n0, state, action.storage is StorageType.DISK)
            for i in range(action.n0, action.n1):
                for layer in self.plan.segment(i):
                    carry(layer, action.write_adj_deps)
        elif isinstance(action, Copy | Move):
            self._states.get(action.n, state, forget=isinstance(action, Move))
