#!/usr/bin/env python3
# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Draw docs/pictures/rooms.png: the rooms of the package and who imports whom, from the imports.

Left every room on its floor, with an arrow to each room that it needs and that no room between the
two needs as well; right all imports, counted by names. Run: docker/run python3 docs/rooms.py
"""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "solver/mfresnet"
PICTURE = ROOT / "docs/pictures/rooms.png"
INK, DIM, PAPER, ROOM = "#1b1f24", "#59636e", "#ffffff", "#dce9f5"


def floors() -> list[list[str]]:
    """Return the layers of the contract of imports that are rooms, lowest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = [
        c for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers"
    ]
    layers = [[part.strip() for part in layer.split("|")] for layer in contract["layers"]]
    return [rooms for layer in reversed(layers) if (rooms := [r for r in layer if is_room(r)])]


def is_room(name: str) -> bool:
    """Return whether the package has a sub-package of this name."""
    return name != "" and (PACKAGE / name / "__init__.py").exists()


def imports() -> Counter[tuple[str, str]]:
    """Return (room, other room) -> number of names that it imports from there."""
    found: Counter[tuple[str, str]] = Counter()
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                parts = node.module.split(".")
                other = parts[1] if parts[0] == "mfresnet" and len(parts) > 1 else ""
                if is_room(room) and is_room(other) and other != room:
                    found[room, other] += len(node.names)
    return found


def needed(edges: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the arrows that do not follow from the others."""
    below: dict[str, set[str]] = {}

    def reach(room: str) -> set[str]:
        if room not in below:
            direct = {b for a, b in edges if a == room}
            below[room] = direct.union(*(reach(b) for b in direct)) if direct else set()
        return below[room]

    return [
        (a, b)
        for a, b in edges
        if not any(b in reach(c) for c in {y for x, y in edges if x == a} - {b})
    ]


def draw_floors(axes: Axes, levels: list[list[str]], arrows: list[tuple[str, str]]) -> None:
    """Draw the rooms floor over floor, and the arrows."""
    place = {}
    for height, rooms in enumerate(levels):
        for k, room in enumerate(rooms):
            place[room] = ((k + 0.5) * 3.0 / len(rooms), float(height))
    for a, b in arrows:
        (x0, y0), (x1, y1) = place[a], place[b]
        style = {"arrowstyle": "-|>", "color": DIM, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
        far = y0 - y1 > 1.5 and abs(x0 - x1) < 0.3
        style |= {"connectionstyle": f"arc3,rad={0.35 if far else 0.0}"}
        axes.annotate("", (x1, y1 + 0.31), (x0, y0 - 0.31), arrowprops=style)
    for room, (x, y) in place.items():
        files = [p for p in (PACKAGE / room).rglob("*.py") if p.name != "__init__.py"]
        lines = sum(len(p.read_text().splitlines()) for p in files)
        box = {"boxstyle": "round,pad=0.35", "facecolor": ROOM, "edgecolor": INK, "linewidth": 0.8}
        text = f"{room}\n{len(files)} modules, {lines} lines"
        axes.text(x, y, text, ha="center", va="center", fontsize=8, color=INK, bbox=box)
    axes.set(xlim=(0.0, 3.0), ylim=(-0.6, len(levels) - 0.4))
    axes.axis("off")
    axes.set_title("Rooms, and what each needs from below", fontsize=9, color=INK)


def draw_matrix(axes: Axes, order: list[str], edges: Counter[tuple[str, str]]) -> None:
    """Draw a square for every pair of rooms with imports, with their number."""
    for row, a in enumerate(order):
        for column, b in enumerate(order):
            if count := edges[a, b]:
                shade = min(1.0, 0.25 + count / 60.0)
                axes.add_patch(
                    mpl.patches.Rectangle((column, row), 1, 1, color="#2a6fb0", alpha=shade)
                )
                tone = PAPER if shade > 0.55 else INK
                middle = (column + 0.5, row + 0.5)
                axes.text(*middle, str(count), ha="center", va="center", fontsize=7, color=tone)
    n, middles = len(order), [k + 0.5 for k in range(len(order))]
    axes.set(xlim=(0, n), ylim=(n, 0), aspect="equal")
    axes.set_xticks(middles, order, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(middles, order, fontsize=8)
    axes.set_title("Names that a room (row) imports from another (column)", fontsize=9, color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_color(DIM)


def main() -> None:
    """Write the picture."""
    levels, edges = floors(), imports()
    figure = Figure(figsize=(11.0, 5.6), facecolor=PAPER, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.0))
    draw_floors(left, levels, needed(edges))
    draw_matrix(right, [room for rooms in levels for room in rooms], edges)
    figure.savefig(PICTURE, dpi=140, metadata={"Software": None})


if __name__ == "__main__":
    main()
