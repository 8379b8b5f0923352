# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""One run from case to run directory: what the command ``mfresnet run`` does."""

from __future__ import annotations

from mpi4py import MPI

import shutil
import time
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from mfresnet.advice import damping, drift, warnings
from mfresnet.arrays import Array
from mfresnet.case import Case
from mfresnet.checkpoint import EvaluationLog
from mfresnet.errors import InputError
from mfresnet.export import (
    versions,
    write_controls,
    write_history,
    write_report,
    write_text,
)
from mfresnet.functional import ReducedFunctional
from mfresnet.measures import measure
from mfresnet.memory import in_units, peak
from mfresnet.nested import Stage, train
from mfresnet.optimise import OptimiseResult
from mfresnet.output import write_fields
from mfresnet.parallel import together
from mfresnet.plot import draw
from mfresnet.progress import Progress
from mfresnet.reachability import lower_bound


class Exit(IntEnum):
    """Exit statuses of the command."""

    CONVERGED = 0
    BAD_INPUT = 2
    FAILED = 3
    NOT_CONVERGED = 4
    PREEMPTED = 75


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
    report, status = _report(functional, result, time.perf_counter() - start)
    if len(stages) > 1:
        report["stages"] = [asdict(stage) for stage in stages]
    report["metrics"] = measure(functional, result.theta)
    report["lower_bound"] = bound and bound.as_data(report["objective"]["loss"])
    with together(comm):
        if comm.rank == 0:
            write_history(directory / "history.csv", result.history)
            write_controls(directory / "controls.npz", functional.controls, result.theta)
    if case.output.fields:
        progress.say(f"Fields for ParaView: {directory / 'fields'}")
        write_fields(functional, result.theta, directory / "fields")
    if case.output.pictures:
        progress.say(f"Pictures: {directory / 'pictures'}")
        draw(functional, result.theta, result.history, directory / "pictures")
    report["seconds"] = time.perf_counter() - start
    with together(comm):
        if comm.rank == 0:
            write_report(directory / "run.json", report)
    progress.say(f"Numbers: {directory / 'run.json'}")
    progress.table(summary(report))
    for sentence in report["warnings"]:
        progress.say(f"Warning: {sentence}")
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
    progress.say(
        f"Memory: about {in_units(functional.predicted_memory)}; {functional.plan.sentence()}"
    )
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
        progress.say(f"Warning: the initial mass on the mesh differs from 1 by {worst:.2e}.")
    for sentence in population.warnings(space):
        progress.say(f"Warning: {sentence}")


def _report(
    functional: ReducedFunctional, result: OptimiseResult, seconds: float
) -> tuple[dict[str, Any], Exit]:
    case, theta = functional.case, result.theta
    balance = functional.balance(theta)
    outflow = float(balance.outflow.max())
    status = Exit.CONVERGED if result.converged else Exit.NOT_CONVERGED
    name, message = result.status.name.lower(), result.message
    if outflow > case.mesh.outflow_tolerance:
        status, name = Exit.FAILED, "outflow"
        message = (
            f"mesh.outflow_tolerance: mass has left the mesh; got {outflow:.2e} of a class, "
            f"expected at most {case.mesh.outflow_tolerance:.2e}. Enlarge mesh.lower and "
            "mesh.upper or raise the tolerance."
        )
    shares = damping(functional, theta)
    with np.errstate(over="ignore", invalid="ignore"):  # points may leave the mesh for good
        apart = drift(functional, theta)
    report: dict[str, Any] = {
        "case": case.title,
        "status": name,
        "message": message,
        "versions": versions(),
        "ranks": functional.comm.size,
        "dofs": functional.transport.space.n_global,
        "layers": functional.controls.layers,
        "steps_per_layer": functional.steps_per_layer,
        "objective": {
            "total": functional.value(theta),
            "loss": functional.loss(theta),
            "penalty": functional.penalty(theta),
        },
        "initial_objective": result.history[0].objective,
        "gradient_norm": result.gradient_norm,
        "iterations": result.iterations,
        "forward_sweeps": result.history[-1].forward_sweeps,
        "adjoint_sweeps": result.history[-1].adjoint_sweeps,
        "hessian_actions": result.history[-1].hessian_actions,
        "mass_error": balance.error,
        "initial_mass_error": float(abs(functional.initial_mass - 1.0).max()),
        "outflow": outflow,
        "min_density": balance.min_density,
        "damping": float(shares.max()),
        "drift": float(apart.max()) if np.isfinite(apart).all() else None,
        "warnings": warnings(functional, balance, shares, apart),
        "metrics": {},
        "data": _data(functional),
        "memory": {
            "predicted": functional.predicted_memory,
            "measured": peak(functional.comm),
            **functional.plan.report(),
        },
        "certificate": None,
        "seconds": seconds,
    }
    return report, status


def _data(functional: ReducedFunctional) -> dict[str, Any] | None:
    """Return what prediction needs to know of the data: x = matrix^T (features - shift)."""
    population, dataset = functional.population, functional.population.dataset
    if dataset is None or population.bandwidths is None:
        return None
    return {
        "labels": list(dataset.labels),
        "features": list(dataset.features),
        "shift": dataset.shift.tolist(),
        "matrix": dataset.matrix.tolist(),
        "train_samples": int(dataset.train.y.size),
        "test_samples": int(dataset.test.y.size),
        "bandwidths": population.bandwidths.tolist(),
    }


def summary(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the rows of the table at the end of a run: name and value."""
    rows = [
        ("objective", f"{report['objective']['total']:.8g}"),
        ("gradient norm", f"{report['gradient_norm']:.2e}"),
        ("iterations", str(report["iterations"])),
    ]
    if (bound := report["lower_bound"]) is not None:
        text = f"{bound['value']:.8g}  ({bound['name']}; the loss is {bound['gap']:.2e} above it)"
        rows.append(("lower bound of the loss", text))
    metrics = report["metrics"]
    errors = metrics.get("relative_l2_error", {})
    rows += [(f"L2 error, class {label}", f"{error:.2%}") for label, error in errors.items()]
    if "log_likelihood" in metrics:
        for part, row in metrics["log_likelihood"].items():
            if row is not None:
                text = f"{row['network']:.4f}  (start density {row['start']:.4f})"
                rows.append((f"{part} log likelihood", text))
    if "linear_regression" in metrics:
        for part in ("train", "test"):
            if metrics[part] is not None:
                ours, theirs = metrics[part]["r2"], metrics["linear_regression"][part]["r2"]
                rows.append((f"{part} R2", f"{ours:.4f}  (linear regression {theirs:.4f})"))
    if "logistic_regression" in metrics:
        baseline = metrics["logistic_regression"]
        for part in ("train", "test"):
            if metrics[f"{part}_accuracy"] is not None:
                ours, theirs = metrics[f"{part}_accuracy"], baseline[f"{part}_accuracy"]
                rows.append((f"{part} accuracy", f"{ours:.4f}  (logistic regression {theirs:.4f})"))
    rows += [
        ("mass error", f"{report['mass_error']:.1e}"),
        ("outflow", f"{report['outflow']:.1e}"),
        ("least density", f"{report['min_density']:.1e}"),
        ("seconds", f"{report['seconds']:.1f}"),
    ]
    return rows
