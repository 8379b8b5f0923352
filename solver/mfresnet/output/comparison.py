# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a study has found: one row a member, and which of them is the best."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mfresnet.arrays import Array
from mfresnet.case import value_text
from mfresnet.errors import Exit
from mfresnet.optimise import Status
from mfresnet.output.members import Ended, Members, study_row
from mfresnet.output.run_json import read_report

CONFIDENCE = 0.95
LARGE = ("test_r2", "test_accuracy", "test_log_likelihood")
"""Columns by which members are compared where there are held-out samples; more is better."""
FAILED, LOST = "failed", "outflow"
"""Status of a member without numbers, and of one whose numbers are worth nothing."""


def study_table(members: Members, ended: Mapping[int, Ended]) -> pd.DataFrame:
    """Return a row for each member: its values, numbers and status.

    Args:
        members: the members, as the disk has them.
        ended: how those that ran now have ended, by their number.
    """
    rows = []
    for member in members.members:
        row: dict[str, Any] = {"member": member.number, **_plain(member.values)}
        if members.ended(member.number):
            row |= study_row(read_report(members.place(member.number)))
        else:
            why = ended.get(member.number, Ended(Exit.FAILED, "It has not run."))
            lines = why.message.splitlines()
            row |= {"status": FAILED, "message": " ".join(lines[-2:] if len(lines) > 3 else lines)}
        rows.append(row)
    frame = pd.DataFrame(rows)
    for key in members.members[0].values:
        if frame[key].map(type).nunique() > 1 and not pd.api.types.is_numeric_dtype(frame[key]):
            frame[key] = frame[key].map(str)
    last = [name for name in ("iterations", "seconds", "status", "message") if name in frame]
    return frame[[*frame.columns.drop(last), *last]]


def is_seed(key: str) -> bool:
    """Return whether a key chooses random numbers, over which means are taken."""
    return key.split(".")[-1] == "seed"


def converged_members(frame: pd.DataFrame) -> Any:
    """Return which members of a study have converged, (n,)."""
    return frame["status"].isin([status.name.lower() for status in Status if status.good])


def interval(values: Array) -> tuple[float, float]:
    """Return the mean of values, (n,), and half the 95 % interval of Student's t; nan for one."""
    n = len(values)
    if n < 2:
        return float(values.mean()), float("nan")
    spread = values.std(ddof=1) / np.sqrt(n)
    return float(values.mean()), float(stats.t.ppf(0.5 + CONFIDENCE / 2.0, n - 1) * spread)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values for a table, lists and tables as text."""
    return {k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in values.items()}


def compared(frame: pd.DataFrame, keys: Sequence[str]) -> str | None:
    """Return the column by which members are compared, None where no member has numbers.

    J where it is the same function for all, the loss where its penalty changes.
    """
    penalised = any(key.startswith("penalty") for key in keys)
    order = (*LARGE, "loss" if penalised else "objective")
    return next((name for name in order if name in frame and frame[name].notna().any()), None)


def study_summary(frame: pd.DataFrame, keys: Sequence[str], directory: Path) -> str:
    """Return one line on a study, with its best member, or the mean where only a seed changes."""
    good, failed = int(converged_members(frame).sum()), frame["status"] == FAILED
    text = f"{directory / 'study.csv'}: {good} of {len(frame)} members converged"
    if failed.any():
        text += f", failed: {', '.join(map(str, frame['member'][failed]))}"
    if (column := compared(frame, keys)) is None:
        return f"{text}."
    values, name = frame[column].dropna(), column.replace("_", " ")
    values = values[converged_members(frame)] if good else values
    if all(is_seed(key) for key in keys) and len(values) > 1:
        mean, half = interval(values.to_numpy(float))
        return f"{text}; {name} {mean:.6g} +- {half:.2g} (95 % interval of the mean)."
    best = frame.loc[values.idxmax() if column in LARGE else values.idxmin()]
    place = ", ".join(f"{key}={value_text(best[key])}" for key in keys)
    return f"{text}; best {name}: member {best['member']} ({place}) with {best[column]:.6g}."
