# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The same case on several splits of its samples: how much an accuracy can be trusted."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mfresnet.case import Case
from mfresnet.data import DataSection
from mfresnet.errors import InputError
from mfresnet.functional import ReducedFunctional
from mfresnet.measures import measure
from mfresnet.nested import train
from mfresnet.population import populate

COLUMNS = ("train_accuracy", "test_accuracy")


def cross_validate(
    case: Case,
    *,
    seeds: int = 10,
    folds: int | None = None,
    comm: MPI.Intracomm | None = None,
    on_split: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train a case on several splits of its samples.

    Args:
        case: a case with samples.
        seeds: number of random splits, by data.seed and the numbers after it.
        folds: when given, each of so many parts is held out in turn instead.
        comm: the communicator, MPI.COMM_WORLD when not given.
        on_split: called after every split with its row, on all ranks.

    Returns:
        ``splits``, a row each with the split, status and the accuracies of the network and of
        logistic regression on the same features; ``mean`` and ``std`` of the accuracies.

    Raises:
        InputError: the case has no samples, or none are held out.

    Parallel: collective.
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    if case.task != "classification":
        raise InputError(
            f"task: no accuracy to compare; got {case.task}, expected classification. Choose "
            "another case."
        )
    if case.data is None or (folds is None and case.data.test_fraction == 0.0):
        raise InputError(
            "data: nothing to validate with; got no held-out samples, expected [data] with a "
            "positive test_fraction. Choose another case."
        )
    rows = []
    for name, split, fold in _splits(case, case.data, seeds, folds):
        functional = ReducedFunctional(split, comm, populate(split, comm, fold))
        result, _ = train(functional)
        metrics = measure(functional, result.theta)
        row = {"split": name, "status": result.status.name.lower(), "iterations": result.iterations}
        row |= {name: metrics[name] for name in COLUMNS}
        baseline = metrics["logistic_regression"]
        row |= {f"logistic_regression_{name}": baseline[name] for name in COLUMNS}
        rows.append(row)
        if on_split is not None:
            on_split(row)
    names = [name for name in rows[0] if name.endswith("accuracy")]
    values = np.array([[row[name] for name in names] for row in rows])
    return {
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


def table(result: dict[str, Any]) -> str:
    """Return the result as lines of text."""
    head = f"{'split':>8} {'train':>8} {'test':>8} {'logistic regression: train':>28} {'test':>8}"
    lines = [head]
    rows = [(row["split"], row) for row in result["splits"]]
    rows += [("mean", result["mean"]), ("std", result["std"])]
    for name, row in rows:
        lines.append(
            f"{name:>8} {row['train_accuracy']:8.4f} {row['test_accuracy']:8.4f} "
            f"{row['logistic_regression_train_accuracy']:28.4f} "
            f"{row['logistic_regression_test_accuracy']:8.4f}"
        )
    late = [row for row in result["splits"] if row["status"] != "converged"]
    if late:
        lines.append(f"{len(late)} of {len(result['splits'])} trainings did not converge.")
    return "\n".join(lines)
