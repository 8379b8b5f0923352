# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The page of the gallery: HTML from what the cases and studies have found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from mfresnet.findings import Check

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #59636e; --paper: #ffffff; --card: #f6f8fa;
  --line: #d1d9e0; --good: #1a7f37; --bad: #cf222e; --code: #eaeef2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9198a1; --paper: #0d1117;
  --card: #151b23; --line: #3d444d; --good: #3fb950; --bad: #ff7b72; --code: #212830; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 2rem 1.2rem 5rem; color: var(--ink);
  background: var(--paper); font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.9rem; margin: 0 0 .3rem; } h2 { margin: 3rem 0 1rem; font-size: 1.3rem; }
h3 { margin: 0; font-size: 1.12rem; } p { margin: .4rem 0; } a { color: inherit; }
.dim, th { color: var(--dim); font-weight: normal; }
article { border: 1px solid var(--line); border-radius: .6rem; background: var(--card);
  padding: 1.1rem 1.3rem; margin: 1.2rem 0; overflow-x: auto; }
article.failed { border-color: var(--bad); }
article header { display: flex; gap: 1rem; justify-content: space-between; align-items: baseline; }
table { border-collapse: collapse; margin: .7rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .16rem 1.4rem .16rem 0; vertical-align: top; }
.index td { border-top: 1px solid var(--line); } .number { text-align: right; }
summary { cursor: pointer; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
code { background: var(--code); border-radius: .3rem; padding: .1rem .4rem; font-size: .88rem; }
img { max-width: 100%; height: auto; background: #fff; border-radius: .4rem;
  margin: .5rem .5rem 0 0; }
"""
HEADINGS = {"study": "Studies", "case": "Cases"}


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

    @property
    def passed(self) -> bool:
        """Whether it has run and converged, and its findings hold."""
        return self.status == 0


def render(exhibits: Sequence[Exhibit]) -> str:
    """Return the page; pictures are linked relative to it."""
    failed = sum(not e.passed for e in exhibits)
    seconds = sum(e.seconds + e.verify_seconds for e in exhibits)
    verdict = f"{failed} of {len(exhibits)} failed" if failed else f"all {len(exhibits)} hold"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>mfresnet: gallery</title><style>{STYLE}</style></head><body>",
        "<h1>mfresnet: gallery</h1>",
        f'<p class="dim"><span class="{_tone(not failed)}">{verdict}</span>; {seconds:.0f} s of '
        "one core, with the certificates of the cases.</p>",
        '<table class="index">',
        *(_line(e) for e in exhibits),
        "</table>",
    ]
    for kind, heading in HEADINGS.items():
        chosen = [e for e in exhibits if e.kind == kind]
        if chosen:
            parts += [f"<h2>{heading}</h2>", *(_article(e) for e in chosen)]
    return "\n".join([*parts, "</body></html>", ""])


def _tone(good: bool) -> str:
    return "good" if good else "bad"


def _verdict(exhibit: Exhibit) -> str:
    word = "holds" if exhibit.passed else f"failed, status {exhibit.status}"
    return f'<span class="{_tone(exhibit.passed)}">{word}</span>'


def _line(exhibit: Exhibit) -> str:
    return (
        f'<tr><td><a href="#{escape(exhibit.name)}">{escape(exhibit.title)}</a></td>'
        f"<td>{_verdict(exhibit)}</td>"
        f'<td class="number dim">{exhibit.seconds:.1f} s</td></tr>'
    )


def _article(exhibit: Exhibit) -> str:
    parts = [
        f'<article id="{escape(exhibit.name)}"{"" if exhibit.passed else " class=failed"}>',
        f"<header><h3>{escape(exhibit.title)}</h3><span>{_verdict(exhibit)} "
        f'<span class="dim">{exhibit.seconds:.1f} s</span></span></header>',
        f"<p>{escape(exhibit.sentence)}</p>",
        f"<p><code>{escape(exhibit.command)}</code></p>",
    ]
    tone = "dim" if exhibit.passed else "bad"
    parts += [f'<p class="{tone}">{escape(note)}</p>' for note in exhibit.notes]
    parts += [
        f'<img src="{escape(picture)}" alt="{escape(exhibit.title)}" loading="lazy">'
        for picture in exhibit.pictures
    ]
    if exhibit.numbers:
        rows = "".join(
            f'<tr><td class="dim">{escape(name)}</td><td>{escape(value)}</td></tr>'
            for name, value in exhibit.numbers
        )
        parts.append(f"<table>{rows}</table>")
    if exhibit.findings:
        rows = "".join(_finding(check) for check in exhibit.findings)
        head = "<tr><th></th><th>finding</th><th>value</th><th>expected</th><th></th></tr>"
        table = f"<table>{head}{rows}</table>"
        if exhibit.kind == "case":
            held = sum(check.passed for check in exhibit.findings)
            tone = _tone(held == len(exhibit.findings))
            words = f"certificate: {held} of {len(exhibit.findings)} lines hold"
            table = f'<details><summary class="{tone}">{words}</summary>{table}</details>'
        parts.append(table)
    return "\n".join([*parts, "</article>"])


def _finding(check: Check) -> str:
    value = "" if check.value is None else f"{check.value:.6g}"
    word = "holds" if check.passed else "fails"
    return (
        f'<tr><td class="{_tone(check.passed)}">{word}</td><td>{escape(check.name)}</td>'
        f'<td>{value}</td><td class="dim">{escape(check.expected)}</td>'
        f'<td class="dim">{escape(check.sentence)}</td></tr>'
    )
