# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The classes that a network is trained on, from analytic densities or from samples."""

from __future__ import annotations

from mpi4py import MPI

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from scipy.linalg import orthogonal_procrustes

from mfresnet.arrays import Array
from mfresnet.case.binning import binned_samples
from mfresnet.case.case import Case
from mfresnet.data import (
    Dataset,
    Density,
    Gaussian,
    Samples,
    bandwidth,
    deposit,
    load_data,
    project,
)
from mfresnet.errors import InputError, unknown
from mfresnet.mesh import CELLS, HeatEquation, Space
from mfresnet.tasks import TASKS, of_task

RADIUS = 1.5
"""Distance of the default targets from the mean of the samples."""
REACH = 8.0
"""Bandwidths around the samples after which their density, with its exponential tail, is zero."""


@dataclass(frozen=True)
class Population:
    """The classes: their names and weights, and their densities once there is a space.

    Attributes:
        labels: names of the classes.
        weights: pi_k, (classes,), of sum one.
        targets: the points that the classes should reach, (classes, d).
        extent: corners of a box that holds the mass, (2, d).
        project: (space) -> densities (classes, n_owned), and their masses before any division
            (classes,); collective.
        dataset: the samples, when the densities come from them.
        bandwidths: widths of the kernels, (classes,), when the densities come from samples.
        kernels: () -> the samples that have the kernels, in bins where they are many, and the
            widths, (classes,); None without samples, or where they are too many to be kept.
        start: the density that is steered to that of the samples, for task density.
        goal: (space) -> the density of the samples, (n_owned,), for task density; collective.
    """

    labels: tuple[str, ...]
    weights: Array
    targets: Array
    extent: Array
    project: Callable[[Space], tuple[Array, Array]]
    dataset: Dataset | None = None
    bandwidths: Array | None = None
    kernels: Callable[[], tuple[Samples, Array] | None] = lambda: None
    start: Density | None = None
    goal: Callable[[Space], Array] | None = None


def populate(case: Case, comm: MPI.Intracomm, fold: tuple[int, int] | None = None) -> Population:
    """Return the classes of a case; every rank reads its part of the samples.

    Args:
        case: the case.
        comm: the communicator.
        fold: see ``load_data``.

    Raises:
        InputError: the samples are not usable or do not fit the case.

    Parallel: collective.
    """
    if case.data is None:
        return _analytic(case)
    still = TASKS[case.task].still
    return from_samples(case, load_data(case.data, comm, fold=fold, numeric_label=still))


def _analytic(case: Case) -> Population:
    lower, upper = zip(*(c.density.extent() for c in case.classes), strict=True)

    def densities(space: Space) -> tuple[Array, Array]:
        pairs = [
            project(c.density, space, f"classes.{k}.density") for k, c in enumerate(case.classes)
        ]
        return np.array([f for f, _ in pairs]), np.array([mass for _, mass in pairs])

    return Population(
        labels=tuple(case.labels()),
        weights=case.class_weights(),
        targets=np.array(
            [c.target for c in case.classes if c.target is not None], dtype=float
        ).reshape(-1, case.dimension),
        extent=np.array([np.min(lower, axis=0), np.max(upper, axis=0)]),
        project=densities,
    )


def from_samples(case: Case, dataset: Dataset) -> Population:
    """Return the classes of a dataset, as a case with [data] wants them.

    Raises:
        InputError: the dataset does not fit the case.
    """
    section, labels = case.data, dataset.labels
    assert section is not None
    if dataset.dimension != case.dimension:
        fits = " or ".join(name for name, d in CELLS.items() if d == dataset.dimension)
        raise InputError(
            f"mesh.cell: wrong dimension; got {case.mesh.cell} for {dataset.dimension} "
            f"coordinates of the samples, expected dimension {dataset.dimension}. Set mesh.cell to "
            f"{fits}, or take other columns by data.features, or components by data.reduce."
        )
    rule = section.bandwidth
    rules = (
        _by_label("data.bandwidth", rule, labels)
        if isinstance(rule, dict)
        else [rule] * len(labels)
    )
    widths = np.array([bandwidth(rule, dataset, k) for k, rule in enumerate(rules)])
    margins = REACH * widths[:, None]
    binned = cache(lambda: binned_samples(dataset, widths))

    def densities(space: Space) -> tuple[Array, Array]:
        samples, wider = binned()
        parts = dataset.rounds() if samples is None else [samples]
        f, heat = deposit(space, parts, labels), HeatEquation(space)
        try:
            f = np.array([heat.smooth(g, float(h)) for g, h in zip(f, wider, strict=True)])
        finally:
            heat.destroy()
        return f, np.ones(len(f))

    def kernels() -> tuple[Samples, Array] | None:
        samples, wider = binned()
        whole = dataset.counts[0] == dataset.train.y.size
        if samples is None:
            return (dataset.train, wider) if whole else None
        return samples, wider

    extent = np.array(
        [
            (dataset.extent[:, 0] - margins).min(axis=0),
            (dataset.extent[:, 1] + margins).max(axis=0),
        ]
    )
    given = Population(
        labels=labels,
        weights=np.full(len(labels), 1.0 / len(labels)),
        targets=np.zeros((0, dataset.dimension)),
        extent=extent,
        project=densities,
        dataset=dataset,
        bandwidths=widths,
        kernels=kernels,
    )
    return of_task(POPULATIONS, case.task)(case, given, dataset)


