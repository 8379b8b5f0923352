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

from mfresnet.arrays import Array
from mfresnet.data import Table, open_together, to_numbers
from mfresnet.errors import InputError
from mfresnet.files import write_atomically
from mfresnet.parallel import ordered, together
from mfresnet.tasks import of_task
from mfresnet.trained.answers import ANSWERS, ERROR, MISSING, RIGHT, ROWS, Labels
from mfresnet.trained.network import TrainedNetwork
from mfresnet.trained.readings import READINGS
from mfresnet.trained.writers import writer_of


@dataclass(frozen=True)
class Prediction:
    """What a prediction was made for.

    Attributes:
        rows: number of samples.
        missing: number of those without a prediction, as values of theirs are missing.
        labelled: number of the others that have a label.
        unknown: number of those whose label is no class of the network.
        accuracy: share of those whose class is their label, where there are classes.
        r2: of those, in a regression.
        rmse: root of their mean squared error, in a regression.
        log_density: mean of the log density of the samples, for a density.
    """

    rows: int
    missing: int
    labelled: int
    unknown: int = 0
    accuracy: float | None = None
    r2: float | None = None
    rmse: float | None = None
    log_density: float | None = None

    @staticmethod
    def of(task: str, counts: Array) -> Prediction:
        """Return it from the sums over all rows."""
        rows, missing, labelled, unknown = (int(n) for n in counts[:RIGHT])
        return Prediction(
            rows, missing, labelled, unknown, **of_task(ANSWERS, task).measures(counts)
        )

    def sentence(self) -> str:
        """Return one line for the user."""
        parts = [f"{self.rows} rows"]
        if self.missing:
            parts.append(f"{self.missing} of them without a prediction, as values are missing")
        if self.log_density is not None:
            parts.append(f"mean log density {self.log_density:.4f}")
        if self.r2 is not None:
            parts.append(f"R2 {self.r2:.4f}")
        if self.rmse is not None:
            parts.append(f"root mean square of the error {self.rmse:.4g}")
        if self.accuracy is not None:
            parts.append(f"accuracy {self.accuracy:.4f}")
        given = 0 < self.labelled < self.rows - self.missing
        text = ", ".join(parts) + f" of the {self.labelled} with a label" * given
        if self.unknown:
            labels = "1 label is" if self.unknown == 1 else f"{self.unknown} labels are"
            text += f", {labels} no class of the network"
        return f"{text}."


def predict(
    network: TrainedNetwork, data: Path, out: Path, comm: MPI.Intracomm | None = None
) -> Prediction:
    """Write the class, the probabilities and the final position of every row of a table.

    The rows are those of the table in their order; the columns are ``class`` (in a regression
    ``prediction``), ``probability_`` and the name of each class where the loss gives probabilities,
    ``position_1`` and so on; of a density ``log_density`` alone. A row with a missing value is an
    error, or, after a training with data.missing = "drop", has empty columns. The file does not
    depend on the number of ranks.

    Args:
        network: the network.
        data: a file with the columns of the features; with the column of the label the prediction
            is compared with it.
        out: the file to write, in a format of ``WRITERS``; whole or not at all.
        comm: the communicator, MPI.COMM_WORLD when not given.

    Raises:
        InputError: the table is not usable, or the file cannot be written.

    Parallel: collective.
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    with together(comm):
        make = writer_of(out)
    table = _open(data, comm)
    with together(comm):
        _check(network, table, data)
        if out.exists() and out.samefile(data):
            raise InputError(
                f"--out: DATA itself; got {out}, expected another file. Give --out another name."
            )
    counts = np.zeros(ERROR + 1)
    blocks = _predictions(network, table, data, comm, counts)

    def write(stream: IO[bytes] | None) -> None:
        writer = None if stream is None else make(stream)
        encoded = ((number, make.encode(columns)) for number, columns in blocks)
        for ready in ordered(comm, encoded):
            for part in ready:
                assert writer is not None
                writer.write(part)
        comm.Allreduce(MPI.IN_PLACE, counts)
        if counts[ROWS] == 0:
            raise InputError(f"DATA: no rows; got '{data.name}', expected samples. Add some.")
        if writer is not None:
            writer.close()

    if comm.rank == 0:
        write_atomically(out, write)
    else:
        write(None)
    comm.Barrier()
    return Prediction.of(network.task, counts)


def _open(data: Path, comm: MPI.Intracomm) -> Table:
    try:
        return open_together(data, comm)
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
    """Yield number and columns of the blocks of this rank, and count, see ``ROWS``."""
    features, drop = list(network.features), network.missing == "drop"
    answer, label = of_task(ANSWERS, network.task), network.label
    compare = answer.compare if network.head and label in table.names else None
    as_number = of_task(READINGS, network.task).number
    numbers = [*features, label] if compare and as_number else features
    texts = [label] if compare and not as_number else []
    for number, block in table.blocks(numbers, texts, comm.rank, comm.size):
        values, usable = [], np.ones(len(block[features[0]]), dtype=bool)
        for name in features:
            place = partial(_where, data.name, table, number, name)
            advice = None if drop else "remove the row"
            column, missing = to_numbers(block[name], place, advice)
            values.append(column)
            usable &= ~missing
        samples = np.stack(values, axis=1)[usable]
        counts[[ROWS, MISSING]] += [len(usable), np.sum(~usable)]
        given = answer.columns(network, samples, counts)
        if compare:
            place = partial(_where, data.name, table, number, label)
            compare(network, Labels(block[label], usable, place), given, counts)
        yield number, {n: _in_place(v, usable) for n, v in given.items()}


def _in_place(values: Array, usable: Array) -> Array:
    """Return values in the rows that are usable, NaN or None in the others."""
    if usable.all():
        return values
    texts = values.dtype.kind == "U"
    result = np.full(len(usable), None if texts else np.nan, dtype=object if texts else float)
    result[usable] = values
    return result
