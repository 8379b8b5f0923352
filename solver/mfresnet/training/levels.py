# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Training over levels from coarse to fine, and from several random starts.

Every level has its own mesh and number of layers. The controls of a level start the next one,
prolonged in depth so that the velocity is the same. The starts compete on the coarsest level.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mfresnet.case import Case, LevelSection
from mfresnet.errors import SolveError
from mfresnet.functional import ParticleFunctional, ReducedFunctional
from mfresnet.mesh import MESHES
from mfresnet.network import Controls, prolong
from mfresnet.optimise import Iteration, OptimiseResult, Oracle, minimise

ROUGHLY = 1e-3
"""Norm of the gradient down to which a level that nobody asked for is trained."""
OnIteration = Callable[[Iteration], None]


@dataclass(frozen=True)
class Stage:
    """One minimisation on the way.

    Attributes:
        cells: cells per direction, those of the case where the mesh is read from a file; none where
            there were points in place of a mesh.
        degree: that of the space.
        layers: number of layers.
        seed: that of the random start, None where there is a single start.
        status: name of the status; ``failed`` where J could not be computed at the start.
        message: why it stopped.
        objective: J at the end.
        gradient_norm: its L2(0, T) norm at the end.
        iterations: number of iterations.
        forward_sweeps: number of forward sweeps.
        adjoint_sweeps: number of backward sweeps.
        hessian_actions: number of Hessian actions.
        seconds: time for all of it.
        error: the relative error of J on this level, where it was estimated.
        points: number of points in place of a mesh.
        first: the number of its first iterate in the history of a training to an accuracy, None
            where it made none.
    """

    cells: tuple[int, ...]
    degree: int
    layers: int
    seed: int | None
    status: str
    message: str
    objective: float | None
    gradient_norm: float | None
    iterations: int
    forward_sweeps: int
    adjoint_sweeps: int
    hessian_actions: int
    seconds: float
    error: float | None = None
    points: int | None = None
    first: int | None = None

    @property
    def place(self) -> str:
        """Points or cells in words."""
        cells = " x ".join(map(str, self.cells))
        return f"{self.points} points" if self.points else f"{cells} cells of degree {self.degree}"

    def sentence(self) -> str:
        """Return one line for the user."""
        start = "" if self.seed is None else f", seed {self.seed}"
        found = "failed" if self.objective is None else f"J = {self.objective:.10g}"
        if self.objective is not None and self.error is not None:
            found = f"J = {self.objective:.6g}, relative error {self.error:.1e},"
        return (
            f"{self.place}, {self.layers} layers{start}: {found} after "
            f"{self.iterations} iterations, {self.seconds:.2g} s. {self.message}"
        )


def train(
    functional: ReducedFunctional,
    *,
    on_iteration: OnIteration | None = None,
    oracle: Oracle | None = None,
    on_stage: Callable[[Stage], None] | None = None,
    found: Controls | None = None,
) -> tuple[OptimiseResult, tuple[Stage, ...]]:
    """Minimise J as [training] says: over its levels, and from each of its seeds.

    Args:
        functional: J on the finest level; it ends with the initial controls of the best start.
        found: controls that the first level starts from in place of those of the case.
        on_iteration: called after every iteration of every stage, on all ranks.
        oracle: what answers for J.
        on_stage: called after every stage, on all ranks.

    Returns:
        The result on the finest level, and all stages in their order.

    Raises:
        SolveError: J cannot be computed at any start.

    Parallel: collective.
    """
    case, stages = functional.case, []

    def solve(f: ReducedFunctional, seed: int | None) -> OptimiseResult:
        start = time.perf_counter()
        try:
            result = minimise(f, on_iteration=on_iteration, oracle=oracle)
        except SolveError as error:
            keep(stage_of(f, seed, None, str(error), start))
            raise
        keep(stage_of(f, seed, result, result.message, start))
        return result

    def keep(stage: Stage) -> None:
        stages.append(stage)
        if on_stage is not None:
            on_stage(stage)

    controls = found
    result: OptimiseResult | None = None
    seeds: Sequence[int | None] = case.training.seeds or (None,)
    given = coarser(case) if case.training.levels == "auto" else case.training.levels or ()
    levels = [at_level(case, level) for level in given]
    for level in [*levels, case]:
        f = functional
        if level is not case:
            f = ReducedFunctional(level, functional.comm, functional.population)
        if controls is not None:
            f.start_from(prolong(controls, f.controls.layers))
            result = solve(f, None)
        else:
            result = best_start(f, seeds, solve)
        controls = f.controls.from_vector(result.theta)
    assert result is not None
    return result, tuple(stages)


def coarser(case: Case) -> list[LevelSection]:
    """Return a level with half the cells a direction, trained roughly, where the mesh is a box."""
    cells = [-(-n // 2) for n in case.cells()] if MESHES[case.mesh.kind].grid else []
    if not cells:
        return []
    rough = max(ROUGHLY, case.training.gradient_tolerance)
    return [LevelSection(cells=cells, layers=case.network.layers, gradient_tolerance=rough)]


def at_level(case: Case, level: LevelSection) -> Case:
    """Return the case on a level, with its time steps over all of the depth."""
    tolerance, steps = level.gradient_tolerance, case.time.steps_per_layer
    changes: dict[str, dict[str, Any]] = {
        "mesh": {"cells": level.cells},
        "network": {"layers": level.layers},
        "training": {"levels": None, "seeds": None},
    }
    if tolerance is not None:
        changes["training"]["gradient_tolerance"] = tolerance
    if steps is not None:
        changes["time"] = {"steps_per_layer": -(-steps * case.network.layers // level.layers)}
    return case.with_(changes)


def best_start(
    f: ReducedFunctional,
    seeds: Sequence[int | None],
    solve: Callable[[ReducedFunctional, int | None], OptimiseResult],
) -> OptimiseResult:
    """Return the result of the seed with the least J, and leave ``f`` as it was there.

    Args:
        f: J.
        seeds: those of the starts; None is the start of the case.
        solve: (J, seed) -> the result from there.

    Raises:
        SolveError: J cannot be computed at any start.
    """
    found, failure = [], None
    for seed in seeds:
        if seed is not None:
            f.start_from(f.problem.initial_controls(seed))
        try:
            result = solve(f, seed)
        except SolveError as error:
            if seed is None:
                raise
            failure = error
        else:
            found.append((result, f.controls.initial, f.steps_per_layer))
    if not found:
        assert failure is not None
        raise failure
    result, initial, steps = min(found, key=lambda entry: entry[0].value)
    if len(seeds) > 1:
        f.start_from(initial)
        f.set_steps(steps)
    return result


def stage_of(
    f: ReducedFunctional | ParticleFunctional,
    seed: int | None,
    result: OptimiseResult | None,
    message: str,
    start: float,
) -> Stage:
    """Return what a minimisation that began at ``start``, by ``time.perf_counter``, has found."""
    points = f.n_samples if isinstance(f, ParticleFunctional) else None
    return Stage(
        cells=() if points else tuple(f.case.cells()),
        degree=f.case.space.degree,
        layers=f.controls.layers,
        seed=seed,
        status="failed" if result is None else result.status.name.lower(),
        message=message,
        objective=None if result is None else result.value,
        gradient_norm=None if result is None else result.gradient_norm,
        iterations=0 if result is None else result.iterations,
        forward_sweeps=f.forward_sweeps,
        adjoint_sweeps=f.adjoint_sweeps,
        hessian_actions=f.hessian_actions,
        seconds=time.perf_counter() - start,
        points=points,
    )
