# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Growth of the densities beyond what the velocity can cause: an instability is never silent.

The continuity equation, and its discretisation with an upwind flux, have

    ||f(t)|| <= exp( 1/2 int_0^t max(-div v) ds ) ||f(0)||                                   (9)

in L2. The divergence is taken as its mean over each cell. What moves together inside one cell is
not in that mean, and polynomials of degree p follow it up to a factor (p + 1)^d.
"""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import SolveError
from mfresnet.mesh import Space
from mfresnet.parallel import maximum, total

ROOM = 2.0
"""Factor on the bound."""


class Growth:
    """The L2 norms of the densities in one forward sweep, compared with eq. (9)."""

    def __init__(
        self, space: Space, n_classes: int, dt: float, steps_per_layer: int, compressions: Array
    ) -> None:
        """Start before the first step.

        Args:
            space: the space.
            n_classes: number of classes.
            dt: the time step.
            steps_per_layer: time steps in a layer.
            compressions: the largest mean of -div v over the cells of this rank, (layers,).
        """
        self._space, self._dt, self._steps_per_layer = space, dt, steps_per_layer
        self._compressions = compressions
        self._squared = np.zeros((len(compressions) * steps_per_layer + 1, n_classes))
        self._added = self._checked = 0

    def add(self, f: Array) -> None:
        """Add the densities after the next step, (classes, n_owned)."""
        for k, row in enumerate(f):
            self._squared[self._added, k] = np.dot(row * row, self._space.mass)
        self._added += 1

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
        compressions = maximum(comm, self._compressions)
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
