# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The command study, beside those of ``cli``: a case for all combinations of some values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mfresnet.cli import app, command, say, world
from mfresnet.errors import InputError
from mfresnet.options import CaseFile, Settings

__all__ = ["app"]


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
