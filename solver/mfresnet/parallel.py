# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Reductions that give every rank the same bits, and errors raised on all ranks together."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mfresnet.arrays import Array
from mfresnet.errors import InputError, SolveError

T = TypeVar("T")


def total(comm: MPI.Intracomm, values: Any) -> NDArray[np.float64]:
    """Return the sum of ``values`` over the ranks, bit for bit the same on each.

    The sum is made on rank 0 and sent out, so that no two ranks can decide differently.

    Parallel: collective.
    """
    local = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if comm.size == 1:
        return local.copy()
    result = np.empty_like(local)
    comm.Reduce(local, result, op=MPI.SUM, root=0)
    comm.Bcast(result, root=0)
    return result


def maximum(comm: MPI.Intracomm, values: Any) -> NDArray[np.float64]:
    """Return the elementwise maximum of ``values`` over the ranks. Parallel: collective."""
    local = np.atleast_1d(np.asarray(values, dtype=np.float64))
    result = np.empty_like(local)
    comm.Allreduce(local, result, op=MPI.MAX)
    return result


@contextmanager
def together(comm: MPI.Intracomm) -> Iterator[None]:
    """Raise an error of any rank on all ranks when the block ends.

    The block must not hold a collective call that a failing rank would miss.

    Parallel: collective on leaving the block.
    """
    error: Exception | None = None
    try:
        yield
    except Exception as caught:
        error = caught
    found = comm.allgather(None if error is None else (isinstance(error, InputError), str(error)))
    if error is not None:
        raise error
    for other in found:
        if other is not None:
            is_input, text = other
            raise InputError(text) if is_input else SolveError(text)


def collect(comm: MPI.Intracomm, array: Array) -> Array:
    """Return the rows of all ranks one under the other on rank 0, no rows elsewhere.

    Parallel: collective.
    """
    parts = comm.gather(array, root=0)
    return array[:0] if parts is None else np.concatenate(parts)


def ordered(comm: MPI.Intracomm, items: Iterator[tuple[int, T]]) -> Iterator[list[T]]:
    """Yield what all ranks make, in the order of its numbers: on rank 0, empty lists elsewhere.

    Args:
        comm: the communicator.
        items: numbers that rise and what goes with them, on each rank; making them must not be
            collective. An error is raised on all ranks.

    Parallel: collective, with as many rounds on all ranks.
    """
    waiting: dict[int, T] = {}
    while True:
        item = None
        with together(comm):
            item = next(items, None)
        given = comm.gather(item, root=0)
        latest = np.inf
        if given is not None:
            found = [pair for pair in given if pair is not None]
            waiting.update(found)
            latest = min((number for number, _ in found), default=np.inf)
        yield [waiting.pop(number) for number in sorted(waiting) if number <= latest]
        if comm.bcast(latest, root=0) == np.inf:
            return
