# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The same case on several random splits of its samples: how much an accuracy can be trusted."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable
from typing import Any

import numpy as np

from mfresnet.case import Case
from mfresnet.errors import InputError
from mfresnet.functional import ReducedFunctional
from mfresnet.measures import measure
from mfresnet.nested import train

COLUMNS = ("train_accuracy", "test_accuracy")


def cross_validate(
    case: Case,
    seeds: int,
    comm: MPI.Intracomm | None = None,
    on_split: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train a case on ``seeds`` random splits, those of data.seed and the numbers after it.

    Args:
        case: a case with samples.
        seeds: number of splits.
        comm: the communicator, MPI.COMM_WORLD when not given.
        on_split: called after every split with its row, on all ranks.

    Returns:
        ``splits``, a row each with seed, status and the accuracies of the network and of logistic
        regression on the same features; ``mean`` and ``std`` of the accuracies.

    Raises:
        InputError: the case has no samples, or none are held out.

    Parallel: collective.
    """
    data = case.data
    if data is None or data.test_fraction == 0.0:
        raise InputError(
            "data: nothing to validate with; got no held-out samples, expected [data] with a "
            "positive test_fraction. Choose another case."
        )
    rows = []
    for seed in range(data.seed, data.seed + seeds):
        split = case.model_copy(update={"data": data.model_copy(update={"seed": seed})})
        functional = ReducedFunctional(split, comm)
        result, _ = train(functional)
        metrics = measure(functional, result.theta)
        row = {"seed": seed, "status": result.status.name.lower(), "iterations": result.iterations}
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


def table(result: dict[str, Any]) -> str:
    """Return the result as lines of text."""
    head = f"{'seed':>6} {'train':>8} {'test':>8} {'logistic regression: train':>28} {'test':>8}"
    lines = [head]
    rows = [(str(row["seed"]), row) for row in result["splits"]]
    rows += [("mean", result["mean"]), ("std", result["std"])]
    for name, row in rows:
        lines.append(
            f"{name:>6} {row['train_accuracy']:8.4f} {row['test_accuracy']:8.4f} "
            f"{row['logistic_regression_train_accuracy']:28.4f} "
            f"{row['logistic_regression_test_accuracy']:8.4f}"
        )
    late = [row for row in result["splits"] if row["status"] != "converged"]
    if late:
        lines.append(f"{len(late)} of {len(result['splits'])} trainings did not converge.")
    return "\n".join(lines)
