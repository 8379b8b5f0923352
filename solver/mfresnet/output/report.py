# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a run reports: the content of run.json, the table at its end, the exit status."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case
from mfresnet.errors import Exit
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.memory import peak
from mfresnet.mesh import MESHES
from mfresnet.output.run_directory import versions
from mfresnet.output.run_json import SCHEMA, Bound, Data, Memory, RunReport
from mfresnet.output.run_metrics import Errors, Metrics, Quality
from mfresnet.output.run_parts import Accuracy, Asked, Objective
from mfresnet.training import ObjectiveError, Trained
from mfresnet.verification import (
    LossError,
    LowerBound,
    damping,
    drift,
    loss_error,
    measure,
    notes,
    verdict,
    warnings,
)


def run_report(trained: Trained, bound: LowerBound | None, start: float) -> tuple[RunReport, Exit]:
    """Return the content of run.json, and how the command ends.

    Args:
        trained: what the training has found.
        bound: the lower bound of the loss.
        start: when the run began, by ``time.perf_counter``.

    Parallel: collective.
    """
    functional, result, stages = trained.functional, trained.result, trained.stages
    case, theta, last = functional.case, result.theta, result.history[-1]
    balance = Trajectory(functional, theta).balance()
    asked = trained.error
    right = asked is not None and asked.reached  # whatever the mesh does not resolve
    error = loss_error(functional, theta, ways=1) if asked is None else asked.loss
    status, name, message = _ending(trained, error, balance.largest_outflow)
    shares = damping(functional, theta)
    with np.errstate(over="ignore", invalid="ignore"):  # points may leave the mesh for good
        apart = drift(functional, theta)
    objective, measured = _objective(functional, theta, error), measure(functional, theta)
    worth = verdict(case.task, measured) if functional.population.dataset is not None else []
    report = RunReport(
        schema=SCHEMA,
        case=case.title,
        status=name,
        message=message,
        versions=versions(),
        ranks=functional.comm.size,
        dofs=functional.problem.space.n_global,
        layers=functional.controls.layers,
        steps_per_layer=functional.steps_per_layer,
        objective=objective,
        initial_objective=result.history[0].objective,
        gradient_norm=result.gradient_norm,
        iterations=result.iterations,
        forward_sweeps=last.forward_sweeps,
        adjoint_sweeps=last.adjoint_sweeps,
        hessian_actions=last.hessian_actions,
        mass_error=balance.error,
        initial_mass_error=float(abs(functional.problem.initial_mass - 1.0).max()),
        outflow=balance.largest_outflow,
        min_density=balance.min_density,
        damping=float(shares.max()),
        drift=float(apart.max()) if np.isfinite(apart).all() else None,
        warnings=[] if right else warnings(functional, balance, shares, apart, error),
        notes=([] if right else notes(functional, shares, apart, error)) + worth,
        memory=_memory(functional),
        metrics=Metrics.model_validate(measured),
        data=_data(functional),
        certificate=None,
        seconds=time.perf_counter() - start,
        lower_bound=bound and Bound(**bound.as_data(objective.loss)),
    )
    if asked is not None:
        given = _asked(asked, trained.limit)
        report = report.with_(accuracy=given, discretisation=_discretisation(case))
    return (report if len(stages) < 2 else report.with_(stages=list(stages))), status


def _discretisation(case: Case) -> dict[str, Any]:
    """Return the keys of the case that an accuracy chooses."""
    return {
        "mesh": {"cells": case.cells()} if MESHES[case.mesh.kind].grid else {},
        "space": {"degree": case.space.degree},
        "time": {"order": case.time.order},
    }


def _asked(error: ObjectiveError, limit: str) -> Asked:
    return Asked(
        asked=error.asked,
        reached=error.reached,
        relative=None if error.unknown else error.relative,
        size=None if error.unknown else error.size,
        scale=error.scale,
        corrected=error.corrected,
        parts=error.parts,
        sentence=error.sentence(),
        limit=limit,
    )


def _ending(trained: Trained, error: LossError, outflow: float) -> tuple[Exit, str, str]:
    """Return exit status, name and sentence: mass that has left counts most, then a wrong loss."""
    functional, result = trained.functional, trained.result
    mesh = functional.case.mesh
    if abs(outflow) > error.outflow_limit(mesh.outflow_tolerance):
        message = (
            f"mesh.outflow_tolerance: mass has left the mesh; got {abs(outflow):.2e} of a class, "
            f"expected at most {mesh.outflow_tolerance:.2e}. {mesh.larger} or raise the tolerance."
        )
        return Exit.FAILED, "outflow", message
    if trained.error is not None and not trained.error.reached:
        return Exit.NOT_CONVERGED, result.status.name.lower(), trained.refusal()
    if error.wrong:
        message = error.sentence() if result.converged else f"{error.sentence()} {result.message}"
        return Exit.NOT_CONVERGED, "loss_error", message
    status = Exit.CONVERGED if result.converged else Exit.NOT_CONVERGED
    return status, result.status.name.lower(), result.message


