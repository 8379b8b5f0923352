# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The error of the loss of given controls on the mesh, by ways that do not share it.

A loss that is a mean over points is found by points that the network moves, which know no mesh,
any loss on a finer discretisation. One way is an estimate; a second one of another kind confirms
it, or shows that neither can be believed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import InputError, SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.losses import LOSSES, Parts
from mfresnet.mesh import MESHES
from mfresnet.network import SCHEMES
from mfresnet.verification.findings import Check
from mfresnet.verification.pathwise import pathwise_loss

RIGHT = 3e-3
"""Relative error up to which the loss is called right: between the 1e-4 that always has to be and
the 1e-2 that never may be, with room for estimates that are off by a factor of three."""
WRONG = 1e-2
"""Relative error from which on a run has not converged, whatever its optimiser says."""
APART = 0.5
"""Share of the larger estimate by which two of them may differ and still confirm one another."""
LARGE = 0.1
"""Relative error above which an estimate of it says its size alone."""
LEAKS = 0.1
"""Mass of a class that may leave the mesh, whatever the tolerance, where the loss is right: so many
times the relative error up to which it is called right, as what leaves is in the error."""
HIGHEST = 6
"""The highest degree."""


@dataclass(frozen=True)
class Way:
    """One way to find the loss.

    Attributes:
        how: what finds it, in words.
        loss: what it finds.
        spread: how far that may itself be off, 0 where this is not known.
    """

    how: str
    loss: float
    spread: float = 0.0


@dataclass(frozen=True)
class LossError:
    """How far the loss on the mesh is from what other ways find.

    Attributes:
        loss: the loss on the mesh.
        floor: the least size of a loss that its error is held to. A distance of two densities
            vanishes with the square of their difference, so that close to zero its relative error
            says nothing; its floor is its value for densities that do not move. That of a mean
            over points is 0.
        ways: what the others find, the most trusted first; there may be none.
        missing: why others could not be taken.
        finer: what to do, see ``MeshSection.finer``.
        bound: the relative error up to which the loss is called right: more than ``RIGHT`` where
            a training was asked for less.
    """

    loss: float
    floor: float
    ways: tuple[Way, ...]
    missing: tuple[str, ...]
    finer: str
    bound: float = RIGHT

    @property
    def error(self) -> float:
        """The loss on the mesh minus that of the most trusted way, not a number without one."""
        return self.loss - self.ways[0].loss if self.ways else math.nan

    @property
    def uncertainty(self) -> float:
        """The largest error that any way gives, its own spread included."""
        return max((abs(self.loss - w.loss) + w.spread for w in self.ways), default=math.nan)

    @property
    def relative(self) -> float:
        """The same, each relative to what the way finds."""
        return max(
            ((abs(self.loss - w.loss) + w.spread) / self._size(w) for w in self.ways),
            default=math.nan,
        )

    @property
    def right(self) -> bool:
        """Whether all ways say that the loss is right."""
        return bool(self.relative <= self.bound)

    @property
    def wrong(self) -> bool:
        """Whether a way says that the loss is off by more than may be, its spread left aside."""
        sizes = ((abs(self.loss - w.loss) - w.spread) / self._size(w) for w in self.ways)
        return max(sizes, default=0.0) > max(WRONG, self.bound)

    @property
    def agree(self) -> bool:
        """Whether two ways agree on the error."""
        if len(self.ways) < 2:
            return False
        first, second = (self.loss - w.loss for w in self.ways[:2])
        return abs(first - second) <= APART * max(abs(first), abs(second))

    @property
    def confirmed(self) -> bool:
        """Whether two ways agree on the error, or on that there is none that matters."""
        return len(self.ways) > 1 and (self.right or self.agree)

    @property
    def doubt(self) -> str:
        """Why the error may be off by more than a third, one sentence, empty where it is known."""
        if len(self.ways) > 1 and not self.agree:
            return "The two do not agree, so that the error is at most about that."
        if self.relative > LARGE:
            return "So large an error is known by its size alone."
        return ""

    def _size(self, way: Way) -> float:
        return max(abs(way.loss), self.floor, float(np.finfo(float).tiny))

    def number(self) -> str:
        """Return the loss with its error."""
        if not self.ways:
            return f"{self.loss:.8g}  (not compared)"
        return f"{self.loss:.8g} +- {self.uncertainty:.1e}  (by {self.ways[0].how})"

    def sentence(self) -> str:
        """Return what is known of the loss, with its numbers."""
        why = "".join(f" {sentence}" for sentence in self.missing)
        if not self.ways:
            return f"The loss is {self.loss:.4g}, not confirmed.{why}"
        first, *others = self.ways
        if self.right:
            by = ", ".join([f"by {first.how}", *(f"confirmed by {w.how}" for w in others)])
            return f"The loss is {self.loss:.4g} +- {self.uncertainty:.1e} ({by}).{why}"
        found = " and ".join(f"{w.loss:.4g} by {w.how}" for w in self.ways)
        what = "the loss on the mesh is not that of the controls"
        if len(self.ways) > 1 and not self.confirmed:
            what = "no two ways agree on the loss, so that nobody can tell what it is"
        return (
            f"mesh: {what}; got {self.loss:.4g} on the mesh and {found}, expected a relative "
            f"difference of at most {self.bound:.0e}. {self.finer} or raise space.degree.{why}"
        )

    def check(self) -> Check:
        """Return the line of the certificate; it does not apply where nothing could be compared."""
        value = self.relative if self.ways else None
        return Check("loss: relative error", value, self.bound, self.right or not self.ways,
                     self.sentence())  # fmt: skip

    def outflow_limit(self, tolerance: float) -> float:
        """Return the mass of a class that may leave the mesh."""
        return max(tolerance, LEAKS * self.bound) if self.right else tolerance

    def forgive(self, check: Check) -> Check:
        """Return a line that stands for the loss; it passes where the loss itself is right."""
        if check.passed or not self.right:
            return check
        sentence = f"Without effect: the loss is right to {self.relative:.1e}."
        return Check(check.name, check.value, check.limit, True, sentence, check.rule)

    def as_data(self) -> dict[str, Any]:
        """Return it for run.json; numbers that are not known are None."""
        return {
            "number": self.number(),
            "error": self.error if self.ways else None,
            "relative": self.relative if self.ways else None,
            "right": self.right,
            "ways": [asdict(way) for way in self.ways],
            "sentence": self.sentence(),
        }


