# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The commands bench and study, beside those of ``cli``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mfresnet.cli import app, command, say, world
from mfresnet.errors import InputError, lookup
from mfresnet.options import AsJson, CaseFile, MachineFile, Settings

__all__ = ["app"]


@command()
def bench(
    cell: Annotated[str | None, typer.Option(help="Measure this cell type only.")] = None,
    as_json: AsJson = False,
    machine: MachineFile = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Only measure the figures that check predicts from.")
    ] = False,
    scaling: Annotated[
        bool, typer.Option("--scaling", help="Only measure how 1, 2, 4, ... ranks scale.")
    ] = False,
) -> None:
    """Measure the operator against assembly of the UFL form, and the derivative against J.

    Without --cell the figures that check predicts times from are measured too, and kept in the
    user's cache, or in the file of --machine.
    """
    from mfresnet.mesh import CELLS
    from mfresnet.output import scaling_table, speed_table
    from mfresnet.runs import keep_machine, measure_speed
    from mfresnet.training import measure_scaling

    if cell is not None:
        lookup(CELLS, cell, "--cell")
    if scaling:
        rows = measure_scaling(world())
        say(json.dumps([asdict(r) for r in rows], indent=2) if as_json else scaling_table(rows))
        return
    if cell is None or fit or machine is not None:
        kept = keep_machine(world(), machine)
        if fit:
            say(f"{kept}: time and memory of a training will be predicted from it.")
            return
    result = measure_speed(world(), cell)
    say(json.dumps(result, indent=2) if as_json else speed_table(result))


@command()
def study(
    case: CaseFile,
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUES",
            help="A key and its values: a,b,c or low:high:count or low:high:count:log; may be "
            "given several times.",
        ),
    ] = None,
    groups: Annotated[
        int | None, typer.Option(help="Groups of ranks, a member at a time each; all ranks by one.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory; results/<name of the case>_study by default.")
    ] = None,
    settings: Settings = None,
    resume: Annotated[bool, typer.Option(help="Go on with what is there, if anything.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier study.")] = False,
    warm: Annotated[
        bool, typer.Option(help="Start from the controls of the nearest member that is done.")
    ] = False,
    member: Annotated[
        int | None, typer.Option(metavar="K", help="Run member K only, without the table.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", help="Only list the members, one a line.")
    ] = False,
    fields: Annotated[bool, typer.Option(help="Members leave fields for ParaView.")] = False,
    pictures: Annotated[bool, typer.Option(help="Members leave pictures.")] = False,
) -> int:
    """Train a case for all combinations of some values: a run directory each, and one table."""
    from mfresnet.case import load
    from mfresnet.output import study_summary
    from mfresnet.runs import (
        member_sentence,
        prepare_study,
        study_member,
        study_status,
    )
    from mfresnet.runs import study as run_study

    if overwrite and resume:
        raise InputError("--overwrite: cannot go with --resume. Give one of them.")
    comm, directory = world(), out or Path("results") / f"{case.stem}_study"
    given = load(case, [*(settings or ()), f"output.fields={fields}".lower(),
                        f"output.pictures={pictures}".lower()])  # fmt: skip
    members = prepare_study(given, directory, over or (), warm=warm)
    if show:
        for each in members.members:
            say(f"{each.number}  {each.name}")
        return 0
    flags = {"resume": resume, "overwrite": overwrite, "warm": warm}
    if member is not None:
        ended = study_member(members, member, comm, **flags)
        say(member_sentence(members.members[member], ended))
        return ended.exit
    frame = run_study(given, directory, over=over or (), groups=groups, comm=comm, **flags)
    say(study_summary(frame, list(members.members[0].values), directory))
    return int(study_status(frame))
