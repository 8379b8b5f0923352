# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Samples from a file: reading, checking, splitting, scaling, reduction to d <= 3 (no MPI here)."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import RobustScaler, StandardScaler

from mfresnet.arrays import Array
from mfresnet.errors import InputError, suggestion
from mfresnet.models import Model, Name

LARGEST_DIMENSION = 3
FEWEST = 2
"""Samples that every class needs, in the training part and in the test part."""


class ReduceSection(Model):
    """[data.reduce]: principal components of the scaled features."""

    kind: Literal["pca"] = "pca"
    dimension: Annotated[int, Field(ge=1, le=LARGEST_DIMENSION)] = 2
    whiten: bool = True


SCALERS: dict[str, Callable[[], Any] | None] = {
    "standard": StandardScaler,
    "robust": RobustScaler,
    "none": None,
}
"""Name -> maker of a scikit-learn scaler, None for the features as they are."""
FORMATS: dict[str, str] = {".csv": ",", ".tsv": "\t"}
"""Ending of a file -> what separates its columns."""


class DataSection(Model):
    """[data]: the samples, their label, and what is done to the features."""

    file: Path
    label: str
    features: Annotated[list[str], Field(min_length=1)] | None = None
    scale: Annotated[str, Name(SCALERS)] = "standard"
    reduce: ReduceSection | None = None
    test_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.3
    stratify: bool = True
    seed: Annotated[int, Field(ge=0)] = 0
    bandwidth: Annotated[float, Field(gt=0.0)] | Literal["scott", "silverman"] = "scott"


@dataclass(frozen=True)
class Samples:
    """Points with their classes.

    Attributes:
        x: the points as columns, (d, n).
        y: the number of the class of each point, (n,).
    """

    x: Array
    y: Array

    def of_class(self, k: int) -> Array:
        """Return the points of one class, (d, n_k)."""
        return self.x[:, self.y == k]


@dataclass(frozen=True)
class Dataset:
    """What a file of samples becomes.

    Attributes:
        labels: names of the classes, sorted.
        features: names of the columns that are used.
        train: the samples that the densities are made of.
        test: the samples that are held out.
        shift: see ``matrix``, (m,).
        matrix: scaling and reduction of m features, x = matrix^T (features - shift), (m, d).
    """

    labels: tuple[str, ...]
    features: tuple[str, ...]
    train: Samples
    test: Samples
    shift: Array
    matrix: Array

    @property
    def dimension(self) -> int:
        """Number d of coordinates after the reduction."""
        return self.matrix.shape[1]


def load_data(section: DataSection) -> Dataset:
    """Read, check, split, scale and reduce the samples of a case.

    The scaling and the principal components are those of the training part alone.

    Raises:
        InputError: a sentence for what is wrong with the file or does not fit the section.
    """
    table = _read(section)
    features = _features(section, table)
    names = _labels(section, table)
    x = np.stack([_numbers(section, table, name) for name in features], axis=1)
    labels, y = np.unique(names, return_inverse=True)
    if len(labels) < 2:
        raise InputError(
            f"data.label: one class only; got '{labels[0]}' in all {len(y)} rows, expected at "
            "least two classes. Check data.label or the file."
        )
    train, test = _split(section, y, labels)
    shift, matrix = _fit(section, x[train], features)
    parts = [Samples(((x[rows] - shift) @ matrix).T.copy(), y[rows]) for rows in (train, test)]
    return Dataset(tuple(map(str, labels)), tuple(features), parts[0], parts[1], shift, matrix)


