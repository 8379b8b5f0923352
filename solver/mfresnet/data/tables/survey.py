# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The first reading of a table: which columns, which labels, and whether every value is usable."""

from __future__ import annotations

from mpi4py import MPI

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.data.section import DataSection
from mfresnet.data.tables.formats import Table, open_table, probe
from mfresnet.data.tables.values import (
    WordsError,
    in_order,
    small_integers,
    to_names,
    to_numbers,
)
from mfresnet.errors import InputError, suggestion
from mfresnet.parallel import together

CACHE = 2.5e8
"""Bytes of features, over all ranks, up to which a table is kept in memory."""
MOST_LABELS = 1000
MOST_NAMES = 12
"""Most columns that a sentence lists."""
NAMELESS = re.compile(r"|Unnamed: \d+")
"""Names of columns without one, in a file and as pandas calls them."""
ONE_CLASS = "samples"
"""Name of the class of all rows where there is no label."""


@dataclass(frozen=True)
class Columns:
    """The columns that are used.

    Attributes:
        label: the class of each row; None where all rows are of one class.
        features: the features.
        weights: the weights, when there are any.
        numeric_label: whether the last of the features is the label.
    """

    label: str | None
    features: tuple[str, ...]
    weights: str | None
    numeric_label: bool = False

    @staticmethod
    def of(section: DataSection, names: Sequence[str], numeric_label: bool = False) -> Columns:
        """Return the columns that a section names or numbers (from 0) in a table.

        A numeric label is no class but the last of the features.

        Raises:
            InputError: a column is not there, or is there twice.
        """
        given = section.label
        label = None if given is None else _column("data.label", given, names)
        weights = section.weights
        weight = None if weights is None else _column("data.weights", weights, names)
        if section.features is None:
            features = [name for name in names if name not in (label, weight)]
            nameless = next((f for f in features if NAMELESS.fullmatch(f)), None)
            if nameless is not None:
                raise InputError(
                    f"data.features: a column without a name; got number {names.index(nameless)}, "
                    "expected a name (numbers of the rows are no feature). Name it, or list "
                    "data.features."
                )
            if not features:
                raise InputError(
                    "data.features: no columns; got a file with the label alone, expected at least "
                    "one feature. Add a column."
                )
        else:
            features = [_column("data.features", f, names) for f in section.features]
        if label in features:
            raise InputError(
                f"data.features: holds the label; got '{label}', expected features only. Remove it."
            )
        if weight is not None and weight in (label, *features):
            raise InputError(
                f"data.weights: also the label or a feature; got '{weight}', expected a column of "
                "its own. Choose another one."
            )
        if len(set(features)) < len(features):
            raise InputError(
                f"data.features: a name twice; got {features}, expected each once. Remove one."
            )
        if numeric_label and label is not None:
            return Columns(None, (*features, label), weight, numeric_label=True)
        return Columns(label, tuple(features), weight)

    def numbers(self) -> list[str]:
        """Return the columns that hold numbers."""
        return [*self.features, *([] if self.weights is None else [self.weights])]


def _column(where: str, given: str | int, names: Sequence[str]) -> str:
    if isinstance(given, int):
        if not 0 <= given < len(names):
            raise InputError(
                f"{where}: no such column; got number {given}, expected 0 to {len(names) - 1}. "
                "Check the number."
            )
        return names[given]
    if given not in names:
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        hint = suggestion(given, names) or " Check the name."
        raise InputError(f"{where}: no such column; got '{given}', expected one of {shown}.{hint}")
    return given


def open_together(path: Path, comm: MPI.Intracomm) -> Table:
    """Return the table in a file, after rank 0 has found that it can be opened.

    Raises:
        InputError: the file cannot be read, or its header is not usable.

    Parallel: collective.
    """
    with together(comm):
        if comm.rank == 0:
            probe(path)
    with together(comm):
        table = open_table(path)
    return table


