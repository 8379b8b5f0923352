# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Arrays by name in a file of NumPy's format npz, with a digest over all of them.

A file is taken apart here, member by member, so that nothing in it is run, nothing is allocated
that it does not hold, and every byte of it is under a checksum.
"""

from __future__ import annotations

import hashlib
import io
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from mfresnet.arrays import Array
from mfresnet.files import FileError, read_bytes, write_atomically

DIGEST = "digest"
"""Name of the array with the digest of the others."""
MOST = 2**30
"""Bytes that a compressed archive may expand to."""
NO_ARCHIVE = (
    zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError, ValueError,
    OverflowError, struct.error, zlib.error,
)  # fmt: skip
"""What ``zipfile`` raises for bytes that are no archive."""
NO_HEADER = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError)
"""What NumPy raises for a header of an array that is none."""
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""Version of the format -> what reads the header."""


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays and their digest, whole or not at all."""
    sealed: dict[str, Any] = {**arrays, DIGEST: np.asarray(digest(arrays))}
    write_atomically(path, lambda stream: np.savez(stream, **sealed))


def read_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of a file; where there is a digest it must fit.

    Raises:
        FileError: there is no such file, or it is damaged or holds something else.
    """
    content = members(read_bytes(path))
    arrays = {name.removesuffix(".npy"): _array(data) for name, data in content.items()}
    given = arrays.pop(DIGEST, None)
    if given is not None and str(given) != digest(arrays):
        raise FileError("damaged, its digest does not fit")
    return arrays


def digest(arrays: Mapping[str, Array]) -> str:
    """Return the SHA-256 of names, types, shapes and values of arrays, sorted by name."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def members(content: bytes) -> dict[str, bytes]:
    """Return the files in a zip archive by name; their checksums hold.

    Raises:
        FileError: it is none, is damaged, or expands to more than ``MOST``.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > max(len(content), MOST):
                raise FileError(f"it expands to {size} bytes")
            return {member.filename: archive.read(member) for member in archive.infolist()}
    except FileError:
        raise
    except NO_ARCHIVE as error:
        raise FileError(f"no archive of arrays, or damaged: {error}") from None


def _array(content: bytes) -> Array:
    """Return the array in the content of a file of NumPy's format npy."""
    stream = io.BytesIO(content)
    try:
        shape, fortran, kind = HEADERS[npy.read_magic(stream)](stream)
    except (KeyError, *NO_HEADER):
        raise FileError("a member is no array") from None
    data = content[stream.tell() :]
    count = 1
    for n in shape:
        count *= n
    if kind.hasobject or min(shape, default=0) < 0 or count * kind.itemsize != len(data):
        raise FileError("a member is no array of numbers or texts")
    return np.ndarray(shape, kind, data, order="F" if fortran else "C").copy()
