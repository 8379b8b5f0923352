# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Tables in text files, CSV and TSV, in blocks that are cut at line ends (no MPI here)."""

from __future__ import annotations

import csv
import io
import re
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
SEPARATORS = (",", ";", "\t")
CONVERT = "Convert the file, such as by: iconv -f LATIN1 -t UTF-8 FILE > NEW."
DECIMAL = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
"""A number with a decimal comma."""


def separator_of(header: str, row: str, usual: str) -> str:
    """Return what stands between the names of a header, and between the values of a row.

    It is the usual one where it gives several names and as many values; else one that does, with
    the most names; else the one with the most names.
    """

    def width(text: str, separator: str) -> int:
        try:
            return len(next(csv.reader([text], delimiter=separator), []))
        except csv.Error:
            return 0

    names = {s: width(header, s) for s in (usual, *SEPARATORS)}
    fits = [s for s, n in names.items() if n > 1 and width(row, s) == n]
    return usual if usual in fits else max(fits or names, key=lambda s: names[s])


class TextTable:
    """CSV or TSV in UTF-8, with a header.

    Quotes may hold separators, and line ends as well where no block is cut at them. The separator
    is that of the ending, or another one of ``SEPARATORS`` where header and first row say so; where
    it is no comma, numbers may have decimal commas.
    """

    def __init__(self, path: Path, separator: str) -> None:
        """Read the header.

        Raises:
            InputError: it is no line of names in UTF-8.
        """
        self._path, self._separator = path, separator
        with path.open("rb") as stream:
            first, second = self._line(stream), self._line(stream)
        self._start, self._end = len(first), path.stat().st_size
        self._count = -(-(self._end - self._start) // BYTES)
        try:
            header = first.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InputError(
                f"data.file: not UTF-8 text; got byte {error.object[error.start]:#04x} in the "
                f"header, expected UTF-8. {CONVERT}"
            ) from None
        if "\0" in header:
            raise InputError(
                "data.file: not UTF-8 text; got a zero byte in the header, expected UTF-8. "
                "Convert the file."
            )
        row = second.decode("utf-8", "replace").rstrip("\r\n")
        self._separator = separator = separator_of(header, row, separator)
        try:
            self.names = next(csv.reader([header], delimiter=separator, strict=True), [])
        except csv.Error as error:
            raise self._unreadable(str(error)) from None

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
                if self._separator != ",":
                    self._mend_decimals(block, frame, numbers)
        except UnicodeDecodeError:
            self._text(block, data)
            raise
        except pd.errors.ParserError as error:
            self._find_ragged(block, data)
            raise self._unreadable(str(error)) from None
        return {n: frame[n].fillna("").to_numpy() if n in texts or frame[n].dtype == object
                else frame[n].to_numpy() for n in [*numbers, *texts]}  # fmt: skip

    def _mend_decimals(self, block: int, frame: pd.DataFrame, numbers: Sequence[str]) -> None:
        """Write decimal points in the columns of numbers, where they are commas.

        Raises:
            InputError: there are points as well: they may stand between thousands.
        """
        commas = {n: frame[n].str.fullmatch(DECIMAL).fillna(False) for n in numbers}
        given = next((n for n in numbers if commas[n].any()), None)
        if given is None:
            return
        for name in numbers:
            points = frame[name].str.fullmatch(r"\s*[+-]?\d*\.\d+(,\d+)?\s*").fillna(False)
            if points.any():
                first, row = frame[given][commas[given]].iloc[0], int(np.argmax(points))
                raise InputError(
                    f"data.file: {self._path.name}, {self.place(block, row)}, column '{name}': "
                    f"decimal commas and points; got '{frame[name].iloc[row].strip()}' beside "
                    f"'{first.strip()}' in column '{given}', expected one of them. Write all "
                    "numbers with decimal points, and nothing between thousands."
                )
            mended = frame[name].str.replace(",", ".", regex=False)
            frame[name] = frame[name].where(~commas[name], mended)

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
                f"expected UTF-8. {CONVERT}"
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
