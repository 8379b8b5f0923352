# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The minimisations of J by points and on meshes, each with what those before have learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.mesh import SIMPLICES
from mfresnet.optimise import (
    METHODS,
    Functional,
    Memory,
    OptimiseResult,
    Oracle,
    Status,
    minimise,
)
from mfresnet.training.correction import Correction
from mfresnet.training.discretisation import Discretisation
from mfresnet.training.levels import best_start
from mfresnet.training.points import PointSets
from mfresnet.training.result import History
from mfresnet.training.watch import Other, Watch, as_it_is, value_of

PAYS_FROM = 6.0
"""Times the work of the model from which on corrections are made."""
ALIKE = 1e-2
"""Relative difference of J by a set of points and by the next one that makes the first a model."""
POINTS_AIM = 1e-3
"""Share of J by points that it may be above its least value."""
SETTLED = 3.0
"""Times the distance that is wanted by which J by points may fall with more points."""
AGAIN = frozenset((Status.LINE_SEARCH, Status.STAGNATED))
"""Ends of a minimisation that another one, without the pairs of the first, may go on from."""
Aim = Callable[[float], float]
"""(J) -> distance from its least value that is near enough."""


class Minimisation:
    """Minimises J.

    Attributes:
        points: J by points, None where there is none that is a model for J on a mesh.
        coarse: J on a coarse mesh that is a model for finer ones, None without one.
        paths: the least and the greatest coordinates on the paths of the points, (2, d).
        by_points_alone: the least J by points of a table, which stands where no mesh has a J.
        drawn: how much J was too small on the last mesh at the controls to which it was drawn,
            see ``Watch``.

    Parallel: collective.
    """

    def __init__(self, oracle: Oracle, history: History) -> None:
        """Begin with no knowledge."""
        self.points: PointSets | None = None
        self.coarse: ReducedFunctional | None = None
        self.paths: Array = np.zeros((2, 0))
        self.drawn = 0.0
        self.by_points_alone: OptimiseResult | None = None
        self._least: float | None = None  # by points that are exact enough
        self._oracle, self._history, self._memory = oracle, history, Memory()

    def forget(self) -> None:
        """Give back what the optimiser holds."""
        self._memory.forget()

    def by_points(self, f: ReducedFunctional) -> bool:
        """Minimise J by points, from all seeds, and start J there; return whether it can be done.

        Sets of more and more points are taken until one says what the next one says. Where none
        does, the controls are kept, and the points are no model.

        Args:
            f: J on a mesh.
        """
        if not PointSets.has(f.case) or not f.training.max_iterations:
            return False
        sets = PointSets(f.case, f.population, f.controls.initial, f.comm)
        found = self._from_seeds(f, lambda f: self._on_points(f, sets))
        f.start_from(f.controls.from_vector(found.theta))
        self.paths = sets.paths(found.theta)
        if sets.table:
            self.by_points_alone = replace(found, status=Status.INACCURATE)
        return True

    def minimise(
        self, f: ReducedFunctional, aim: Aim, ahead: ReducedFunctional | None
    ) -> OptimiseResult:
        """Return the controls of the least J near those that J starts at; at first from all seeds.

        With a model by points a mesh before the last one only says how far J there is off.

        Args:
            f: J.
            aim: J -> distance from its least value that is near enough.
            ahead: J on the next mesh, None on the last one.

        Raises:
            SolveError: J cannot be computed.
        """
        if self.points is not None and ahead is not None:
            return as_it_is(f, f.theta0)
        return self._from_seeds(f, lambda f: self._on_mesh(f, aim, ahead))

    def keep(self, f: ReducedFunctional) -> None:
        """Keep J on a mesh as a model for finer ones, unless there is one."""
        self.coarse = self.coarse or f

    def _from_seeds(
        self, f: ReducedFunctional, solve: Callable[[ReducedFunctional], OptimiseResult]
    ) -> OptimiseResult:
        def from_seed(f: ReducedFunctional, seed: int | None) -> OptimiseResult:
            if seed is None:
                return solve(f)
            self._history.begin()
            self._memory.forget()
            try:
                result = solve(f)
            except SolveError as error:
                self._history.end(f, None, None, seed, str(error))
                raise
            self._history.end(f, result, None, seed)
            return result

        seeds = None if self._history.rows else f.training.seeds
        return best_start(f, seeds or (None,), from_seed)

    def _on_points(self, f: ReducedFunctional, sets: PointSets) -> OptimiseResult:
        theta, self.points = f.theta0, None
        sets.start_from(f.controls.initial)
        for number in range(sets.largest):
            sets.number = number
            self._history.begin()
            used, finer = sets.used, sets.finer()
            watch = Watch(theta, lambda value: POINTS_AIM * abs(value), finer)
            found = watch.best_of(used, self._minimise(used, theta, watch))
            self._history.end(used, found, None)
            theta = found.theta
            alike = abs(found.value - finer[0](theta)) <= ALIKE * abs(found.value)
            if alike:
                self.points = sets
                break
            self._memory.forget()
        return found

    def _on_mesh(
        self, f: ReducedFunctional, aim: Aim, ahead: ReducedFunctional | None
    ) -> OptimiseResult:
        """Minimise with corrections by the model where they pay, then on the mesh itself.

        Where J is flat, J on a mesh that is right may have its least value far away. Points that
        are exact enough say then that J is least, and the controls are those of the points.
        """
        self.drawn, theta, model = 0.0, f.theta0, self._model(f)
        if self._least is not None:
            return replace(as_it_is(f, theta), excess=self._least)
        if model is not None:
            add, memory, wanted = self._history.add, self._memory, aim(f.value(theta))
            found = Correction(f, model, wanted, self._oracle, add, memory).run(theta)
            if found.converged or found.excess <= wanted:
                return found
            theta = found.theta
            if (settled := self._settled(theta, wanted)) is not None:
                self._least = settled.excess
                return replace(as_it_is(f, settled.theta), excess=self._least)
            if self.points is not None and self.points.table:
                return found  # iterations on the mesh cost more than they gain
        others: tuple[Other, ...] = () if ahead is None else (partial(value_of, ahead),)
        watch = Watch(theta, aim, others if self.points is None else self.points.all())
        found = self._minimise(f, theta, watch)
        if found.status in AGAIN and found.excess > aim(found.value):
            self._memory.forget()
            found = self._minimise(f, found.theta, watch)
        result = watch.best_of(f, found)
        self.drawn = watch.drawn
        return result

    def _minimise(self, f: Functional, theta: Array, watch: Watch) -> OptimiseResult:
        add, oracle, memory = self._history.add, self._oracle, self._memory
        return minimise(f, theta, on_iteration=add, oracle=oracle, enough=watch, memory=memory)

    def _settled(self, theta: Array, wanted: float) -> OptimiseResult | None:
        """Return the controls of the least J by so many points that more of them gain nothing."""
        if self.points is None:
            return None
        for number in range(self.points.number + 1, self.points.largest + 1):
            used, self.points.number = self.points.functional(number), number
            watch = Watch(theta, lambda value: wanted, self.points.finer())
            found = watch.best_of(used, self._minimise(used, theta, watch))
            gain, theta = used.value(theta) - found.value, found.theta
            if max(gain, found.excess) <= SETTLED * wanted:
                return replace(found, excess=max(gain, found.excess))
        return None

    def _model(self, f: ReducedFunctional) -> Functional | None:
        """Return the model where corrections by it cost less than iterations on the mesh itself."""
        if METHODS[f.training.method].frozen or not f.training.max_iterations:
            return None
        if self.points is not None or self.coarse is None:
            return None if self.points is None else self.points.used
        own, other = (Discretisation.of_case(each.case) for each in (f, self.coarse))
        simplex = f.case.mesh.cell in SIMPLICES
        return self.coarse if own.work(simplex) >= PAYS_FROM * other.work(simplex) else None
