# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The memory for one layer of a sweep."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from mfresnet.mesh import aligned
from mfresnet.transport import March, Steps, Transport


class Layer:
    """What the backward sweep needs of one layer.

    Attributes:
        number: the layer whose velocity is there, -1 for none.
        velocity: v at the points of the transport, (d, n).
        coefficients: those of ``velocity``.
        stages: those of every step and class, (steps per layer, classes, s, size).
        left: mass that has left through each boundary point before every step,
            (steps per layer, classes, n_exit).
    """

    def __init__(
        self, transport: Transport, march: March, steps_per_layer: int, n_classes: int
    ) -> None:
        """Allocate everything that the march leaves."""
        shape = (steps_per_layer, n_classes)
        self.number = -1
        self.velocity = np.zeros(transport.points.shape)
        self.coefficients = transport.new_coefficients()
        self.stages = aligned(*shape, march.stages, march.size)
        self.left = np.zeros((*shape, transport.n_exit))
        self._steps: dict[tuple[int, int, bool], Steps] = {}

    def steps(self, part: slice, keep: bool = True) -> Steps:
        """Return the coefficients with the memory of some steps, all that of one where not kept."""
        key = part.start, part.stop, keep
        if key not in self._steps:
            stages, left = self.stages[part], self.left[part]
            if not keep:
                stages, left = (as_strided(a, strides=(0, *a.strides[1:])) for a in (stages, left))
            self._steps[key] = Steps(self.coefficients, stages, left)
        return self._steps[key]

    @staticmethod
    def bytes(transport: Transport, march: March, steps_per_layer: int, n_classes: int) -> int:
        """Return the memory of one on this rank."""
        per_class = march.stages * march.size + transport.n_exit
        pointwise = transport.points.size + transport.n_coefficients
        return 8 * (steps_per_layer * n_classes * per_class + pointwise)
