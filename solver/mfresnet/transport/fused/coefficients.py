# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The pointwise factors of the transport operator in blocks of cells."""

from __future__ import annotations

from typing import Any

from mfresnet.arrays import Array
from mfresnet.mesh import aligned
from mfresnet.transport.fused.kernels import Kernels


class BlockCoefficients:
    """``Coefficients`` in blocks; as a derivative, over the weights of the reference rules.

    Attributes:
        flat: all of them.
        flow: |det J| J^-1 v at cell points, (d, n_cell).
        out: c at facet points, (sides,).
        c: both for C.
    """

    def __init__(self, kernels: Kernels) -> None:
        """Allocate zeros."""
        d, layout = kernels.layout.space.dimension, kernels.layout
        n = layout.blocks * len(layout.points) * layout.lanes
        self.flat: Array = aligned(d * n + layout.sides)
        self.flow, self.out = self.flat[: d * n].reshape(d, n), self.flat[d * n :]
        fields = [kernels.numbers(self.flow), kernels.numbers(self.out)]
        self.c: Any = kernels.new("struct coefficients *", fields)[0]
