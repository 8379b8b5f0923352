# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""One member of a study: run, gone on with, or cleared; its errors hurt no other one."""

from __future__ import annotations

from mpi4py import MPI

import shutil

from mfresnet.case import Case, Member
from mfresnet.ending import describe
from mfresnet.errors import Exit, InputError, Preempted
from mfresnet.output import MARK, Ended, Members, Progress, Record, own, record_text
from mfresnet.parallel import together
from mfresnet.runs.runner import run


def clear_member(members: Members, number: int, comm: MPI.Intracomm) -> None:
    """Remove what a member has left. Collective."""
    with together(comm):
        if comm.rank == 0 and members.place(number).exists():
            members.file(number).unlink(missing_ok=True)
    if comm.bcast(members.place(number).exists(), root=0):
        with own(members.place(number), comm), together(comm):
            if comm.rank == 0:
                for path in members.place(number).iterdir():
                    if path.name != MARK:
                        shutil.rmtree(path) if path.is_dir() else path.unlink()


def run_member(members: Members, number: int, comm: MPI.Intracomm, *, warm: bool) -> Ended:
    """Run a member, or go on with it; its errors are returned.

    Args:
        members: of the study.
        number: of the member.
        comm: the ranks that run it.
        warm: start from the nearest member that is done.

    Raises:
        Preempted: a signal has come.

    Parallel: collective on comm. An error on one of several ranks ends all, as in ``run``.
    """
    try:
        with together(comm):
            record, begun = _begin(members, number, comm, warm)
            case = _started(members, number, record.start)
            silent = Progress(rank=1)
            result = run(case, members.place(number), comm=comm, resume=begun, progress=silent)
        ended = Ended(int(result.exit), result.report.message)
        with together(comm):
            if comm.rank == 0:
                last = {"ended": ended.exit, "message": ended.message}
                members.write(record.model_copy(update=last))
        return ended
    except Preempted:
        raise
    except Exception as error:
        status, text = describe(error)
        return Ended(status, text)


def _begin(members: Members, number: int, comm: MPI.Intracomm, warm: bool) -> tuple[Record, bool]:
    """Return the record of a member, which is written, and whether its run has begun."""
    member, found, begun = members.members[number], None, False
    with together(comm):
        if comm.rank == 0:
            members.place(number).mkdir(parents=True, exist_ok=True)
    with own(members.place(number), comm), together(comm):
        if comm.rank == 0:
            found, begun = members.read(number), members.begun(number)
            if found is None or not begun:
                start = _nearest(members, member) if warm else None
                found = Record(
                    member=number, values=member.values, case=record_text(member.case), start=start
                )
                members.write(found)
    record, begun = comm.bcast((found, begun), root=0)
    return record, begun


def _nearest(members: Members, member: Member) -> int | None:
    """Return the nearest member that is done and whose controls fit."""

    def distance(other: Member) -> int:
        return sum(abs(i - j) for i, j in zip(other.place, member.place, strict=True))

    for other in sorted(members.members, key=distance):
        if other is not member and _fits(other.case, member.case) and members.ended(other.number):
            try:
                _started(members, member.number, other.number)
            except InputError:  # the case has keys that do not go with a file
                return None
            return other.number
    return None


def _started(members: Members, number: int, start: int | None) -> Case:
    """Return the case of a member with the controls that it starts from."""
    case = members.members[number].case
    if start is None:
        return case
    initial = {"kind": "file", "file": (members.place(start) / "controls.npz").resolve()}
    return case.with_({"initial": None}).with_({"initial": initial})


def _fits(start: Case, case: Case) -> bool:
    """Return whether the controls of one case are a start for another."""
    deeper = case.network.layers % start.network.layers == 0
    return deeper and start.shapes() == case.shapes() and start.head(2) == case.head(2)


def member_sentence(member: Member, ended: Ended) -> str:
    """Return one line on a member."""
    word = {Exit.CONVERGED: "converged", Exit.NOT_CONVERGED: "not converged"}
    last = " ".join(ended.message.splitlines()[-2:])
    return f"Member {member.number} ({member.name}): {word.get(Exit(ended.exit), 'failed')}. {last}"