class Blocks:
    """The usable rows of a table, of the blocks of this rank; iterated as often as one wants.

    Yields the number of the block, features (n, m), classes (n,), weights (n,).

    Attributes:
        labels: names of all classes, sorted.
        classes: number of a block of this rank -> the class of each of its rows.
        dropped: number of rows of all ranks that were left out.
    """

    def __init__(self, table: Table, columns: Columns, drop: bool, name: str, comm: Any) -> None:
        """Prepare; ``survey`` reads."""
        self._table, self._columns, self._drop, self._name = table, columns, drop, name
        self._comm = comm
        self.labels: tuple[str, ...] = ()
        self.classes: dict[int, Array] = {}
        self.dropped = 0
        self._cache: dict[int, tuple[Array, Array]] | None = None

    def __iter__(self) -> Iterator[tuple[int, Array, Array, Array]]:
        """Yield the blocks."""
        if self._cache is not None:
            for number, (x, w) in self._cache.items():
                yield number, x, self.classes[number], w
            return
        for number, x, _, w in self.read():
            yield number, x, self.classes[number], w

    def read(self) -> Iterator[tuple[int, Array, Array, Array]]:
        """Yield the blocks with the names of the classes, from the file; each is checked."""
        columns, rank, size = self._columns, self._comm.rank, self._comm.size
        self._skipped = 0
        texts = [] if columns.label is None else [columns.label]
        for number, block in self._table.blocks(columns.numbers(), texts, rank, size):
            names = self._classes_of(block)
            bad = names == ""
            if bad.any() and not self._drop:
                where = self._where(number, int(np.argmax(bad)), str(columns.label))
                raise InputError(
                    f"{where}: missing label, expected the class of the row. Add it, remove the "
                    'row, or set data.missing = "drop".'
                )
            values = []
            for column in columns.numbers():
                place = partial(self._where, number, column=column)
                advice = None if self._drop else 'remove the row, or set data.missing = "drop"'
                try:
                    array, missing = to_numbers(block[column], place, advice)
                except WordsError as error:
                    raise InputError(f"{error}{self._of_numbers(block)}") from None
                values.append(array)
                bad |= missing
            x = np.stack(values[: len(columns.features)], axis=1)
            w = values[-1] if columns.weights is not None else np.ones(len(x))
            if (w < 0.0).any():
                row = int(np.argmax(w < 0.0))
                where = self._where(number, row, str(columns.weights))
                raise InputError(
                    f"{where}: negative weight; got {w[row]:g}, expected 0 or more. Use 0 to "
                    "leave a row out."
                )
            keep = ~bad
            self._skipped += int(bad.sum())
            yield number, x[keep], names[keep], w[keep]

    def _of_numbers(self, block: Mapping[str, Array]) -> str:
        """Return the line that names the features without words, so that one error tells all."""
        found = []
        for name in self._columns.features[: -1 if self._columns.numeric_label else None]:
            with suppress(InputError):
                to_numbers(block[name], str, None)
                found.append(name)
        listed = f" Those of numbers are data.features = {json.dumps(found, ensure_ascii=False)}."
        return listed * (0 < len(found) <= MOST_NAMES)

    def _classes_of(self, block: Mapping[str, Array]) -> Array:
        """Return the name of the class of every row, empty where it is missing."""
        label = self._columns.label
        if label is None:
            return np.full(len(block[self._columns.features[0]]), ONE_CLASS)
        return to_names(block[label])

    def _where(self, block: int, row: int, column: str) -> str:
        return f"data.file: {self._name}, {self._table.place(block, row)}, column '{column}'"

    def gather(self) -> None:
        """Read everything once: labels, classes, and the features when they are few."""
        comm, cache = self._comm, {}
        names: dict[int, tuple[Array, Array]] = {}
        rows, size, limit = 0, 0.0, CACHE / self._comm.size
        with together(comm):
            for number, x, labels, w in self.read():
                unique, inverse = np.unique(labels, return_inverse=True)
                names[number] = (unique, inverse.astype(small_integers(len(unique))))
                rows += len(x)
                size += x.nbytes + w.nbytes
                if size <= limit:
                    cache[number] = (x, w)
                if len(unique) > MOST_LABELS:
                    raise InputError(
                        f"data.label: too many classes; got more than {MOST_LABELS} different "
                        f"values in '{self._columns.label}', expected names of classes. Choose "
                        "another column."
                    )
        found = {str(n) for unique, _ in names.values() for n in unique}
        everything = set().union(*comm.allgather(found))
        self.labels = in_order(everything)
        total, self.dropped = comm.allreduce(rows), comm.allreduce(self._skipped)
        if total == 0:
            raise InputError(
                f"data.file: no rows; got '{self._name}' without a usable one, expected samples. "
                "Add some."
            )
        if len(self.labels) < 2 and self._columns.label is not None:
            raise InputError(
                f"data.label: one class only; got '{self.labels[0]}' in all {total} rows, expected "
                "at least two classes. Check data.label or the file."
            )
        numbers = {name: k for k, name in enumerate(self.labels)}
        kind = small_integers(len(self.labels))
        for number in list(names):
            unique, inverse = names.pop(number)
            order: Array = np.array([numbers[str(n)] for n in unique], dtype=kind)
            self.classes[number] = order[inverse] if len(order) else np.zeros(0, dtype=kind)
        if comm.allreduce(size, op=MPI.MAX) <= limit:
            self._cache = cache


def survey(table: Table, columns: Columns, drop: bool, name: str, comm: MPI.Intracomm) -> Blocks:
    """Return the usable rows of a table, read and checked once.

    Args:
        table: the table.
        columns: what is read of it.
        drop: whether rows with missing values are left out (or are an error).
        name: of the file, for messages.
        comm: the communicator.

    Raises:
        InputError: a value is not usable, with its place; or there are no two classes.

    Parallel: collective.
    """
    blocks = Blocks(table, columns, drop, name, comm)
    blocks.gather()
    return blocks