# ---------------------------------------------------------------------- reading
def _read(section: DataSection) -> pd.DataFrame:
    """Return the table with every value as text, an empty cell as an empty text."""
    path = section.file
    separator = FORMATS.get(path.suffix.lower())
    if separator is None:
        raise InputError(
            f"data.file: unknown format; got '{path.name}', expected one of "
            f"{', '.join(sorted(FORMATS))}. Convert the file."
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = next(csv.reader(stream, delimiter=separator), [])
        _check_header(header)
        table = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except OSError as error:
        raise InputError(
            f"data.file: cannot be read ({error.strerror}); got '{path}', expected a table. "
            "Check the path, which is relative to the case file."
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"data.file: not UTF-8 text; got byte {error.object[error.start]:#04x} at position "
            f"{error.start}, expected UTF-8. Convert the file."
        ) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        raise InputError(
            f"data.file: not a table; got '{path.name}' ({str(error).strip()}), expected the same "
            "number of columns in every row. Correct this row."
        ) from None
    # More values than names in every row: pandas takes the first column for row names.
    if not isinstance(table.index, pd.RangeIndex):
        raise InputError(
            f"data.file: not a table; got more values than the {len(header)} names of the header "
            "in the rows, expected as many. Correct the header."
        )
    if table.empty:
        raise InputError(f"data.file: no rows; got '{path.name}' with a header only. Add samples.")
    return table


def _check_header(header: Sequence[str]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputError(
            f"data.file: a column name twice; got '{twice[0]}', expected each once. Rename one."
        )


def _column(table: pd.DataFrame, where: str, name: str) -> None:
    if name not in table.columns:
        known = [str(c) for c in table.columns]
        shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
        hint = suggestion(name, known) or " Check the name."
        raise InputError(f"{where}: no such column; got '{name}', expected one of {shown}.{hint}")


def _features(section: DataSection, table: pd.DataFrame) -> list[str]:
    _column(table, "data.label", section.label)
    if section.features is None:
        names = [str(name) for name in table.columns if name != section.label]
        if not names:
            raise InputError(
                "data.features: no columns; got a file with the label alone, expected at least "
                "one feature. Add a column."
            )
        return names
    for name in section.features:
        _column(table, "data.features", name)
    if section.label in section.features:
        raise InputError(
            f"data.features: holds the label; got '{section.label}', expected features only. "
            "Remove it."
        )
    if len(set(section.features)) < len(section.features):
        raise InputError(
            f"data.features: a name twice; got {section.features}, expected each once. Remove one."
        )
    return section.features


def _cell(section: DataSection, row: int, name: str) -> str:
    """Return where a value stands; the header is line 1."""
    return f"data.file: {section.file.name}, line {row + 2}, column '{name}'"


def _labels(section: DataSection, table: pd.DataFrame) -> Array:
    names = table[section.label].str.strip().to_numpy(dtype=str)
    empty = np.flatnonzero(names == "")
    if empty.size:
        where = _cell(section, int(empty[0]), section.label)
        raise InputError(f"{where}: missing label; expected the class of the row. Add it.")
    return names


def _numbers(section: DataSection, table: pd.DataFrame, name: str) -> Array:
    """Return one column as finite numbers, each the float64 nearest to its text."""
    texts = table[name].str.strip()
    try:
        values = texts.to_numpy(dtype=str).astype(np.float64)
    except ValueError:
        values = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        row = int(wrong[0])
        given = table[name].iloc[row].strip()
        what = f"not a finite number; got '{given}'" if given else "missing value; got nothing"
        others = f" {len(wrong) - 1} more in this column." if len(wrong) > 1 else ""
        raise InputError(
            f"{_cell(section, row, name)}: {what}, expected a number. Correct or remove the row."
            f"{others}"
        )
    return values


# ---------------------------------------------------------------------- splitting and scaling
def _split(section: DataSection, y: Array, labels: Array) -> tuple[Array, Array]:
    """Return the rows of the training and of the test part."""
    counts, rows = np.bincount(y), np.arange(len(y))
    parts = 1 if section.test_fraction == 0.0 else 2
    rare = int(np.argmin(counts))
    if counts[rare] < FEWEST * parts:
        raise InputError(
            f"data.file: too few samples; got {counts[rare]} of class '{labels[rare]}', expected "
            f"at least {FEWEST * parts}. Add samples or leave the class out."
        )
    if parts == 1:
        return rows, rows[:0]
    try:
        train, test = train_test_split(
            rows,
            test_size=section.test_fraction,
            stratify=y if section.stratify else None,
            random_state=section.seed,
        )
    except ValueError as error:
        raise InputError(
            f"data.test_fraction: cannot split; got {section.test_fraction} of {len(y)} samples "
            f"({str(error).rstrip('.')}), expected samples of every class in both parts. Change it."
        ) from None
    found = np.bincount(y[train], minlength=len(counts))
    if found.min() < FEWEST:
        raise InputError(
            f"data.test_fraction: too few samples for training; got {found.min()} of class "
            f"'{labels[int(np.argmin(found))]}', expected at least {FEWEST}. Lower it or set "
            "data.stratify = true."
        )
    return np.sort(train), np.sort(test)


def _fit(section: DataSection, x: Array, features: Sequence[str]) -> tuple[Array, Array]:
    """Return shift and matrix of the scaling and reduction that the training part asks for."""
    constant = np.flatnonzero(np.ptp(x, axis=0) <= 1e-12 * np.abs(x).max(axis=0))
    if constant.size:
        name = features[int(constant[0])]
        raise InputError(
            f"data.features: a constant column; got {x[0, constant[0]]:g} in every training row "
            f"of '{name}', expected values that differ. Leave it out of data.features."
        )
    m, reduction = x.shape[1], section.reduce
    dimension = m if reduction is None else reduction.dimension
    if dimension > LARGEST_DIMENSION:
        raise InputError(
            f"data.reduce: missing; got {m} features, expected at most {LARGEST_DIMENSION} "
            'without a reduction. Add reduce = { kind = "pca", dimension = 2 }.'
        )
    if dimension > min(m, len(x) - 1):
        raise InputError(
            f"data.reduce.dimension: too large; got {dimension} for {m} features and {len(x)} "
            f"training samples, expected at most {min(m, len(x) - 1)}. Lower it."
        )
    shift, matrix = np.zeros(m), np.eye(m)
    maker = SCALERS[section.scale]
    if maker is not None:
        scaler = maker().fit(x)
        shift = scaler.mean_ if section.scale == "standard" else scaler.center_
        matrix = np.diag(1.0 / scaler.scale_)
    if reduction is not None:
        pca = PCA(dimension, svd_solver="full").fit((x - shift) @ matrix)
        spread = np.sqrt(pca.explained_variance_)
        if spread.min() <= 1e-10 * spread.max():
            raise InputError(
                f"data.reduce.dimension: more than the data spans; got {dimension}, expected at "
                f"most {int(np.sum(spread > 1e-10 * spread.max()))}. Lower it."
            )
        shift = shift + pca.mean_ / np.diag(matrix)
        matrix = matrix @ pca.components_.T / (spread if reduction.whiten else 1.0)
    return shift, matrix
