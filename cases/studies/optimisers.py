# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The iterations of the optimality system beside quasi-Newton and Newton methods on the same cases.

forward_backward is the sweep of the formal optimality system (steepest descent in L2(0, T)),
maximum_principle its damped fixed point; lmvm, blmvm, cg, nls and ntr are types of PETSc TAO on the
same J and the same exact derivative. Work is counted in sweeps: forward, adjoint, and two for every
Hessian action. The two cases on the line have a closed form J*; for the plane it is the least J
that any of the methods finds, with a tighter tolerance.

Run: docker/run python3 cases/studies/optimisers.py
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mfresnet.case import Case, load
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import TYPES, Iteration, minimise
from mfresnet.pictures import COLOURS, key, log_ticks
from mfresnet.runs import Study, main
from mfresnet.verification import at_most

CASES = Path(__file__).parents[1]
CHOSEN = ("forward_backward", "maximum_principle", "lmvm", "blmvm", "cg", "nls", "ntr")
TOLERANCE = 1e-6
SHIFT, SCALE, PLANE = "shift_1d", "scale_1d", "two_classes_2d"
TITLES = {
    SHIFT: "line, bias alone: quadratic",
    SCALE: "line, weight alone: not quadratic",
    PLANE: "plane, two classes, tanh",
}
EXACT = {SHIFT: 0.02 + 0.1 * 1.5**2 / 2.2, SCALE: 0.115900575152}
"""J* in closed form: V0/2 + gamma (y - m0)^2 / (2 (gamma + T)), and by Lambert's function."""


def sweeps(row: Iteration) -> int:
    """Return the number of sweeps so far."""
    return row.forward_sweeps + row.adjoint_sweeps + 2 * row.hessian_actions


def steps_for_all(case: Case) -> Case:
    """Return the case with so many time steps that no method has to start again for more.

    All methods then minimise the same discrete J.
    """
    functional = ReducedFunctional(case)
    result = minimise(functional)
    needed = max(functional.steps_per_layer, functional.steps_for(result.theta))
    data = case.model_dump(exclude_none=True)
    data["time"]["steps_per_layer"] = 2 * needed
    return Case.model_validate(data)


def with_training(case: Case, **settings: Any) -> Case:
    """Return the case with other keys of [training]."""
    data = case.model_dump(exclude_none=True)
    data["training"] |= settings
    return Case.model_validate(data)


def study(size: str = "full") -> Study:
    """Run all methods on all cases."""
    full = size == "full"
    names = ("case", "method", "iterations", "forward", "adjoint", "Hessian", "seconds", "J",
             "gradient")  # fmt: skip
    columns: dict[str, list[Any]] = {name: [] for name in names}
    findings = []
    chosen = (SHIFT, SCALE, PLANE) if full else (SHIFT, SCALE)
    figure = Figure(figsize=(4.0 * len(chosen), 4.1), layout="constrained")
    small = ["mesh.cells=[16, 16]", "network.layers=5"]
    for axes, name in zip(figure.subplots(1, len(chosen)), chosen, strict=True):
        settings = [f"training.gradient_tolerance={TOLERANCE}", "training.max_iterations=400"]
        settings += small if name == PLANE else [] if full else ["mesh.cells=[24]"]
        case = steps_for_all(load(CASES / f"{name}.toml", settings))
        runs: dict[str, Sequence[Iteration]] = {}
        for method in CHOSEN:
            result = minimise(ReducedFunctional(with_training(case, method=method)))
            runs[method] = result.history
            last = result.history[-1]
            work = (last.forward_sweeps, last.adjoint_sweeps, last.hessian_actions, last.seconds)
            row = (name, method, result.iterations, *work, result.value, result.gradient_norm)
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
            norm = result.gradient_norm
            findings.append(at_most(f"{name}, {method}: gradient norm", norm, TOLERANCE))
        tight = with_training(case, method="ntr", gradient_tolerance=1e-10)
        least = min(
            minimise(ReducedFunctional(tight)).value, *(r[-1].objective for r in runs.values())
        )
        spread = max(r[-1].objective for r in runs.values()) - least
        findings.append(at_most(f"{name}: J of all methods, largest less least", spread, 1e-9))
        if name in EXACT:
            apart = abs(least / EXACT[name] - 1.0)
            findings.append(at_most(f"{name}: J* against the closed form", apart, 1e-4))
        _draw(axes, runs, least)
        axes.set_title(TITLES[name])
    figure.axes[0].set_ylabel("$J - J^*$")
    key(figure, columns=len(CHOSEN))
    return Study("Optimisers", __doc__, columns, tuple(findings), figure)


def _draw(axes: Any, runs: dict[str, Sequence[Iteration]], least: float) -> None:
    """Draw J - J* over the sweeps, down to rounding; those of the optimality system dashed."""
    floor = 1e-14 * (1.0 + abs(least))
    for k, (method, history) in enumerate(runs.items()):
        rest = np.maximum([row.objective - least for row in history], floor)
        own = method not in TYPES
        axes.loglog(
            [sweeps(row) for row in history],
            rest,
            "--" if own else "-",
            marker="os^vDPX"[k],
            markevery=(0.0, 0.08),
            ms=4.5,
            lw=1.8 if own else 1.2,
            color=COLOURS[k],
            label=method,
        )
    axes.set(xlabel="sweeps", ylim=(0.3 * floor, None))
    log_ticks(axes.xaxis)
    axes.grid(alpha=0.25)


if __name__ == "__main__":
    main(study)
