# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The command line: run, check, verify, cross-validate, predict, export, gallery."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mfresnet import installation
from mfresnet.errors import Exit, InputError
from mfresnet.options import (
    AsJson,
    CaseFile,
    Command,
    MachineFile,
    OutFile,
    Quiet,
    RunDirectory,
    Settings,
    Verbose,
)

if TYPE_CHECKING:
    from mpi4py import MPI

    from mfresnet.output import Progress


app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train residual neural networks in the limit of infinitely many data.",
    epilog="Everything runs under mpirun. Options of PETSc follow after --.",
)
command = partial(app.command, cls=Command)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(installation.version())
        raise typer.Exit


def world() -> MPI.Intracomm:
    """Return all processes; MPI starts with the first command that asks."""
    from mpi4py import MPI

    return MPI.COMM_WORLD


def say(text: str) -> None:
    """Write a line to stdout on rank 0."""
    if world().rank == 0:
        typer.echo(text)


def shown(quiet: bool, verbose: bool = False) -> Progress:
    """Return what shows progress, in as much detail as is wanted."""
    from mfresnet.output import Detail, Progress

    if quiet and verbose:
        raise InputError("--quiet: cannot go with --verbose. Give one of them.")
    return Progress(world().rank, Detail(1 - quiet + verbose))


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, help="Show the version.")
    ] = False,
) -> None:
    """Take the options of the command itself."""


@command()
def run(
    case: CaseFile,
    out: Annotated[
        Path | None, typer.Option(help="Run directory; results/<name of the case> by default.")
    ] = None,
    settings: Settings = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Train the network of a case and write the run directory."""
    from mfresnet.case import load
    from mfresnet.runs import run as run_case

    if overwrite and resume:
        raise InputError("--overwrite: cannot go with --resume. Give one of them.")
    directory = out or Path("results") / case.stem
    progress, given = shown(quiet, verbose), load(case, settings or ())
    result = run_case(given, directory, overwrite=overwrite, resume=resume, progress=progress)
    return int(result.exit)


@command()
def check(case: CaseFile, settings: Settings = None, machine: MachineFile = None) -> None:
    """Check a case file and its data without running it, and show it with all filled in.

    Memory, steps, the lower bound of the loss, and time and memory for 1, 2, 4, ... ranks stand
    below it as comments; all is set up as for a run.
    """
    from mfresnet.case import load
    from mfresnet.runs import checked

    say(checked(load(case, settings or ()), world(), machine))


@command()
def verify(
    target: Annotated[
        Path, typer.Argument(metavar="RUN|CASE", help="A run directory or a case file.")
    ],
    settings: Settings = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Check the numbers of a case, or of a run: the certificate, which run.json then holds."""
    from mfresnet.runs import certificate_of
    from mfresnet.verification import as_data, check_table, count_sentence, passed

    with shown(quiet).doing(f"Checking {target}"):
        checks = certificate_of(target, settings or (), world())
    if as_json:
        say(json.dumps(as_data(checks), indent=2))
    else:
        if lines := [check for check in checks if not (quiet and check.passed)]:
            say(check_table(lines))
        say(count_sentence(checks))
    return int(Exit.CONVERGED if passed(checks) else Exit.FAILED)


@command("cross-validate")
def cross_validate(
    case: CaseFile,
    settings: Settings = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of random splits.")] = 10,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Hold out each of so many parts in turn instead.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train a case on several splits of its samples; show its measures beside baselines."""
    from mfresnet.case import load
    from mfresnet.runs import cross_validate, split_sentence, split_table, split_verdict

    progress, given = shown(quiet, verbose), load(case, settings or ())
    result = cross_validate(
        given,
        seeds=seeds,
        folds=folds,
        on_split=lambda row: progress.say(split_sentence(given.task, row)),
        on_iteration=progress.iteration if verbose else None,
    )
    if as_json:
        say(json.dumps(result, indent=2))
    else:
        say(split_verdict(result) if quiet else f"{split_table(result)}\n{split_verdict(result)}")


@command()
def predict(
    run: RunDirectory,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A table with the features.")],
    out: OutFile,
) -> None:
    """Write class, probabilities and final position of every row of a table."""
    from mfresnet.parallel import together
    from mfresnet.trained import load_network
    from mfresnet.trained import predict as write

    with together(world()):
        network = load_network(run)
    found = write(network, data, out)
    say(f"{out}: {found.sentence()}")


@command()
def sample(
    run: RunDirectory,
    n: Annotated[int, typer.Argument(metavar="N", min=1, help="Number of samples.")],
    out: OutFile,
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers.")] = 0,
) -> None:
    """Draw new samples from the density of a run with task density."""
    from mfresnet.parallel import together
    from mfresnet.trained import load_steered, write_columns
    from mfresnet.trained import sample as draw

    with together(world()):
        if world().rank == 0:
            model = load_steered(run)
            columns = zip(model.network.features, draw(model, n, seed).T, strict=True)
            write_columns(out, dict(columns))
    say(f"{out}: {n} samples.")


@command()
def export(
    run: RunDirectory,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    to: Annotated[str, typer.Option("--to", help="The format, such as npz or onnx.")],
) -> None:
    """Write the trained network of a run as a file that runs elsewhere."""
    from mfresnet.parallel import together
    from mfresnet.trained import export as write
    from mfresnet.trained import load_network

    comm, written = world(), []
    with together(comm):
        if comm.rank == 0:
            written = write(load_network(run), to, file)
    say("Written: " + ", ".join(map(str, written)))


@command()
def plot(run: RunDirectory) -> None:
    """Draw the pictures of a run again."""
    from mfresnet.runs import draw_again

    say(f"Pictures: {draw_again(run, world())}")


@command()
def view(
    run: RunDirectory,
    paraview: Annotated[bool, typer.Option("--paraview", help="Start ParaView instead.")] = False,
    script: Annotated[Path | None, typer.Option(help="Write a script for ParaView here.")] = None,
) -> None:
    """Open a window with the fields of a run, to turn and to walk through the depth."""
    from mfresnet.output import show_in_paraview
    from mfresnet.pictures import COLOURS, show_window

    if paraview or script:
        say(show_in_paraview(run, COLOURS[:8], script))
    else:
        say(show_window(run))


@command()
def gallery(
    cases: Annotated[
        Path, typer.Argument(metavar="CASES-DIR", help="Case files, and studies/*.py.")
    ] = Path("cases"),
    out: Annotated[Path, typer.Option(help="Where the page index.html goes.")] = Path(
        "results/gallery"
    ),
    only: Annotated[
        list[str] | None, typer.Option(help="Run this one only; may be given several times.")
    ] = None,
    quiet: Quiet = False,
) -> int:
    """Run every case and study and write one page with pictures, numbers and commands."""
    from mfresnet.runs import gallery_status, gallery_verdict, make_gallery

    size = world().size
    if size > 1:
        raise InputError(
            f"gallery: runs one process after another; got {size} ranks, expected 1. Omit mpirun."
        )
    exhibits = make_gallery(cases, out, only or (), say, quiet)
    say(f"{out / 'index.html'}: {gallery_verdict(exhibits)}")
    return int(gallery_status(exhibits))
