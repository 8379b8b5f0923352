# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Files read without waiting for one, and written in full or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from mfresnet.errors import InputError


class FileError(ValueError):
    """A file that cannot be used; the text is the reason, for the sentence of who reads it."""


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file.

    Raises:
        FileError: there is none, or it cannot be read.
    """
    try:
        # a named pipe would be waited for
        with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as stream:
            if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return stream.read()
    except OSError as error:
        raise FileError(error.strerror or str(error)) from None
    except ValueError:
        raise FileError("no name of a file") from None
    raise FileError("Not a regular file")


def read_text(path: Path) -> str:
    """Return the text of a regular file in UTF-8.

    Raises:
        FileError: there is none, or it cannot be read.
    """
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError:
        raise FileError("not a text in UTF-8") from None


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