def loss_error(
    functional: ReducedFunctional, theta: Array, ways: int = 2, allowed: float = 0.0
) -> LossError:
    """Return the error of the loss on the mesh.

    Args:
        functional: J.
        theta: the controls.
        ways: how many are wanted; the first one is the quickest.
        allowed: see ``compared``.

    Parallel: collective.
    """
    return compared(functional, theta, _ways(functional), ways, allowed)


def compared(
    functional: ReducedFunctional,
    theta: Array,
    ways: Iterable[Callable[[ReducedFunctional, Array], Way]],
    wanted: int,
    allowed: float = 0.0,
) -> LossError:
    """Return the error of the loss on the mesh by the first ways that find it.

    Args:
        functional: J.
        theta: the controls.
        ways: (J, controls) -> what it finds; it may raise InputError or SolveError.
        wanted: how many are wanted.
        allowed: the error of J that a training was asked for.

    Parallel: collective.
    """
    functional.make_room(functional.steps_for(theta))
    loss, missing = functional.loss(theta), []
    found: list[Way] = []
    for way in ways:
        if len(found) == wanted:
            break
        try:
            found.append(way(functional, theta))
        except (InputError, SolveError) as error:
            missing.append(f"Not compared: {error}")
    mean = LOSSES[functional.case.loss.kind].cost is not None
    floor = 0.0 if mean else abs(_of_initial_densities(functional, theta))
    bound = max(RIGHT, allowed / max(abs(loss), floor, float(np.finfo(float).tiny)))
    finer = functional.case.mesh.finer
    return LossError(loss, floor, tuple(found), tuple(missing), finer, bound)


def _of_initial_densities(functional: ReducedFunctional, theta: Array) -> float:
    """Return the loss that there would be if nothing moved."""
    f, section = functional.problem.f0, functional.case.loss
    left = np.zeros((len(f), functional.problem.transport.n_exit))
    at = Parts(f, left, functional.network(theta).controls.of_head())
    weight = section.terminal + section.running * functional.controls.final_time
    return weight * float(functional.problem.class_weights @ functional.depth_loss.loss.value(at))


def _ways(functional: ReducedFunctional) -> Iterator[Callable[[ReducedFunctional, Array], Way]]:
    """Yield what finds the loss, the most trusted and quickest first."""
    case = functional.case
    if LOSSES[case.loss.kind].cost is not None:
        yield by_points
    p, grid = case.space.degree, MESHES[case.mesh.kind].grid
    others = (p + 1, p + 2) if p + 2 <= HIGHEST else (HIGHEST, HIGHEST - 1, HIGHEST - 2)
    cells: dict[str, Any] = {"mesh": {"cells": [2 * n for n in case.cells()]}} if grid else {}
    changes = {"cells of half the size": cells} if grid else {}
    changes |= {f"degree {q}": {"space": {"degree": q}} for q in others if q != p}
    for how, change in changes.items():
        yield partial(_by_another, how=how, change=change)


def by_points(functional: ReducedFunctional, theta: Array, settled: float | None = None) -> Way:
    """Return the loss of points, see ``pathwise_loss``.

    Raises:
        SolveError: they do not settle.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # points may leave for good
        found = pathwise_loss(functional, theta, settled)
    if not found.change <= max(RIGHT / 3.0, settled or 0.0) * abs(found.loss):
        raise SolveError(
            f"{found.points} points do not settle; got {found.loss:.4g} within {found.change:.1e}."
        )
    of = "" if found.closed else " of the density on the mesh"
    return Way(f"{found.points} points{of} that the network moves", found.loss, found.change)


def _by_another(
    functional: ReducedFunctional, theta: Array, how: str, change: dict[str, Any]
) -> Way:
    return Way(how, another(functional, theta, change).loss(theta))


def another(
    functional: ReducedFunctional, theta: Array, change: dict[str, Any]
) -> ReducedFunctional:
    """Return J of another discretisation, with its own time steps for the controls."""
    case = functional.case
    degree = change.get("space", {}).get("degree", case.space.degree)
    orders = [s for s in SCHEMES if s >= case.time.order and degree in SCHEMES[s].cfl]
    finer = case.with_(change | {"time": {"order": min(orders), "steps_per_layer": None}})
    other = ReducedFunctional(finer, functional.comm, functional.population)
    other.make_room(other.steps_for(theta))
    return other
