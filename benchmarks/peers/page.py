# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The page, its pictures and the lines of the README, from the store alone."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.section import LIBRARIES, LINES, section

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- written by make bench -->", "<!-- end of what make bench writes -->"
Store = dict[str, Any]

HEAD = """\
# Beside its peers

mfresnet beside the tools that one would take instead: every peer by its public package, used as
its own documentation would have a user write, in the best configuration that we found, on the same
problem and machine in the same run, one thread each where no ranks are named. `make bench` makes
everything on this page again, numbers, tables and pictures, in an environment of its own;
`make bench QUICK=1` tries every benchmark on small sizes. A dash is what was not reached in the
time that was given. Where we lose, the text below a table says so.

## When not to use mfresnet

- **More than three coordinates** that matter, images, text: the density lives on a mesh.
- **Few samples**: a density of a hundred rows says no more than the rows do, and simpler models
  are fitted sooner.
- **Nodes at hand**: where the data are Gaussians and an expectation is all that is wanted, a
  quadrature rule moved by PyTorch or JAX is a good method too; the next section has it beside ours.
- **A graphics processor**: everything here runs on processors, the peers too; on large networks of
  many features PyTorch and JAX use what mfresnet does not.
"""


@dataclass(frozen=True)
class Places:
    """Where the store is and where the page goes.

    Attributes:
        store: what was found, JSON.
        page: Markdown.
        pictures: directory of the pictures.
        readme: the file whose marked block has the lines, or None.
    """

    store: Path
    page: Path
    pictures: Path
    readme: Path | None


PROJECT = Places(
    ROOT / "benchmarks/peers/results.json",
    ROOT / "docs/benchmarks.md",
    ROOT / "docs/pictures",
    ROOT / "README.md",
)


def beside(directory: Path) -> Places:
    """Return places in one directory."""
    return Places(directory / "results.json", directory / "benchmarks.md", directory, None)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with some digits, a dash for None."""
    if value is None:
        return "-"
    return f"{value:.{digits}g}" if 1e-3 <= abs(value) < 1e5 else f"{value:.{digits - 1}e}"


def seconds(value: float | None) -> str:
    """Return seconds, to a millisecond below ten, a dash for None."""
    return "-" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def anchor(title: str) -> str:
    """Return the name by which a heading is linked."""
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


def _measured(name: str, record: Store) -> str:
    """Return when and with what a section was measured."""
    used = [f"{n} {v}" for n, v in record["versions"].items() if v]
    missing = [n for n in LIBRARIES if not record["versions"].get(n)]
    said = f" Not installed, and so not compared: {', '.join(missing)}." if missing else ""
    sizes = "small sizes, " if record["quick"] else ""
    return (
        f"*`benchmarks/peers/run.sh --only {name}`: {sizes}{record['seconds']:.0f} s on "
        f"{record['date']}; {record['machine']}; {', '.join(used)}.{said}*"
    )


def text(store: Store, places: Places) -> str:
    """Return the page."""
    parts = [HEAD]
    pictures = places.pictures.relative_to(places.page.parent)
    for name, record in store.items():
        shown = section(name)
        picture = (pictures / f"benchmarks_{name}.png").as_posix()
        body = shown.page(record["found"]).strip()
        parts.append(
            f"## {shown.TITLE}\n\n![{shown.TITLE}]({picture})\n\n{body}\n\n"
            f"{_measured(name, record)}\n"
        )
    return "\n".join(parts)


def lines(store: Store) -> str:
    """Return the block of the README, a line a section that has one."""
    rows = []
    for name in LINES:
        if name in store:
            shown = section(name)
            what, measured = shown.line(store[name]["found"])
            rows.append([what, f"{measured}; [more](docs/benchmarks.md#{anchor(shown.TITLE)})"])
    return table(["on one core, `make bench`", "measured"], rows)


def with_lines(readme: str, store: Store) -> str:
    """Return the text of the README with its block made again."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{lines(store)}\n{END}{after}"


def write(places: Places) -> None:
    """Write page, pictures and the lines of the README."""
    store = json.loads(places.store.read_text()) if places.store.exists() else {}
    for name, record in store.items():
        section(name).draw(record["found"], places.pictures / f"benchmarks_{name}.png")
    places.page.write_text(text(store, places))
    if places.readme is not None:
        places.readme.write_text(with_lines(places.readme.read_text(), store))
