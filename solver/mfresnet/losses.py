# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Losses on the densities: name -> how to make it, its keys in the case file, its head.

``point_losses`` are linear in the densities, ``density_losses`` compare densities or moments,
``dual_norm`` does so in a weak norm. A new loss is one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from mfresnet.arrays import Array
from mfresnet.density_losses import (
    DensityLoss,
    DensitySection,
    KullbackLeibler,
    KullbackLeiblerSection,
    L2Distance,
    Moments,
    MomentsSection,
)
from mfresnet.dual_norm import DualDistance, DualSection
from mfresnet.loss import CostSetting, Loss, LossSection, Setting, Shapes
from mfresnet.models import Model, Name
from mfresnet.point_losses import CrossEntropy, PointCost, PointLoss, Quadratic, SquaredError


@dataclass(frozen=True)
class Row:
    """One kind of loss.

    Attributes:
        make: Setting -> the loss.
        cost: CostSetting -> the cost of a unit of mass, where the loss is the mean of one.
        section: the model of [loss] for this kind.
        targets: whether every class needs a point to reach.
        head: (d, classes) -> shapes of the parameters H and h of a linear head, which then decides
            the class of a point at T, see ``heads``; without one it is that of the nearest target.
        probabilistic: whether the softmax of the scores of the head, ``heads.scores``, is the
            probability of a class.
        least: no density that is positive has a lower loss.
        tasks: names in ``TASKS`` that it serves.
    """

    make: Callable[[Setting], Loss]
    section: type[LossSection] = LossSection
    cost: Callable[[CostSetting], PointCost] | None = None
    targets: bool = False
    head: Callable[[int, int], Shapes] = lambda d, n_classes: {}
    probabilistic: bool = False
    least: float = 0.0
    tasks: tuple[str, ...] = ("classification",)

    def aims(self, targets: Array) -> Array:
        """Return those of the targets of the classes, (classes, d), that the loss knows."""
        return targets if self.targets else targets[:0]


STEERING = ("classification", "density")
LOSSES: dict[str, Row] = {
    "quadratic": Row(lambda s: PointLoss(s, Quadratic(s)), cost=Quadratic, targets=True),
    "cross_entropy": Row(
        lambda s: PointLoss(s, CrossEntropy(s)),
        cost=CrossEntropy,
        head=CrossEntropy.shapes,
        probabilistic=True,
    ),
    "squared_error": Row(
        lambda s: PointLoss(s, SquaredError(s)),
        cost=SquaredError,
        head=SquaredError.shapes,
        tasks=("regression",),
    ),
    "density_l2": Row(lambda s: DensityLoss(s, L2Distance(s)), DensitySection, tasks=STEERING),
    "density_dual_h1": Row(lambda s: DensityLoss(s, DualDistance(s)), DualSection, tasks=STEERING),
    "kullback_leibler": Row(
        lambda s: DensityLoss(s, KullbackLeibler(s)), KullbackLeiblerSection, tasks=STEERING
    ),
    "moments": Row(Moments, MomentsSection),
}

TASKS: dict[str, str] = {
    "classification": "quadratic",
    "regression": "squared_error",
    "density": "density_l2",
}
"""Kind of task -> the loss that it has when none is given."""


class UnknownSection(Model, extra="allow"):
    """[loss] of a kind that is not in the table."""

    kind: Annotated[str, Name(LOSSES)]


def loss_section(value: Any) -> type[Model]:
    """Return the model of [loss] for its content."""
    kind = value.get("kind", "quadratic") if isinstance(value, dict) else "quadratic"
    known = isinstance(kind, str) and kind in LOSSES
    return LOSSES[kind].section if known else UnknownSection
