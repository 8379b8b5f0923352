# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A run in one sentence, and what is to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mfresnet.optimise import Status
from mfresnet.output.numbers import error_of, with_error
from mfresnet.output.run_json import RunReport

Weight = Literal["bad", "warning", "note"]
BEGINNING = "Not converged: "


@dataclass(frozen=True)
class Doubt:
    """Something to look at.

    Attributes:
        weight: ``bad``: the run does not count; ``warning``: its numbers may not; ``note``.
        sentence: what it is and what to do.
    """

    weight: Weight
    sentence: str


def converged(report: RunReport) -> bool:
    """Return whether the run is what was asked for."""
    status = report.status.upper()
    return status in Status.__members__ and Status[status].good


def verdict_sentence(report: RunReport) -> str:
    """Return whether the run has converged, J with its error, and its lower bound."""
    word = "Converged" if converged(report) else "Not converged"
    if report.status == "outflow":
        word = "Failed, as mass has left the mesh"
    error, bound, asked = error_of(report), report.lower_bound, report.accuracy
    sentence = f"{word}: J = {with_error(report.objective.total, error)}"
    if error is None:
        sentence += ", its error is not known"
    elif asked is not None and asked.relative is not None:
        sentence += f", a relative error of {asked.relative:.1e} where {asked.asked:.0e} was asked"
    if bound is None:
        return f"{sentence}; no lower bound of the loss is known."
    loss = report.objective.loss
    return f"{sentence}; no network brings the loss, {loss:.6g}, below {bound.value:.6g}."


def doubts(report: RunReport) -> list[Doubt]:
    """Return what is to be looked at, the most serious first."""
    found: list[Doubt] = []
    if not converged(report):
        text = report.message
        if text.startswith(BEGINNING):  # as the verdict says
            text = text.removeprefix(BEGINNING)
            text = text[:1].upper() + text[1:]
        found.append(Doubt("bad", text))
    if report.certificate is not None:
        failed = [check for check in report.certificate.checks if not check.passed]
        found += [Doubt("bad", f"Certificate, {c.name}: {c.sentence}") for c in failed]
    said = [Doubt("warning", text) for text in report.warnings if text != report.message]
    return found + said + [Doubt("note", text) for text in report.notes]
