# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The page of the gallery: ``page.html`` filled with what the cases and studies have found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mfresnet.pages import render as render_page
from mfresnet.verification import Check

HEADINGS = {"case": "Cases", "study": "Studies"}
"""Kind of an exhibit -> heading of its part of the page, in the order of the page."""
SHOWN = ("test accuracy", "test r2", "objective")
"""The numbers of a case of which the first that is there stands below its picture."""


@dataclass(frozen=True)
class Exhibit:
    """One case or study with what it has found.

    Attributes:
        name: name of the file without its ending; also the folder of its results.
        kind: ``case`` or ``study``.
        title: a few words.
        sentence: what it shows.
        command: what a reader types to run it.
        status: exit status of its process.
        seconds: time of one core.
        verify_seconds: time of one core for the certificate of a case.
        pictures: files, relative to the page.
        page: the report of a case, likewise.
        numbers: pairs of a name and a value.
        findings: numbers and what they should be.
        notes: warnings, and why it has failed.
    """

    name: str
    kind: str
    title: str
    sentence: str
    command: str
    status: int
    seconds: float
    pictures: tuple[str, ...] = ()
    numbers: tuple[tuple[str, str], ...] = ()
    findings: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    verify_seconds: float = 0.0
    page: str = ""

    @property
    def link(self) -> str:
        """Where there is more of it."""
        return self.page or f"#{self.name}"

    @property
    def number(self) -> str:
        """The number that says most, with its name; empty without numbers."""
        known = dict(self.numbers)
        rows = [f"{name} {known[name].split('  ')[0]}" for name in SHOWN if name in known]
        rows += [f"{c.name}: {c.value:.4g}" for c in self.findings if c.value is not None]
        return rows[0] if rows else ""

    @property
    def passed(self) -> bool:
        """Whether it has run and converged, and its findings hold."""
        return self.status == 0

    @property
    def held(self) -> int:
        """Number of the findings that hold."""
        return sum(check.passed for check in self.findings)


def render(exhibits: Sequence[Exhibit]) -> str:
    """Return the page; pictures are linked relative to it, all text is escaped."""
    return render_page(
        "runs/studies/page.html",
        exhibits=exhibits,
        headings=HEADINGS,
        failed=sum(not e.passed for e in exhibits),
        seconds=sum(e.seconds + e.verify_seconds for e in exhibits),
    )
