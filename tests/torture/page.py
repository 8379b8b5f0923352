# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""docs/reliability.md: what was tried, how often, and what came out, from results.json."""

import datetime
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mfresnet.output.run_directory import versions
from torture.chapters import CHAPTERS
from torture.mutations import TABLE, Mutation

ROOT = Path(__file__).parents[2]
STORE, PAGE = Path(__file__).with_name("results.json"), ROOT / "docs/reliability.md"


@dataclass(frozen=True)
class Result:
    """What the trials of a chapter have found.

    Attributes:
        seeds: how many were tried, from 0.
        outcomes: what came out -> how often.
        failures: the commands that repeat them.
        date: of the day.
        seconds: time on the clock.
    """

    seeds: int
    outcomes: dict[str, int]
    failures: list[str]
    date: str
    seconds: float


def today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def keep(name: str, result: Result) -> None:
    """Put the result of a chapter into the store, with the versions that it was found with."""
    write({**read(), name: asdict(result) | {"versions": versions()}})


def keep_mutants(found: dict[int, str]) -> None:
    """Put how mutations have ended into the store."""
    store = read()
    known = store.get("mutants", {})
    for number, end in found.items():
        known[name_of(TABLE[number])] = {"end": end, "date": today()}
    now = [name_of(m) for m in TABLE]
    write({**store, "mutants": {name: known[name] for name in now if name in known}})


def name_of(mutation: Mutation) -> str:
    return f"{mutation.file}: {mutation.old} -> {mutation.new}"


def read() -> dict[str, Any]:
    return json.loads(STORE.read_text()) if STORE.exists() else {}


def write(store: dict[str, Any]) -> None:
    STORE.write_text(json.dumps(store, indent=2, ensure_ascii=False) + "\n")


def write_page() -> None:
    PAGE.write_text(page(read()))


def page(store: dict[str, Any]) -> str:
    """Return the text of the page."""
    lines = [INTRODUCTION]
    for name, chapter in CHAPTERS.items():
        lines.append(f"### {name}\n\n{chapter.what}\n")
        found = store.get(name)
        lines += ["Not tried yet.\n"] if found is None else chapter_lines(found, chapter.full)
    return "\n".join([*lines, MUTANTS, *mutant_lines(store.get("mutants", {}))])


def chapter_lines(found: dict[str, Any], full: int) -> list[str]:
    outcomes, failures = found["outcomes"], found["failures"]
    used = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return [
        f"{found['date']}: {found['seeds']} of {full} seeds in {found['seconds']:.0f} s, "
        f"{sum(outcomes.values())} trials, {len(failures)} failed. {used}.\n",
        "| what came out | how often |\n|---|---|",
        *(f"| {what} | {n} |" for what, n in outcomes.items()),
        *(f"| failed: `{line}` | 1 |" for line in failures),
        "",
    ]


def mutant_lines(found: dict[str, Any]) -> list[str]:
    """Return the table of the mutations and how each has ended."""
    ends = [row["end"] for row in found.values()]
    lines = [
        f"{len(found)} of {len(TABLE)} tried, {ends.count('found')} found by their tests.\n",
        "| file | what stands there then | tests | end |\n|---|---|---|---|",
    ]
    for mutation in TABLE:
        row = found.get(name_of(mutation), {"end": "not tried", "date": ""})
        new = " ".join(mutation.new.split()).replace("|", "\\|") or "nothing"
        tests = mutation.tests.replace("tests/", "").replace("|", "\\|")
        lines.append(f"| {mutation.file} | `{new}` | {tests} | {row['end']} {row['date']} |")
    return [*lines, ""]


INTRODUCTION = """# Reliability

*Written by `make torture` and `make mutants`, never by hand.*

`make torture` tries to break mfresnet: it kills it, damages its files, fills its disks, and feeds
it what no one would write. The rule is that a run directory can be trusted as an SQLite file can:
what was stopped goes on bit for bit, what is damaged is refused in one sentence, and nothing is
used wrongly. Every trial depends on its seed and has a process of its own; what fails prints the
command that repeats it. `docker/run python3 tests/torture CHAPTER --count N` tries the first N
seeds of a chapter; some of the first seeds are tests of `make test` (mark `torture`). Below
stands what was really tried: a chapter with fewer seeds than it has says so.

## What was tried
"""
MUTANTS = """## Mutants

`make mutants` makes one change after the other to a copy of the core: a sign, a weight, an index,
the order of stages, an update that is left out. The tests beside each must find it
(`tests/torture/mutations.py`).
"""
