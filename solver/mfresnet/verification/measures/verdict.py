# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Whether the network is better than its baselines on the samples that were held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mfresnet.tasks import of_task

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Contest:
    """What is compared for a task.

    Attributes:
        measures: key of a measure -> its name, and 1 where more is better, -1 where less is.
        rivals: key of a baseline -> its name.
    """

    measures: Mapping[str, tuple[str, int]]
    rivals: Mapping[str, str]


CONTESTS: dict[str, Contest] = {
    "classification": Contest(
        {"accuracy": ("accuracy", 1), "log_loss": ("log loss", -1)},
        {
            "logistic_regression": "logistic regression",
            "kernel_density": "the Bayes rule of the kernel densities",
        },
    ),
    "regression": Contest(
        {"r2": ("R2", 1), "pinball_loss": ("pinball loss", -1)},
        {"linear_regression": "linear regression", "kernel_regression": "kernel regression"},
    ),
    "density": Contest(
        {"log_likelihood": ("log likelihood", 1)},
        {
            "gaussian_mixture": "a mixture of Gaussians",
            "kernel": "the kernel density estimate",
        },
    ),
}
"""Task -> what is compared with what."""


def verdict(task: str, metrics: Row) -> list[str]:
    """Return a sentence where the network does not beat its baselines on held-out samples.

    It has every measure in which the best of them is at least as good, with both numbers; there is
    none where no samples were held out.

    Args:
        task: a name in ``CONTESTS``.
        metrics: what ``measure`` returns for a case with samples.
    """
    contest = of_task(CONTESTS, task)
    if (ours := _held_out(metrics, "")) is None:
        return []
    others = [_held_out(metrics, owner) for owner in contest.rivals]
    lost = []
    for key, (name, sign) in contest.measures.items():
        own = _value(ours, key)
        rivals = [
            (_value(row, key), n) for n, row in zip(contest.rivals.values(), others, strict=False)
        ]
        values = [(sign * value, value, n) for value, n in rivals if value is not None]
        if own is None or not values:
            continue
        better, value, rival = max(values)
        if better >= sign * own:
            lost.append(f"{name} {own:.4g}, {rival} {value:.4g}")
    if not lost:
        return []
    rows = f"the {ours['samples']} held-out samples" if "samples" in ours else "held-out samples"
    advice = "Take the better one, or try another bandwidth, loss or network."
    return [f"On {rows} the network does not beat its baselines: {'; '.join(lost)}. {advice}"]


def _held_out(metrics: Row, owner: str) -> Row | None:
    """Return the measures of the network or of a baseline on the samples that were held out."""
    if (likelihoods := metrics.get("log_likelihood")) is not None:
        row = likelihoods["test"]
        return None if row is None else {"log_likelihood": row[owner or "network"]}
    return (metrics[owner] if owner else metrics).get("test")


def _value(row: Row | None, key: str) -> float | None:
    """Return a measure, the mean of those that are several."""
    found = None if row is None else row[key]
    return sum(found.values()) / len(found) if isinstance(found, Mapping) else found
