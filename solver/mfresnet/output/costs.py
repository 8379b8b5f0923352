# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a training will take, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from mfresnet.columns import plain
from mfresnet.memory import in_units
from mfresnet.training import Prediction, Scaling


def costs_table(predictions: Sequence[Prediction]) -> str:
    """Return the predictions, a line for each number of ranks."""
    titles = [
        "ranks",
        "J",
        "J and derivative",
        "iteration",
        "messages",
        "speed-up",
        "memory",
        "a rank",
    ]
    rows = [
        [
            str(p.ranks),
            in_seconds(p.value),
            in_seconds(p.derivative),
            in_seconds(p.iteration),
            f"{p.messages / p.derivative:.0%}",
            f"{predictions[0].derivative / p.derivative:.3g}",
            in_units(p.memory),
            in_units(p.memory / p.ranks),
        ]
        for p in predictions
    ]
    return plain(rows, "n" * len(titles), titles)


def scaling_table(rows: Sequence[Scaling]) -> str:
    """Return how problems scale, a line for each number of ranks."""
    titles = ["", "cells", "degree", "ranks", "J", "J and derivative", "efficiency", "halo"]
    titles += ["messages", "bytes", "mean"]
    lines = [
        [
            row.kind,
            f"{row.cell} {' x '.join(map(str, row.cells))}",
            str(row.degree),
            str(row.ranks),
            in_seconds(row.value),
            in_seconds(row.derivative),
            f"{row.efficiency:.2f}",
            f"{row.halo:.1%}",
            str(row.messages),
            str(row.bytes),
            f"{row.mean_bytes:.0f}",
        ]
        for row in rows
    ]
    return plain(lines, "ww" + "n" * (len(titles) - 2), titles)


def in_seconds(seconds: float) -> str:
    """Return a time for the user, with two digits or, from a second on, three."""
    if seconds < 1.0:
        return f"{1e3 * seconds:.2g} ms" if seconds < 0.1 else f"{1e3 * seconds:.0f} ms"
    longer = ((3600, "h"), (60, "min"))
    size, unit = next(((n, u) for n, u in longer if seconds >= 2 * n), (1, "s"))
    return f"{seconds / size:.3g} {unit}"
