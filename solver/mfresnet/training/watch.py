# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""When a minimisation on a mesh that may be worth little stops.

J on a coarse mesh may fall where the true one rises: densities that are pressed below the cells
have undershoots, and these pay. So J of the best controls so far is looked at in another way too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import InputError, SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.losses import LOSSES
from mfresnet.optimise import OptimiseResult, Oracle, Search, Status
from mfresnet.verification import loss_of_few_points

EVERY, FALL, RISE = 4, 0.01, 0.02
"""Least iterations, and least share by which J falls, from one look to the next; and the share by
which J rises in the other way that is no rounding of it."""


class Watch:
    """Stops a minimisation, an ``Enough``.

    Attributes:
        theta: the controls of the least J in the other way.
        value: J of them in that way.

    Parallel: collective.
    """

    def __init__(
        self,
        theta: Array,
        aim: Callable[[float], float],
        other: Callable[[Array], float] | None,
    ) -> None:
        """Begin.

        Args:
            theta: the initial controls.
            aim: J -> distance from its least value that is near enough.
            other: controls -> J in another way, None where J is right.
        """
        self.theta, self.value = theta, np.inf
        self._aim, self._other = aim, other
        self._looked, self._over = (-1, np.inf), False

    def __call__(self, search: Search) -> bool:
        """Return whether to stop."""
        if min(search.excess, abs(search.best)) <= self._aim(search.best):
            return True
        iteration, (last, value) = search.history[-1].iteration, self._looked
        due = iteration % EVERY == 0 and iteration != last
        if self._other is not None and due and value - search.best > FALL * abs(search.best):
            self._looked = iteration, search.best
            self._over = self._rises(search.theta)
        return self._over

    def best_of(self, f: ReducedFunctional, result: OptimiseResult) -> OptimiseResult:
        """Return the result, or the controls of the least J in the other way where that rose.

        Of these nobody knows how far J, on their mesh, is from its least value.

        Args:
            f: the J that was minimised.
            result: what was found.
        """
        if self._other is None:
            return result
        if not np.isfinite(self.value):
            self._rises(self.theta)
        if self._rises(result.theta):
            value, derivative = f.value(self.theta), f.derivative(self.theta)
            norm = Search(f, self.theta, None, Oracle()).norm(self.theta, derivative)
            status = Status.ITERATIONS if result.status is Status.ITERATIONS else Status.ENOUGH
            found = self.theta, value, norm, status, result.history, result.refused
            return OptimiseResult(*found)
        return result

    def _rises(self, theta: Array) -> bool:
        """Return whether J has risen in the other way; keep the controls where it is least."""
        assert self._other is not None
        try:
            value = self._other(theta)
        except SolveError:
            return True
        if value < self.value:
            self.theta, self.value = theta, value
        return not value - self.value <= RISE * abs(self.value)


def in_another_way(
    f: ReducedFunctional, ahead: ReducedFunctional | None
) -> Callable[[Array], float] | None:
    """Return what gives J by points, from the densities on a mesh; without points, on the next one.

    Args:
        f: J.
        ahead: J on the next mesh, None on the last one.
    """
    if LOSSES[f.case.loss.kind].cost is None:
        return None if ahead is None else partial(value_of, ahead)
    return lambda theta: loss_of_few_points(f, theta) + f.penalty(theta)


def value_of(f: ReducedFunctional, theta: Array) -> float:
    """Return J, infinity where it cannot be computed. Parallel: collective."""
    try:
        f.make_room(f.steps_for(theta))
        return f.value(theta)
    except (InputError, SolveError):
        return np.inf
