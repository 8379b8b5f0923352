# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a chapter of the torture is, and what every refusal must look like."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mfresnet.errors import InputError, SolveError

Outcomes = Counter[str]
"""What came out -> how often."""


@dataclass(frozen=True)
class Chapter:
    """One way to try to break mfresnet.

    Attributes:
        name: that of its module.
        what: what is tried, in one sentence for docs/reliability.md.
        trial: (seed, an empty directory) -> what came out; anything wrong is an exception.
        quick: seeds in ``make test``.
        full: seeds in ``make torture``.
        patience: seconds after which a trial hangs.
    """

    name: str
    what: str
    trial: Callable[[int, Path], Outcomes]
    quick: int
    full: int
    patience: float = 300.0


def check_sentences(error: InputError | SolveError) -> None:
    """Hold what a user is told to: one line each, which ends as a sentence does."""
    messages = error.messages if isinstance(error, InputError) else [str(error)]
    assert messages, "an error without a message"
    for message in messages:
        assert message.strip(), messages
        assert "\n" not in message, f"several lines: {message!r}"
        assert message.rstrip()[-1] in ".?!)", f"no end: {message!r}"
        assert len(message) < 3000, f"{len(message)} letters: {message[:200]!r}"


def check_command(status: int, errors: str, allowed: tuple[int, ...]) -> None:
    """Hold the end of a command to its rules: a known status and no traceback."""
    assert status in allowed, f"status {status}: {errors[-3000:]}"
    for word in ("Traceback", "defect of mfresnet", "Segmentation", "Caught signal"):
        assert word not in errors, errors[-3000:]
