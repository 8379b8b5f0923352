# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A study of parameters: groups of ranks train the members of a grid; one table has them all."""

from __future__ import annotations

from mpi4py import MPI

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mfresnet.case import Case, axes_of, members_of
from mfresnet.errors import Exit, InputError, Preempted
from mfresnet.files import write_atomically, write_text
from mfresnet.interrupt import keeping
from mfresnet.output import (
    FAILED,
    LOST,
    Ended,
    Members,
    Progress,
    compared,
    converged_members,
    own,
    study_table,
)
from mfresnet.parallel import pause, split, together
from mfresnet.pictures import draw_study
from mfresnet.runs.parameters.members import clear_member, member_sentence, run_member
from mfresnet.runs.parameters.turns import Turns

PATIENCE = 0.02
"""Seconds between two looks of a group whose work is done for the others."""


def study(
    case: Case,
    out: str | Path,
    *,
    over: Mapping[str, Any] | Sequence[str],
    groups: int | None = None,
    comm: MPI.Intracomm | None = None,
    overwrite: bool = False,
    resume: bool = False,
    warm: bool = False,
) -> pd.DataFrame:
    """Train a case for all combinations of some values; write members, table and picture.

    Args:
        case: the case; its section output says what members leave beside their numbers.
        out: the directory of the study.
        over: key -> values, a sequence or a text such as ``1e-4:1e-1:7:log``, or texts KEY=VALUES.
        groups: of ranks, each of which runs one member at a time; as many as ranks by default.
        comm: the communicator, MPI.COMM_WORLD when not given.
        overwrite: replace an earlier study in this directory.
        resume: go on with what is there; members that are done do not run again.
        warm: start members from the controls of the nearest that is done, where they fit.

    Returns:
        A row a member: ``member``, the keys, ``objective``, ``error``, ``loss``, ``penalty``, what
        is known of samples such as ``test_accuracy``, ``iterations``, ``seconds``, ``status``
        ("failed" where there are no numbers) and ``message``; the same on all ranks.

    Raises:
        InputError: a key or a value does not fit, or the directory holds something else.
        Preempted: USR1 or TERM has come; ``resume`` goes on.

    Parallel: collective. A member that fails hurts no other one, but where one of several ranks of
    a group fails alone.
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    members, directory = prepare_study(case, out, over, warm=warm), Path(out)
    groups = _groups(groups, comm.size, len(members.members))
    numbers = [member.number for member in members.members]
    with together(comm):
        if comm.rank == 0:
            directory.mkdir(parents=True, exist_ok=True)
    with keeping(), own(directory, comm) as locked:
        with together(comm):
            if comm.rank == 0:
                if not locked:
                    sentence = f"Warning: nothing keeps a second study out of {directory}"
                    Progress(comm.rank).say(f"{sentence}: no locks there.")
                members.check(numbers, resume=resume, overwrite=overwrite)
        for number in numbers if overwrite else ():
            clear_member(members, number, comm)
        open_ = comm.bcast([n for n in numbers if members.ended(n) is None], root=0)
        ended = _run_all(members, open_, comm, directory, groups, warm)
        frame = None
        with together(comm):
            if comm.rank == 0:
                frame = study_table(members, ended)
                _write(frame, list(members.members[0].values), directory)
    return comm.bcast(frame, root=0)


def study_member(
    members: Members,
    number: int,
    comm: MPI.Intracomm,
    *,
    overwrite: bool = False,
    resume: bool = False,
    warm: bool = False,
) -> Ended:
    """Run one member of a study with all ranks, as an array of jobs does; write no table.

    Args:
        members: of the study.
        number: of the member.
        comm: the communicator.
        overwrite: replace an earlier run of the member.
        resume: go on with its run, if there is one.
        warm: see ``study``.

    Raises:
        InputError: there is no such member, or it has run.
        Preempted: a signal has come; ``resume`` goes on.

    Parallel: collective.
    """
    if not 0 <= number < len(members.members):
        raise InputError(
            f"--member: no such member; got {number}, expected 0 to {len(members.members) - 1}. "
            "See --list."
        )
    with keeping():
        with together(comm):
            if comm.rank == 0:
                members.check([number], resume=resume, overwrite=overwrite)
        if overwrite:
            clear_member(members, number, comm)
        done = comm.bcast(members.ended(number) if comm.rank == 0 else None, root=0)
        return done or run_member(members, number, comm, warm=warm)


def prepare_study(
    case: Case, out: str | Path, over: Mapping[str, Any] | Sequence[str], *, warm: bool = False
) -> Members:
    """Return the members of a study.

    Raises:
        InputError: a key or a value does not fit.
    """
    axes = axes_of(over)
    if warm and (start := next((a for a in axes if a.key.startswith("initial")), None)):
        raise InputError(
            f"--over {start.text}: cannot go with --warm, which chooses where members start. "
            "Give one of them."
        )
    return Members(Path(out), members_of(case, axes))


def _groups(groups: int | None, ranks: int, members: int) -> int:
    """Return how many groups there are, no more than members."""
    if groups is not None and not 1 <= groups <= ranks:
        raise InputError(
            f"--groups: not that many; got {groups}, expected 1 to {ranks}, the number of ranks. "
            "Choose another number or start more ranks."
        )
    return min(groups or ranks, members)


def _run_all(
    members: Members,
    numbers: Sequence[int],
    comm: MPI.Intracomm,
    directory: Path,
    groups: int,
    warm: bool,
) -> dict[int, Ended]:
    """Run members, in groups that take them one by one; return how they have ended on all ranks.

    Raises:
        Preempted: a signal has come.

    Parallel: collective.
    """
    turns, group = Turns(directory, comm), split(comm, groups)
    ended: dict[int, Ended] = {}
    progress = Progress(group.rank)
    try:
        for number in turns.take(numbers, group):
            ended[number] = run_member(members, number, group, warm=warm)
            progress.say(member_sentence(members.members[number], ended[number]))
    except Preempted:
        turns.stop()
    waiting = comm.Ibarrier()
    while not waiting.Test():  # without taking a core from those that compute
        time.sleep(PATIENCE)
    group.Free()
    turns.stop()
    pause(comm)
    found = comm.allgather(ended)
    return {number: how for each in found for number, how in each.items()}


def _write(frame: pd.DataFrame, keys: Sequence[str], directory: Path) -> None:
    """Write study.csv, study.parquet and, where there are numbers, study.png."""
    write_text(directory / "study.csv", frame.to_csv(index=False, lineterminator="\n"))
    write_atomically(directory / "study.parquet", lambda s: frame.to_parquet(s, index=False))
    column = compared(frame, keys)
    picture = directory / "study.png"
    if column is None:
        picture.unlink(missing_ok=True)
        return
    write_atomically(picture, lambda stream: draw_study(frame, keys, column, stream))


def study_status(frame: pd.DataFrame) -> Exit:
    """Return how the command ends: as the member that has ended worst."""
    if frame["status"].isin([FAILED, LOST]).any():
        return Exit.FAILED
    return Exit.CONVERGED if converged_members(frame).all() else Exit.NOT_CONVERGED
