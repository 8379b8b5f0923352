# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Prediction for a table of samples: in blocks that are spread over the ranks, in their order."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from mfresnet import heads
from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.export import write_atomically
from mfresnet.exporters import check_writable
from mfresnet.parallel import ordered, together
from mfresnet.survey import to_names, to_numbers
from mfresnet.tables import Table, open_table
from mfresnet.trained import TrainedNetwork


@dataclass(frozen=True)
class Prediction:
    """What a prediction was made for.

    Attributes:
        rows: number of samples.
        labelled: number of those with a label.
        right: number of those whose class is their label.
    """

    rows: int
    labelled: int
    right: int

    def sentence(self) -> str:
        """Return one line for the user."""
        text = f"{self.rows} rows"
        if not self.labelled:
            return f"{text}."
        given = "" if self.labelled == self.rows else f" of the {self.labelled} with a label"
        return f"{text}, accuracy {self.right / self.labelled:.4f}{given}."


def predict(
    network: TrainedNetwork, data: Path, out: Path, comm: MPI.Intracomm | None = None
) -> Prediction:
    """Write the class, the probabilities and the final position of every row of a table.

    The rows are those of the table in their order; the columns are ``class`` (in a regression
    ``prediction``), ``probability_`` and
    the name of each class where the loss gives probabilities, ``position_1`` and so on. The file
    does not depend on the number of ranks.

    Args:
        network: the network.
        data: a file with the columns of the features; with the column of the label the accuracy is
            counted.
        out: the file to write, in a format of ``WRITERS``; whole or not at all.
        comm: the communicator, MPI.COMM_WORLD when not given.

    Raises:
        InputError: the table is not usable, or the file cannot be written.

    Parallel: collective.
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    with together(comm):
        make = writer_of(out)
        table = _open(data)
        _check(network, table, data)
    counts = np.zeros(3, dtype=np.int64)
    blocks = _predictions(network, table, data, comm, counts)

    def write(stream: IO[bytes] | None) -> None:
        writer = None if stream is None else make(stream)
        encoded = ((number, make.encode(columns)) for number, columns in blocks)
        for ready in ordered(comm, encoded):
            for part in ready:
                assert writer is not None
                writer.write(part)
        comm.Allreduce(MPI.IN_PLACE, counts)
        if counts[0] == 0:
            raise InputError(f"DATA: no rows; got '{data.name}', expected samples. Add some.")
        if writer is not None:
            writer.close()

    if comm.rank == 0:
        write_atomically(out, write)
    else:
        write(None)
    comm.Barrier()
    return Prediction(*map(int, counts))


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


def _open(data: Path) -> Table:
    try:
        return open_table(data)
    except InputError as error:
        texts = [m.replace("data.file", "DATA", 1) for m in error.messages]
        raise InputError(
            [t.replace(", which is relative to the case file", "") for t in texts]
        ) from None


def _check(network: TrainedNetwork, table: Table, data: Path) -> None:
    missing = [name for name in network.features if name not in table.names]
    if missing:
        shown = ", ".join(table.names[:8]) + ", ..." * (len(table.names) > 8)
        raise InputError(
            f"DATA: a feature is missing; got the columns {shown} in {data.name}, expected "
            f"'{missing[0]}' among them. Add or rename it."
        )


def _where(file: str, table: Table, block: int, column: str, row: int) -> str:
    return f"DATA: {file}, {table.place(block, row)}, column '{column}'"


def _predictions(
    network: TrainedNetwork, table: Table, data: Path, comm: MPI.Intracomm, counts: Array
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number and columns of the blocks of this rank, and count rows, labels, right ones."""
    features, names = list(network.features), np.array(network.labels)
    classes = bool(network.head) and network.task == "classification"
    label = [network.label] if network.label in table.names and classes else []
    for number, block in table.blocks(features, label, comm.rank, comm.size):
        columns = []
        for name in features:
            place = partial(_where, data.name, table, number, name)
            columns.append(to_numbers(block[name], place, "remove the row")[0])
        x = network.carry(network.reduce(np.stack(columns, axis=1)))
        counts[0] += x.shape[1]
        result: dict[str, Any] = {}
        if network.task == "regression":
            result["prediction"] = network.read(x)
        if classes:
            given = names[heads.decide(x, network.head)]
            result["class"] = given
            if label:
                true = to_names(block[label[0]])
                counts[1:] += [np.sum(true != ""), np.sum(true == given)]
        if network.probabilistic:
            p = heads.probabilities(x, network.head)
            result |= {f"probability_{n}": p[k] for k, n in enumerate(network.labels)}
        yield number, result | {f"position_{i + 1}": row for i, row in enumerate(x)}


# ---------------------------------------------------------------------- formats
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
        """Return an Arrow table."""
        import pyarrow

        return pyarrow.table({n: pyarrow.array(values) for n, values in columns.items()})

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
