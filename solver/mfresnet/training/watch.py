# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""When a minimisation on a mesh that may be worth little stops.

J on a coarse mesh may fall where the true one rises: densities that are pressed below the cells
have undershoots, and these pay. So J of the best controls so far is looked at in another way too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import InputError, SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import Functional, OptimiseResult, Oracle, Search, Status

EVERY, FALL, RISE = 4, 0.01, 0.02
"""Least iterations, and least share by which J falls, from one look to the next; and the share by
which J rises in the other way that is no rounding of it."""


Other = Callable[[Array], float]
"""(Controls) -> J in another way than on the mesh."""


class Watch:
    """Stops a minimisation, an ``Enough``.

    Attributes:
        theta: the controls of the least J in the other way.
        value: J of them in that way.
        rises: whether it was stopped as J rose in the other way.
        drawn: how much larger J was in the other way than on the mesh at the controls to which the
            minimisation was drawn, 0 where it was not stopped for that.

    Parallel: collective.
    """

    def __init__(
        self, theta: Array, aim: Callable[[float], float], others: tuple[Other, ...]
    ) -> None:
        """Begin.

        Args:
            theta: the initial controls.
            aim: J -> distance from its least value that is near enough.
            others: other ways from the roughest to the most exact one, none where J is right. A
                rise that the next one does not see was no rise, and that one is used from then on.
        """
        self.theta, self.value, self.drawn = theta, np.inf, 0.0
        self._aim, self._others = aim, others
        self._looked, self.rises = (-1, np.inf), False

    def __call__(self, search: Search) -> bool:
        """Return whether to stop."""
        if min(search.excess, abs(search.best)) <= self._aim(search.best):
            return True
        iteration, (last, value) = search.history[-1].iteration, self._looked
        due = iteration % EVERY == 0 and iteration != last
        if self._others and due and value - search.best > FALL * abs(search.best):
            self._looked = iteration, search.best
            self.rises = self._rises(search.theta, search.best)
        return self.rises

    def best_of(self, f: Functional, result: OptimiseResult) -> OptimiseResult:
        """Return the result, or the controls of the least J in the other way where that rose.

        Of these nobody knows how far J, on their mesh, is from its least value.

        Args:
            f: the J that was minimised.
            result: what was found.
        """
        if not self._others:
            return result
        if not np.isfinite(self.value):
            self._rises(self.theta, result.value)
        if self._rises(result.theta, result.value):
            status = Status.ITERATIONS if result.status is Status.ITERATIONS else Status.ENOUGH
            found = as_it_is(f, self.theta)
            return replace(found, status=status, history=result.history, refused=result.refused)
        self.drawn = 0.0
        return result

    def _rises(self, theta: Array, on_mesh: float) -> bool:
        """Return whether J has risen in the other way; keep the controls where it is least."""
        while True:
            value = self._of(theta)
            if value < self.value:
                self.theta, self.value = theta, value
            if value - self.value <= RISE * abs(self.value):
                return False
            if len(self._others) == 1:
                self.drawn = value - on_mesh
                return True
            self._others = self._others[1:]
            self.value = self._of(self.theta)

    def _of(self, theta: Array) -> float:
        try:
            return self._others[0](theta)
        except SolveError:
            return np.inf


def value_of(f: ReducedFunctional, theta: Array) -> float:
    """Return J, infinity where it cannot be computed. Parallel: collective."""
    try:
        f.make_room(f.steps_for(theta))
        return f.value(theta)
    except (InputError, SolveError):
        return np.inf


def as_it_is(f: Functional, theta: Array) -> OptimiseResult:
    """Return J of controls that were found elsewhere as a result. Parallel: collective.

    Raises:
        SolveError: it cannot be computed.
    """
    if not f.steps_given:
        f.make_room(f.steps_for(theta))
    value, derivative = f.value(theta), f.derivative(theta)
    norm = Search(f, theta, None, Oracle()).norm(theta, derivative)
    return OptimiseResult(theta, value, norm, Status.ENOUGH, (), ())
