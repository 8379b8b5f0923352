# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The command line: run, check, verify, cross-validate, predict, export, gallery, bench."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer
from typer.core import TyperCommand

from mfresnet import installation
from mfresnet.errors import Exit, InputError, lookup

if TYPE_CHECKING:
    from mpi4py import MPI


class Command(TyperCommand):
    """A command that is read first and done later: the app returns what is to be called.

    Mistakes and requests for help are answered while the line is read, before MPI starts.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Return the command with its arguments."""
        return partial(super().invoke, ctx)


app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train residual neural networks in the limit of infinitely many data.",
    epilog="Everything runs under mpirun. Options of PETSc follow after --.",
)
command = partial(app.command, cls=Command)
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Replace a key: training.max_iterations=50.")
]
CaseFile = Annotated[Path, typer.Argument(metavar="CASE", help="The case file (TOML).")]

RunDirectory = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run directory, or a file of export --to npz.")
]


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
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier run.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on with an interrupted run.")] = False,
) -> int:
    """Train the network of a case and write the run directory."""
    from mfresnet.case import load
    from mfresnet.runs import run as run_case

    if overwrite and resume:
        raise InputError("--overwrite: cannot go with --resume. Give one of them.")
    directory = out or Path("results") / case.stem
    result = run_case(load(case, settings or ()), directory, overwrite=overwrite, resume=resume)
    return int(result.exit)


@command()
def check(case: CaseFile, settings: Settings = None) -> None:
    """Check a case file and its data without running it, and show it with all filled in.

    Memory, steps and the lower bound of the loss stand below it as comments; all is set up as for a
    run.
    """
    from mfresnet.case import asked, load, populate, resolve
    from mfresnet.functional import ReducedFunctional
    from mfresnet.verification import lower_bound

    given = load(case, settings or ())
    population = populate(given, world())
    accuracy, fixed = given.wanted_accuracy(), given.with_({"accuracy": None})
    functional = ReducedFunctional(resolve(fixed, population), world(), population)
    shown = functional.case if accuracy is None else asked(given, population)
    say(shown.to_toml().rstrip())
    bound = lower_bound(functional.problem)
    why = "no argument bounds the loss from below." if bound is None else bound.sentence()
    if accuracy is not None:
        say(f"\n# Mesh: chosen by the training, for a relative error of J of {accuracy:g}.")
        say(f"# Before training: {why}")
        return
    say(f"\n# {functional.memory_sentence()}.")
    say(f"# Steps: {functional.steps_per_layer} in each of {functional.controls.layers} layers.")
    say(f"# Before training: {why}")


@command()
def verify(
    target: Annotated[
        Path, typer.Argument(metavar="RUN|CASE", help="A run directory or a case file.")
    ],
    settings: Settings = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Check the numbers of a case, or of a run: the certificate, which run.json then holds."""
    from mfresnet.runs import certificate_of
    from mfresnet.verification import as_data, check_table, passed

    checks = certificate_of(target, settings or (), world())
    say(json.dumps(as_data(checks), indent=2) if as_json else check_table(checks))
    return int(Exit.CONVERGED if passed(checks) else Exit.FAILED)


@command("cross-validate")
def cross_validate(
    case: CaseFile,
    settings: Settings = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of random splits.")] = 10,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Hold out each of so many parts in turn instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train a case on several splits of its samples; show its measures beside baselines."""
    from mfresnet.case import load
    from mfresnet.output import Progress
    from mfresnet.runs import cross_validate, split_sentence, split_table

    progress, given = Progress(world().rank), load(case, settings or ())
    result = cross_validate(
        given,
        seeds=seeds,
        folds=folds,
        on_split=lambda row: progress.say(split_sentence(given.task, row)),
    )
    say(json.dumps(result, indent=2) if as_json else split_table(result))


@command()
def predict(
    run: RunDirectory,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A table with the features.")],
    out: Annotated[Path, typer.Option(help="The file to write, such as a.csv or a.parquet.")],
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
    out: Annotated[Path, typer.Option(help="The file to write, such as a.csv or a.parquet.")],
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
    script: Annotated[Path | None, typer.Option(help="Write a script for ParaView here")] = None,
) -> None:
    """Open the fields of a run in ParaView, or write a script that does."""
    from mfresnet.output import show_in_paraview
    from mfresnet.pictures import COLOURS

    say(show_in_paraview(run, COLOURS[:8], script))


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
) -> int:
    """Run every case and study and write one page with pictures, numbers and commands."""
    from mfresnet.runs import gallery_status, gallery_verdict, make_gallery

    size = world().size
    if size > 1:
        raise InputError(
            f"gallery: runs one process after another; got {size} ranks, expected 1. Omit mpirun."
        )
    exhibits = make_gallery(cases, out, only or (), say)
    say(f"{out / 'index.html'}: {gallery_verdict(exhibits)}")
    return int(gallery_status(exhibits))


@command()
def bench(
    cell: Annotated[str | None, typer.Option(help="Measure this cell type only.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the operator against assembly of the UFL form, and the derivative against J."""
    from mfresnet.mesh import CELLS
    from mfresnet.runs import measure_speed, speed_table

    if cell is not None:
        lookup(CELLS, cell, "--cell")
    result = measure_speed(world(), cell)
    say(json.dumps(result, indent=2) if as_json else speed_table(result))
