# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Growth of the densities beyond what the velocity can cause: an instability is never silent.

The continuity equation, and its discretisation with an upwind flux, have

    ||f(t)|| <= exp( 1/2 int_0^t max(-div v) ds ) ||f(0)||                                   (9)

in L2. The divergence is taken as its mean over each cell. What moves together inside one cell is
not in that mean, and polynomials of degree p follow it up to a factor (p + 1)^d.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import SolveError
from mfresnet.parallel import maximum, total
from mfresnet.transport import Transport

ROOM = 2.0
"""Factor on the bound."""


class See(NamedTuple):
    """Who looks at a forward sweep.

    Attributes:
        states: called with the number of steps made, where the states are wanted.
        norms: called with the squares of the norms before further steps, (steps, classes).
    """

    states: Callable[[int], None]
    norms: Callable[[Array], None]


class Sized(Protocol):
    """What ``Growth`` needs to know of a sweep."""

    transport: Transport
    dt: float
    steps_per_layer: int
    n_classes: int

    @property
    def steps(self) -> int:
        """Number of time steps from 0 to T."""


class Growth:
    """The L2 norms of the densities in one forward sweep, compared with eq. (9)."""

    def __init__(self, sweep: Sized, compressions: Callable[[], Array]) -> None:
        """Start before the first step.

        Args:
            sweep: what is looked at.
            compressions: returns the largest mean of -div v over the cells of this rank, (layers,);
                called where the norms grow.
        """
        self._space, self._dt = sweep.transport.space, sweep.dt
        self._steps_per_layer, self._compressions = sweep.steps_per_layer, compressions
        self._squared = np.zeros((sweep.steps + 1, sweep.n_classes))
        self._added = self._checked = 0

    def add(self, squares: Array) -> None:
        """Add the squares of the norms before the next steps, (steps, classes), of this rank."""
        self._squared[self._added : self._added + len(squares)] = squares
        self._added += len(squares)

    def check(self) -> None:
        """Look at what was added since the last check.

        Raises:
            SolveError: a norm is not finite or too large, with the layer and step where it appears.

        Parallel: collective.
        """
        comm, new = self._space.comm, self._squared[self._checked : self._added]
        new[:] = total(comm, new.ravel()).reshape(new.shape)
        finite = np.isfinite(new).all(axis=1)
        if not finite.all():
            where = self._place(self._checked + int(np.argmin(finite)))
            raise SolveError(
                f"the density is not finite {where}. Use smaller initial controls or more steps "
                "(time.steps_per_layer)."
            )
        first, self._checked = self._checked, self._added
        start = np.sqrt(self._squared[0])
        norms, room = np.sqrt(new), ROOM * (self._space.degree + 1) ** self._space.dimension
        if (norms <= room * start).all():
            return
        compressions = maximum(comm, self._compressions())
        exponents = np.append(0.0, np.cumsum(np.repeat(compressions, self._steps_per_layer)))
        exponents = exponents[first : self._added]
        bound = room * np.exp(0.5 * self._dt * exponents)[:, None] * start
        if (norms > bound).any():
            n, k = (int(i) for i in np.argwhere(norms > bound)[0])
            raise SolveError(
                "the density grows faster than the velocity can make it "
                f"{self._place(first + n)}; got L2 norm {norms[n, k]:.3g}, expected at most "
                f"{bound[n, k]:.3g}: the time stepping is unstable. Raise time.steps_per_layer."
            )

    def _place(self, step: int) -> str:
        layer, within = divmod(step - 1, self._steps_per_layer)
        return f"after step {within + 1} of layer {layer + 1}" if step else "at the start"
