# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Activations of many points at once, in the vector registers of the machine.

NumPy has tanh and its like one number at a time on most machines, which takes longer than the
transport of small cases. A row of ``ACTIVATIONS`` that is not here is used as it is.
"""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mfresnet.arrays import Array
from mfresnet.compiled import Library, library, vectors
from mfresnet.mesh import aligned
from mfresnet.network import ACTIVATIONS, Activation

NAMES = ("tanh", "sigmoid")
SUFFIXES = ("value", "slope")
LONG = 8_000_000
"""Numbers in an array that no cache holds."""
DECLARATIONS = "void triad(int64_t n, double *a, const double *b, const double *c, double s);"
DECLARATIONS += "".join(
    f"void {name}_{suffix}_of(int64_t n, const double *u, double *result);"
    for name in NAMES
    for suffix in SUFFIXES
)


def vectorised(comm: MPI.Intracomm, name: str) -> Activation:
    """Return the activation of a name, with sigma and sigma' compiled where they are here.

    They agree with the row of ``ACTIVATIONS`` to a few units in the last place.

    Parallel: collective.
    """
    activation = ACTIVATIONS[name]
    if name not in NAMES or activation is not ROWS[name]:
        return activation
    made = functions(comm, *vectors())
    value, slope = (_of_array(made, f"{name}_{suffix}_of") for suffix in SUFFIXES)
    return replace(activation, value=value, derivative=slope)


def functions(comm: MPI.Intracomm, lanes: int, flags: Sequence[str]) -> Library:
    """Return the compiled functions for registers of so many numbers. Collective."""
    source = Path(__file__).with_name("elementary.c")
    return library(comm, source, DECLARATIONS, f"#define W {lanes}\n", flags)


ROWS = {name: ACTIVATIONS[name] for name in NAMES}
"""The rows that the compiled functions are made for; one of the same name may take their place."""


def _of_array(made: Library, name: str) -> Callable[[Array], Array]:
    function, pointer = getattr(made.lib, name), made.ffi.from_buffer

    def of(u: Array) -> Array:
        u = np.ascontiguousarray(u, dtype=np.float64)
        result = np.empty_like(u)
        function(u.size, pointer("double[]", u), pointer("double[]", result))
        return result

    return of


class Triad:
    """The loop a = b + s c over arrays that no cache holds: what the memory gives.

    Attributes:
        bytes: read and written in one run.
    """

    def __init__(self) -> None:
        """Allocate the arrays of this rank."""
        self._made = functions(MPI.COMM_SELF, *vectors())
        self._arrays = [aligned(LONG) for _ in range(3)]
        self.bytes = 24 * LONG

    def run(self) -> None:
        """Run through the arrays once."""
        pointers = (self._made.ffi.from_buffer("double[]", a) for a in self._arrays)
        self._made.lib.triad(LONG, *pointers, 0.5)
