# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Cells and degree of a mesh as a choice: what they cost, and how right they will be.

Smooth densities and a functional of them with the adjoint of the discrete equation: the error of J
falls as that of a quadrature does, by the order 2 p + 1 in the width of the cells,

    error(h, p) = (h / l)^(2 p + 1)

with one length l, that of the densities, which one measured error gives. Where densities have jumps
or kinks it falls by a lower order, which two measured errors give, whatever the degree. The work of
a sweep is that of its degrees of freedom times its stages, which the CFL condition makes 2 p + 1 a
cell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mfresnet.case import Case
from mfresnet.mesh import MESHES, SIMPLICES
from mfresnet.network import SCHEMES

DEGREES = (1, 2, 3, 4)
"""What is chosen from; above it an operator costs more than it gives."""
COARSENING = 0.8
"""With a higher degree the cells may become wider by this factor and no more."""
SMALLEST = 1.15
"""Smallest refinement at the same degree."""
FINEST = 2.0
"""Largest step from one mesh to the next: the model holds near what was measured."""
FEWEST = {1: 16, 2: 8, 3: 6}
"""Dimension -> cells along the longest side of the first mesh."""
GROWTH = 1.5
ROUGH = 0.1
"""Relative error of J above which a mesh does not see the densities: its controls may be worse than
the initial ones, and its error says nothing of the order."""
WITH_JUMPS = 2.0
"""The order that densities with jumps or kinks are taken to have at first."""
MISSED, TWICE, LEAST = 3.0, 2, 1.0
"""Times the predicted error that shows a lower order, how often it has to, and the lowest order."""


@dataclass(frozen=True)
class Discretisation:
    """Cells per direction, none where the mesh is read from a file, and the degree."""

    cells: tuple[int, ...]
    degree: int

    @staticmethod
    def of_case(case: Case) -> Discretisation:
        """Return that of a case."""
        cells = tuple(case.cells()) if MESHES[case.mesh.kind].grid else ()
        return Discretisation(cells, case.space.degree)

    @property
    def count(self) -> int:
        """Number of boxes."""
        return math.prod(self.cells)

    def work(self, simplex: bool) -> float:
        """Return the work of a sweep, in any unit."""
        d, p = max(len(self.cells), 1), self.degree
        return self.points(simplex) ** d * (2 * p + 1) * self.count ** (1.0 / d)

    def points(self, simplex: bool) -> float:
        """Return the number of degrees of freedom a direction."""
        d, p = max(len(self.cells), 1), self.degree
        dofs = math.comb(p + d, d) if simplex else (p + 1) ** d
        return float((self.count * dofs) ** (1.0 / d))

    def refined(self, ratio: float) -> Discretisation:
        """Return cells that are narrower by a ratio."""
        cells = tuple(max(2, math.ceil(ratio * n - 1e-9)) for n in self.cells)
        return Discretisation(cells, self.degree)

    def with_degree(self, degree: int) -> Discretisation:
        """Return another degree on the same cells."""
        return Discretisation(self.cells, degree)

    def of(self, case: Case) -> Case:
        """Return the case with them."""
        changes: dict[str, Any] = {"accuracy": None, "space": {"degree": self.degree}}
        if self.cells:
            changes["mesh"] = {"cells": list(self.cells)}
        if self.degree not in SCHEMES[case.time.order].cfl:
            changes["time"] = {"order": orders(case)[self.degree]}
        return case.with_(changes)


def orders(case: Case) -> dict[int, int]:
    """Return degree -> order in depth: that of the case, or the least one above it that is stable.

    With a number of stages in the case it is that of the case.
    """
    given = case.time
    allowed = [o for o in SCHEMES if o == given.order or (o > given.order and given.stages is None)]
    stable = {p: [o for o in allowed if p in SCHEMES[o].cfl] for p in DEGREES}
    return {p: min(found) for p, found in stable.items() if found}


