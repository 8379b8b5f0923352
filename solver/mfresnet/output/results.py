# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a run has found, on standard output: verdict, numbers, what matters, and the page."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mfresnet.columns import WIDTH, in_columns
from mfresnet.errors import shortened
from mfresnet.output.numbers import summary
from mfresnet.output.progress import Detail, Progress
from mfresnet.output.run_json import RunReport
from mfresnet.output.verdict import converged, doubts, verdict_sentence

MOST = 3
"""Sentences on what to look at."""
COLOURS = {"bad": "bold red", "warning": "yellow", "note": "dim"}
"""Weight of a sentence -> its style in a terminal."""


def show_results(progress: Progress, report: RunReport, page: Path) -> None:
    """Write what was found: in a quiet run only what is wrong, on stderr, and the page.

    Args:
        progress: where it is shown, and how much.
        report: the numbers.
        page: the file that is named on the last line.
    """
    if not progress.shows:
        return
    found = doubts(report)
    if progress.detail == Detail.QUIET:
        for doubt in found:
            if doubt.weight != "note":
                progress.warn(doubt.sentence)
    else:
        console = out()

        def write(sentence: str, style: str) -> None:
            lines = textwrap.wrap(
                shortened(sentence), console.width, break_long_words=False, break_on_hyphens=False
            )
            console.print(Text("\n".join(lines), style), soft_wrap=True)

        write(verdict_sentence(report), "green" if converged(report) else "bold red")
        table = in_columns([("", *row) for row in summary(report)], "wws")
        table.columns[1].no_wrap = True
        with console.capture() as lines:
            console.print(table)
        print("\n".join(line.rstrip() for line in lines.get().splitlines()))
        most = len(found) if progress.detail == Detail.VERBOSE else MOST
        for doubt in found[:most]:
            begin = "" if doubt.weight == "bad" else f"{doubt.weight.capitalize()}: "
            write(begin + doubt.sentence, COLOURS[doubt.weight])
        if len(found) > most:
            write(f"The report has {len(found) - most} more of these.", "dim")
    print(page, flush=True)


def out() -> Console:
    """Return standard output: as wide as a reader likes, coloured in a terminal alone.

    Under a launcher rank 0's stdout looks like a terminal even when it is piped; stderr does not.
    """
    terminal = sys.stderr.isatty() and sys.stdout.isatty()
    plain = None if terminal or "FORCE_COLOR" in os.environ else False
    console = Console(
        highlight=False, markup=False, emoji=False, force_terminal=plain, force_jupyter=False
    )
    given = os.environ.get("COLUMNS", "")
    console.width = min(console.width, WIDTH) if terminal or given.isdigit() else WIDTH
    return console
