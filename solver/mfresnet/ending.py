# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What the user is told when an error ends the program: exit status and text."""

from __future__ import annotations

import traceback

from mfresnet.errors import Exit, InputError, Preempted, SolveError, shortened
from mfresnet.installation import sentence
from mfresnet.interrupt import KEPT, STOPPED, Stopped


class Failure(Exception):  # noqa: N818
    """An error of another rank that is no mistake of the user.

    Attributes:
        status: the exit status that it means.
    """

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


def describe(error: BaseException) -> tuple[int, str]:
    """Return exit status and text of an error."""
    if isinstance(error, Failure):
        return error.status, str(error)
    if isinstance(error, InputError):
        return Exit.BAD_INPUT, str(error)
    if isinstance(error, SolveError):
        return Exit.FAILED, str(error)
    if isinstance(error, Preempted):
        return Exit.PREEMPTED, KEPT
    if isinstance(error, Stopped | KeyboardInterrupt):
        return Exit.PREEMPTED, STOPPED
    if (said := sentence(error)) is not None:
        return Exit.FAILED, said
    if isinstance(error, MemoryError):
        return Exit.FAILED, "mfresnet: out of memory. Use fewer cells, layers or classes."
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else "mfresnet: "
        return (
            Exit.FAILED,
            f"{shortened(f'{place}{error.strerror or error}')}. Check the path and the disk.",
        )
    text = "".join(traceback.format_exception(error)).rstrip()
    return Exit.FAILED, f"{text}\nmfresnet: this is a defect of mfresnet; please report it."
