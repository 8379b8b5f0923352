# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The kinds of error that a user meets, exit statuses, the lookup that names what is known."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TypeVar

T = TypeVar("T")
LONGEST, MOST = 240, 1200
"""Letters of a word and of a line that are shown whole."""


def shortened(text: str) -> str:
    """Return text as one line, in which words that are too long to read have no middle.

    What a file holds may be of any length and of any letters: labels, columns, keys, paths and
    values. Those that cannot be shown, such as line ends, are written as Python writes them.
    """
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    word = re.compile(rf"\S{{{LONGEST + 1},}}")
    return _cut(word.sub(lambda m: _cut(m[0], LONGEST), line), MOST)


def _cut(text: str, most: int) -> str:
    half = most // 2 - 30
    whole = len(text) <= most
    return text if whole else f"{text[:half]}... ({len(text)} letters) ...{text[-half:]}"


class Exit(IntEnum):
    """Exit statuses of the command."""

    CONVERGED = 0
    BAD_INPUT = 2
    FAILED = 3
    NOT_CONVERGED = 4
    PREEMPTED = 75


class InputError(ValueError):
    """A mistake in what the user gave; the text is shown as it is, but ``shortened``, status 2.

    Args:
        messages: one sentence, or several when all mistakes of a file are reported at once.
    """

    def __init__(self, messages: str | Sequence[str]) -> None:
        given = [messages] if isinstance(messages, str) else messages
        self.messages = [shortened(message) for message in given]
        super().__init__("\n".join(self.messages))


class SolveError(RuntimeError):
    """The computation cannot go on (lost mass, non-finite values); exit status 3."""

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message))


class StepsError(SolveError):
    """The velocity is too large for the number of time steps in a layer.

    Attributes:
        needed: the number of steps per layer that would do.
    """

    def __init__(self, steps: int, needed: int) -> None:
        self.needed = needed
        super().__init__(
            f"time.steps_per_layer: too few for the velocity; got {steps}, expected at least "
            f"{needed}. Raise it, or omit it to have it chosen."
        )


class Preempted(Exception):  # noqa: N818
    """The process was asked to stop by a signal; exit status 75."""


def suggestion(name: str, known: Sequence[str]) -> str:
    """Return " Did you mean 'x'?" for the closest known name, or an empty string.

    What is too long to be shown is like nothing: to compare takes the product of the lengths.
    """
    short = [other for other in known if len(other) <= LONGEST]
    close = difflib.get_close_matches(name, short, n=1) if len(name) <= LONGEST else []
    return f" Did you mean '{close[0]}'?" if close else ""


def unknown(where: str, name: str, known: Sequence[str]) -> str:
    """Return the sentence for a name that is in no table.

    Args:
        where: place of the name, for example ``network.activation``.
        name: what was given.
        known: the names that would have been right.
    """
    names = ", ".join(sorted(known))
    hint = suggestion(name, known)
    return f"{where}: unknown name; got '{name}', expected one of {names}.{hint}"


def lookup(table: Mapping[str, T], name: str, where: str) -> T:
    """Return ``table[name]``.

    Raises:
        InputError: the name is not in the table; the sentence lists the known names.
    """
    if name not in table:
        raise InputError(unknown(where, name, list(table)))
    return table[name]
