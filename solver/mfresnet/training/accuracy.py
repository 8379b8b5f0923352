# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Training to an accuracy that was asked for: cells and degree are found on the way.

It starts as coarse as the initial densities allow and trains no further there than J is worth. The
next mesh says what that is, and the order of the error what mesh the accuracy needs. There the
controls are corrected, see ``correction``, and two estimates of different kinds say whether it is
reached; where it is not, the error that they have found gives the next mesh.
"""

from __future__ import annotations

from mpi4py import MPI

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case, Population, resolve
from mfresnet.errors import InputError, SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.losses import LOSSES
from mfresnet.mesh import MESHES, Space
from mfresnet.optimise import METHODS, Iteration, OptimiseResult, Oracle, Status, minimise
from mfresnet.parallel import total
from mfresnet.training.correction import Corrected, Correction, directly, gains_less
from mfresnet.training.discretisation import GROWTH, ROUGH, Discretisation, Model, coarsest
from mfresnet.training.estimate import ObjectiveError, objective_error
from mfresnet.training.levels import Stage, best_start, stage_of
from mfresnet.training.result import PAYS, History, Trained

MODEL = 5e-3
"""Relative error of J above which that of a mesh is no model for that of another one."""
GOAL, ENOUGH = 0.4, 0.6
"""Share of the accuracy that a mesh is chosen for, and with which it is looked at."""
AIM = 0.1
"""Share of the accuracy that J may be above its least value."""
FIRST = 2e-3
"""Relative gain of J below which the first mesh is left."""
LITTLE = 1e-4
"""Share of J at first that is not worth an iteration before the last mesh."""
MODEL_FLOOR, FLOOR = 0.05, 0.01
"""Shares of J at first that an error is compared with where J has become smaller: for how good a
model is, and for the accuracy where J is a distance of densities, which goes to zero with the
square of their difference."""
GUESS = 0.05
"""Relative error of J that the first mesh is taken to have."""
LADDER = 8.0
"""How much smaller the error of a mesh is made than that of the mesh before, at most: curvatures
that differ by more are no model for each other."""
TINY = float(np.finfo(float).tiny)
HIDDEN = 0.1
"""Share of the square of the L2 norm of the initial densities that the first mesh may miss."""
SPREADS = 3.0
"""Least standard deviations of the samples of a class in a cell of the first mesh."""
MOST, FALLS, HOPELESS = 12, 0.9, 2
"""Most meshes, share of the error before that is no gain, and rough meshes without a gain."""


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
        assert case.accuracy is not None
        self.asked = case.accuracy
        self.case = resolve(case.with_({"accuracy": None}), population)
        self.population, self.comm = population, comm
        self._oracle, self._on_stage = oracle, on_stage
        self._history = History(on_iteration)
        self.stages: list[Stage] = []

    # ------------------------------------------------------------------ meshes
    def functional(self, at: Discretisation) -> ReducedFunctional:
        """Return J on a mesh."""
        return ReducedFunctional(at.of(self.case), self.comm, self.population)

    def first(self) -> Discretisation:
        """Return the coarsest mesh that sees the initial densities.

        Densities of samples: cells of a few of the least standard deviations. Others: by what
        their projections have of the squares of their norms, as the projections on cells of half
        the width have at least as much.
        """
        lower, upper = self.case.corners(self.population.extent)
        at = coarsest(self.case, tuple(upper - lower))
        if at.cells and self.population.dataset is not None:
            variances = self.population.dataset.moments.covariance().diagonal(0, 1, 2)
            widths = np.asarray(self.population.bandwidths)[:, None]
            spread = np.sqrt((variances + widths**2).min())
            ratio = np.max((upper - lower) / at.cells) / (SPREADS * spread)
            return self._allowed(at.refined(float(ratio)), at)
        while at.cells and self._hidden(at) > HIDDEN:
            following = self._allowed(at.refined(GROWTH), at)
            if following == at:
                break
            at = following
        return at

    def _hidden(self, at: Discretisation) -> float:
        """Return what the first mesh misses of the square of the norm of an initial density."""
        seen, all_ = (self._squares(d) for d in (at, at.refined(2.0)))
        return float(np.max(1.0 - seen / all_))

    def _squares(self, at: Discretisation) -> Array:
        """Return the squares of the L2 norms of the projections of the initial densities."""
        case = at.of(self.case)
        corners = case.corners(self.population.extent)
        mesh = MESHES[case.mesh.kind].make(self.comm, case.mesh, case.cells(), corners)
        space = Space(mesh, at.degree)
        f, _ = self.population.project(space)
        return total(self.comm, (f * f) @ space.mass)

    def _allowed(self, wanted: Discretisation, otherwise: Discretisation) -> Discretisation:
        most = self.case.mesh.max_cells
        return wanted if otherwise.count < wanted.count <= most else otherwise

    # ------------------------------------------------------------------ the way
    def run(self) -> Trained:
        """Train.

        Raises:
            InputError: the memory does not hold the first mesh.
            SolveError: J cannot be computed on any mesh.
        """
        goal, error, limit = GOAL * self.asked, GUESS, ""
        model, meshes = None, Model(self.case)
        at, f, found = self._start()
        estimate: ObjectiveError | None = None
        before: tuple[Discretisation, float] | None = None
        last, worthless = np.inf, 0  # the error of the mesh before, rough meshes without a gain
        for _ in range(MOST):
            step = max(goal, error / LADDER)
            following = meshes.choose(at, error, step)
            if following is None:
                limit = self._limit()
                break
            try:
                g = self.functional(following)
            except InputError as refusal:
                limit = str(refusal)  # the memory does not hold it
                break
            if estimate is None:
                error = self._difference(f, g, found.result.theta)
                worthless = worthless + 1 if error > max(ROUGH, FALLS * last) else 0
                if worthless == HOPELESS:
                    limit = PAYS
                    break
                last = error
                if before is not None:
                    meshes.learn(*before, at, error)
                self._announce(error)
            then = max(goal, meshes.predicted(at, error, following))
            if model is None and self._of_scale(error, f, found) <= MODEL:
                model = f  # the cheapest one that is good enough
            found = self._go_on(model, g, found.result.theta, error, then)
            before, at, f, error, estimate = (at, error), following, g, then, None
            if error <= ENOUGH * self.asked:
                estimate = self._estimate(f, found)
                error = estimate.relative
                meshes.learn(*before, at, error)
                self._announce(error)
                if estimate.reached or estimate.unknown:
                    break
        if estimate is None:
            estimate = self._estimate(f, found)
            self._announce(estimate.relative)
        return self._ended(f, found.result, estimate, limit)

    def _start(self) -> tuple[Discretisation, ReducedFunctional, Corrected]:
        """Return the first mesh on which J can be computed, J, and the controls there."""
        at = self.first()
        while True:
            f = self.functional(at)
            try:
                result = best_start(f, self.case.training.seeds or (None,), self._solve)
            except SolveError:
                following = self._allowed(at.refined(GROWTH), at) if at.cells else at
                if following == at:
                    raise
                at = following
            else:
                return at, f, Corrected.of(result)

    def _estimate(self, f: ReducedFunctional, found: Corrected) -> ObjectiveError:
        theta = found.result.theta
        return objective_error(f, theta, self.asked, self._scale(f, theta), found.left)

    def _of_scale(self, error: float, f: ReducedFunctional, found: Corrected) -> float:
        """Return a relative error of J over the scale of a model of it instead."""
        theta = found.result.theta
        value = max(abs(f.value(theta)), MODEL_FLOOR * self._first, TINY)
        return error * self._scale(f, theta) / value

    @property
    def _first(self) -> float:
        """The size of J at first."""
        return abs(self._history.rows[0].objective)

    def _scale(self, f: ReducedFunctional, theta: Array) -> float:
        """Return what an error of J is compared with."""
        least = FLOOR * self._first if LOSSES[self.case.loss.kind].cost is None else 0.0
        return max(abs(f.value(theta)), least, TINY)

    def _difference(self, f: ReducedFunctional, g: ReducedFunctional, theta: Array) -> float:
        """Return the relative error of J on a mesh as another one has it."""
        g.make_room(g.steps_for(theta))
        return abs(f.value(theta) - g.value(theta)) / self._scale(g, theta)

    def _go_on(
        self,
        model: ReducedFunctional | None,
        f: ReducedFunctional,
        theta: Array,
        error: float,
        then: float,
    ) -> Corrected:
        """Return the controls of the least J on the next mesh.

        Args:
            model: J on a coarser mesh that is a model for it, if there is one.
            f: J.
            theta: the controls of the mesh before.
            error: the relative error of J there.
            then: what it is expected to be.
        """
        start = time.perf_counter()
        aim = AIM * max(then, self.asked) * self._scale(f, theta)
        if then > ENOUGH * self.asked:
            aim = max(aim, LITTLE * self._first)
        if error <= ROUGH or f.value(theta) < f.value(f.theta0):
            f.start_from(f.controls.from_vector(theta))
        if model is None or METHODS[f.training.method].frozen or not f.training.max_iterations:
            found = directly(f, f.theta0, aim, self._oracle, self._history.add)
        else:
            found = Correction(f, model, aim, self._oracle, self._history.add).run(f.theta0)
        self._stage = stage_of(f, None, found.result, found.result.message, start)
        return found

    def _solve(self, f: ReducedFunctional, seed: int | None) -> OptimiseResult:
        """Minimise on a first mesh as far as it is worth it."""
        start = time.perf_counter()
        try:
            found = minimise(
                f,
                on_iteration=self._history.add,
                oracle=self._oracle,
                enough=gains_less(relative=FIRST, of_first=LITTLE),
            )
        except SolveError as error:
            self._stage = stage_of(f, seed, None, str(error), start)
            self._announce(None)
            raise
        self._stage = stage_of(f, seed, found, found.message, start)
        if seed is not None:
            self._announce(None)
        return found

    def _limit(self) -> str:
        """Return why there is no finer mesh."""
        mesh = self.case.mesh
        if MESHES[mesh.kind].grid:
            return (
                f"More than mesh.max_cells = {mesh.max_cells} cells would be needed. Raise "
                "mesh.max_cells or accuracy."
            )
        return f"{mesh.finer} or raise accuracy."

    # ------------------------------------------------------------------ what is told
    def _announce(self, error: float | None) -> None:
        """Keep the last stage with its error."""
        stage = replace(self._stage, error=error)
        self._history.end_stage()
        self.stages.append(stage)
        if self._on_stage is not None:
            self._on_stage(stage)

    def _ended(
        self, f: ReducedFunctional, result: OptimiseResult, error: ObjectiveError, limit: str
    ) -> Trained:
        if result.status is not Status.ITERATIONS:
            status = Status.ACCURATE if error.reached else Status.INACCURATE
            result = replace(result, status=status)
        result = replace(result, history=tuple(self._history.rows))
        return Trained(f, result, tuple(self.stages), error, limit)
