# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Memory of the processes of a run, as the operating system counts it."""

from __future__ import annotations

from mpi4py import MPI

import ctypes
import resource
import sys
from pathlib import Path

from mfresnet.parallel import maximum, ranks_here, total

STATUS, MEMINFO = Path("/proc/self/status"), Path("/proc/meminfo")
GROUP = Path("/sys/fs/cgroup")


def release() -> None:
    """Give memory that was freed back to the system, where the C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def peak(comm: MPI.Intracomm) -> int:
    """Return the largest resident memory so far, summed over the ranks, in bytes. Collective.

    Read from /proc where it exists: ``getrusage`` starts a program with the peak of the process
    that started it.
    """
    most = _entry(STATUS, "VmHWM")
    if most is None:
        unit = 1 if sys.platform == "darwin" else 1024
        most = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(total(comm, most)[0])


def resident(comm: MPI.Intracomm) -> int:
    """Return the resident memory now, summed over the ranks, in bytes; ``peak`` without /proc."""
    now = _entry(STATUS, "VmRSS")
    return peak(comm) if now is None else int(total(comm, now)[0])


def available(comm: MPI.Intracomm) -> float:
    """Return the memory that the ranks can still take, in bytes, infinite where none can say.

    The nodes share theirs among their ranks; what a control group allows counts.

    Parallel: collective.
    """
    share = free() / ranks_here(comm)
    return float(-maximum(comm, -share)[0]) * comm.size


def free() -> float:
    """Return the memory that this node and its control group have left, infinite where unknown."""
    return min(_free_of_node(), _free_of_group())


def _free_of_node() -> float:
    free = _entry(MEMINFO, "MemAvailable")
    return float("inf") if free is None else float(free)


def _entry(file: Path, wanted: str) -> int | None:
    """Return one entry of a file of /proc that counts in kB, in bytes; None where there is none."""
    if not file.exists():
        return None
    lines = (line.split(":") for line in file.read_text().splitlines())
    return next((1024 * int(n.split()[0]) for name, n, *_ in lines if name == wanted), None)


def _free_of_group() -> float:
    try:
        most = (GROUP / "memory.max").read_text().strip()
        used = (GROUP / "memory.current").read_text().strip()
    except OSError:
        return float("inf")
    return float("inf") if most == "max" else max(0.0, float(most) - float(used))


def in_units(size: float) -> str:
    """Return a number of bytes for the user, with three digits."""
    power, unit = next(((p, u) for p, u in ((1e9, "GB"), (1e6, "MB")) if size >= p), (1e3, "kB"))
    return f"{size / power:.3g} {unit}"
