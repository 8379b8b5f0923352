# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Arrays in NPZ and HDF5 files; what they declare is checked before anything is made of that size.

Compressed, a few bytes can stand for any number of values, and a damaged header can say anything.
"""

from __future__ import annotations

import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.child import execute
from mfresnet.errors import InputError
from mfresnet.memory import free, in_units

ROWS = 200_000
"""Rows of a block."""
PATIENCE, BYTES_A_SECOND = 60.0, 1e6
"""Seconds that a file may take to be read, and more for its bytes."""
EXPANSION = 1100
"""Bytes that one byte of a file can stand for; deflate reaches 1032."""
FOREIGN = (
    OSError, RuntimeError, ValueError, TypeError, LookupError, EOFError, MemoryError,
    OverflowError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What pyarrow, h5py, zipfile and numpy raise about the content of a file.

Arrow's errors are OSError, ValueError (ArrowInvalid), KeyError, TypeError, IndexError, MemoryError
and NotImplementedError, which is a RuntimeError; HDF5's OSError, RuntimeError, KeyError, ValueError
and TypeError; zipfile's NotImplementedError (an unknown compression) and RuntimeError (a password).
"""
NPY_MAGIC = np.lib.format.MAGIC_PREFIX
HEADERS: dict[tuple[int, int], Any] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,
}
"""Version of the header of an array -> its reader; the third differs in the names of fields."""


def not_a_table(name: str, why: str) -> InputError:
    """Return the error for a file whose content is no table.

    Args:
        name: of the file.
        why: the reason, in the words of who reads it; its first line is shown.
    """
    reason = next(iter(why.strip().splitlines()), "damaged").rstrip(".")
    reason = "".join(c if c.isprintable() else "?" for c in reason)
    reason = reason if len(reason) <= 120 else reason[:117] + "..."
    return InputError(
        f"data.file: not a table; got '{name}' ({reason}), expected named columns of numbers or "
        "texts. Correct the file."
    )


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what a library says about the content of a file into an InputError."""
    try:
        yield
    except InputError:
        raise
    except FOREIGN as error:
        raise not_a_table(name, str(error) or type(error).__name__) from None


# ---------------------------------------------------------------------- NPZ
def npz_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of an NPZ file by name.

    Raises:
        InputError: they are Python objects, or take more memory than there is.
    """
    with path.open("rb") as stream:
        if stream.read(len(NPY_MAGIC)) == NPY_MAGIC:
            raise not_a_table(path.name, "one array without a name, of numpy.save")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        declared, room = sum(member.file_size for member in members), free()
        if declared > room:
            raise InputError(
                f"data.file: too large for the memory; got {in_units(declared)} of arrays in "
                f"'{path.name}', expected at most {in_units(room)}. Write it as Parquet or HDF5."
            )
        names = [member.filename.removesuffix(".npy") for member in members]
        if len(set(names)) < len(names):
            raise not_a_table(path.name, "an array twice")
        return {
            name: _array(archive, member, name, path.name)
            for name, member in zip(names, members, strict=True)
        }


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, file: str) -> Array:
    """Return one array whose header says no more values than are there."""
    with archive.open(member) as stream:
        shape, kind = _header(stream)
        if kind is not None and kind.hasobject:
            raise InputError(
                f"data.file: Python objects; got an array of them, '{name}', expected numbers or "
                "texts. Store it with .astype(str) or .astype(float)."
            )
        # in Python's integers, which do not overflow
        n_bytes = 0 if kind is None else kind.itemsize
        for length in shape:
            n_bytes *= length
        if kind is None or stream.tell() + n_bytes != member.file_size:
            raise not_a_table(file, f"'{name[:40]}' is no array, or damaged")
        stream.seek(0)
        array: Array = np.lib.format.read_array(stream, allow_pickle=False)
        return array


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any] | None]:
    """Return shape and type of an array, no type where there is no array."""
    try:
        version = np.lib.format.read_magic(stream)
        shape, _, kind = HEADERS[version](stream)
    except (ValueError, KeyError):
        return (), None
    return shape, kind if min(shape, default=0) >= 0 else None


# ---------------------------------------------------------------------- HDF5
def hdf5_arrays(path: Path) -> dict[str, Any]:
    """Return the datasets at the top of an HDF5 file by name, not yet read.

    Raises:
        InputError: a name or a dataset leads elsewhere, or declares more than the file can hold.
    """
    import h5py

    file, found = h5py.File(path, "r"), {}
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise InputError(
                f"data.file: a link in place of a column; got '{name[:40]}', expected the values "
                "themselves, not a way to another place. Copy them into the file."
            )
        item = file[name]
        if not isinstance(item, h5py.Dataset):
            continue
        if item.is_virtual or item.external is not None:
            raise InputError(
                f"data.file: values in another file; got those of '{name[:40]}', expected all in "
                f"'{path.name}'. Copy them into the file."
            )
        if item.nbytes > EXPANSION * path.stat().st_size:
            raise not_a_table(path.name, f"'{name[:40]}' has more values than the file can hold")
        found[name] = item
    return found


def survives(path: Path) -> None:
    """Read an HDF5 file once in a process of its own; the library can crash on a damaged one.

    Raises:
        InputError: that process did not come to its end.
    """
    line = [sys.executable, "-m", "mfresnet.data.tables.array_files", str(path)]
    ended = execute(line, PATIENCE + path.stat().st_size / BYTES_A_SECOND)
    if ended.status == 2:
        raise InputError(ended.output.strip())
    if ended.status != 0:
        raise not_a_table(path.name, "damaged so that the HDF5 library fails on it")


def _read_all(path: Path) -> None:
    """Read what ``hdf5_arrays`` gives in blocks."""
    try:
        with reading(path.name):
            for array in hdf5_arrays(path).values():
                for start in range(0, len(array) if array.ndim in (1, 2) else 0, ROWS):
                    array[start : start + ROWS]
    except InputError as error:
        sys.stdout.write(str(error))
        sys.exit(2)


if __name__ == "__main__":
    _read_all(Path(sys.argv[1]))
