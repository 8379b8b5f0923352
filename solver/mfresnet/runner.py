# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""One run from case to run directory: what the command ``mfresnet run`` does."""

from __future__ import annotations

from mpi4py import MPI

import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mfresnet.advice import undershoots
from mfresnet.arrays import Array
from mfresnet.case import Case
from mfresnet.checkpoint import EvaluationLog
from mfresnet.errors import InputError
from mfresnet.export import (
    write_controls,
    write_history,
    write_report,
    write_text,
)
from mfresnet.functional import ReducedFunctional
from mfresnet.measures import measure
from mfresnet.nested import Stage, train
from mfresnet.output import write_fields
from mfresnet.parallel import together
from mfresnet.plot import draw
from mfresnet.progress import Progress
from mfresnet.reachability import lower_bound
from mfresnet.report import Exit, run_report, summary


@dataclass(frozen=True)
class RunResult:
    """What a run has left.

    Attributes:
        theta: the trained controls.
        report: the content of run.json.
        directory: the run directory.
        exit: how the command ends.
    """

    theta: Array
    report: dict[str, Any]
    directory: Path
    exit: Exit


def run(
    case: Case,
    out: str | Path,
    *,
    comm: MPI.Intracomm | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    functional: ReducedFunctional | None = None,
) -> RunResult:
    """Train a case and write the run directory.

    Args:
        case: the case.
        out: the run directory.
        comm: the communicator, MPI.COMM_WORLD when not given.
        overwrite: replace an earlier run in this directory.
        resume: go on with an interrupted run in this directory.
        progress: where to show what happens.
        functional: J of the case, when the samples have been read already.

    Raises:
        InputError: the directory is there already, or the case does not fit the mesh.
        SolveError: the computation cannot go on.
        Preempted: a signal has come; ``resume`` goes on.

    Parallel: collective.
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    progress = Progress(comm.rank) if progress is None else progress
    directory, start = Path(out), time.perf_counter()
    if case.data is not None and functional is None:
        one = case.task != "classification"
        what = "their density" if one else "a density on the mesh for every class"
        progress.say(f"Reading {case.data.file.name}; {what}")
    functional = ReducedFunctional(case, comm) if functional is None else functional
    case = functional.case
    with together(comm):
        if comm.rank == 0:
            _prepare(directory, overwrite=overwrite, resume=resume)
            write_text(directory / "case.toml", case.to_toml())
    _introduce(functional, progress)
    if (bound := lower_bound(functional)) is not None:
        progress.say(f"Before training: {bound.sentence()}")
    log = EvaluationLog(directory / "checkpoint", case.to_toml(), comm)

    def say_stage(stage: Stage) -> None:
        if case.training.levels or case.training.seeds:
            progress.say(stage.sentence())

    with progress:
        result, stages = train(
            functional, on_iteration=progress.iteration, oracle=log, on_stage=say_stage
        )
    report, status = run_report(functional, result, time.perf_counter() - start)
    if len(stages) > 1:
        report["stages"] = [asdict(stage) for stage in stages]
    report["metrics"] = measure(functional, result.theta)
    report["lower_bound"] = bound and bound.as_data(report["objective"]["loss"])
    with together(comm):
        if comm.rank == 0:
            write_history(directory / "history.csv", result.history)
            write_controls(directory / "controls.npz", functional.controls, result.theta)
    if endings := case.output.endings():
        progress.say(f"Fields for ParaView: {directory / 'fields'}")
        write_fields(functional, result.theta, directory / "fields", endings)
    if case.output.pictures:
        progress.say(f"Pictures: {directory / 'pictures'}")
        draw(functional, result.theta, result.history, directory / "pictures")
    report["seconds"] = time.perf_counter() - start
    with together(comm):
        if comm.rank == 0:
            write_report(directory / "run.json", report)
    progress.say(f"Numbers: {directory / 'run.json'}")
    progress.table(summary(report))
    for kind in ("warnings", "notes"):
        for sentence in report[kind]:
            progress.say(f"{kind.capitalize()[:-1]}: {sentence}")
    progress.say(report["message"])
    return RunResult(result.theta, report, directory, status)


def _prepare(directory: Path, *, overwrite: bool, resume: bool) -> None:
    """Make the run directory, or clear an earlier one; nothing else is ever removed."""
    ours = (directory / "case.toml").exists()
    if directory.exists() and any(directory.iterdir()):
        if not ours:
            raise InputError(
                f"--out: not a run directory; got {directory}, which holds other files, expected "
                "a new directory or an earlier run. Choose another one."
            )
        if overwrite:
            for name in ("case.toml", "run.json", "history.csv", "controls.npz"):
                (directory / name).unlink(missing_ok=True)
            for name in ("fields", "pictures", "checkpoint"):
                shutil.rmtree(directory / name, ignore_errors=True)
        elif not resume:
            raise InputError(
                f"--out: {directory} holds an earlier run, expected a new directory. Use "
                "--overwrite to replace it, --resume to go on with it, or choose another one."
            )
    elif resume:
        raise InputError(
            f"--resume: no run in {directory}, expected an interrupted run. Omit --resume."
        )
    for name in ("fields", "pictures", "checkpoint"):
        (directory / name).mkdir(parents=True, exist_ok=True)


def _introduce(functional: ReducedFunctional, progress: Progress) -> None:
    case, space, controls = functional.case, functional.transport.space, functional.controls
    cells = " x ".join(map(str, case.cells()))
    if case.mesh.kind == "file":
        cells = str(space.mesh.topology.index_map(space.dimension).size_global)
    progress.say(
        f"{case.title or 'mfresnet'}: {cells} {space.cell} cells of degree {space.degree}, "
        f"{space.n_global} degrees of freedom a class, {controls.layers} layers of "
        f"{functional.steps_per_layer} steps, {controls.size} controls, "
        f"{functional.comm.size} rank{'s' * (functional.comm.size > 1)}"
    )
    progress.say(functional.memory_sentence())
    population, dataset = functional.population, functional.population.dataset
    if dataset is not None and population.bandwidths is not None:
        pairs = zip(population.labels, population.bandwidths, strict=True)
        widths = ", ".join(f"{label} {width:.3g}" for label, width in pairs)
        progress.say(
            f"{dataset.train.y.size} samples for training and {dataset.test.y.size} for the test, "
            f"{len(dataset.features)} features made {dataset.dimension} coordinates, bandwidth "
            f"{widths}"
        )
    worst = float(abs(functional.initial_mass - 1.0).max())
    if worst > case.mesh.outflow_tolerance:
        progress.say(f"The initial mass on the mesh differs from 1 by {worst:.2e}.")
    for sentence in undershoots(functional):
        progress.say(f"Warning: {sentence}")
