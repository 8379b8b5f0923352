# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Activations of many points at once, in the vector registers of the machine.

NumPy has tanh and its like one number at a time on most machines, which takes longer than the
transport of small cases.
"""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mfresnet.arrays import Array
from mfresnet.compiled import Library, library

NAMES = ("tanh", "sigmoid")
SUFFIXES = ("value", "slope")
DECLARATIONS = "void triad(int64_t n, double *a, const double *b, const double *c, double s);"
DECLARATIONS += "".join(
    f"void {name}_{suffix}_of(int64_t n, const double *u, double *result);"
    for name in NAMES
    for suffix in SUFFIXES
)


def elementary_functions(comm: MPI.Intracomm, lanes: int, flags: Sequence[str]) -> Library:
    """Return the compiled functions for registers of so many numbers. Collective."""
    source = Path(__file__).with_name("elementary.c")
    return library(comm, source, DECLARATIONS, f"#define W {lanes}\n", flags)


def of_array(made: Library, name: str) -> Callable[[Array], Array]:
    """Return a compiled function, as one of arrays."""
    function, pointer = getattr(made.lib, name), made.ffi.from_buffer

    def of(u: Array) -> Array:
        u = np.ascontiguousarray(u, dtype=np.float64)
        result = np.empty_like(u)
        function(u.size, pointer("double[]", u), pointer("double[]", result))
        return result

    return of
