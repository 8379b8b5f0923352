# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What the sweeps of a case do, counted, and what that takes on a machine."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mfresnet.functional import ReducedFunctional
from mfresnet.mesh import CELLS
from mfresnet.parallel import maximum, total
from mfresnet.training.costs.machine import Machine, Pass, Rate
from mfresnet.transport import FusedTransport

MOVED = 80.0, 136.0
"""Bytes a degree of freedom that a stage and its transpose move, where no kernel says it."""
SURFACE = {
    "interval": 2.0, "triangle": 2.83, "quadrilateral": 4.0, "tetrahedron": 3.63, "hexahedron": 6.0
}  # fmt: skip
"""Facets of a compact part of n cells over n^(1 - 1/d)."""
UNEVEN = 1.04
"""Cells of the largest part of a mesh over the mean, see docs/scaling.md."""


@dataclass(frozen=True)
class Work:
    """What J and its derivative do, over all ranks.

    Attributes:
        operator: the row of ``OPERATORS``.
        cell: the cell type.
        degree: of the elements.
        cells: number of cells.
        dofs: degrees of freedom of a class.
        classes: number of classes.
        layers: number of layers.
        steps: time steps in a layer.
        stages: stages of a step.
        points: where velocities are evaluated.
        units: hidden units of a layer.
        batches: calls in which the velocities of all layers are made, on one rank.
        limited: whether a limiter acts.
        repeated: forward sweeps of a derivative, more than one with checkpoints.
        moved: bytes a degree of freedom that a stage and its transpose move.
        facet_points: points of a facet.
        held: bytes of stages and checkpoints.
        memory: the largest resident memory of all ranks, in bytes.
        ranks: on how many ranks this was counted.
    """

    operator: str
    cell: str
    degree: int
    cells: int
    dofs: int
    classes: int
    layers: int
    steps: int
    stages: int
    points: int
    units: int
    batches: int
    limited: bool
    repeated: float
    moved: tuple[float, float]
    facet_points: int
    held: int
    memory: int
    ranks: int

    @staticmethod
    def of(functional: ReducedFunctional) -> Work:
        """Count the work of J. Parallel: collective."""
        case, problem, plan = functional.case, functional.problem, functional.plan
        space, transport = problem.space, problem.transport
        comm, d = functional.comm, space.dimension
        classes, layers = len(problem.f0), functional.controls.layers
        moved = transport.bytes_moved(classes) if isinstance(transport, FusedTransport) else MOVED
        counts = [transport.points.shape[1], space.n_owned_cells]
        points, cells = (int(n) for n in total(comm, counts))
        return Work(
            operator=case.resources.operator,
            cell=space.cell,
            degree=space.degree,
            cells=cells,
            dofs=space.n_global,
            classes=classes,
            layers=layers,
            steps=functional.steps_per_layer,
            stages=functional.scheme.stages,
            points=points,
            units=case.network.width or d,
            batches=int(maximum(comm, functional.sweep.layers.calls)[0]),
            limited=case.time.limiter != "none",
            repeated=plan.recompute_factor,
            moved=moved,
            facet_points=(space.degree + 1) ** (d - 1),
            held=plan.memory,
            memory=functional.predicted_memory,
            ranks=comm.size,
        )

    def share(self, ranks: int) -> float:
        """Return the share of the largest of so many parts in the cells."""
        return 1.0 if ranks == 1 else min(1.0, UNEVEN / ranks + 1.0 / self.cells)

    def halo_bytes(self, ranks: int) -> float:
        """Return what the largest part sends in a stage: as much as a compact one."""
        if ranks == 1:
            return 0.0
        d, cells = CELLS[self.cell], self.share(ranks) * self.cells
        facets = SURFACE[self.cell] * cells ** (1.0 - 1.0 / d) * min(1.0, (ranks - 1) / (2 * d))
        return 8.0 * self.classes * self.facet_points * max(1.0, facets)


def features(work: Work, ranks: int = 1) -> tuple[float, ...]:
    """Return how often a rank does what the fields of ``Pass`` are the seconds of."""
    points = work.share(ranks) * work.points * work.layers
    calls = work.layers * work.steps * work.stages * work.limited
    dofs = calls * work.classes * work.share(ranks) * work.dofs
    components = CELLS[work.cell] * points
    return (
        components,
        work.units * points,
        max(1.0, work.share(ranks) * work.batches),
        work.layers,
        1.0,
        calls,
        dofs,
    )


def stage_seconds(work: Work, machine: Machine, ranks: int = 1) -> tuple[float, float]:
    """Return the seconds of all stages, forward and back, without messages.

    In cache at the rate of the element. What the caches do not hold comes from memory: a share of
    what a stage moves that goes with its size, and at least the stages that are kept.
    """
    rate: Rate = machine.rate(work.operator, work.cell, work.degree)
    dofs = work.classes * work.share(ranks) * work.dofs
    count = dofs * work.layers * work.steps * work.stages
    found, byte = [], machine.beyond[max(2, CELLS[work.cell])]
    for each, moved in zip((rate.stage, rate.transpose), work.moved, strict=True):
        beyond = moved * min(1.0, work.classes * work.dofs * moved / machine.cache)
        kept = 8.0 if work.held > machine.cache else 0.0
        found.append(count * (each + byte * max(beyond, kept)))
    return found[0], found[1]


def pass_seconds(work: Work, each: Pass, ranks: int = 1) -> float:
    """Return the seconds of all that is no stage in a forward or a backward sweep."""
    values = each.model_dump().values()
    return math.fsum(n * s for n, s in zip(features(work, ranks), values, strict=True))
