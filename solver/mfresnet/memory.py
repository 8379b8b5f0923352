# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Memory of the processes of a run, as the operating system counts it."""

from __future__ import annotations

from mpi4py import MPI

import ctypes
import resource
import sys
from pathlib import Path

from mfresnet.parallel import total

STATUS = Path("/proc/self/statm")


def release() -> None:
    """Give memory that was freed back to the system, where the C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def peak(comm: MPI.Intracomm) -> int:
    """Return the largest resident memory so far, summed over the ranks, in bytes. Collective."""
    unit = 1 if sys.platform == "darwin" else 1024
    return int(total(comm, unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)[0])


def resident(comm: MPI.Intracomm) -> int:
    """Return the resident memory now, summed over the ranks, in bytes; ``peak`` without /proc."""
    if not STATUS.exists():
        return peak(comm)
    pages = int(STATUS.read_text().split()[1])
    return int(total(comm, pages * resource.getpagesize())[0])


def in_units(size: float) -> str:
    """Return a number of bytes for the user, with three digits."""
    power, unit = next(((p, u) for p, u in ((1e9, "GB"), (1e6, "MB")) if size >= p), (1e3, "kB"))
    return f"{size / power:.3g} {unit}"
