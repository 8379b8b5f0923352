# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What no network of a class can reach: lower bounds of the loss, from the data before training.

Every row of ``LOWER_BOUNDS`` is an argument about all controls whatsoever, proved in ``arguments``,
with the networks and losses that it holds for. The densities are those of ``initial_nodes``, a
quadrature rule, so that a bound holds up to the error of the mesh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mfresnet.case import Case
from mfresnet.functional import Problem
from mfresnet.losses import LOSSES
from mfresnet.network import ACTIVATIONS, HEADS, Controls
from mfresnet.tasks import TASKS
from mfresnet.verification.bounds.arguments import (
    affine_quadratic,
    affine_squared_error,
    bayes_cross_entropy,
    bayes_quadratic,
    displacement_moments,
    displacement_quadratic,
    monotone_cross_entropy,
    monotone_quadratic,
    monotone_squared_error,
)
from mfresnet.verification.bounds.density import (
    displacement_density_l2,
    displacement_dual_h1,
    displacement_kullback_leibler,
)
from mfresnet.verification.bounds.nodes import Start

TRIVIAL = 1e-12
"""A bound below this says nothing."""


@dataclass(frozen=True)
class Argument:
    """One argument why a loss cannot be lower.

    Attributes:
        sentence: what it says.
        holds: case -> whether its networks are among those that it holds for.
        losses: kind of loss -> the bound.
    """

    sentence: str
    holds: Callable[[Case], bool]
    losses: Mapping[str, Callable[[Start], float]]

    def applies(self, case: Case) -> bool:
        """Return whether it says something about a case."""
        return case.loss.kind in self.losses and self.holds(case)


def _linear(case: Case) -> bool:
    """Return whether the scores that decide are affine in the points."""
    return HEADS[LOSSES[case.loss.kind].scored_by(case.loss)].slope != ""


LOWER_BOUNDS: dict[str, Argument] = {
    "bayes": Argument(
        "points at the same place go the same way",
        lambda case: True,
        {"quadratic": bayes_quadratic, "cross_entropy": bayes_cross_entropy},
    ),
    "displacement": Argument(
        "the velocity is bounded, at least on one side, and in the time T mass moves no further",
        lambda case: (
            case.block().reach is not None and (case.data is None or TASKS[case.task].classes)
        ),
        {
            "quadratic": displacement_quadratic,
            "moments": displacement_moments,
            "density_l2": displacement_density_l2,
            "density_dual_h1": displacement_dual_h1,
            "kullback_leibler": displacement_kullback_leibler,
        },
    ),
    "monotone": Argument(
        "paths on the line do not cross, so that the map is monotone",
        lambda case: case.moving == 1 and _linear(case),
        {
            "quadratic": monotone_quadratic,
            "squared_error": monotone_squared_error,
            "cross_entropy": monotone_cross_entropy,
        },
    ),
    "affine": Argument(
        "a linear network makes affine maps of positive determinant",
        lambda case: (case.block().affine(ACTIVATIONS[case.network.activation]) and _linear(case)),
        {"quadratic": affine_quadratic, "squared_error": affine_squared_error},
    ),
}


@dataclass(frozen=True)
class LowerBound:
    """The largest lower bound of the loss.

    Attributes:
        name: its row in ``LOWER_BOUNDS``.
        value: no network of the class has a lower loss.
    """

    name: str
    value: float

    def sentence(self) -> str:
        """Return what it says, in one sentence."""
        why = LOWER_BOUNDS[self.name].sentence
        return f"no controls make the loss smaller than {self.value:.6g}: {why}."

    def as_data(self, loss: float) -> dict[str, float | str]:
        """Return the entry of run.json for the loss that was reached."""
        return {"name": self.name, "value": self.value, "gap": loss - self.value}


def lower_bounds(problem: Problem, initial: Controls | None = None) -> dict[str, float]:
    """Return all lower bounds of the loss that apply, by name.

    Args:
        problem: the problem.
        initial: the initial controls, those of the case when not given.

    Parallel: collective.
    """
    case = problem.case
    chosen = {name: row for name, row in LOWER_BOUNDS.items() if row.applies(case)}
    if not chosen:
        return {}
    start = Start.of(problem, problem.initial_controls() if initial is None else initial)
    return {n: case.loss.terminal * row.losses[case.loss.kind](start) for n, row in chosen.items()}


def best(bounds: Mapping[str, float]) -> LowerBound | None:
    """Return the largest of the bounds, None when none says anything."""
    name = max(bounds, key=lambda n: bounds[n], default=None)
    return None if name is None or bounds[name] <= TRIVIAL else LowerBound(name, bounds[name])


def lower_bound(problem: Problem, initial: Controls | None = None) -> LowerBound | None:
    """Return the largest lower bound of the loss, None when none applies; see ``lower_bounds``."""
    return best(lower_bounds(problem, initial))
