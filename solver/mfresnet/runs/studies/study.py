# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Studies: what no single run shows, as a table, a picture, and findings held to their theory.

A study is a script whose docstring begins with the sentence on what it shows:

    def study(size: str = "full") -> Study: ...

    if __name__ == "__main__":
        main(study)

The sizes are ``full``, for the picture, and ``reduced``, a few seconds for the tests, with the same
findings.
"""

from __future__ import annotations

from mpi4py import MPI

import argparse
import csv
import importlib.util
import inspect
import io
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.markup import escape

from mfresnet.arrays import Array
from mfresnet.columns import in_columns
from mfresnet.errors import InputError
from mfresnet.files import write_atomically, write_text
from mfresnet.output import write_report
from mfresnet.parallel import together
from mfresnet.pictures import style
from mfresnet.verification import Check, passed

SIZES = ("full", "reduced")
WIDTH = 120
"""Columns of the output that is no terminal."""
FAILED = 3
"""Exit status when a finding does not hold."""


@dataclass(frozen=True)
class Study:
    """What a study has found.

    Attributes:
        title: a few words.
        about: the docstring of the script; its first sentence says what the study shows.
        columns: the table, name -> numbers or words, all of one length.
        findings: numbers and what they should be, see ``findings``.
        figure: the picture.
    """

    title: str
    about: str
    columns: Mapping[str, Sequence[Any] | Array]
    findings: tuple[Check, ...]
    figure: Figure

    @property
    def sentence(self) -> str:
        """The sentence on what the study shows."""
        return first_sentence(self.about)

    @property
    def passed(self) -> bool:
        """Whether every finding holds."""
        return passed(self.findings)

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows of the table."""
        return list(zip(*(np.asarray(c).tolist() for c in self.columns.values()), strict=True))


def first_sentence(text: str) -> str:
    """Return the first sentence of a docstring, on one line."""
    words = " ".join(text.split())
    return re.split(r"(?<=[.!?])\s", words, maxsplit=1)[0]


def slope(
    x: Sequence[float] | Array,
    y: Sequence[float] | Array,
    counts: Sequence[int] | Array | None = None,
) -> float:
    """Return the exponent q of y = c x^q by least squares in the logarithms.

    Args:
        x: (n,).
        y: (n,).
        counts: how many random numbers each y is the mean of, (n,): its square has that weight.
    """
    weights = None if counts is None else np.sqrt(counts)
    logarithms = np.log(np.asarray(x, float)), np.log(np.asarray(y, float))
    return float(np.polyfit(*logarithms, 1, w=weights)[0])


def draw_slope(
    axes: Any, x: Sequence[float] | Array, y: Sequence[float] | Array, exponent: str
) -> None:
    """Draw c x^q through the first value of y as a reference, with the slope in the legend.

    Args:
        axes: logarithmic axes of matplotlib.
        x: where, (n,).
        y: the values that the line goes with, (n,).
        exponent: q in words: ``-1/2``.
    """
    x = np.asarray(x, float)
    line = y[0] * (x / x[0]) ** float(Fraction(exponent))
    axes.loglog(x, line, ls=":", color="0.45", lw=1.3, zorder=0, label=f"slope ${exponent}$")


def load_study(path: str | Path) -> Callable[..., Study]:
    """Return the function ``study`` of a script.

    Raises:
        InputError: the script has none.
    """
    path = Path(path)
    spec = importlib.util.spec_from_file_location(f"mfresnet_study_{path.stem}", path)
    module = None if spec is None or not path.is_file() else importlib.util.module_from_spec(spec)
    if module is not None and spec is not None and spec.loader is not None:
        sys.modules[spec.name] = module  # data classes look their module up
        spec.loader.exec_module(module)
    if not hasattr(module, "study"):
        raise InputError(
            f"{path}: not a study; got no function study, expected study(size) -> Study. "
            "Check the path."
        )
    found: Callable[..., Study] = module.study  # type: ignore[union-attr]
    return found


# ---------------------------------------------------------------------- the script
def main(study: Callable[..., Study], arguments: Sequence[str] | None = None) -> None:
    """Run a study as a script: print table and findings, write the directory, and exit.

    study.json, table.csv and picture.png go to results/<name of the script> by default. The exit
    status is 0 when every finding holds and 3 when one does not.

    Args:
        study: the function of the script.
        arguments: of the command line, sys.argv when not given.

    Parallel: collective on MPI.COMM_WORLD.
    """
    name = Path(inspect.getfile(study)).stem
    about = inspect.getdoc(inspect.getmodule(study)) or ""
    parser = argparse.ArgumentParser(description=first_sentence(about))
    parser.add_argument("--out", type=Path, default=Path("results") / name)
    parser.add_argument("--size", choices=SIZES, default=SIZES[0])
    given = parser.parse_args(arguments)
    start = time.perf_counter()
    with style():
        found = study(given.size)
    seconds = time.perf_counter() - start
    with together(MPI.COMM_WORLD):
        if MPI.COMM_WORLD.rank == 0:
            show(found, _console())
            write(found, given.out, seconds)
    sys.exit(0 if found.passed else FAILED)


def _console() -> Console:
    """Return stdout: plain and wide unless it is a terminal, which mpirun pretends that it is."""
    alone = MPI.COMM_WORLD.size == 1 and sys.stdout.isatty()
    return Console() if alone else Console(force_terminal=False, width=WIDTH)


def show(study: Study, console: Console) -> None:
    """Print title, sentence, table and findings."""
    console.print(f"[bold]{escape(study.title)}[/]. {escape(study.sentence)}", highlight=False)
    rows = [[escape(as_text(value)) for value in row] for row in study.rows()]
    words = [any(isinstance(value, str) for value in c) for c in study.columns.values()]
    kinds = "".join("w" if word else "n" for word in words)
    console.print(in_columns(rows, kinds, list(study.columns)))
    findings = []
    for check in study.findings:
        word = "[green]pass[/]" if check.passed else "[bold red]FAIL[/]"
        value = "" if check.value is None else as_text(check.value)
        cells = (word, escape(check.name), value, check.expected, escape(check.sentence))
        findings.append(cells)
    console.print(in_columns(findings, "wsnws", ("", "finding", "value", "expected", "")))


def as_text(value: Any) -> str:
    """Return a value of a table for a reader."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def write(study: Study, directory: Path, seconds: float) -> None:
    """Write table.csv, picture.png and study.json, each atomically and study.json last.

    Args:
        study: the study.
        directory: where to; made when it is not there.
        seconds: that it has taken.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "study.json").unlink(missing_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(study.columns)
    writer.writerows(study.rows())
    write_text(directory / "table.csv", text.getvalue())
    with style():
        write_atomically(
            directory / "picture.png", lambda stream: study.figure.savefig(stream, format="png")
        )
    report = {
        "title": study.title,
        "sentence": study.sentence,
        "passed": study.passed,
        "findings": [asdict(c) | {"expected": c.expected} for c in study.findings],
        "columns": {name: np.asarray(column).tolist() for name, column in study.columns.items()},
        "seconds": seconds,
    }
    write_report(directory / "study.json", report)
