# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""One run from case to run directory: what the command ``mfresnet run`` does."""

from __future__ import annotations

from mpi4py import MPI

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mfresnet.arrays import Array
from mfresnet.case import Case
from mfresnet.ending import Failure
from mfresnet.errors import Exit, InputError, SolveError
from mfresnet.files import REPORT, write_text
from mfresnet.functional import ReducedFunctional, trained_network
from mfresnet.interrupt import keeping
from mfresnet.optimise import EvaluationLog, OptimiseResult
from mfresnet.output import (
    MARK,
    PAGE,
    Progress,
    RunReport,
    converged,
    measures,
    own,
    run_report,
    show_results,
    verdict_sentence,
    write_controls,
    write_history,
    write_page,
)
from mfresnet.pages import card
from mfresnet.parallel import meet, pause, together
from mfresnet.runs.job import Job, introduce
from mfresnet.tasks import TASKS
from mfresnet.trained import NETWORK, save_network
from mfresnet.training import Stage
from mfresnet.verification import LowerBound, lower_bound


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
    report: RunReport
    directory: Path
    exit: Exit

    def _repr_html_(self) -> str:
        """Return what a notebook shows: verdict, numbers, the first picture, where the page is."""
        rows = [(measure.name, measure.text()) for measure in measures(self.report.metrics)]
        rows += [
            ("iterations", str(self.report.iterations)),
            ("report", str(self.directory / PAGE)),
        ]
        return card(
            self.report.case or self.directory.name,
            verdict_sentence(self.report),
            rows,
            good=converged(self.report),
            picture=self.directory / "pictures" / "density.png",
            alternative="The densities from the input to the output.",
        )


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
        Preempted: USR1 or TERM has come while it trains or writes; ``resume`` goes on.

    Parallel: collective.
    """
    comm = MPI.COMM_WORLD if comm is None else comm
    progress = Progress(comm.rank) if progress is None else progress
    directory, start = Path(out), time.perf_counter()
    if case.data is not None and functional is None:
        classes = TASKS[case.task].classes
        what = "a density on the mesh for every class" if classes else "their density"
        with progress.doing(f"Reading {case.data.file.name}; {what}"):
            job = Job.of(case, comm, functional)
    else:
        job = Job.of(case, comm, functional)
    with together(comm):
        if comm.rank == 0:
            _check_place(directory, resume=resume)
            directory.mkdir(parents=True, exist_ok=True)
    with own(directory, comm) as locked:
        if not locked:
            progress.warn(f"nothing keeps a second run out of {directory}: no locks there.")
        with together(comm):
            if comm.rank == 0:
                _prepare(directory, overwrite=overwrite, resume=resume)
        log = EvaluationLog(directory / "checkpoint", job.case.to_toml(), comm)
        with keeping():
            return _train(job, directory, log, progress, start)


def _train(
    job: Job, directory: Path, log: EvaluationLog, progress: Progress, start: float
) -> RunResult:
    """Train in a directory that is ours; its numbers are there before anything is drawn."""
    case, comm = job.case, job.comm
    with together(comm):
        if comm.rank == 0:
            write_text(directory / "case.toml", case.to_toml())
    introduce(job, progress)
    bound: LowerBound | None = None
    if job.functional is not None:
        bound = _say_bound(job.functional, progress)

    def say_stage(stage: Stage) -> None:
        progress.tell(stage.sentence())

    pause(comm)
    with progress:
        trained = job.train(log, progress.iteration, say_stage)
    functional, result = trained.functional, trained.result
    if job.functional is None:
        bound = _say_bound(functional, progress)
    report, status = run_report(trained, bound, start)
    with together(comm):
        if comm.rank == 0:
            (directory / REPORT).unlink(missing_ok=True)  # not finished while these change
            write_history(directory / "history.csv", result.history)
            write_controls(directory / "controls.npz", functional.controls, result.theta)
            save_network(trained_network(functional, result.theta), directory / NETWORK)
            report = report.sealed(directory)
            report.write(directory)
    report = report.with_(files=comm.bcast(report.files, root=0))
    with progress.doing(f"Fields, pictures and report: {directory}"):
        report = _show(functional, result, report, directory, start)
    page = directory / PAGE
    show_results(progress, report, page if page.exists() else directory / REPORT)
    return RunResult(result.theta, report, directory, status)


def _say_bound(functional: ReducedFunctional, progress: Progress) -> LowerBound | None:
    """Return the lower bound of the loss, which is said."""
    if (bound := lower_bound(functional.problem)) is not None:
        progress.tell(f"No network can do better: {bound.sentence()}")
    return bound


def _show(
    functional: ReducedFunctional,
    result: OptimiseResult,
    report: RunReport,
    directory: Path,
    start: float,
) -> RunReport:
    """Write fields, pictures and the page; return the report with what cannot be made."""
    case, comm = functional.case, functional.comm

    def fields() -> None:
        from mfresnet.output import write_fields

        write_fields(functional, result.theta, directory / "fields", case.output.endings())

    def pictures() -> None:
        from mfresnet.pictures import draw

        draw(functional, result.theta, result.history, directory / "pictures", report)

    def numbers() -> None:
        with together(comm):
            if comm.rank == 0:
                report.write(directory)

    def page() -> None:
        with together(comm):
            if comm.rank == 0:
                write_page(directory)

    def attempt(what: str, make: Callable[[], None]) -> bool:
        nonlocal report
        failed = _attempt(comm, what, directory, make)
        report = report.with_(warnings=report.warnings + failed)
        return not failed

    if case.output.endings():
        attempt("output.fields", fields)
    if case.output.pictures:
        attempt("output.pictures", pictures)
    report = report.with_(seconds=time.perf_counter() - start)
    attempt(REPORT, numbers)
    if not attempt(PAGE, page):
        attempt(REPORT, numbers)
    return report


def _attempt(
    comm: MPI.Intracomm, what: str, directory: Path, make: Callable[[], None]
) -> list[str]:
    """Make what a finished training can do without; return why it cannot be made.

    That is a full disk, a package that is not installed, or what the makers say themselves.

    Parallel: collective; the same on all ranks.
    """
    error: Exception | None = None
    try:
        make()
    except Exception as caught:
        error = caught
    meet(comm, error)  # a rank that fails alone ends all
    told = error is not None and not isinstance(error, Failure)
    excuses = comm.allgather(_excuse(error, what, directory) if told else None)
    if error is not None and "" in excuses:
        raise error
    return next(([text] for text in excuses if text), [])


def _excuse(error: Exception | None, what: str, directory: Path) -> str:
    """Return why something cannot be made; nothing for an error that must not be passed over."""
    resume = (
        f"Free room or install it, and use --resume, which trains nothing again in {directory}."
    )
    if isinstance(error, SolveError):
        return str(error)
    if isinstance(error, OSError):
        return f"{what}: cannot be written; got '{error}', expected room on the disk. {resume}"
    if isinstance(error, ImportError) and not (error.name or "").startswith("mfresnet"):
        return f"{what}: cannot be made; got '{error}', expected the package. {resume}"
    return ""


def _check_place(directory: Path, *, resume: bool) -> None:
    """Refuse a directory of something else, before anything is written there."""
    known = directory.exists() and any(directory.iterdir())
    if known and not ((directory / MARK).exists() or (directory / "case.toml").exists()):
        raise InputError(
            f"--out: not a run directory; got {directory}, which holds other files, expected "
            "a new directory or an earlier run. Choose another one."
        )
    if resume and not known:
        raise InputError(_no_run(directory))


def _no_run(directory: Path) -> str:
    return f"--resume: no run in {directory}, expected an interrupted run. Omit --resume."


def _prepare(directory: Path, *, overwrite: bool, resume: bool) -> None:
    """Make the folders of a run, or clear those of an earlier one; nothing else is ever removed."""
    begun = any(path.name != MARK for path in directory.iterdir())
    if begun and overwrite:
        for name in ("case.toml", REPORT, "history.csv", "controls.npz", NETWORK, PAGE):
            (directory / name).unlink(missing_ok=True)
        for name in ("fields", "pictures", "checkpoint"):
            shutil.rmtree(directory / name, ignore_errors=True)
    elif begun and not resume:
        raise InputError(
            f"--out: {directory} holds an earlier run, expected a new directory. Use "
            "--overwrite to replace it, --resume to go on with it, or choose another one."
        )
    elif resume and not begun:
        raise InputError(_no_run(directory))
    for name in ("fields", "pictures", "checkpoint"):
        (directory / name).mkdir(parents=True, exist_ok=True)