# ---------------------------------------------------------------------- tasks
def _classified(case: Case, given: Population, dataset: Dataset) -> Population:
    """Return the classes with their weights, and the points that they should reach."""
    return replace(given, weights=_priors(case, dataset), targets=_targets(case, dataset))


def _beside_label(case: Case, given: Population, dataset: Dataset) -> Population:
    """Return the joint density of features and label."""
    return replace(given, weights=_priors(case, dataset))


def _steered(case: Case, given: Population, dataset: Dataset) -> Population:
    """Return the start density as the one class, with the density of the samples as its goal."""
    assert given.bandwidths is not None
    width, extent, densities = float(given.bandwidths[0]), given.extent, given.project
    start = fitted_gaussian(dataset, width) if case.start is None else case.start
    lower, upper = start.extent()

    def projected(space: Space) -> tuple[Array, Array]:
        f, mass = project(start, space, "start")
        return f[None], np.array([mass])

    return replace(
        given,
        extent=np.array([np.minimum(extent[0], lower), np.maximum(extent[1], upper)]),
        project=projected,
        start=start,
        goal=lambda space: densities(space)[0][0],
    )


POPULATIONS: dict[str, Callable[[Case, Population, Dataset], Population]] = {
    "classification": _classified,
    "regression": _beside_label,
    "density": _steered,
}
"""Task -> (case, densities of the samples by label, samples) -> the classes."""


def fitted_gaussian(dataset: Dataset, width: float) -> Gaussian:
    """Return the Gaussian with mean and covariance of the samples smoothed by ``width``."""
    overall = dataset.moments.together()
    covariance = overall.covariance()[0] + width**2 * np.eye(dataset.dimension)
    return Gaussian(mean=overall.mean[0].tolist(), covariance=covariance.tolist())


def _by_label(where: str, given: Mapping[str, Any], labels: Sequence[str]) -> list[Any]:
    """Return the values of a mapping from labels, in the order of the labels."""
    for label in given:
        if label not in labels:
            raise InputError(unknown(where, label, labels) + f" Change {where}.")
    for label in labels:
        if label not in given:
            raise InputError(
                f"{where}: nothing for a label; got none for '{label}', expected one for each of "
                f"{', '.join(labels)}. Add it."
            )
    return [given[label] for label in labels]


def _priors(case: Case, dataset: Dataset) -> Array:
    assert case.data is not None
    priors = case.data.priors
    if isinstance(priors, dict):
        weights = np.array(_by_label("data.priors", priors, dataset.labels), dtype=float)
    elif priors == "balanced":
        weights = np.ones(len(dataset.labels))
    else:
        weights = dataset.moments.weight
    return weights / weights.sum()


# ---------------------------------------------------------------------- targets
def _targets(case: Case, dataset: Dataset) -> Array:
    given, labels = case.loss.targets, dataset.labels
    if given is None:
        overall = dataset.moments.together().mean[0]
        return default_targets(dataset.moments.mean, overall)
    rows = _by_label("loss.targets", given, labels)
    for label, target in given.items():
        if len(target) != dataset.dimension:
            raise InputError(
                f"loss.targets.{label}: wrong length; got {len(target)}, expected "
                f"{dataset.dimension}. Give one value per coordinate."
            )
    return np.array(rows, dtype=float)


def default_targets(means: Array, centre: Array, radius: float = RADIUS) -> Array:
    """Return targets that lie as the means of the classes do, apart by as much as possible.

    In 1-D points at equal distances; up to d + 1 classes the corners of a regular simplex; else
    corners of a regular polygon in the principal plane of the means. They are turned so that the
    sum of their products with the means is largest.

    Args:
        means: means of the classes, (classes, d).
        centre: the middle of the targets, (d,).
        radius: largest distance from the middle.

    Returns:
        The targets, (classes, d).
    """
    offsets = means - centre
    n, d = means.shape
    if d == 1:
        corners = np.linspace(-1.0, 1.0, n)[np.argsort(np.argsort(offsets[:, 0]))][:, None]
        return centre + radius * corners
    if n <= d + 1:
        corners = np.zeros((n, d))
        corners[:, : n - 1] = simplex(n)
    else:
        _, _, axes = np.linalg.svd(offsets - offsets.mean(axis=0))
        plane = offsets @ axes[:2].T
        places = np.argsort(np.argsort(np.arctan2(plane[:, 1], plane[:, 0])))
        angles = 2.0 * math.pi * places / n
        corners = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ np.eye(2, d)
    rotation, _ = orthogonal_procrustes(corners, offsets)
    return centre + radius * corners @ rotation


def simplex(n: int) -> Array:
    """Return the n corners of the regular simplex in n - 1 dimensions with radius one."""
    centred = np.eye(n) - 1.0 / n
    corners = centred @ np.linalg.svd(centred)[2][: n - 1].T
    return corners / np.linalg.norm(corners[0])
