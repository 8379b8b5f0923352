# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Whether a path can be read, asked before anything is opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def unreadable(path: str | Path, largest: int | None = None) -> str | None:
    """Return why a file must not or cannot be read, None where it can.

    Only regular files are opened: a named pipe or a device can keep a reader waiting for ever, or
    never end. The answer of one rank need not be that of another.

    Args:
        path: the file.
        largest: bytes that are read at most.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            return "Is a directory"
        if not stat.S_ISREG(status.st_mode):
            return "No regular file"
        with open(path, "rb"):
            pass
    except OSError as error:
        return error.strerror or str(error)
    except ValueError:  # a zero byte, or half a character
        return "No path of this system"
    if largest is not None and status.st_size > largest:
        return f"{status.st_size} bytes, more than {largest}"
    return None
