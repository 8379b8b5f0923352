# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Reductions that give every rank the same bits, and errors raised on all ranks together."""

from __future__ import annotations

from mpi4py import MPI

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mfresnet.arrays import Array
from mfresnet.ending import Failure, describe
from mfresnet.errors import Exit, InputError, Preempted, SolveError
from mfresnet.interrupt import KEPT, asked

T = TypeVar("T")
BESIDE = MPI.Comm.Create_keyval()
"""What ``split`` tells a group: how many ranks share its memory."""
PATIENCE, STAGGER = 5.0, 0.5
"""Seconds that a failed rank waits for the others before it ends them; more for each rank."""


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


def split(comm: MPI.Intracomm, groups: int) -> MPI.Intracomm:
    """Return the group of this rank; neighbours are in one group.

    The groups are as large as one another, or differ by one rank. They compute at the same time,
    so that ``ranks_here`` of a group counts the ranks of all.

    Parallel: collective.
    """
    group = MPI.Intracomm(comm.Split(comm.rank * groups // comm.size, comm.rank))
    group.Set_attr(BESIDE, ranks_here(comm))
    return group


def ranks_here(comm: MPI.Intracomm) -> int:
    """Return how many ranks share the memory of this one and compute with it. Collective."""
    known: int | None = comm.Get_attr(BESIDE)
    if known is not None:
        return known
    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    try:
        return node.size
    finally:
        node.Free()


@contextmanager
def together(comm: MPI.Intracomm) -> Iterator[None]:
    """Raise an error of any rank on all ranks when the block ends; a signal is Preempted.

    Where the ranks have errors of several kinds, it is that of the most serious kind on all. A rank
    that fails while the others wait for it inside the block ends all of them, see ``meet``.

    Raises:
        Failure: on the other ranks, for an error that is no mistake of the user.

    Parallel: collective on leaving the block.
    """
    error: Exception | None = None
    try:
        yield
    except Exception as caught:
        error = caught
    meet(comm, error)
    found = comm.allgather(_told(error))
    worst = max((told for told in found if told is not None), key=itemgetter(0), default=None)
    if worst is None:
        return
    kind, status, text = worst
    if error is not None and _kind(error) == kind:
        raise error
    if KINDS[kind] is InputError:
        raise InputError(text.split("\n"))  # a line each
    raise Failure(status, text) if KINDS[kind] is Exception else KINDS[kind](text)


KINDS: tuple[type[Exception], ...] = (InputError, SolveError, Preempted, Exception)
"""From what a user can mend to what nobody has thought of."""


def _kind(error: Exception) -> int:
    return next(i for i, kind in enumerate(KINDS) if isinstance(error, kind))


def _told(error: Exception | None) -> tuple[int, int, str] | None:
    """Return what the other ranks need to know."""
    if error is not None:
        return _kind(error), *describe(error)
    return (KINDS.index(Preempted), Exit.PREEMPTED, KEPT) if asked() else None


def meet(comm: MPI.Intracomm, error: BaseException | None) -> None:
    """Wait for the others; with an error only so long as they can be on their way.

    Ranks that wait for this one in another call will never come. Then it ends all, with its text.

    Parallel: collective.
    """
    if comm.size == 1:
        return
    request = comm.Ibarrier()
    if error is None:
        request.Wait()
        return
    # the first of several failed ranks speaks for all
    end = time.monotonic() + PATIENCE + min(comm.rank, 10) * STAGGER
    while not request.Test():
        if time.monotonic() > end:
            status, text = describe(error)
            print(text, file=sys.stderr, flush=True)
            MPI.COMM_WORLD.Abort(status)
        time.sleep(0.002)


def pause(comm: MPI.Intracomm) -> None:
    """Raise Preempted on all ranks when a signal has come to any. Parallel: collective."""
    if maximum(comm, float(asked()))[0] > 0.0:
        raise Preempted(KEPT)


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
