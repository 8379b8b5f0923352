# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The memory for one layer of a sweep."""

from __future__ import annotations

import numpy as np

from mfresnet.transport.operator.transport import Transport
from mfresnet.transport.steps.step import Stages


class Layer:
    """What the backward sweep needs of one layer.

    Attributes:
        number: the layer whose velocity is there, -1 for none.
        velocity: v at the points of the transport, (d, n).
        coefficients: those of ``velocity``.
        stages: those of every step and class, (steps per layer, classes, s, n_owned).
        left: mass that has left through each boundary point before every step,
            (steps per layer, classes, n_exit).
    """

    def __init__(
        self, transport: Transport, stages: int, steps_per_layer: int, n_classes: int
    ) -> None:
        """Allocate everything, for s = ``stages``."""
        shape = (steps_per_layer, n_classes)
        self.number = -1
        self.velocity = np.zeros(transport.points.shape)
        self.coefficients = transport.new_coefficients()
        self.stages = np.zeros((*shape, stages, transport.space.n_owned))
        self.left = np.zeros((*shape, transport.n_exit))

    def step(self, i: int) -> Stages:
        """Return the coefficients with the stages of a step."""
        return Stages(self.coefficients, self.stages[i])

    @staticmethod
    def bytes(transport: Transport, stages: int, steps_per_layer: int, n_classes: int) -> int:
        """Return the memory of one on this rank."""
        per_class = stages * transport.space.n_owned + transport.n_exit
        pointwise = transport.points.size + transport.n_coefficients
        return 8 * (steps_per_layer * n_classes * per_class + pointwise)