def coarsest(case: Case, sides: tuple[float, ...]) -> Discretisation:
    """Return the first mesh of a box with these sides: few cells, about as long as wide."""
    if not MESHES[case.mesh.kind].grid:
        return Discretisation((), 1)
    most = FEWEST[len(sides)]
    cells = tuple(max(2, math.ceil(most * side / max(sides))) for side in sides)
    return Discretisation(cells, min(max(1, case.space.degree), max(orders(case))))


@dataclass
class Model:
    """The order of the error, with what has been measured.

    Attributes:
        case: the case, with mesh.max_cells.
        order: the order where it is not 2 p + 1, as for densities that are not smooth.
        in_doubt: whether the last error was no smaller than the one before, which two errors of
            unlike sign have too, or showed a lower order: the next step is a small one.
        misses: how many errors one after the other have shown a lower order.
    """

    case: Case
    order: float = math.inf
    in_doubt: bool = False
    misses: int = 0

    def rate(self, degree: int) -> float:
        """Return the order by which the error falls with narrower cells."""
        return min(2.0 * degree + 1.0, self.order)

    def learn(self, at: Discretisation, error: float, other: Discretisation, found: float) -> None:
        """Take over the order that the errors of two meshes have.

        Where they are as small as smooth densities let one expect, the order is 2 p + 1. A lower
        one has to be seen twice. Errors of meshes that are too coarse to see the densities say
        nothing. Where the error has not become smaller at all, the least order is taken.
        """
        self.in_doubt = found >= error
        if found <= MISSED * replace(self, order=math.inf).predicted(at, error, other):
            self.order, self.misses = math.inf, 0
        elif max(error, found) <= ROUGH:
            self.misses += 1
            if self.misses < TWICE and not self.in_doubt:
                return
            ratio = other.points(self.simplex) / at.points(self.simplex)
            order = math.log(max(error / found, 1.0)) / math.log(ratio) if ratio > 1.0 else LEAST
            self.in_doubt = True
            self.order = max(order, LEAST)

    @property
    def simplex(self) -> bool:
        """Whether the cells are simplices."""
        return self.case.mesh.cell in SIMPLICES

    def width(self, at: Discretisation, error: float) -> float:
        """Return h / l."""
        return min(max(error, 1e-14), 0.9) ** (1.0 / self.rate(at.degree))

    def predicted(self, at: Discretisation, error: float, other: Discretisation) -> float:
        """Return the relative error of J on another mesh."""
        ratio = (other.count / at.count) ** (1.0 / max(len(at.cells), 1))
        return float((self.width(at, error) / ratio) ** self.rate(other.degree))

    def choose(self, at: Discretisation, error: float, goal: float) -> Discretisation | None:
        """Return the cheapest discretisation whose error is at most a goal.

        Args:
            at: a discretisation.
            error: the relative error of J there.
            goal: the relative error that is wanted.

        Returns:
            A discretisation that does more work than ``at``; None where mesh.max_cells, or the
            degree on a mesh of a file, does not allow any.
        """
        allowed = [
            d
            for d in self._candidates(at, error, goal)
            if d.count <= self.case.mesh.max_cells and d.work(self.simplex) > at.work(self.simplex)
        ]
        return min(allowed, key=lambda d: d.work(self.simplex)) if allowed else None

    def _candidates(
        self, at: Discretisation, error: float, goal: float
    ) -> Iterator[Discretisation]:
        width, stable = self.width(at, error), orders(self.case)
        for degree in (p for p in DEGREES if p >= at.degree and p in stable):
            if degree > at.degree and self.rate(degree) == self.rate(at.degree):
                continue  # no gain
            ratio = width / goal ** (1.0 / self.rate(degree))
            if at.cells:
                least = COARSENING if degree > at.degree else SMALLEST
                most = GROWTH if self.in_doubt else FINEST
                yield at.with_degree(degree).refined(min(max(ratio, least), most))
            elif ratio <= 1.0 or degree == DEGREES[-1]:
                yield at.with_degree(degree)
