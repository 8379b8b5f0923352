# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How good a trained network is: task -> what is measured on its samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.tasks import of_task
from mfresnet.verification.measures.classification import class_measures
from mfresnet.verification.measures.density import density_measures
from mfresnet.verification.measures.regression import regression_measures

MEASURES: dict[str, Callable[[ReducedFunctional, Array], dict[str, Any]]] = {
    "classification": class_measures,
    "regression": regression_measures,
    "density": density_measures,
}
"""Task -> (J, controls) -> the metrics of run.json on the samples."""


def measure(functional: ReducedFunctional, theta: Array) -> dict[str, Any]:
    """Return the metrics of run.json: what the loss tells, and how good the network is on samples.

    Parallel: collective.
    """
    labels = functional.population.labels
    told = {
        name: dict(zip(labels, values.tolist(), strict=True))
        for name, values in Trajectory(functional, theta).loss_report().items()
    }
    if functional.population.dataset is None:
        return told
    return told | of_task(MEASURES, functional.case.task)(functional, theta)
