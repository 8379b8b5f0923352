# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""J with its error, by parts: space, depth, optimisation, data, each with how it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import InputError, SolveError
from mfresnet.functional import ParticleFunctional, ReducedFunctional
from mfresnet.losses import LOSSES
from mfresnet.mesh import MESHES
from mfresnet.verification import LossError, Way, another, by_points, compared

FINER = 1.5
"""Times as many cells a direction, where another degree is not enough."""
SETTLED = 0.2
"""Share of the accuracy that is asked for at which points need not be more."""


@dataclass(frozen=True)
class ErrorPart:
    """One part of the error of J.

    Attributes:
        size: its size, an absolute value.
        how: how it was found.
    """

    size: float
    how: str


@dataclass(frozen=True)
class ObjectiveError:
    """J +- error.

    Attributes:
        asked: the relative error that was asked for.
        scale: what it is relative to: |J|; where J is the square of a distance, twice the distance
            times that at first; no less than an absolute error that is small enough asks for.
        value: J on the mesh.
        corrected: J by the most trusted way, None without one.
        loss: how the error of the mesh was found.
        parts: the parts of the error, by name.
        trained: whether training.gradient_tolerance is met.
    """

    asked: float
    scale: float
    value: float
    corrected: float | None
    loss: LossError
    parts: dict[str, ErrorPart]
    trained: bool = False

    @property
    def size(self) -> float:
        """The error of J for the controls that were found, not a number where none can tell."""
        return self.loss.uncertainty

    @property
    def relative(self) -> float:
        """The same, over ``scale``."""
        return self.size / self.scale

    @property
    def reached(self) -> bool:
        """Whether two ways say that the error is at most what was asked for, and J is least."""
        return not self.unknown and bool(self.worst <= self.asked)

    @property
    def worst(self) -> float:
        """The relative error, or how far J is from its least value where that is more.

        With training.gradient_tolerance met J is as near to it as the case says.
        """
        if self.trained:
            return self.relative
        return max(self.relative, self.parts["optimisation"].size / self.scale)

    @property
    def unknown(self) -> bool:
        """Whether fewer than two ways could be taken."""
        return len(self.loss.ways) < 2

    def sentence(self) -> str:
        """Return what is known, with its numbers."""
        ways = " and ".join(f"by {way.how}" for way in self.loss.ways)
        why = "".join(f" {sentence}" for sentence in self.loss.missing)
        if not self.loss.ways:
            return f"J = {self.value:.6g}; its error is not known.{why}"
        of = "it"
        if self.scale > abs(self.value):
            of = f"{self.scale:.3g}, as J is small or the square of a distance"
        found = f"J = {self.value:.6g} +- {self.size:.1e}, {self.relative:.1e} of {of}, {ways}."
        return " ".join([found, *filter(None, [self.loss.doubt])]) + why


def error_on_mesh(
    f: ReducedFunctional, theta: Array, asked: float, allowed: float = 0.0
) -> LossError:
    """Return the error of J for given controls by two ways of different kinds.

    A mean over points: points that the network moves, and a higher degree. Other losses: a higher
    degree, and narrower cells.

    Args:
        f: J.
        theta: the controls.
        asked: the relative error of J that was asked for.
        allowed: the same, not relative.

    Parallel: collective.
    """
    made: dict[str, ReducedFunctional] = {}

    def richer(name: str) -> ReducedFunctional:
        if name not in made:
            made[name] = another(f, theta, changes[name])
        return made[name]

    def by(name: str, g: ReducedFunctional, theta: Array) -> Way:
        return Way(name, richer(name).loss(theta))

    higher, narrower = f"degree {f.case.space.degree + 1}", "narrower cells"
    changes: dict[str, dict[str, Any]] = {higher: {"space": {"degree": f.case.space.degree + 1}}}
    others = [higher]
    if MESHES[f.case.mesh.kind].grid:
        cells = [int(np.ceil(FINER * n)) for n in f.case.cells()]
        changes[narrower] = {"mesh": {"cells": cells}}
        others.append(narrower)
    else:
        others.append(f"degree {f.case.space.degree + 2}")
        changes[others[-1]] = {"space": {"degree": f.case.space.degree + 2}}
    ways: list[Callable[[ReducedFunctional, Array], Way]] = [partial(by, name) for name in others]
    if LOSSES[f.case.loss.kind].cost is not None:
        ways.insert(0, partial(by_points, settled=SETTLED * asked))
    return compared(f, theta, ways, 2, allowed)


def objective_error(
    f: ReducedFunctional,
    theta: Array,
    asked: float,
    scale: float,
    excess: float,
    *,
    trained: bool = False,
) -> ObjectiveError:
    """Return J +- error.

    Args:
        f: J.
        theta: the controls.
        asked: the relative error that was asked for.
        scale: what it is relative to.
        excess: how far J is from its least value near the controls; at most J, as no J of ours
            is below zero.
        trained: whether training.gradient_tolerance is met.

    Parallel: collective.
    """
    loss = error_on_mesh(f, theta, asked, asked * scale)
    value = f.value(theta)
    how = "the derivative in the metric of the curvature on the way"
    parts = {"optimisation": ErrorPart(min(excess, abs(value)), how)}
    if loss.ways:
        parts |= dict(_of_mesh(f, theta, loss))
    if (data := _of_samples(f, theta)) is not None:
        parts["data"] = data
    corrected = loss.ways[0].loss + f.penalty(theta) if loss.ways else None
    return ObjectiveError(asked, scale, value, corrected, loss, parts, trained)


def _of_mesh(
    f: ReducedFunctional, theta: Array, loss: LossError
) -> Iterator[tuple[str, ErrorPart]]:
    """Yield the parts of the time steps and of the cells: half of the first, and the rest."""
    steps, change = f.steps_per_layer, 0.0
    try:
        f.set_steps(2 * steps)
        change = loss.loss - f.loss(theta)
    except InputError:
        return  # there is no memory for them
    finally:
        f.set_steps(steps)
    yield "depth", ErrorPart(abs(change), "steps of half the length")
    yield "space", ErrorPart(abs(loss.error - change), loss.ways[0].how)


def _of_samples(f: ReducedFunctional, theta: Array) -> ErrorPart | None:
    """Return how far the loss of the density is from that of its samples: what the kernel does."""
    dataset = f.population.dataset
    if dataset is None or LOSSES[f.case.loss.kind].cost is None:
        return None
    try:
        found = ParticleFunctional(f.case, None, f.comm, f.population).loss(theta)
    except (InputError, SolveError):
        return None  # a method for densities alone, or samples that leave for good
    return ErrorPart(abs(f.loss(theta) - found), "the samples that the network moves")
