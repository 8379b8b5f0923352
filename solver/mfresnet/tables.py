# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Tables in files, read in blocks that are shared out over the ranks (no MPI here).

The blocks of a file and their numbers do not depend on the number of ranks. A new format is one
row of ``FORMATS``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from mfresnet.arrays import Array
from mfresnet.errors import InputError

ROWS = 200_000
"""Rows of a block."""
BYTES = 1 << 23
"""Bytes of a block of a text file."""

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


class TextTable:
    """CSV or TSV in UTF-8, with a header. A line end inside quotes is not supported."""

    def __init__(self, path: Path, separator: str) -> None:
        """Read the header."""
        self._path, self._separator = path, separator
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
        try:
            self.names = next(csv.reader([first], delimiter=separator), [])
        except csv.Error as error:
            raise _not_a_table(path, str(error)) from None
        with path.open("rb") as raw:
            self._start = len(raw.readline())
        self._end = path.stat().st_size
        self._count = max(-(-(self._end - self._start) // BYTES), 0)

    def blocks(
        self, numbers: Sequence[str], texts: Sequence[str], rank: int, size: int
    ) -> Iterator[tuple[int, Columns]]:
        """Yield the blocks, cut at line ends."""
        for block in range(rank, self._count, size):
            with self._path.open("rb") as stream:
                start, stop = (self._line_after(stream, block + i) for i in (0, 1))
                stream.seek(start)
                data = stream.read(stop - start).rstrip(b"\r\n")
            if data:
                yield block, self._parse(block, data, numbers, texts)

    def _line_after(self, stream: Any, block: int) -> int:
        """Return where the first line starts that starts in or after a block."""
        place = self._start + block * BYTES
        if block == 0 or place >= self._end:
            return min(place, self._end)
        stream.seek(place - 1)
        stream.readline()
        return int(stream.tell())

    def _parse(
        self, block: int, data: bytes, numbers: Sequence[str], texts: Sequence[str]
    ) -> Columns:
        row = data[: data.find(b"\n")] if b"\n" in data else data
        found = next(csv.reader([row.decode("utf-8", "replace")], delimiter=self._separator))
        if len(found) > len(self.names):
            raise self._ragged(block, 0, len(found))
        wanted = [*numbers, *texts]
        options: dict[str, Any] = {
            "sep": self._separator,
            "header": None,
            "names": self.names,
            "keep_default_na": False,
            "skip_blank_lines": False,
            "encoding": "utf-8",
        }
        try:
            try:
                frame = pd.read_csv(
                    io.BytesIO(data),
                    # all columns are read: with usecols pandas passes over rows that are too long
                    dtype={n: np.float64 if n in numbers else str for n in self.names},
                    na_values={n: [""] for n in numbers},
                    float_precision="round_trip",
                    **options,
                )
            except ValueError as error:
                if isinstance(error, UnicodeDecodeError | pd.errors.ParserError):
                    raise
                frame = pd.read_csv(io.BytesIO(data), dtype=str, **options)
        except UnicodeDecodeError as error:
            bad = error.object[error.start]
            raise InputError(
                f"data.file: not UTF-8 text; got byte {bad:#04x} in {self.place(block, 0)} or "
                "after it, expected UTF-8. Convert the file."
            ) from None
        except pd.errors.ParserError as error:
            match = re.search(r"line (\d+), saw (\d+)", str(error))
            if match is None:
                raise _not_a_table(self._path, str(error)) from None
            raise self._ragged(block, int(match[1]) - 1, int(match[2])) from None
        return {n: frame[n].fillna("").to_numpy() if n in texts or frame[n].dtype == object
                else frame[n].to_numpy() for n in wanted}  # fmt: skip

    def _ragged(self, block: int, row: int, found: int) -> InputError:
        return InputError(
            f"data.file: not a table; got {found} values in {self.place(block, row)}, expected "
            f"{len(self.names)}, one for each name of the header. Correct this row."
        )

    def place(self, block: int, row: int) -> str:
        """Return the line, counted from 1 for the header."""
        with self._path.open("rb") as stream:
            start, before = self._line_after(stream, block), 0
            stream.seek(0)
            while (left := start - stream.tell()) > 0:
                before += stream.read(min(left, BYTES)).count(b"\n")
        return f"line {before + row + 1}"


class ArrayTable:
    """Columns that can be sliced: arrays in memory, or the datasets of a file."""

    def __init__(self, columns: dict[str, Any]) -> None:
        """Take 1-D columns; a 2-D one with the name x gives the columns x[0], x[1], ..."""
        self._columns: dict[str, tuple[Any, int | None]] = {}
        for name, array in columns.items():
            if array.ndim == 2:
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
        values = np.asarray(array[rows] if column is None else array[rows, column])
        if values.dtype.kind == "S" or (values.dtype == object and isinstance(values[0], bytes)):
            return np.char.decode(values.astype("S"), "utf-8")
        return values

    def place(self, block: int, row: int) -> str:
        """Return the row, counted from 1."""
        return f"row {block * ROWS + row + 1}"


class ParquetTable:
    """Parquet, by pyarrow; row groups, or their batches where there are few, go to the ranks."""

    def __init__(self, path: Path) -> None:
        """Read the schema."""
        import pyarrow.parquet as parquet

        self._file = parquet.ParquetFile(path)
        self.names = [str(name) for name in self._file.schema_arrow.names]
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
            for i, batch in enumerate(batches):
                if by_group or i % size == rank:
                    frame = batch.to_pandas()
                    columns = {name: frame[name].to_numpy() for name in [*numbers, *texts]}
                    yield int(self._blocks[group]) + i, columns

    def place(self, block: int, row: int) -> str:
        """Return the row, counted from 1."""
        group = int(np.searchsorted(self._blocks, block, side="right")) - 1
        return f"row {int(self._rows[group]) + (block - int(self._blocks[group])) * ROWS + row + 1}"


def _hdf5(path: Path) -> Table:
    import h5py

    file = h5py.File(path, "r")
    return ArrayTable({name: item for name, item in file.items() if isinstance(item, h5py.Dataset)})


def _npz(path: Path) -> Table:
    with np.load(path, allow_pickle=False) as archive:
        return ArrayTable(dict(archive))


def _not_a_table(path: Path, why: str) -> InputError:
    return InputError(
        f"data.file: not a table; got '{path.name}' ({why.strip().rstrip('.')}), expected rows of "
        "as many values as the header has names. Correct the file."
    )


FORMATS: dict[str, Callable[[Path], Table]] = {
    ".csv": lambda path: TextTable(path, ","),
    ".tsv": lambda path: TextTable(path, "\t"),
    ".npz": _npz,
    ".parquet": ParquetTable,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
}
"""Ending of a file -> how it is opened. NPZ is read whole on every rank, the others in blocks."""


def open_table(path: Path) -> Table:
    """Return the table in a file.

    Raises:
        InputError: the file cannot be read, or its header is not usable.
    """
    maker = FORMATS.get(path.suffix.lower())
    if maker is None:
        raise InputError(
            f"data.file: unknown format; got '{path.name}', expected one of "
            f"{', '.join(FORMATS)}. Convert the file."
        )
    try:
        path.open("rb").close()
        table = maker(path)
    except UnicodeDecodeError as error:
        raise InputError(
            f"data.file: not UTF-8 text; got byte {error.object[error.start]:#04x} in the header, "
            "expected UTF-8. Convert the file."
        ) from None
    except FileNotFoundError as error:
        raise InputError(
            f"data.file: cannot be read ({error.strerror}); got '{path}', expected a table. "
            "Check the path, which is relative to the case file."
        ) from None
    except InputError:
        raise
    except (OSError, ValueError) as error:
        # pyarrow's, h5py's and numpy's errors about the content are of these two kinds
        raise _not_a_table(path, str(error).splitlines()[0]) from None
    twice = sorted({name for name in table.names if table.names.count(name) > 1})
    if twice:
        raise InputError(
            f"data.file: a column name twice; got '{twice[0]}', expected each once. Rename one."
        )
    if not table.names:
        raise _not_a_table(path, "no columns")
    return table
