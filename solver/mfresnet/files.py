# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from mfresnet.errors import InputError


def write_atomically(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file so that it is either there in full or not at all.

    Args:
        path: the file.
        write: gets a binary stream.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_atomically(path, lambda stream: stream.write(text.encode()))


def check_writable(path: Path, where: str) -> None:
    """Refuse a file that cannot be written.

    Raises:
        InputError: its directory is not there, or it is a directory itself.
    """
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(
            f"{where}: cannot be written; got {path}, expected a file in a directory that exists. "
            "Choose another one."
        )
