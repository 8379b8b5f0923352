# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""When a minimisation on a mesh that may be worth little stops.

J on a coarse mesh may fall where the true one rises: densities that are pressed below the cells
have undershoots, and these pay. So J of the best controls so far is looked at on the next mesh too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import InputError, SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import OptimiseResult, Search

EVERY = 4
"""Iterations from one look to the next."""


class Watch:
    """Stops a minimisation, an ``Enough``.

    Attributes:
        theta: the controls of the least J on the next mesh.
        value: J there.

    Parallel: collective.
    """

    def __init__(
        self, theta: Array, aim: Callable[[float], float], other: ReducedFunctional | None
    ) -> None:
        """Begin.

        Args:
            theta: the initial controls.
            aim: J -> distance from its least value that is near enough; a gain on the next mesh
                between two looks that is less is not worth it.
            other: J on the next mesh, None where J need not be looked at there.
        """
        self.theta, self.value = theta, np.inf
        self._aim, self._other = aim, other
        self._looked, self._over = -1, False

    def __call__(self, search: Search) -> bool:
        """Return whether to stop."""
        if min(search.excess, abs(search.best)) <= self._aim(search.best):
            return True
        iteration = search.history[-1].iteration
        if self._other is not None and iteration % EVERY == 0 and iteration != self._looked:
            self._looked, before = iteration, self.value
            self._look(search.theta)
            self._over = bool(np.isfinite(before) and before - self.value < self._aim(self.value))
        return self._over

    def best_of(self, result: OptimiseResult) -> OptimiseResult:
        """Return the controls of the least J on the next mesh, the result itself without one."""
        if self._other is None:
            return result
        self._look(result.theta)
        return replace(result, theta=self.theta)

    def _look(self, theta: Array) -> None:
        """Compute J on the next mesh."""
        assert self._other is not None
        try:
            self._other.make_room(self._other.steps_for(theta))
            value = self._other.value(theta)
        except (InputError, SolveError):
            return
        if value < self.value:
            self.theta, self.value = theta, value
