# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The kinds of error that a user meets, exit statuses, the lookup that names what is known."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TypeVar

T = TypeVar("T")


class InputError(ValueError):
    """A mistake in what the user gave; the text is shown as it is, exit status 2.

    Args:
        messages: one sentence, or several when all mistakes of a file are reported at once.
    """

    def __init__(self, messages: str | Sequence[str]) -> None:
        self.messages = [messages] if isinstance(messages, str) else list(messages)
        super().__init__("\n".join(self.messages))


class Exit(IntEnum):
    """Exit statuses of the command."""

    CONVERGED = 0
    BAD_INPUT = 2
    FAILED = 3
    NOT_CONVERGED = 4
    PREEMPTED = 75


class Preempted(Exception):  # noqa: N818
    """The process was asked to stop (signal USR1 or TERM); exit status 75."""


class SolveError(RuntimeError):
    """The computation cannot go on (lost mass, non-finite values); exit status 3."""


def suggestion(name: str, known: Sequence[str]) -> str:
    """Return " Did you mean 'x'?" for the closest known name, or an empty string."""
    close = difflib.get_close_matches(name, known, n=1)
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
