# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What the memory of the machine gives."""

from __future__ import annotations

from mpi4py import MPI

from mfresnet.compiled import vectors
from mfresnet.elementary import elementary_functions
from mfresnet.mesh import aligned

LONG = 8_000_000
"""Numbers in an array that no cache holds."""


class Triad:
    """The loop a = b + s c over arrays that no cache holds: what the memory gives.

    Attributes:
        bytes: read and written in one run.
    """

    def __init__(self) -> None:
        """Allocate the arrays of this rank."""
        self._made = elementary_functions(MPI.COMM_SELF, *vectors())
        self._arrays = [aligned(LONG) for _ in range(3)]
        self.bytes = 24 * LONG

    def run(self) -> None:
        """Run through the arrays once."""
        pointers = (self._made.ffi.from_buffer("double[]", a) for a in self._arrays)
        self._made.lib.triad(LONG, *pointers, 0.5)
