# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The lines of a certificate, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One line of the certificate.

    Attributes:
        name: what was checked.
        value: what was found; None when the check does not apply.
        limit: what the value may be at most, or the number that it should be.
        passed: whether it is so.
        sentence: what is wrong and what to do, or why the check does not apply; else empty.
    """

    name: str
    value: float | None
    limit: float
    passed: bool
    sentence: str = ""


def at_most(name: str, value: float, limit: float, otherwise: str) -> Check:
    """Return the check that a value is at most ``limit``."""
    passed = bool(value <= limit)
    return Check(name, float(value), limit, passed, "" if passed else otherwise)


def passed(checks: Sequence[Check]) -> bool:
    """Return whether all checks have passed."""
    return all(check.passed for check in checks)


def as_data(checks: Sequence[Check]) -> dict[str, Any]:
    """Return the certificate for run.json."""
    return {"passed": passed(checks), "checks": [asdict(check) for check in checks]}


def table(checks: Sequence[Check]) -> str:
    """Return the certificate as lines of text."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        word = "none" if check.value is None else ("pass" if check.passed else "FAIL")
        value = "" if check.value is None else f"{check.value:.3g}"
        lines.append(f"{word}  {check.name:<{width}}  {value:>10}  ({check.limit:.3g})")
        if check.sentence:
            lines[-1] += f"  {check.sentence}"
    return "\n".join(lines)
