# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a run says on rank 0: on stderr while it runs, live in a terminal; its results on stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from mfresnet.columns import in_columns, plain
from mfresnet.errors import shortened
from mfresnet.optimise import Iteration

COLUMNS = ("iteration", "J", "gradient norm", "sweeps", "seconds")


def _cells(row: Iteration) -> tuple[str, ...]:
    return (
        str(row.iteration),
        f"{row.objective:.10g}",
        f"{row.gradient_norm:.3e}",
        f"{row.forward_sweeps} + {row.adjoint_sweeps}",
        f"{row.seconds:.2f}",
    )


class Progress:
    """Shows what happens on stderr and results on stdout; silent on every rank but 0."""

    def __init__(self, rank: int) -> None:
        """Decide by stderr: rank 0's stdout looks like a terminal even when it is piped."""
        self._active, self._terminal = rank == 0, sys.stderr.isatty()
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._started = False

    def say(self, sentence: str) -> None:
        """Show one line of what happens, ``shortened``."""
        if self._active:
            print(shortened(sentence), file=sys.stderr, flush=True)

    def result(self, sentence: str) -> None:
        """Write one line of what was found."""
        if self._active:
            print(sentence, flush=True)

    def in_two_columns(self, rows: Sequence[tuple[str, str]]) -> None:
        """Write names and values of what was found in two columns."""
        self.result(plain([("", *row) for row in rows], "wws"))

    def iteration(self, row: Iteration) -> None:
        """Show an iteration."""
        if not self._active:
            return
        if self._live is not None:
            self._live.update(self._row_in_columns(row))
            return
        if not self._started:
            self._started = True
            print("  ".join(f"{name:>16}" for name in COLUMNS), file=sys.stderr)
        print("  ".join(f"{cell:>16}" for cell in _cells(row)), file=sys.stderr, flush=True)

    def _row_in_columns(self, row: Iteration) -> Table:
        table = in_columns([_cells(row)], "n" * len(COLUMNS), COLUMNS)
        for column in table.columns:
            column.min_width = 14  # the columns stay where they are
        return table

    def __enter__(self) -> Progress:
        """Start the live line."""
        if self._active and self._terminal:
            self._live = Live(console=self._console, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last line where it is."""
        if self._live is not None:
            self._live.stop()
            self._live = None
