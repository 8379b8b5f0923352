# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The same case on several splits of its samples: how much a measure can be trusted."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case, populate
from mfresnet.columns import plain
from mfresnet.data import DataSection
from mfresnet.errors import InputError
from mfresnet.optimise import Iteration, Status
from mfresnet.tasks import of_task
from mfresnet.training import train_case
from mfresnet.verification import measure

PARTS = ("train", "test")
Metrics = Mapping[str, Any]


def _accuracy(metrics: Metrics, owner: str, part: str) -> list[float]:
    return [(metrics[owner] if owner else metrics)[f"{part}_accuracy"]]


def _errors(metrics: Metrics, owner: str, part: str) -> list[float]:
    row = (metrics[owner] if owner else metrics)[part]
    return [np.nan, np.nan] if row is None else [row["r2"], row["rmse"]]


def _log_density(metrics: Metrics, owner: str, part: str) -> list[float]:
    found = metrics["log_likelihood"][part][owner or "network"]
    return [np.nan if found is None else found]


@dataclass(frozen=True)
class Comparison:
    """What is compared for a task.

    Attributes:
        quantities: names of the measures.
        baselines: what stands beside the network.
        read: (metrics of run.json, baseline or "" for the network, "train" or "test") -> the
            values of the quantities.
    """

    quantities: tuple[str, ...]
    baselines: tuple[str, ...]
    read: Callable[[Metrics, str, str], list[float]]

    def columns(self) -> list[tuple[str, str, str, str]]:
        """Return name, quantity, owner ("" for the network) and part of every column."""
        return [
            (f"{owner}_{part}_{name}".lstrip("_"), name, owner, part)
            for name in self.quantities
            for owner in ("", *self.baselines)
            for part in PARTS
        ]

    def row(self, metrics: Metrics) -> dict[str, float]:
        """Return the values of the columns by name."""
        return {
            column: self.read(metrics, owner, part)[self.quantities.index(name)]
            for column, name, owner, part in self.columns()
        }


COMPARISONS = {
    "classification": Comparison(
        ("accuracy",), ("logistic_regression", "kernel_density"), _accuracy
    ),
    "regression": Comparison(("r2", "rmse"), ("linear_regression", "kernel_regression"), _errors),
    "density": Comparison(
        ("log_density",), ("gaussian", "gaussian_mixture", "kernel"), _log_density
    ),
}
"""Task -> what is compared: accuracies; R2 and the root of the mean square of the error, in units
of the label; the mean of the log density per volume of the features, beside one Gaussian, a mixture
of some, and the kernel density estimate that the network was trained on."""


def cross_validate(
    case: Case,
    *,
    seeds: int = 10,
    folds: int | None = None,
    comm: MPI.Intracomm | None = None,
    on_split: Callable[[dict[str, Any]], None] | None = None,
    on_iteration: Callable[[Iteration], None] | None = None,
) -> dict[str, Any]:
    """Train a case on several splits of its samples.

    Args:
        case: a case with samples.
        seeds: number of random splits, by data.seed and the numbers after it.
        folds: when given, each of so many parts is held out in turn instead.
        comm: the communicator, MPI.COMM_WORLD when not given.
        on_split: called after every split with its row, on all ranks.
        on_iteration: called after every iteration, on all ranks.

    Returns:
        ``task``; ``splits``, a row each with the split, status, iterations and the columns of
        ``COMPARISONS``, such as ``test_r2`` and ``linear_regression_test_r2``; ``mean`` and ``std``
        of these.

    Raises:
        InputError: the case has no samples, or none are held out.

    Parallel: collective.
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    if case.data is None or (folds is None and case.data.test_fraction == 0.0):
        raise InputError(
            "data: nothing to validate with; got no held-out samples, expected [data] with a "
            "positive test_fraction. Choose another case."
        )
    comparison, rows = of_task(COMPARISONS, case.task), []
    for name, split, fold in _splits(case, case.data, seeds, folds):
        trained = train_case(split, populate(split, comm, fold), comm, on_iteration=on_iteration)
        functional, result = trained.functional, trained.result
        row = {"split": name, "status": result.status.name.lower(), "iterations": result.iterations}
        row |= comparison.row(measure(functional, result.theta))
        rows.append(row)
        if on_split is not None:
            on_split(row)
    names = [column for column, *_ in comparison.columns()]
    values: Array = np.array([[row[name] for name in names] for row in rows])
    return {
        "task": case.task,
        "splits": rows,
        "mean": dict(zip(names, values.mean(axis=0).tolist(), strict=True)),
        "std": dict(zip(names, values.std(axis=0).tolist(), strict=True)),
    }


def _splits(
    case: Case, data: DataSection, seeds: int, folds: int | None
) -> Iterator[tuple[str, Case, tuple[int, int] | None]]:
    """Yield the name of every split, its case and its fold."""
    if folds is not None:
        yield from ((f"fold {i + 1}", case, (i, folds)) for i in range(folds))
        return
    for seed in range(data.seed, data.seed + seeds):
        section = data.model_copy(update={"seed": seed})
        yield f"seed {seed}", case.model_copy(update={"data": section}), None


def split_sentence(task: str, row: Mapping[str, Any]) -> str:
    """Return one line for the user about a split."""
    name = of_task(COMPARISONS, task).quantities[0]
    ended = "converged" if Status[row["status"].upper()].good else "not converged"
    return (
        f"{row['split']}: {ended} after {row['iterations']} iterations, test "
        f"{name.replace('_', ' ')} {row[f'test_{name}']:.4f}"
    )


def split_table(result: Mapping[str, Any]) -> str:
    """Return the result as lines of text."""
    columns = of_task(COMPARISONS, result["task"]).columns()
    titles = [(owner or name).replace("_", " ") for _, name, owner, part in columns]
    heads = [
        f"{title if i % 2 else ''}\n{part}"  # once above the two parts
        for i, (title, (*_, part)) in enumerate(zip(titles, columns, strict=True))
    ]
    rows = [(row["split"], row) for row in result["splits"]]
    cells = [
        [name, *(f"{row[column]:.4f}" for column, *_ in columns)]
        for name, row in [*rows, ("mean", result["mean"]), ("std", result["std"])]
    ]
    return plain(cells, "w" + "n" * len(columns), ["\nsplit", *heads])


def split_verdict(result: Mapping[str, Any]) -> str:
    """Return the mean of the first measure on held-out samples, and how far it varies."""
    name = f"test_{of_task(COMPARISONS, result['task']).quantities[0]}"
    mean, spread, splits = result["mean"][name], result["std"][name], len(result["splits"])
    text = f"Mean {name.replace('_', ' ')} of {splits} splits: {mean:.4f} +- {spread:.4f}."
    return f"{text} {_late(result)}".rstrip()


def _late(result: Mapping[str, Any]) -> str:
    """Return how many trainings did not converge; nothing when all have."""
    late = [row for row in result["splits"] if not Status[row["status"].upper()].good]
    return f"{len(late)} of {len(result['splits'])} did not converge." if late else ""
