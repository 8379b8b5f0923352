# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Training to an accuracy that was asked for: cells and degree are found on the way.

J by points is minimised first, where there is one, see ``points``. The first mesh is as coarse as
the initial densities allow. J of the same controls on the next mesh says how far J on this one is
off, and the order of the error says what mesh the accuracy needs. There the controls are corrected,
see ``minimisation``, and two estimates of different kinds say whether the accuracy is reached;
where it is not, the error that they have found gives the next mesh.
"""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case, Population, resolve
from mfresnet.errors import InputError, SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.losses import LOSSES
from mfresnet.mesh import MESHES
from mfresnet.network import Controls
from mfresnet.optimise import Iteration, OptimiseResult, Oracle, Status
from mfresnet.training.discretisation import (
    GROWTH,
    ROUGH,
    WITH_JUMPS,
    Discretisation,
    Model,
    orders,
)
from mfresnet.training.estimate import ObjectiveError, objective_error
from mfresnet.training.first_mesh import first_mesh, in_box, narrower, no_finer
from mfresnet.training.levels import Stage
from mfresnet.training.minimisation import Minimisation
from mfresnet.training.result import PAYS, STUCK, History, Trained
from mfresnet.training.watch import value_of

MODEL = 1e-2
"""Relative error of J above which that of a mesh is no model for that of another one."""
GOAL, ENOUGH, MEASURED = 0.3, 0.5, 0.8
"""Share of the accuracy that a mesh is chosen for, and those with which its error is estimated in
two ways: an expected one, and one that the next mesh has."""
AIM, LAST_AIM = 0.1, 0.25
"""Shares of the error of a mesh, and of the accuracy on the last one, that J may be above its least
value."""
LITTLE = 1e-4
"""Share of J at first that is not worth an iteration before the last mesh."""
MODEL_FLOOR = 0.05
"""Share of J at first that an error is compared with where J has become smaller, for how good a
model is."""
GUESS = 0.05
"""Relative error of J that the first mesh is taken to have."""
LADDER = 20.0
"""How much smaller the error of a mesh is made than that of the mesh before, at most: curvatures
that differ by more are no model for each other."""
TINY = float(np.finfo(float).tiny)
HIDDEN = 0.9
"""Relative error of J on a mesh where the next one has no J, as its densities have undershoots."""
CHEAPER = 0.6
"""Share of the work of the next mesh below which another one is made."""
MOST, FALLS, HOPELESS = 12, 0.9, 2
"""Most meshes, share of the error before that is no gain, and rough meshes without a gain."""
Ahead = tuple[Discretisation, ReducedFunctional]


class AccuracySearch:
    """One training to an accuracy.

    Parallel: collective.
    """

    def __init__(
        self,
        case: Case,
        population: Population,
        comm: MPI.Intracomm,
        oracle: Oracle,
        on_iteration: Callable[[Iteration], None] | None,
        on_stage: Callable[[Stage], None] | None,
    ) -> None:
        """Fill the case in."""
        asked = case.wanted_accuracy()
        assert asked is not None
        self.asked, self._small = asked.relative, asked.absolute / asked.relative
        self.case = resolve(case, population)
        given = case.mesh.lower is not None or case.mesh.upper is not None
        self._own_box = MESHES[case.mesh.kind].grid and not given
        self.population, self.comm = population, comm
        self._history = History(on_iteration, on_stage)
        self._minimisation = Minimisation(oracle, self._history)
        smooth = not any(c.density is not None and c.density.jumps for c in self.case.classes)
        self._meshes = Model(self.case) if smooth else Model(self.case, WITH_JUMPS)
        self._limit = ""

    def run(self) -> Trained:
        """Train.

        Raises:
            InputError: the memory does not hold the first mesh.
            SolveError: J cannot be computed on any mesh.
        """
        try:
            return self._run()
        finally:
            self._minimisation.forget()

    def _run(self) -> Trained:
        at = first_mesh(self.case, self.population, self.comm)
        f, expected, error = self.functional(at), GUESS, np.inf
        pointwise = self._minimisation.by_points(f)
        if pointwise:
            at, f = self._where_mass_goes(self._minimisation.paths, f.controls.initial)
        before: tuple[Discretisation, float] | None = None
        worthless = 0  # rough meshes without a gain
        for _ in range(MOST):
            self._history.begin()
            ahead = None if expected <= ENOUGH * self.asked else self._ahead(at, expected)
            estimate = None
            try:
                result = self._train(f, expected, ahead)
            except SolveError as failure:
                following = self._finer_than(at)
                if following is None:
                    return self._without_mesh(f, failure)
                start = f.controls.initial
                at, f = following, self.functional(following)
                f.start_from(start)
                continue
            if ahead is not None:
                error = self._difference(f, ahead[1], result.theta)
            if ahead is None or error <= MEASURED * self.asked:
                if ahead is not None:
                    f.start_from(f.controls.from_vector(result.theta))
                    result = self._train(f, self.asked, None)
                estimate = self._estimate(f, result)
                error = estimate.relative
            self._history.end(f, result, error)
            drawn = self._minimisation.drawn / self._scale(f.value(result.theta))
            if before is not None:
                self._meshes.learn(*before, at, error)
            if estimate is not None:
                if estimate.reached or estimate.unknown or self._limit:
                    break
                if not drawn and error <= self.asked:
                    self._limit = STUCK
                    break
                ahead = self._ahead(at, max(error, drawn))
            last = np.inf if before is None else before[1]
            nothing = error > max(ROUGH, FALLS * last) or drawn > ROUGH
            worthless = worthless + 1 if nothing else 0
            if worthless == HOPELESS:
                self._limit = PAYS
            if ahead is None or self._limit:
                break
            self._become_model(f, result.theta, error)
            before = at, error
            ahead = self._cheaper(at, max(error, drawn), ahead)
            expected = max(GOAL * self.asked, self._meshes.predicted(at, error, ahead[0]))
            alone = pointwise or error <= ROUGH
            self._start(ahead[1], (result.theta,) if alone else (result.theta, f.theta0))
            at, f = ahead
        if estimate is None:
            estimate = self._estimate(f, result)
        return self._ended(f, result, estimate)

    # ------------------------------------------------------------------ meshes
    def functional(self, at: Discretisation) -> ReducedFunctional:
        """Return J on a mesh."""
        return ReducedFunctional(at.of(self.case), self.comm, self.population)

    def _where_mass_goes(self, paths: Array, initial: Controls) -> Ahead:
        """Return the first mesh for trained controls, in a box that holds the mass, and J there.

        Trained controls make densities of more structure: the degree is one more, not in space.

        Args:
            paths: the least and the greatest coordinates on the paths of the points, (2, d).
            initial: the initial controls.
        """
        if self._own_box:
            self.case = in_box(self.case, self.population.extent, paths)
        at = first_mesh(self.case, self.population, self.comm)
        higher = at.with_degree(at.degree + 1)
        if 0 < len(higher.cells) < 3 and higher.degree in orders(self.case):
            at = higher
        f = self.functional(at)
        f.start_from(initial)
        return at, f

    def _finer_than(self, at: Discretisation) -> Discretisation | None:
        """Return a mesh with smaller undershoots: narrower cells, else a lower degree."""
        if (following := narrower(self.case, at, GROWTH)) != at:
            return following
        return at.with_degree(at.degree - 1) if at.degree > 1 else None

    def _without_mesh(self, f: ReducedFunctional, failure: SolveError) -> Trained:
        """Return the least J by points of a table, or fail as no mesh has a J at these controls."""
        if (least := self._minimisation.by_points_alone) is None:
            raise failure
        return Trained(f, least, tuple(self._history.stages), None, str(failure))

    def _following(self, at: Discretisation, error: float) -> Discretisation | None:
        return self._meshes.choose(at, error, max(GOAL * self.asked, error / LADDER))

    def _ahead(self, at: Discretisation, error: float) -> Ahead | None:
        """Return the next mesh and J there; None, with the reason kept, where there is none."""
        following = self._following(at, error)
        if following is None:
            self._limit = no_finer(self.case)
            return None
        try:
            return following, self.functional(following)
        except InputError as refusal:
            self._limit = str(refusal)  # the memory does not hold it
            return None

    def _cheaper(self, at: Discretisation, error: float, ahead: Ahead) -> Ahead:
        """Return the next mesh, another one where the error that was found needs much less."""
        following = self._following(at, error)
        simplex = self._meshes.simplex
        if following is None or following.work(simplex) > CHEAPER * ahead[0].work(simplex):
            return ahead
        return following, self.functional(following)

    def _become_model(self, f: ReducedFunctional, theta: Array, error: float) -> None:
        """Keep J on a mesh as a model for finer ones where it is the first that is good enough."""
        value = max(abs(f.value(theta)), MODEL_FLOOR * self._first, TINY)
        if error * self._scale(f.value(theta)) / value <= MODEL:
            self._minimisation.keep(f)

    def _start(self, f: ReducedFunctional, found: tuple[Array, ...]) -> None:
        """Start on a mesh with the controls found before, the best of them and those of the case.

        Args:
            f: J on the mesh.
            found: the controls; where they are alone they are taken.
        """
        candidates = found if len(found) == 1 else (*found, f.theta0)
        best = min(candidates, key=lambda theta: value_of(f, theta))
        f.start_from(f.controls.from_vector(best))

    # ------------------------------------------------------------------ the size of J
    @property
    def _first(self) -> float:
        """The size of J at first."""
        return abs(self._history.rows[0].objective)

    def _scale(self, value: float) -> float:
        """Return what an error of J is compared with: |J|.

        Where J is the square D^2 of a distance of densities, an error e of D is one of 2 D e of J,
        and the accuracy is that of D, relative to D at first.
        """
        at_first, size = max(self._first, abs(value)), abs(value)
        if LOSSES[self.case.loss.kind].cost is None:
            size = max(2.0 * float(np.sqrt(size * at_first)), self.asked * at_first)
        return max(size, self._small, TINY)

    def _difference(self, f: ReducedFunctional, g: ReducedFunctional, theta: Array) -> float:
        """Return the relative error of J on a mesh by another one, ``HIDDEN`` without a J there."""
        try:
            g.make_room(g.steps_for(theta))
            value = g.value(theta)
        except SolveError:
            return HIDDEN
        return abs(f.value(theta) - value) / self._scale(value)

    def _estimate(self, f: ReducedFunctional, result: OptimiseResult) -> ObjectiveError:
        theta = result.theta
        scale = self._scale(f.value(theta))
        trained = result.status is Status.CONVERGED
        return objective_error(f, theta, self.asked, scale, result.excess, trained=trained)

    def _train(self, f: ReducedFunctional, expected: float, ahead: Ahead | None) -> OptimiseResult:
        """Minimise J as far as the expected error is worth it."""

        def aim(value: float) -> float:
            if ahead is None:
                return LAST_AIM * self.asked * self._scale(value)
            return max(AIM * max(expected, self.asked) * self._scale(value), LITTLE * self._first)

        return self._minimisation.minimise(f, aim, None if ahead is None else ahead[1])

    def _ended(
        self, f: ReducedFunctional, result: OptimiseResult, error: ObjectiveError
    ) -> Trained:
        if result.status is not Status.ITERATIONS:
            status = Status.ACCURATE if error.reached else Status.INACCURATE
            result = replace(result, status=status)
        result = replace(result, history=tuple(self._history.rows))
        return Trained(f, result, tuple(self._history.stages), error, self._limit)
