# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The lines of a certificate, the findings of a study, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mfresnet.columns import plain


@dataclass(frozen=True)
class Check:
    """One line of the certificate, or one finding of a study.

    Attributes:
        name: what was checked.
        value: what was found; None when the check does not apply.
        limit: what the value may be at most, or the number that it should be.
        passed: whether it is so.
        sentence: what is wrong and what to do, or why the check does not apply; else empty.
        rule: how the value is held to the limit.
    """

    name: str
    value: float | None
    limit: float
    passed: bool
    sentence: str = ""
    rule: str = "at most"

    @property
    def expected(self) -> str:
        """What is expected in words: ``at most 0.1``, ``within 0.1 of -1``."""
        return f"{self.rule} {self.limit:.6g}"


def at_most(name: str, value: float, limit: float, otherwise: str = "") -> Check:
    """Return the check that a value is at most ``limit``."""
    passed = bool(value <= limit)
    return Check(name, float(value), limit, passed, "" if passed else otherwise)


def at_least(name: str, value: float, limit: float, otherwise: str = "") -> Check:
    """Return the check that a value is at least ``limit``."""
    passed = bool(value >= limit)
    return Check(name, float(value), limit, passed, "" if passed else otherwise, "at least")


def near(name: str, value: float, expected: float, tolerance: float, otherwise: str = "") -> Check:
    """Return the check that a value is ``expected`` up to ``tolerance``."""
    passed, rule = bool(abs(value - expected) <= tolerance), f"within {tolerance:.3g} of"
    return Check(name, float(value), expected, passed, "" if passed else otherwise, rule)


def passed(checks: Sequence[Check]) -> bool:
    """Return whether all checks have passed."""
    return all(check.passed for check in checks)


def count_sentence(checks: Sequence[Check]) -> str:
    """Return how many lines of a certificate hold."""
    failed = [check.name for check in checks if not check.passed]
    names = f"; failed: {', '.join(failed)}" if failed else ""
    return f"{len(checks) - len(failed)} of {len(checks)} lines hold{names}."


def as_data(checks: Sequence[Check]) -> dict[str, Any]:
    """Return the certificate as plain data."""
    return {"passed": passed(checks), "checks": [asdict(check) for check in checks]}


def check_table(checks: Sequence[Check]) -> str:
    """Return the certificate as lines of text."""
    rows = []
    for check in checks:
        word = "none" if check.value is None else ("pass" if check.passed else "FAIL")
        value = "" if check.value is None else f"{check.value:.3g}"
        rows.append((word, check.name, value, f"({check.limit:.3g})", check.sentence))
    return plain(rows, "wwnws")
