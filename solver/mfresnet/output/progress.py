# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a run says on rank 0: on stderr while it runs, on one line in a terminal or a notebook.

A log, where stderr is neither, has lines with times, few of them however long the run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mfresnet.columns import in_columns
from mfresnet.errors import shortened
from mfresnet.optimise import Iteration
from mfresnet.output.notebook import Line, in_notebook

COLUMNS = ("iteration", "J", "gradient norm", "sweeps", "seconds")
PACE, SOONEST, LATEST = 0.05, 1.0, 300.0
"""Between two iterations in a log: part of the time so far, seconds at least and at most."""
STAMP = "%Y-%m-%d %H:%M:%S"


class Detail(IntEnum):
    """How much is said."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


def _cells(row: Iteration) -> tuple[str, ...]:
    return (
        str(row.iteration),
        f"{row.objective:.10g}",
        f"{row.gradient_norm:.3e}",
        f"{row.forward_sweeps} + {row.adjoint_sweeps}",
        f"{row.seconds:.2f}",
    )


class Progress:
    """Shows what happens; silent on every rank but 0."""

    def __init__(self, rank: int, detail: Detail = Detail.NORMAL) -> None:
        """Decide by stderr: rank 0's stdout looks like a terminal even when it is piped."""
        self._active, self._terminal = rank == 0, sys.stderr.isatty()
        self.detail = detail
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._live: Live | None = None
        self._line = Line() if self._active and in_notebook() else None
        self._waiting: Iteration | None = None
        self._last: Iteration | None = None
        self._start = self._next = time.monotonic()

    @property
    def shows(self) -> bool:
        """Whether this rank shows anything."""
        return self._active

    def say(self, sentence: str) -> None:
        """Say what happens, ``shortened``."""
        if self.detail > Detail.QUIET:
            self._write(sentence)

    def tell(self, sentence: str) -> None:
        """Say what only those want to know who ask for more."""
        if self.detail == Detail.VERBOSE:
            self._write(sentence)

    def warn(self, sentence: str) -> None:
        """Say what may be wrong, however quiet."""
        self._write(f"Warning: {sentence}", "yellow")

    def _write(self, sentence: str, style: str = "") -> None:
        if not self._active:
            return
        text = shortened(sentence)
        if self._terminal:
            self._console.print(Text(text, style))
        elif self._line is not None:
            print(text, flush=True)
        else:
            print(f"{time.strftime(STAMP)}  {text}", file=sys.stderr, flush=True)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Say what is being done, in a terminal on a line that goes away."""
        if self._terminal and self._active and self.detail > Detail.QUIET:
            with self._console.status(what):
                yield
            return
        if self._line is None or self.detail == Detail.QUIET:
            self.say(what)
            yield
            return
        self._line.show(what)
        yield
        self._line.show("" if self._last is None else _in_words(self._last))

    # ------------------------------------------------------------------ iterations
    def iteration(self, row: Iteration) -> None:
        """Show an iteration, in a log from time to time."""
        if not self._active or self.detail == Detail.QUIET:
            return
        if self.detail == Detail.NORMAL and self._live is not None:
            self._live.update(self._row_in_columns(row))
            return
        if self.detail == Detail.NORMAL and self._line is not None:
            self._line.show(_in_words(row))
            self._last = row
            return
        now = time.monotonic()
        self._waiting = row
        if self.detail == Detail.VERBOSE or now >= self._next:
            self._next = now + min(max(SOONEST, PACE * (now - self._start)), LATEST)
            self._log_waiting()

    def _log_waiting(self) -> None:
        if self._waiting is not None:
            row, self._waiting = self._waiting, None
            self._write(_in_words(row))

    def _row_in_columns(self, row: Iteration) -> Table:
        table = in_columns([_cells(row)], "n" * len(COLUMNS), COLUMNS)
        for column in table.columns:
            column.min_width = 12  # the columns stay where they are
        return table

    def __enter__(self) -> Progress:
        """Start the live line."""
        self._start = self._next = time.monotonic()
        if self._active and self._terminal and self.detail == Detail.NORMAL:
            self._live = Live(console=self._console, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last iteration where it is."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._log_waiting()


def _in_words(row: Iteration) -> str:
    """Return an iteration as one line of a log."""
    cells = _cells(row)
    pairs = zip(COLUMNS[:-1], (f"{cells[0]:>4}", f"{cells[1]:<13}", *cells[2:-1]), strict=True)
    return "  ".join(f"{name} {cell}" for name, cell in pairs) + f"  {cells[-1]} s"
