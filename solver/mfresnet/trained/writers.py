# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Tables that are written, a block at a time: ending of the file -> how. NaN and None are empty."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from mfresnet.errors import InputError
from mfresnet.files import check_writable, write_atomically


class TextWriter:
    """CSV or TSV; the numbers have all their digits."""

    separator = ","

    def __init__(self, stream: IO[bytes]) -> None:
        """Take a binary stream."""
        self._stream, self._begun = stream, False

    @classmethod
    def encode(cls, columns: dict[str, Any]) -> tuple[bytes, bytes]:
        """Return the header and the rows."""
        frame = pd.DataFrame(columns)
        header = frame[:0].to_csv(index=False, sep=cls.separator, lineterminator="\n")
        rows = frame.to_csv(index=False, header=False, sep=cls.separator, lineterminator="\n")
        return header.encode(), rows.encode()

    def write(self, part: tuple[bytes, bytes]) -> None:
        """Append a block."""
        header, rows = part
        if not self._begun:
            self._stream.write(header)
            self._begun = True
        self._stream.write(rows)

    def close(self) -> None:
        """Need nothing."""


class TabWriter(TextWriter):
    """TSV."""

    separator = "\t"


class ParquetWriter:
    """Parquet, a row group a block."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Take a binary stream."""
        self._stream = stream
        self._writer: Any = None

    @staticmethod
    def encode(columns: dict[str, Any]) -> Any:
        """Return an Arrow table; NaN and None are missing values in it."""
        import pyarrow

        return pyarrow.table(
            {
                name: pyarrow.array(
                    values,
                    type=pyarrow.string() if np.asarray(values).dtype.kind in "OU" else None,
                    from_pandas=True,
                )
                for name, values in columns.items()
            }
        )

    def write(self, part: Any) -> None:
        """Append a block."""
        import pyarrow.parquet as parquet

        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._stream, part.schema)
        self._writer.write_table(part)

    def close(self) -> None:
        """Write the end of the file."""
        self._writer.close()


WRITERS: dict[str, Any] = {".csv": TextWriter, ".tsv": TabWriter, ".parquet": ParquetWriter}
"""Ending of a file -> its writer: ``encode`` on every rank, the rest on rank 0."""


def writer_of(out: Path) -> Any:
    """Return the row of ``WRITERS`` for a file that is to be written.

    Raises:
        InputError: its ending is none of them, or it cannot be written.
    """
    check_writable(out, "--out")
    if out.suffix.lower() not in WRITERS:
        raise InputError(
            f"--out: unknown format; got '{out.name}', expected one of {', '.join(WRITERS)}. "
            "Choose another ending."
        )
    return WRITERS[out.suffix.lower()]


def write_columns(out: Path, columns: dict[str, Any]) -> None:
    """Write columns as a whole table."""
    make = writer_of(out)

    def write(stream: IO[bytes]) -> None:
        writer = make(stream)
        writer.write(make.encode(columns))
        writer.close()

    write_atomically(out, write)
