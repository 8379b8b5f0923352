# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""report.html: a run on one page, made from its run directory, with its pictures inside."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mfresnet.case import load
from mfresnet.files import write_text
from mfresnet.optimise import Iteration
from mfresnet.output.asked import asked_for
from mfresnet.output.captions import FILM, ORDER, caption
from mfresnet.output.numbers import measures, of_training, of_transport
from mfresnet.output.run_directory import read_history
from mfresnet.output.run_json import RunReport, read_report
from mfresnet.output.verdict import converged, doubts, verdict_sentence
from mfresnet.pages import embedded, render

PAGE, FIRST = "report.html", "density"
"""The file in a run directory, and the name of its first picture."""
ITERATES = 12
"""Most iterates that are shown."""


@dataclass(frozen=True)
class Picture:
    """A picture on the page.

    Attributes:
        name: that of its file.
        address: what holds it.
        caption: what one sees.
    """

    name: str
    address: str
    caption: str


def write_page(directory: Path) -> Path:
    """Write the page of a run directory and return its file.

    Raises:
        InputError: a file of the run is missing or damaged.
        OSError: the page cannot be written.
    """
    report, case = read_report(directory), load(directory / "case.toml")
    pictures = list(_pictures(directory / "pictures", case.dimension))
    text = render(
        "output/report.html",
        title=report.case or directory.name,
        good=converged(report),
        verdict=verdict_sentence(report),
        doubts=doubts(report),
        first=[p for p in pictures if p.name == FIRST],
        film=_film(directory / "pictures" / f"{FIRST}.webp"),
        pictures=[p for p in pictures if p.name != FIRST],
        measures=list(measures(report.metrics)),
        numbers=[*of_training(report), *of_transport(report)],
        asked=asked_for(case, report),
        case=case.to_toml(),
        report=report,
        iterates=_some(read_history(directory / "history.csv")),
        repeat=command_of(directory, report),
        verify=f"mfresnet verify {shlex.quote(str(directory))}",
    )
    write_text(directory / PAGE, text)
    return directory / PAGE


def _pictures(folder: Path, dimension: int) -> Iterator[Picture]:
    """Yield the pictures that are there, in the order of the page."""
    there = {path.stem: path for path in sorted(folder.glob("*.png"))}
    known = [name for name in (FIRST, *ORDER) if name in there]
    for name in [*known, *(name for name in there if name not in known)]:
        yield Picture(name, embedded(there[name]), caption(name, dimension))


def _film(path: Path) -> Picture | None:
    return Picture("film", embedded(path), FILM) if path.is_file() else None


def _some(history: Sequence[Iteration]) -> list[Iteration]:
    """Return some iterates, the first and the last among them, the denser the earlier."""
    last = len(history) - 1
    if last < ITERATES:
        return list(history)
    chosen = {round(last ** (i / (ITERATES - 2))) for i in range(ITERATES - 1)}
    return [history[i] for i in sorted({0, *chosen})]


def command_of(directory: Path, report: RunReport) -> str:
    """Return the command that makes the same run again, in a directory of its own."""
    again = directory.with_name(f"{directory.name}-again")
    line = ["mfresnet", "run", str(directory / "case.toml"), "--out", str(again)]
    if report.ranks > 1:
        line = ["mpirun", "-n", str(report.ranks), *line]
    if report.petsc_options:
        given = [(f"-{name}", value) for name, value in report.petsc_options.items()]
        line += ["--", *(word for pair in given for word in pair if word)]
    return shlex.join(line)
