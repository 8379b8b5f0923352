# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Tables in text files, CSV and TSV, in blocks that are cut at line ends (no MPI here)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mfresnet.arrays import Array
from mfresnet.errors import InputError

BYTES = 1 << 23
"""Bytes of a block."""
LONGEST = 1 << 26
"""Bytes of a line."""
ADVICE = {
    ";": "Write it with commas, and numbers with decimal points.",
    "\t": "Name it .tsv.",
    ",": "Name it .csv.",
}
"""A separator that is not the one of the ending -> what to do."""


class TextTable:
    """CSV or TSV in UTF-8, with a header.

    Quotes may hold separators, and line ends as well where no block is cut at them.
    """

    def __init__(self, path: Path, separator: str) -> None:
        """Read the header.

        Raises:
            InputError: it is no line of names in UTF-8.
        """
        self._path, self._separator = path, separator
        with path.open("rb") as stream:
            first = self._line(stream)
        self._start, self._end = len(first), path.stat().st_size
        self._count = -(-(self._end - self._start) // BYTES)
        try:
            header = first.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InputError(
                f"data.file: not UTF-8 text; got byte {error.object[error.start]:#04x} in the "
                "header, expected UTF-8. Convert the file."
            ) from None
        if "\0" in header:
            raise InputError(
                "data.file: not UTF-8 text; got a zero byte in the header, expected UTF-8. "
                "Convert the file."
            )
        try:
            self.names = next(csv.reader([header], delimiter=separator, strict=True), [])
        except csv.Error as error:
            raise self._unreadable(str(error)) from None
        other = next((s for s in ADVICE if s != separator and s in header), None)
        if len(self.names) == 1 and other is not None:
            raise InputError(
                f"data.file: another separator; got the header {header[:60]!r}, expected names "
                f"with {separator!r} between them. {ADVICE[other]}"
            )

    def blocks(
        self, numbers: Sequence[str], texts: Sequence[str], rank: int, size: int
    ) -> Iterator[tuple[int, dict[str, Array]]]:
        """Yield the blocks of one rank, see ``tables.Table``."""
        for block in range(rank, self._count, size):
            data = self._bytes(block)
            if data:
                yield block, self._parse(block, data, numbers, texts)

    def _bytes(self, block: int) -> bytes:
        """Return the lines of a block without its last line end, and no empty ones at the end."""
        with self._path.open("rb") as stream:
            start, stop = (self._line_after(stream, block + i) for i in (0, 1))
            stream.seek(start)
            data = stream.read(stop - start)
        last = stop == self._end
        return data.rstrip(b"\r\n") if last else data.removesuffix(b"\n").removesuffix(b"\r")

    def _line_after(self, stream: Any, block: int) -> int:
        """Return where the first line starts that starts in or after a block."""
        place = self._start + block * BYTES
        if block == 0 or place >= self._end:
            return min(place, self._end)
        stream.seek(place - 1)
        self._line(stream)
        return int(stream.tell())

    def _line(self, stream: Any) -> bytes:
        """Read to the end of a line; a file without line ends would not fit into memory."""
        line: bytes = stream.readline(LONGEST)
        if len(line) == LONGEST and not line.endswith(b"\n"):
            raise self._unreadable(f"a line of more than {LONGEST} bytes")
        return line

    def _parse(
        self, block: int, data: bytes, numbers: Sequence[str], texts: Sequence[str]
    ) -> dict[str, Array]:
        options: dict[str, Any] = {
            "sep": self._separator,
            "header": None,
            "names": self.names,
            "keep_default_na": False,
            "skip_blank_lines": False,
            "encoding": "utf-8",
        }
        try:
            self._check_widths(block, data)
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
        except UnicodeDecodeError:
            self._text(block, data)
            raise
        except pd.errors.ParserError as error:
            self._find_ragged(block, data)
            raise self._unreadable(str(error)) from None
        return {n: frame[n].fillna("").to_numpy() if n in texts or frame[n].dtype == object
                else frame[n].to_numpy() for n in [*numbers, *texts]}  # fmt: skip

    # ------------------------------------------------------------------ what is wrong, and where
    def _check_widths(self, block: int, data: bytes) -> None:
        """Refuse rows of another length than the header: pandas fills up those that are too short.

        The values are counted one by one only where the separators do not add up.
        """
        separator, between = self._separator.encode(), len(self.names) - 1
        end = data.find(b"\n")
        first = data.count(separator, 0, len(data) if end < 0 else end)
        rows = data.count(b"\n") + 1
        if first != between or data.count(separator) != rows * between:
            self._find_ragged(block, data)

    def _find_ragged(self, block: int, data: bytes) -> None:
        try:
            for row, values in enumerate(self._rows(block, data)):
                if values and len(values) != len(self.names):
                    raise InputError(
                        f"data.file: not a table; got {len(values)} values in "
                        f"{self.place(block, row)}, expected {len(self.names)}, one for each name "
                        "of the header. Correct this row."
                    )
        except csv.Error as error:
            raise self._unreadable(str(error)) from None

    def _rows(self, block: int, data: bytes) -> Any:
        text = io.StringIO(self._text(block, data), newline="")
        return csv.reader(text, delimiter=self._separator)

    def _text(self, block: int, data: bytes) -> str:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = self._lines_before(block) + data.count(b"\n", 0, error.start) + 1
            raise InputError(
                f"data.file: not UTF-8 text; got byte {data[error.start]:#04x} in line {line}, "
                "expected UTF-8. Convert the file."
            ) from None

    def _unreadable(self, why: str) -> InputError:
        reason = why.removeprefix("Error tokenizing data. C error: ").strip().rstrip(".")
        return InputError(
            f"data.file: not a table; got '{self._path.name}' ({reason}), expected rows of as many "
            "values as the header has names, and quotes that end in their row. Correct the file."
        )

    def _lines_before(self, block: int) -> int:
        with self._path.open("rb") as stream:
            start, lines = self._line_after(stream, block), 0
            stream.seek(0)
            while (left := start - stream.tell()) > 0:
                lines += stream.read(min(left, BYTES)).count(b"\n")
        return lines

    def place(self, block: int, row: int) -> str:
        """Return the line where a row of a block starts, counted from 1 for the header."""
        data, line = self._bytes(block), row + 1
        if b'"' in data:
            rows = self._rows(block, data)
            for _ in range(row):
                next(rows)
            line = rows.line_num + 1
        return f"line {self._lines_before(block) + line}"
