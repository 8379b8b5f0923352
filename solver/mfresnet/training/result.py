# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a training has found, and its iterates on all meshes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from mfresnet.functional import ParticleFunctional, ReducedFunctional
from mfresnet.optimise import Iteration, OptimiseResult, Status
from mfresnet.training.estimate import ObjectiveError
from mfresnet.training.levels import Stage, stage_of

PAYS = (
    "The training finds controls whose J is far too small on every mesh: undershoots of densities "
    "that are pressed below the cells pay. Raise penalty.tikhonov, set bounds by "
    "training.lower and training.upper, or take narrower mesh.cells instead of accuracy."
)
"""Why there is no finer mesh where J is worthless on all."""

STUCK = (
    "The mesh is fine enough, but the optimiser does not come nearer to the least J. Raise "
    "training.max_iterations or accuracy, or take another training.method."
)
"""Why no finer mesh is taken where J is right and not least."""


@dataclass(frozen=True)
class Trained:
    """What a training has found.

    Attributes:
        functional: J on the last mesh.
        result: the controls; the history is that of all meshes on the way to an accuracy, of the
            last one else.
        stages: what was done on the way.
        error: J +- error; None where no accuracy was asked for, or J is known by points alone.
        limit: why there is no finer mesh, empty where none is needed.
    """

    functional: ReducedFunctional
    result: OptimiseResult
    stages: tuple[Stage, ...]
    error: ObjectiveError | None = None
    limit: str = ""

    def refusal(self) -> str:
        """Return why a training has not converged, or not reached the accuracy asked for."""
        error = self.error
        if error is None:
            return self.limit or self.result.message
        if not self.result.converged and self.result.status is not Status.INACCURATE:
            return self.result.message
        if error.unknown:
            return f"accuracy: nobody can tell. {error.sentence()}"
        if self.limit == STUCK:
            return (
                f"accuracy: J is right to {error.relative:.1e}, but how far it is from its least "
                f"value is not known to {error.asked:.1e}. {self.limit}"
            )
        return (
            f"accuracy: not reached; got a relative error of J of {error.worst:.1e}, expected at "
            f"most {error.asked:.1e}. {self.limit or 'Raise accuracy.'}"
        )


class History:
    """The iterates on all meshes, one after the other, and the stages.

    Attributes:
        rows: the iterates.
        stages: the stages that have ended.
    """

    def __init__(
        self,
        on_iteration: Callable[[Iteration], None] | None,
        on_stage: Callable[[Stage], None] | None,
    ) -> None:
        """Begin with none."""
        self.rows: list[Iteration] = []
        self.stages: list[Stage] = []
        self._on_iteration, self._on_stage = on_iteration, on_stage
        self._start = time.perf_counter()
        self.begin()
        self._before = self._last = (0, 0, 0)

    def add(self, row: Iteration) -> None:
        """Add one, numbered on."""
        own = row.forward_sweeps, row.adjoint_sweeps, row.hessian_actions
        self._last = own
        forward, adjoint, actions = (a + b for a, b in zip(self._before, own, strict=True))
        row = replace(
            row,
            iteration=len(self.rows),
            forward_sweeps=forward,
            adjoint_sweeps=adjoint,
            hessian_actions=actions,
            seconds=time.perf_counter() - self._start,
        )
        self.rows.append(row)
        if self._on_iteration is not None:
            self._on_iteration(row)

    def begin(self) -> None:
        """Begin a stage."""
        self._since, self._rows = time.perf_counter(), len(self.rows)

    def end(
        self,
        f: ReducedFunctional | ParticleFunctional,
        result: OptimiseResult | None,
        error: float | None,
        seed: int | None = None,
        message: str = "",
    ) -> None:
        """End a stage.

        Args:
            f: J.
            result: what was found, None where J could not be computed.
            error: the relative error of J, where it was estimated.
            seed: that of the random start, where there are several.
            message: why J could not be computed.
        """
        said = message if result is None else result.message
        stage = stage_of(f, seed, result, said, self._since)
        iterations = max(len(self.rows) - self._rows - 1, 0)
        first = self._rows if len(self.rows) > self._rows else None
        self.stages.append(replace(stage, error=error, iterations=iterations, first=first))
        # the sweeps of the next mesh are counted on top of those that were made
        before, last = self._before, self._last
        self._before = (before[0] + last[0], before[1] + last[1], before[2] + last[2])
        self._last = (0, 0, 0)
        if self._on_stage is not None:
            self._on_stage(self.stages[-1])
