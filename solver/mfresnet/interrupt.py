# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Signals that ask to stop, TERM, INT and USR1: one answer in every phase.

While the command is ``listening``, the first one raises ``Stopped`` where the process is: there is
nothing yet that could be kept. While it is ``keeping`` what it computes, the first one is noted,
and ``Preempted`` is raised where all ranks meet or where work can be left. A second one ends the
process at once. The handlers of before are put back at the end.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import NoReturn

from mfresnet.errors import Exit, Preempted

COMMAND = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
LIBRARY = (signal.SIGTERM, signal.SIGUSR1)
"""Without INT, which is KeyboardInterrupt in a notebook."""
STOPPED = "mfresnet: stopped by a signal; nothing was kept."
KEPT = "mfresnet: stopped by a signal; what was computed is kept. Go on with --resume."
RANKS = ("PMIX_RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")
"""Where launchers write the rank of a process, before it can ask MPI."""


class Stopped(BaseException):
    """A signal has come while there is nothing to keep."""


class _Listener:
    """What has come since the handlers were installed."""

    def __init__(self) -> None:
        self.asked = self.keeps = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            end(KEPT if self.keeps else STOPPED)
        self.asked = True
        if not self.keeps:
            raise Stopped


_listeners: list[_Listener] = []
_endings: list[Callable[[], None]] = []


@contextmanager
def listening(numbers: Sequence[signal.Signals] = COMMAND) -> Iterator[None]:
    """Answer signals inside the block; signals come to the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    listener = _Listener()
    _listeners.append(listener)
    before = {number: signal.signal(number, listener.handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        _listeners.remove(listener)


@contextmanager
def keeping() -> Iterator[None]:
    """Only note signals inside the block; outside of the command listen to TERM and USR1 there."""
    with ExitStack() as stack:
        if not _listeners:
            stack.enter_context(listening(LIBRARY))
        listener = _listeners[-1] if _listeners else _Listener()
        before, listener.keeps = listener.keeps, True
        try:
            yield
        finally:
            listener.keeps = before


def asked() -> bool:
    """Return whether a signal has come to this process."""
    return any(listener.asked for listener in _listeners)


def leave_if_asked() -> None:
    """Raise Preempted when a signal has come to this rank; for work of one rank in ``together``."""
    if asked():
        raise Preempted(KEPT)


@contextmanager
def ended_by(action: Callable[[], None]) -> Iterator[None]:
    """Call ``action`` when a second signal ends the process inside the block."""
    _endings.append(action)
    try:
        yield
    finally:
        _endings.remove(action)


def is_first() -> bool:
    """Return whether this process is the first of those that a launcher has started."""
    return next((os.environ[name] for name in RANKS if name in os.environ), "0") == "0"


def end(sentence: str) -> NoReturn:
    """End this process at once; the first rank says why."""
    for action in _endings:
        action()
    if is_first():
        sys.stderr.flush()
        os.write(2, f"{sentence}\n".encode())
    os._exit(Exit.PREEMPTED)
