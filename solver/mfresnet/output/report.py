# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a run reports: the content of run.json, and the exit status."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case
from mfresnet.errors import Exit
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.memory import peak
from mfresnet.mesh import MESHES
from mfresnet.output.run_directory import petsc_options, versions
from mfresnet.output.run_json import SCHEMA, Bound, Data, Memory, RunReport
from mfresnet.output.run_metrics import Metrics
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
    if options := petsc_options():
        report = report.with_(petsc_options=options)
    if asked is not None:
        given = _asked(asked, trained.limit)
        report = report.with_(accuracy=given, discretisation=_discretisation(case))
    return (report if len(stages) < 2 else report.with_(stages=list(stages))), status


def _discretisation(case: Case) -> dict[str, Any]:
    """Return the keys of the case that an accuracy chooses: the box, too, where it has found it."""
    mesh, box = case.mesh, {}
    if MESHES[mesh.kind].grid:
        corners = {"lower": mesh.lower, "upper": mesh.upper}
        box = {"cells": case.cells()} | {k: v for k, v in corners.items() if v is not None}
    return {
        "mesh": box,
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
