# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Samples from a table: checked, split, scaled, reduced to d <= 3, in blocks spread over the ranks.

A table is read several times, so that no more than a block of it is in memory: once for the labels,
once for the moments, which give scaling and principal components, once for the extent, once for the
density. A small one is kept in memory.
"""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.data.section import DataSection
from mfresnet.data.tables.formats import Table
from mfresnet.data.tables.moments import Moments, merge, moments
from mfresnet.data.tables.scaling import fit, fit_beside_label
from mfresnet.data.tables.splits import FEWEST, Split
from mfresnet.data.tables.survey import Blocks, Columns, open_together, survey
from mfresnet.errors import InputError
from mfresnet.memory import free, in_units
from mfresnet.parallel import together

KEPT = 200_000
"""Most samples of a part that are kept as a whole: for pictures, measures and the baseline."""
MATRICES = 6
"""Covariances that are there at the same time, at least."""


@dataclass(frozen=True)
class Samples:
    """Points with their classes and weights.

    Attributes:
        x: the points as columns, (d, n).
        y: the number of the class of each point, (n,).
        w: the weight of each point, (n,).
    """

    x: Array
    y: Array
    w: Array

    def of_class(self, k: int) -> Array:
        """Return the points of one class, (d, n_k)."""
        return self.x[:, self.y == k]


@dataclass(frozen=True)
class Dataset:
    """What a table of samples becomes.

    Attributes:
        labels: names of the classes, sorted.
        label: name of the column with the classes or the numeric label, None without one.
        features: names of the columns that are used.
        shift: see ``matrix``, (m,).
        matrix: scaling and reduction of m features, x = matrix^T (features - shift), (m, d). A
            numeric label is the last of these m and of the coordinates, and scaled by itself.
        back: the way back, features = shift + back x, (m, d); see ``scaling.Coordinates``.
        train: samples that the densities are made of, all or a random part of ``KEPT``, the same
            on all ranks.
        test: samples that are held out, likewise.
        moments: of the coordinates of all training samples.
        extent: least and greatest coordinates of the training samples of each class,
            (classes, 2, d).
        counts: number of all samples for training and of those held out.
        dropped: number of rows left out for missing values.
        rounds: () -> the training samples, in rounds of the same ones on all ranks; collective.
    """

    labels: tuple[str, ...]
    label: str | None
    features: tuple[str, ...]
    shift: Array
    matrix: Array
    back: Array
    train: Samples
    test: Samples
    moments: Moments
    extent: Array
    counts: tuple[int, int]
    dropped: int
    rounds: Callable[[], Iterator[Samples]]

    @property
    def dimension(self) -> int:
        """Number d of coordinates after the reduction."""
        return self.matrix.shape[1]


def load_data(
    section: DataSection,
    comm: MPI.Intracomm,
    table: Table | None = None,
    fold: tuple[int, int] | None = None,
    numeric_label: bool = False,
) -> Dataset:
    """Read, check, split, scale and reduce the samples of a case.

    Scaling and principal components are those of the training samples alone.

    Args:
        section: [data] of the case.
        comm: the communicator; every rank reads its own blocks.
        table: the samples, when they are not in ``section.file``.
        fold: (number, of how many) of the fold that is held out, in place of a random part.
        numeric_label: whether the label is a number, the last coordinate of the points, and all
            samples are of one class.

    Raises:
        InputError: a sentence for what is wrong with the table or does not fit the section.

    Parallel: collective.
    """
    table = open_together(section.file, comm) if table is None else table
    with together(comm):
        columns = Columns.of(section, table.names, numeric_label)
        _check_memory(len(columns.features))
    blocks = survey(table, columns, section.missing == "drop", section.file.name, comm)
    split = Split.of(section, blocks, comm, fold)
    raw = _moments(blocks, split, comm)
    _check_counts(raw, blocks, section)
    kept = [_keep(blocks, split, test, comm) for test in (False, True)]
    scaling = fit_beside_label if numeric_label else fit
    coordinates = scaling(
        section.scale, section.reduce, raw.together(), kept[0][0], columns.features
    )
    train, test = (Samples(coordinates.points(x), y, w) for x, y, w in kept)

    def local() -> Iterator[Samples]:
        for number, x, y, w in blocks:
            part = split.training(number)
            yield Samples(coordinates.points(x[part]), y[part], w[part])

    return Dataset(
        labels=blocks.labels,
        label=columns.features[-1] if numeric_label else columns.label,
        features=columns.features[:-1] if numeric_label else columns.features,
        shift=coordinates.shift,
        matrix=coordinates.matrix,
        back=coordinates.back,
        train=train,
        test=test,
        moments=coordinates.moments(raw),
        extent=_extent(local(), len(blocks.labels), len(train.x), comm),
        counts=split.counts,
        dropped=blocks.dropped,
        rounds=lambda: _rounds(local(), len(train.x), comm),
    )


def _moments(blocks: Blocks, split: Split, comm: MPI.Intracomm) -> Moments:
    """Return the moments of the training samples, merged by block on any number of ranks."""
    local = {}
    for number, x, y, w in blocks:
        part = split.training(number)
        local[number] = moments(x[part], y[part], w[part], len(blocks.labels))
    everything = {k: v for part in comm.allgather(local) for k, v in part.items()}
    return merge(everything[number] for number in sorted(everything))


def _check_memory(m: int) -> None:
    """Refuse features whose covariances, of a class and of all, do not fit into the memory."""
    needed, room = 8.0 * MATRICES * m**2, free()
    if needed > room:
        raise InputError(
            f"data.features: too many; got {m}, whose covariances take {in_units(needed)}, "
            f"expected at most {in_units(room)}. List fewer in data.features."
        )


def _check_counts(raw: Moments, blocks: Blocks, section: DataSection) -> None:
    rare = int(np.argmin(raw.count))
    if raw.count[rare] < FEWEST:
        raise InputError(
            f"data.test_fraction: too few samples for training; got {int(raw.count[rare])} of "
            f"class '{blocks.labels[rare]}', expected at least {FEWEST}. Lower it or set "
            "data.stratify = true."
        )
    light = int(np.argmin(raw.squares))
    if raw.squares[light] <= 0.0:
        raise InputError(
            f"data.weights: no weight in a class; got {raw.weight[light]:g} for "
            f"'{blocks.labels[light]}', expected a sum that is larger. Correct the column "
            f"'{section.weights}'."
        )


def _keep(
    blocks: Blocks, split: Split, test: bool, comm: MPI.Intracomm
) -> tuple[Array, Array, Array]:
    """Return features (n, m), classes and weights of a part, or of a random share of it."""
    share = KEPT / max(split.counts[test], 1)
    found: dict[int, tuple[Array, Array, Array]] = {}
    for number, x, y, w in blocks:
        rows = split.held_out(number) if test else split.training(number)
        if share < 1.0:
            rows = rows & (split.noise(number, len(rows)) < share)
        found[number] = (x[rows], y[rows], w[rows])
    everything = {k: v for part in comm.allgather(found) for k, v in part.items()}
    ordered = [everything[number] for number in sorted(everything)]
    x, y, w = (np.concatenate(arrays) for arrays in zip(*ordered, strict=True))
    return x, y, w


def _extent(parts: Iterator[Samples], n_classes: int, d: int, comm: MPI.Intracomm) -> Array:
    result = np.full((n_classes, 2, d), -np.inf)
    for part in parts:
        for k in range(n_classes):
            x = part.of_class(k)
            result[k, 0] = np.maximum(result[k, 0], (-x).max(axis=1, initial=-np.inf))
            result[k, 1] = np.maximum(result[k, 1], x.max(axis=1, initial=-np.inf))
    comm.Allreduce(MPI.IN_PLACE, result, op=MPI.MAX)
    result[:, 0] *= -1.0
    return result


def _rounds(parts: Iterator[Samples], d: int, comm: MPI.Intracomm) -> Iterator[Samples]:
    """Yield in every round one block of each rank, put together on all of them."""
    nothing = Samples(np.zeros((d, 0)), np.zeros(0, dtype=int), np.zeros(0))
    while True:
        part = next(parts, None)
        given: list[Any] = comm.allgather(part)
        if all(p is None for p in given):
            return
        found = [p or nothing for p in given]
        yield Samples(
            np.concatenate([p.x for p in found], axis=1),
            np.concatenate([p.y for p in found]),
            np.concatenate([p.w for p in found]),
        )
