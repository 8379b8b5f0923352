# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a run reports: the content of run.json, the table at its end, the exit status."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from mfresnet.advice import damping, drift, notes, warnings
from mfresnet.export import versions
from mfresnet.functional import ReducedFunctional
from mfresnet.loss_error import loss_error
from mfresnet.memory import peak
from mfresnet.optimise import OptimiseResult


class Exit(IntEnum):
    """Exit statuses of the command."""

    CONVERGED = 0
    BAD_INPUT = 2
    FAILED = 3
    NOT_CONVERGED = 4
    PREEMPTED = 75


def run_report(
    functional: ReducedFunctional, result: OptimiseResult, seconds: float
) -> tuple[dict[str, Any], Exit]:
    """Return the content of run.json, and how the command ends.

    Args:
        functional: J.
        result: what the optimiser has found.
        seconds: the time of the training.

    Parallel: collective.
    """
    case, theta = functional.case, result.theta
    balance = functional.balance(theta)
    outflow = balance.largest_outflow
    status = Exit.CONVERGED if result.converged else Exit.NOT_CONVERGED
    name, message = result.status.name.lower(), result.message
    error = loss_error(functional, theta, ways=1)
    if error.wrong:
        status, name = Exit.NOT_CONVERGED, "loss_error"
        message = error.sentence() if result.converged else f"{error.sentence()} {message}"
    if abs(outflow) > error.outflow_limit(case.mesh.outflow_tolerance):
        status, name = Exit.FAILED, "outflow"
        message = (
            f"mesh.outflow_tolerance: mass has left the mesh; got {outflow:.2e} of a class, "
            f"expected at most {case.mesh.outflow_tolerance:.2e}. {case.mesh.larger} or raise the "
            "tolerance."
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
            "loss_error": error.as_data(),
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
        "warnings": warnings(functional, balance, shares, apart, error),
        "notes": notes(functional, shares, apart, error),
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
    """Return what prediction needs to know of the data, see ``scaling.Coordinates``."""
    population, dataset = functional.population, functional.population.dataset
    if dataset is None or population.bandwidths is None:
        return None
    return {
        "labels": list(dataset.labels),
        "features": list(dataset.features),
        "shift": dataset.shift.tolist(),
        "matrix": dataset.matrix.tolist(),
        "back": dataset.back.tolist(),
        "train_samples": int(dataset.train.y.size),
        "test_samples": int(dataset.test.y.size),
        "bandwidths": population.bandwidths.tolist(),
    }


def summary(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the rows of the table at the end of a run: name and value."""
    rows = [
        ("objective", f"{report['objective']['total']:.8g}"),
        ("loss", report["objective"]["loss_error"]["number"]),
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
                rows.append((f"{part} log likelihood of the features", text))
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