def _objective(functional: ReducedFunctional, theta: Array, error: LossError) -> Objective:
    return Objective(
        total=functional.value(theta),
        loss=functional.loss(theta),
        penalty=functional.penalty(theta),
        loss_error=Accuracy.model_validate(error.as_data()),
    )


def _memory(functional: ReducedFunctional) -> Memory:
    plan = functional.plan.report()
    return Memory(predicted=functional.predicted_memory, measured=peak(functional.comm), **plan)


def _data(functional: ReducedFunctional) -> Data | None:
    """Return what was done to the samples, see ``scaling.Coordinates``."""
    population, dataset = functional.population, functional.population.dataset
    if dataset is None or population.bandwidths is None:
        return None
    return Data(
        labels=list(dataset.labels),
        features=list(dataset.features),
        shift=dataset.shift.tolist(),
        matrix=dataset.matrix.tolist(),
        back=dataset.back.tolist(),
        train_samples=int(dataset.train.y.size),
        test_samples=int(dataset.test.y.size),
        bandwidths=population.bandwidths.tolist(),
    )


def summary(report: RunReport) -> list[tuple[str, str]]:
    """Return the rows of the table at the end of a run: name and value."""
    rows = [
        ("objective", _objective_line(report)),
        ("loss", report.objective.loss_error.number),
        ("gradient norm", f"{report.gradient_norm:.2e}"),
        ("iterations", str(report.iterations)),
    ]
    if (bound := report.lower_bound) is not None:
        text = f"{bound.value:.8g}  ({bound.name}; the loss is {bound.gap:.2e} above it)"
        rows.append(("lower bound of the loss", text))
    errors = report.metrics.relative_l2_error
    rows += [(f"L2 error, class {label}", f"{error:.2%}") for label, error in errors.items()]
    rows += _on_samples(report.metrics)
    rows += [
        ("mass error", f"{report.mass_error:.1e}"),
        ("outflow", f"{report.outflow:.1e}"),
        ("least density", f"{report.min_density:.1e}"),
        ("seconds", f"{report.seconds:.1f}"),
    ]
    return rows


def _objective_line(report: RunReport) -> str:
    """Return J with its error, where it is known."""
    objective, asked = report.objective, report.accuracy
    size = objective.loss_error.error if asked is None else asked.size
    return f"{objective.total:.8g}" + ("" if size is None else f" +- {abs(size):.1e}")


def _on_samples(metrics: Metrics) -> Iterator[tuple[str, str]]:
    """Yield the rows of the table on samples, beside the baselines."""
    for part in ("train", "test"):
        ours = getattr(metrics, part)
        if (rows := metrics.log_likelihood) and (row := getattr(rows, part)) is not None:
            text = _beside(
                row.network,
                {
                    "start density": row.start,
                    "Gaussian mixture": row.gaussian_mixture,
                    "kernels": row.kernel,
                },
            )
            yield f"{part} log likelihood of the features", text
        if isinstance(ours, Errors):
            names = ("linear_regression", "kernel_regression")
            others = {name.replace("_", " "): getattr(getattr(metrics, name), part, None)
                      for name in names}  # fmt: skip
            yield f"{part} R2", _beside(ours.r2, {n: row and row.r2 for n, row in others.items()})
            if ours.coverage is not None:
                yield f"{part} labels in the 90 % interval", f"{ours.coverage:.1%}"
        elif ours is not None:
            yield from _of_classes(metrics, ours, part)
    if (bayes := metrics.bayes) is not None:
        text = f"{bayes.network.accuracy:.4f}  (Bayes bound {bayes.accuracy:.4f})"
        yield "accuracy on the smoothed classes", text
        if bayes.network.log_loss is not None:
            text = f"{bayes.network.log_loss:.4f}  (Bayes bound {bayes.log_loss:.4f})"
            yield "log loss on the smoothed classes", text


def _of_classes(metrics: Metrics, ours: Quality, part: str) -> Iterator[tuple[str, str]]:
    """Yield the rows of a classification on a part of the samples."""
    names = ("logistic_regression", "kernel_density")
    others = {name.replace("_", " "): getattr(getattr(metrics, name), part, None) for name in names}
    for key, title in (
        ("accuracy", "accuracy"),
        ("log_loss", "log loss"),
        ("calibration_error", "calibration error"),
    ):
        value = getattr(ours, key)
        if value is not None:
            rivals = {name: row and getattr(row, key) for name, row in others.items()}
            yield f"{part} {title}", _beside(value, rivals)


def _beside(value: float, others: Mapping[str, float | None]) -> str:
    """Return a number, with those of the baselines that there are behind it."""
    known = [f"{name} {other:.4f}" for name, other in others.items() if other is not None]
    return f"{value:.4f}" + (f"  ({', '.join(known)})" if known else "")
