# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Tables in files, read in blocks that are shared out over the ranks (no MPI here).

The blocks of a file and their numbers do not depend on the number of ranks. A new format is one
row of ``FORMATS``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mfresnet.arrays import Array
from mfresnet.data.tables.array_files import hdf5_arrays, not_a_table, npz_arrays, reading, survives
from mfresnet.data.tables.text import TextTable
from mfresnet.errors import InputError
from mfresnet.files import unreadable

ROWS = 200_000
"""Rows of a block, but of a text file."""
MOST_COLUMNS = 1_000_000
"""Columns of an array."""
PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""Names under which pandas stores the numbers of the rows in Parquet."""

Columns = dict[str, Array]


class Table(Protocol):
    """A table of named columns.

    Attributes:
        names: the columns in their order.
    """

    names: list[str]

    def blocks(
        self, numbers: Sequence[str], texts: Sequence[str], rank: int, size: int
    ) -> Iterator[tuple[int, Columns]]:
        """Yield the blocks of one rank: their number and the columns that are wanted.

        Args:
            numbers: columns to be read as float64 where they can be.
            texts: columns to be read as they are.
            rank: of ``size``; each block is yielded for one rank.
            size: number of ranks.
        """

    def place(self, block: int, row: int) -> str:
        """Return where a row of a block stands in the file, for messages."""


class ArrayTable:
    """Columns that can be sliced: arrays in memory, or the datasets of a file."""

    def __init__(self, columns: dict[str, Any], file: str = "") -> None:
        """Take 1-D columns; a 2-D one with the name x gives the columns x[0], x[1], ...

        Arrays of another shape, and those with fields, are passed over.

        Args:
            columns: the arrays by name.
            file: name of the file that they are in.
        """
        self._file = file
        self._columns: dict[str, tuple[Any, int | None]] = {}
        for name, array in columns.items():
            if array.dtype.kind == "V":
                continue
            if array.ndim == 2:
                if array.shape[1] > MOST_COLUMNS:
                    raise not_a_table(file, f"{array.shape[1]} columns in '{name[:40]}'")
                for i in range(array.shape[1]):
                    self._columns[f"{name}[{i}]"] = (array, i)
            elif array.ndim == 1:
                self._columns[name] = (array, None)
        self.names = list(self._columns)
        lengths = {name: len(array) for name, (array, _) in self._columns.items()}
        self._length = max(lengths.values(), default=0)
        short = [name for name, n in lengths.items() if n != self._length]
        if short:
            raise InputError(
                f"data.file: columns of different lengths; got {lengths[short[0]]} for "
                f"'{short[0]}', expected {self._length}. Correct the file."
            )

    def blocks(
        self, numbers: Sequence[str], texts: Sequence[str], rank: int, size: int
    ) -> Iterator[tuple[int, Columns]]:
        """Yield slices."""
        for block in range(rank, -(-self._length // ROWS), size):
            rows = slice(block * ROWS, (block + 1) * ROWS)
            yield block, {name: self._slice(name, rows) for name in [*numbers, *texts]}

    def _slice(self, name: str, rows: slice) -> Array:
        array, column = self._columns[name]
        with reading(self._file):
            values = np.asarray(array[rows] if column is None else array[rows, column])
        if values.dtype.kind == "S" or (values.dtype == object and isinstance(values[0], bytes)):
            values = values.astype("S")
            try:
                return np.char.decode(values, "utf-8")
            except UnicodeDecodeError as error:
                row = rows.start + int(np.argmax(values == error.object))
                raise InputError(
                    f"data.file: not UTF-8 text; got byte {error.object[error.start]:#04x} in "
                    f"{self.place(0, row)} of '{name}', expected UTF-8. Convert the file."
                ) from None
        # pandas knows the byte order of this machine alone
        return values.astype(values.dtype.newbyteorder("="), copy=False)

    def place(self, block: int, row: int) -> str:
        """Return the row, counted from 1."""
        return f"row {block * ROWS + row + 1}"


class ParquetTable:
    """Parquet, by pyarrow; row groups, or their batches where there are few, go to the ranks."""

    def __init__(self, path: Path) -> None:
        """Read the schema."""
        import pyarrow.parquet as parquet

        self._name, self._file = path.name, parquet.ParquetFile(path)
        names = map(str, self._file.schema_arrow.names)
        self.names = [name for name in names if not PANDAS_INDEX.fullmatch(name)]
        rows = [self._file.metadata.row_group(g).num_rows for g in range(self._file.num_row_groups)]
        self._counts = [-(-n // ROWS) for n in rows]
        self._rows = np.concatenate([[0], np.cumsum(rows)])
        self._blocks = np.concatenate([[0], np.cumsum(self._counts)]).astype(int)

    def blocks(
        self, numbers: Sequence[str], texts: Sequence[str], rank: int, size: int
    ) -> Iterator[tuple[int, Columns]]:
        """Yield batches of row groups."""
        by_group = len(self._counts) >= size
        for group in range(len(self._counts)):
            if by_group and group % size != rank:
                continue
            batches = self._file.iter_batches(
                ROWS, row_groups=[group], columns=[*numbers, *texts], use_threads=False
            )
            for i in range(self._counts[group]):
                with reading(self._name):
                    batch = next(batches)
                if by_group or i % size == rank:
                    yield int(self._blocks[group]) + i, self._arrays(batch)

    def _arrays(self, batch: Any) -> Columns:
        # one by one: a whole batch would hide the columns that are pandas' index
        with reading(self._name):
            return {n: batch.column(n).to_pandas().to_numpy() for n in batch.schema.names}

    def place(self, block: int, row: int) -> str:
        """Return the row, counted from 1."""
        group = int(np.searchsorted(self._blocks, block, side="right")) - 1
        return f"row {int(self._rows[group]) + (block - int(self._blocks[group])) * ROWS + row + 1}"


@dataclass(frozen=True)
class Format:
    """How a file is read.

    Attributes:
        open: path -> the table.
        probe: a check in another process, where the library may crash.
    """

    open: Callable[[Path], Table]
    probe: Callable[[Path], None] = lambda path: None


HDF5 = Format(lambda path: ArrayTable(hdf5_arrays(path), path.name), survives)
FORMATS: dict[str, Format] = {
    ".csv": Format(lambda path: TextTable(path, ",")),
    ".tsv": Format(lambda path: TextTable(path, "\t")),
    ".npz": Format(lambda path: ArrayTable(npz_arrays(path), path.name)),
    ".parquet": Format(ParquetTable),
    ".h5": HDF5,
    ".hdf5": HDF5,
}
"""Ending of a file -> how it is read. NPZ is read whole on every rank, the others in blocks."""


def probe(path: Path) -> None:
    """Check what one rank can check for all before a table is opened.

    Raises:
        InputError: the file must not be opened.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"data.file: unknown format; got '{path.name}', expected one of "
            f"{', '.join(FORMATS)}. Convert the file."
        )
    if (why := unreadable(path)) is not None:
        raise InputError(
            f"data.file: cannot be read ({why}); got '{path}', expected a table. "
            "Check the path, which is relative to the case file."
        )
    FORMATS[path.suffix.lower()].probe(path)


def open_table(path: Path) -> Table:
    """Return the table in a file that has passed ``probe``.

    Raises:
        InputError: its header is not usable.
    """
    with reading(path.name):
        table = FORMATS[path.suffix.lower()].open(path)
    twice = sorted(name for name, n in Counter(table.names).items() if n > 1)
    if twice:
        raise InputError(
            f"data.file: a column name twice; got '{twice[0]}', expected each once. Rename one."
        )
    if not table.names:
        raise not_a_table(path.name, "no columns")
    return table
