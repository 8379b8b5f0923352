# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Tables for a reader: numbers on the right, words on the left, sentences on several lines."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

WIDTH, SENTENCE = 120, 40
"""Letters of a line, of which words and numbers leave at least so many to a sentence."""


def in_columns(rows: Sequence[Sequence[str]], kinds: str, titles: Sequence[str] = ()) -> Table:
    """Return a table that rich prints; on a console that is too narrow every cell may be broken.

    Args:
        rows: the cells of each row.
        kinds: a letter for each column: ``n`` number, ``w`` word or ``s`` sentence.
        titles: of the columns; none are shown when not given.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=bool(titles))
    for title, kind in zip(titles or [""] * len(kinds), kinds, strict=True):
        table.add_column(title, justify="right" if kind == "n" else "left")
    for row in rows:
        table.add_row(*row)
    return table


def plain(rows: Sequence[Sequence[str]], kinds: str, titles: Sequence[str] = ()) -> str:
    """Return a table as lines of text without colours, in which only sentences are broken."""
    console = Console(file=StringIO(), color_system=None, markup=False, emoji=False, width=10**6)
    table = in_columns(rows, kinds, titles)
    for column, kind in zip(table.columns, kinds, strict=True):
        column.no_wrap = kind != "s"
    short = [["" if k == "s" else c for c, k in zip(r, kinds, strict=True)] for r in rows]
    measured = Measurement.get(console, console.options, in_columns(short, kinds, titles))
    console.width = max(WIDTH, measured.maximum + SENTENCE * kinds.count("s"))
    with console.capture() as capture:
        console.print(table, highlight=False)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())
