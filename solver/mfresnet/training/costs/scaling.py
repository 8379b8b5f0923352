# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Strong and weak scaling on the ranks there are, and what they send."""

from __future__ import annotations

from mpi4py import MPI

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mfresnet.case import Case
from mfresnet.functional import ReducedFunctional
from mfresnet.parallel import maximum, total
from mfresnet.training.costs.timing import bench_case, seconds_each, whole_sweeps
from mfresnet.transport import FusedTransport

STRONG: tuple[tuple[str, int, int], ...] = (("quadrilateral", 96, 2), ("hexahedron", 16, 2))
"""Cell type, cells a direction, degree: shared by all ranks."""
WEAK: tuple[tuple[str, int, int], ...] = (("quadrilateral", 48, 2), ("hexahedron", 10, 2))
"""The same for one rank; others bring as many more in the last direction."""
LAYERS, REPEATS, ROUNDS, NAP = 2, 2, 3, 0.01


@dataclass(frozen=True)
class Scaling:
    """One problem on some ranks, a core each.

    Attributes:
        kind: strong (the same problem) or weak (the same cells a rank).
        cell: the cell type.
        cells: cells a direction.
        degree: of the elements.
        ranks: how many compute; the others sleep.
        value: seconds of J.
        derivative: seconds of J and its derivative.
        efficiency: seconds of one rank over those of all, strong ones over the number of ranks.
        halo: share of ``derivative`` that sending and receiving takes by itself.
        messages: that a rank sends in a stage, at most.
        bytes: that a rank sends in a stage, at most.
        mean_bytes: the mean of that over the ranks.
    """

    kind: str
    cell: str
    cells: tuple[int, ...]
    degree: int
    ranks: int
    value: float
    derivative: float
    efficiency: float
    halo: float
    messages: int
    bytes: int
    mean_bytes: float


def measure_scaling(comm: MPI.Intracomm) -> list[Scaling]:
    """Return how J and its derivative scale over 1, 2, 4, ... and all ranks.

    All counts of ranks take turns, so that a machine that is busy for a while favours none.

    Parallel: collective.
    """
    counts = [2**k for k in range(comm.size.bit_length()) if 2**k < comm.size] + [comm.size]
    kinds = [("strong", row) for row in STRONG] + [("weak", row) for row in WEAK]
    return [found for kind, row in kinds for found in _row(comm, kind, row, counts)]


def _row(
    comm: MPI.Intracomm, kind: str, row: tuple[str, int, int], counts: list[int]
) -> list[Scaling]:
    """Return the scaling of one problem over the numbers of ranks."""
    groups = {ranks: comm.Split(int(comm.rank >= ranks), comm.rank) for ranks in counts}
    made: dict[int, ReducedFunctional] = {}
    for ranks, group in groups.items():
        with _alone(comm, ranks) as computes:
            if computes:
                made[ranks] = ReducedFunctional(_case(kind, row, ranks), MPI.Intracomm(group))
    best: dict[int, dict[str, float]] = {}
    for _ in range(ROUNDS):
        for ranks in counts:
            with _alone(comm, ranks) as computes:
                if computes:
                    times = _times(made[ranks])
                    before = best.setdefault(ranks, times)
                    best[ranks] = {what: min(before[what], t) for what, t in times.items()}
    found = []
    for ranks, group in groups.items():
        with _alone(comm, ranks) as computes:
            if computes:
                one = best[counts[0]]["value_and_derivative"] if comm.rank == 0 else 0.0
                one = made[ranks].comm.bcast(one)
                found.append(_scaling(kind, row, made[ranks], best[ranks], one))
        group.Free()
    return list(comm.bcast(found))


def _case(kind: str, row: tuple[str, int, int], ranks: int) -> Case:
    """Return the case of a problem; a weak one is longer with more ranks."""
    cell, n, degree = row
    case = bench_case(cell, n, degree, LAYERS)
    if kind == "strong":
        return case
    section = case.mesh.model_dump()
    d = len(section["cells"])
    section["cells"] = [n] * (d - 1) + [n * ranks]
    section["lower"] = [-3.0] * (d - 1) + [-3.0 * ranks]
    section["upper"] = [3.0] * (d - 1) + [3.0 * ranks]
    return case.with_({"mesh": section})


@contextmanager
def _alone(comm: MPI.Intracomm, ranks: int) -> Iterator[bool]:
    """Yield whether this rank is one of the first; the others sleep until these have done."""
    yield comm.rank < ranks
    request = comm.Ibarrier()
    while not request.Test():
        time.sleep(NAP)


def _times(functional: ReducedFunctional) -> dict[str, float]:
    """Return seconds of J, of J and its derivative, and of one exchange of a stage."""
    actions = whole_sweeps(functional)
    times = seconds_each(functional.comm, actions, REPEATS, 1)
    transport, classes = functional.problem.transport, len(functional.problem.f0)
    assert isinstance(transport, FusedTransport)
    exchange = {"exchange": lambda: transport.kernels.exchange_alone(classes)}
    return times | seconds_each(functional.comm, exchange, REPEATS, 50)


def _scaling(
    kind: str,
    row: tuple[str, int, int],
    functional: ReducedFunctional,
    times: dict[str, float],
    one: float,
) -> Scaling:
    """Return the row of some ranks. Parallel: collective."""
    transport, comm = functional.problem.transport, functional.comm
    assert isinstance(transport, FusedTransport)
    neighbours, classes = transport.layout.neighbours, len(functional.problem.f0)
    sent = 8 * classes * sum(places.size for _, places in neighbours)
    stages = functional.controls.layers * functional.steps_per_layer * functional.scheme.stages
    derivative = times["value_and_derivative"]
    most = maximum(comm, [len(neighbours), sent])
    return Scaling(
        kind=kind,
        cell=row[0],
        cells=tuple(functional.case.cells()),
        degree=row[2],
        ranks=comm.size,
        value=times["value"],
        derivative=derivative,
        efficiency=one / derivative / (comm.size if kind == "strong" else 1),
        halo=2 * stages * times["exchange"] / derivative,
        messages=int(most[0]),
        bytes=int(most[1]),
        mean_bytes=float(total(comm, sent)[0] / comm.size),
    )
