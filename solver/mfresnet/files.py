# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Files: read without waiting for one, there in full or not at all, held by one process alone."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mfresnet.errors import InputError

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system answers that knows no locks, as some of clusters do."""


REPORT = "run.json"
"""The file of a run directory that is written last, with the digests of the others and its own."""
SEAL = re.compile(r',\n  "digest": "([0-9a-f]{64})"\n}\n')
"""The end of that file; the digest is that of all before it."""


class FileError(ValueError):
    """A file that cannot be used; the text is the reason, for the sentence of who reads it."""


@contextmanager
def _regular(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a regular file: of others a reader may wait for ever, or see no end.

    Raises:
        FileError: there is none, or it cannot be read.
    """
    try:
        # a named pipe would be waited for
        with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise OSError(errno.EINVAL, "No regular file")
            yield stream
    except OSError as error:
        raise FileError(error.strerror or str(error)) from None
    except ValueError:  # a zero byte, or half a character
        raise FileError("No path of this system") from None


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file.

    Raises:
        FileError: there is none, or it cannot be read.
    """
    with _regular(path) as stream:
        return stream.read()


def unreadable(path: str | Path, largest: int | None = None) -> str | None:
    """Return why a file must not or cannot be read, None where it can.

    The answer of one rank need not be that of another.

    Args:
        path: the file, which must be a regular one.
        largest: bytes that are read at most.
    """
    try:
        with _regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
    except FileError as error:
        return str(error)
    many = largest is not None and size > largest
    return f"{size} bytes, more than {largest}" if many else None


def read_text(path: Path) -> str:
    """Return the text of a regular file in UTF-8.

    Raises:
        FileError: there is none, or it cannot be read.
    """
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError:
        raise FileError("not a text in UTF-8") from None


def digests(directory: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the SHA-256 of files of a directory by name."""
    return {n: hashlib.sha256(read_bytes(directory / n)).hexdigest() for n in names}


def write_report(directory: Path, data: Mapping[str, Any]) -> None:
    """Write the report of a run directory, with the digest of its own text as the last entry."""
    text = json.dumps(data, indent=2).removesuffix("\n}")
    digest = hashlib.sha256(text.encode()).hexdigest()
    write_text(directory / REPORT, f'{text},\n  "digest": "{digest}"\n}}\n')


def read_report_text(directory: Path) -> str:
    """Return the text of the report of a run directory, every byte of it as it was written.

    Raises:
        FileError: there is none, or its digest does not fit.
    """
    text = read_text(directory / REPORT)
    end = text.rfind(',\n  "digest": "')
    seal = SEAL.fullmatch(text, max(end, 0))
    if seal is None or hashlib.sha256(text[:end].encode()).hexdigest() != seal[1]:
        raise FileError("damaged, its digest does not fit")
    return text


def check_digests(directory: Path, name: str = "") -> None:
    """Hold files of a finished run to the digests in its report.

    Args:
        directory: the run directory.
        name: the file; all of them when empty.

    Raises:
        InputError: a file is damaged, or not the one that the run has left.
    """
    report = directory / REPORT
    if not os.path.lexists(report):
        return
    try:
        given = dict(json.loads(read_report_text(directory)).get("files", {}))
    except (FileError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise InputError(
            f"{report}: cannot be read ({error}), expected the report of a finished run. Use "
            "mfresnet run --resume, which makes it again."
        ) from None
    for other in given if name == "" else {name} & given.keys():
        try:
            right = digests(directory, [other])[other] == given[other]
            reason = f"its digest is not that in {REPORT}"
        except FileError as error:
            right, reason = False, str(error)
        if not right:
            raise InputError(
                f"{directory / other}: not the file of this run ({reason}), expected it as the run "
                "has left it. Restore it from a copy, or use mfresnet run --resume, which makes it "
                "again."
            )


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


@contextmanager
def alone(path: Path, busy: str = "") -> Iterator[bool]:
    """Hold the lock of a file, which is made when it is missing and stays when it is given back.

    The system gives it back when the process ends, however it does.

    Args:
        path: the file.
        busy: what to say when another holds it; when empty, wait for it.

    Yields:
        Whether it is held: there are file systems without locks.

    Raises:
        InputError: another holds it.
    """
    # open for writing, without which there is no lock of one alone on NFS
    with path.open("ab") as file:
        held = True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            raise InputError(busy) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            held = False
        yield held
