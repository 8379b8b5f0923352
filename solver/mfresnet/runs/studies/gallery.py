# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The gallery: every case and every study run, each in its own process, and one page with all."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mfresnet.child import Ended, execute
from mfresnet.errors import Exit, InputError, unknown
from mfresnet.files import REPORT, write_text
from mfresnet.output import PAGE, read_report, summary
from mfresnet.runs.studies.page import Exhibit, render
from mfresnet.runs.studies.study import first_sentence
from mfresnet.verification import Check

PATIENCE = 1200.0
"""Seconds on the clock after which a case or study is ended."""
FIRST = ("density.webp", "density.png")
"""Pictures of a run of which the first that is there is shown, the moving one before all."""


def find(cases: Path, only: Sequence[str] = ()) -> list[Path]:
    """Return the studies and the case files of a directory, studies first, by name.

    Args:
        cases: the directory; its studies are in ``studies``.
        only: names without ending; all when empty.

    Raises:
        InputError: there are none, or not one with a name that is given.
    """
    scripts = [p for p in (cases / "studies").glob("*.py") if not p.name.startswith("_")]
    files = [*sorted(scripts), *sorted(cases.glob("*.toml"))]
    if not files:
        raise InputError(
            f"CASES-DIR: nothing to run; got {cases}, expected a directory with case files (TOML) "
            "or studies/*.py. Check the path."
        )
    names = [path.stem for path in files]
    if found := [unknown("--only", name, names) for name in only if name not in names]:
        raise InputError(found)
    return [path for path in files if not only or path.stem in only]


def make_gallery(
    cases: Path,
    out: Path,
    only: Sequence[str] = (),
    say: Callable[[str], None] = print,
    quiet: bool = False,
) -> list[Exhibit]:
    """Run cases and studies one after another and write the page; go on after a failure.

    Args:
        cases: the directory of the cases.
        out: where the page, index.html, and all results go.
        only: names to run; all when empty.
        say: gets a line for each of them, when it is done.
        quiet: only for those that fail.

    Returns:
        What was found.

    Raises:
        InputError: there is nothing to run.
    """
    files = find(cases, only)
    out.mkdir(parents=True, exist_ok=True)
    exhibits: list[Exhibit] = []
    for path in files:
        exhibits.append(_study(path, out) if path.suffix == ".py" else _case(path, out))
        last = exhibits[-1]
        word, why = ("pass", "") if last.passed else ("FAIL", f"  {last.notes[-1]}")
        if not (quiet and last.passed):
            say(f"{word}  {last.name:<24} {last.seconds:7.1f} s{why}")
        # after each of them: a page is there also when a later one is interrupted
        write_text(out / "index.html", render(exhibits))
    return exhibits


def _study(path: Path, out: Path) -> Exhibit:
    directory = out / path.stem
    (directory / "study.json").unlink(missing_ok=True)
    ended = execute([sys.executable, str(path), "--out", str(directory)], PATIENCE)
    report = _read(directory / "study.json")
    findings = _findings(report.get("findings", ()))
    return Exhibit(
        name=path.stem,
        kind="study",
        title=report.get("title", path.stem),
        sentence=report.get("sentence", ""),
        command=f"docker/run python3 {_shown(path)}",
        status=ended.status,
        seconds=ended.core_seconds,
        pictures=(f"{path.stem}/picture.png",) if report else (),
        findings=findings,
        notes=_why(ended, "" if not findings else "A finding does not hold."),
    )


def _case(path: Path, out: Path) -> Exhibit:
    """Run a case, then compute its certificate, whose lines are its findings."""
    directory, mfresnet = out / path.stem, [sys.executable, "-m", "mfresnet"]
    (directory / REPORT).unlink(missing_ok=True)
    ended = execute([*mfresnet, "run", str(path), "--out", str(directory), "--overwrite"], PATIENCE)
    report = read_report(directory) if (directory / REPORT).exists() else None
    notes = _why(ended, "") if report is None else (*report.warnings, *_why(ended, report.message))
    status, verify_seconds = ended.status, 0.0
    if status == 0:
        verified = execute([*mfresnet, "verify", str(directory)], PATIENCE)
        verify_seconds, report = verified.core_seconds, read_report(directory)
        known = "" if report.certificate is None else "A line of its certificate does not hold."
        status, notes = verified.status, (*notes, *_why(verified, known))
    comment = " ".join(_comment(path.read_text(encoding="utf-8")))
    drawn = {p.name for p in (directory / "pictures").glob("*")} if report else set()
    return Exhibit(
        name=path.stem,
        kind="case",
        title=(report and report.case) or path.stem,
        sentence=first_sentence(comment),
        command=f"docker/run mfresnet run {_shown(path)}",
        status=status,
        seconds=ended.core_seconds,
        pictures=tuple(f"{path.stem}/pictures/{name}" for name in FIRST if name in drawn)[:1],
        page=f"{path.stem}/{PAGE}" if (directory / PAGE).exists() else "",
        numbers=tuple(row for row in summary(report) if row[0] != "seconds") if report else (),
        findings=tuple(report.certificate.checks) if report and report.certificate else (),
        notes=notes,
        verify_seconds=verify_seconds,
    )


def _findings(rows: Sequence[dict[str, Any]]) -> tuple[Check, ...]:
    """Return the findings of a study as they were stored."""
    return tuple(Check(**{k: v for k, v in row.items() if k != "expected"}) for row in rows)


def _comment(text: str) -> list[str]:
    """Return the lines of the comment that a case file begins with."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return lines


def _shown(path: Path) -> str:
    """Return a path as a reader of the page types it."""
    relative = os.path.relpath(path)
    return shlex.quote(str(path) if relative.startswith("..") else relative)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def _why(ended: Ended, known: str) -> tuple[str, ...]:
    """Return why a process has not ended with status 0."""
    return () if ended.status == 0 else (known or ended.last,)


def gallery_status(exhibits: Sequence[Exhibit]) -> Exit:
    """Return how the command ends."""
    return Exit.CONVERGED if all(e.passed for e in exhibits) else Exit.FAILED


def gallery_verdict(exhibits: Sequence[Exhibit]) -> str:
    """Return one line on all of them."""
    failed = [e.name for e in exhibits if not e.passed]
    hold = len(exhibits) - len(failed)
    seconds = sum(e.seconds + e.verify_seconds for e in exhibits)
    names = f"; failed: {', '.join(failed)}" if failed else ""
    return f"{hold} of {len(exhibits)} hold, {seconds:.0f} s of one core{names}."
