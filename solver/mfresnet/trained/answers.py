# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a table of samples gets from a network: task -> columns, and how good they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mfresnet.arrays import Array
from mfresnet.data import to_names, to_numbers
from mfresnet.network import probabilities
from mfresnet.trained.network import TrainedNetwork
from mfresnet.trained.sampling import log_density, steered_by

ROWS, MISSING, LABELLED, UNKNOWN, RIGHT, FIRST, SECOND, ERROR = range(8)
"""What is counted: rows, those with missing values, those with a label; of them those whose label
is no class of the network and those whose class is right; in a regression sums over those with a
label of y - h, of its square, of the squared error, h being the constant of the head, which is
close to the mean of y; in a density the sum of the log density."""

Columns = dict[str, Array]


class Labels(NamedTuple):
    """The labels of a block of rows.

    Attributes:
        values: the column, (rows,).
        usable: which rows have a prediction, (rows,).
        place: row -> where it stands, for messages.
    """

    values: Any
    usable: Array
    place: Callable[[int], str]


@dataclass(frozen=True)
class Answer:
    """What the samples of a table get.

    Attributes:
        columns: (network, samples (n, m), counts) -> name -> column (n,); may count.
        measures: counts -> attributes of ``Prediction``.
        compare: (network, labels, columns, counts) counts how good the columns are, where the
            network has a head and the table has labels.
    """

    columns: Callable[[TrainedNetwork, Array, Array], Columns]
    measures: Callable[[Array], dict[str, float]]
    compare: Callable[[TrainedNetwork, Labels, Columns, Array], None] | None = None


def _points(network: TrainedNetwork, samples: Array) -> tuple[Array, Columns]:
    """Return points at T, and the columns that tell of them: probabilities and positions."""
    x = network.carry(network.reduce(samples))
    result: Columns = {}
    if network.probabilistic:
        p = probabilities(network.scores(x))
        result |= {f"probability_{n}": p[k] for k, n in enumerate(network.labels)}
    return x, result | {f"position_{i + 1}": row for i, row in enumerate(x)}


# ---------------------------------------------------------------------- classes
def _classes(network: TrainedNetwork, samples: Array, _: Array) -> Columns:
    x, rest = _points(network, samples)
    if not network.head:
        return rest
    return {"class": np.array(network.labels)[network.read(x)]} | rest


def _compare_names(network: TrainedNetwork, labels: Labels, given: Columns, counts: Array) -> None:
    true = to_names(labels.values)[labels.usable]
    known = np.isin(true, network.labels)
    counts[[LABELLED, UNKNOWN, RIGHT]] += [
        np.sum(true != ""),
        np.sum((true != "") & ~known),
        np.sum(true == given["class"]),
    ]


def _accuracy(counts: Array) -> dict[str, float]:
    labelled = int(counts[LABELLED])
    return {"accuracy": counts[RIGHT] / labelled} if labelled else {}


# ---------------------------------------------------------------------- numbers
def _numbers(network: TrainedNetwork, samples: Array, _: Array) -> Columns:
    x, rest = _points(network, samples)
    return {"prediction": network.read(x)} | rest


def _compare_numbers(
    network: TrainedNetwork, labels: Labels, given: Columns, counts: Array
) -> None:
    values, unknown = to_numbers(labels.values, labels.place, None)
    known = labels.usable & ~unknown
    y, found = values[known], given["prediction"][known[labels.usable]]
    offset = y - float(network.scores(np.zeros((network.dimension, 1)))[0, 0])
    error = np.sum((y - found) ** 2)
    counts[[LABELLED, FIRST, SECOND, ERROR]] += [len(y), offset.sum(), offset @ offset, error]


def _errors(counts: Array) -> dict[str, float]:
    n = int(counts[LABELLED])
    if not n:
        return {}
    found = {"rmse": float(np.sqrt(counts[ERROR] / n))}
    spread = counts[SECOND] - counts[FIRST] ** 2 / n
    return found | ({"r2": 1.0 - counts[ERROR] / spread} if spread > 0.0 else {})


# ---------------------------------------------------------------------- densities
def _densities(network: TrainedNetwork, samples: Array, counts: Array) -> Columns:
    found = log_density(steered_by(network), samples)
    counts[FIRST] += found.sum()
    return {"log_density": found}


def _mean_log_density(counts: Array) -> dict[str, float]:
    n = int(counts[ROWS]) - int(counts[MISSING])
    return {"log_density": counts[FIRST] / n} if n else {}


ANSWERS: dict[str, Answer] = {
    "classification": Answer(_classes, _accuracy, _compare_names),
    "regression": Answer(_numbers, _errors, _compare_numbers),
    "density": Answer(_densities, _mean_log_density),
}
"""Task -> what the samples of a table get."""
