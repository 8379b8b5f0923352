# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Losses, name -> how to make it, its keys in the case file, its head.

``point`` are linear in the densities, ``density`` compare densities or moments,
``dual`` does so in a weak norm. A new loss is one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from mfresnet.arrays import Array
from mfresnet.losses.density import (
    DensityLoss,
    DensitySection,
    KullbackLeibler,
    KullbackLeiblerSection,
    L2Distance,
    MomentsLoss,
    MomentsSection,
)
from mfresnet.losses.dual import DualDistance, DualSection
from mfresnet.losses.loss import CostSetting, Loss, LossSection, ScoredSection, Setting, Shapes
from mfresnet.losses.point import CrossEntropy, PointCost, PointLoss, Quadratic, SquaredError
from mfresnet.network import HEADS, LINEAR, Head
from mfresnet.schema import Model, Name
from mfresnet.tasks import TASKS, alike


@dataclass(frozen=True)
class Row:
    """One kind of loss.

    Attributes:
        make: Setting -> the loss.
        cost: CostSetting -> the cost of a unit of mass, where the loss is the mean of one.
        section: the model of [loss] for this kind.
        targets: whether every class needs a point to reach.
        scores: a name in ``HEADS``, of the trainable head that then decides the class of a point at
            T, or predicts its label, unless the section names another one; without one the class is
            that of the nearest target.
        probabilistic: whether the softmax of the scores is the probability of a class.
        least: no density that is positive has a lower loss.
        tasks: names in ``TASKS`` that it serves, and those that are like them, see ``serves``.
    """

    make: Callable[[Setting], Loss]
    section: type[LossSection] = LossSection
    cost: Callable[[CostSetting], PointCost] | None = None
    targets: bool = False
    scores: str | None = None
    probabilistic: bool = False
    least: float = 0.0
    tasks: tuple[str, ...] = ("classification",)

    def serves(self, task: str) -> bool:
        """Return whether a task can have the loss."""
        return not set(self.tasks).isdisjoint(alike(task))

    def aims(self, targets: Array) -> Array:
        """Return those of the targets of the classes, (classes, d), that the loss knows."""
        return targets if self.targets else targets[:0]

    def scored_by(self, section: LossSection) -> str:
        """Return the name of the head that decides, with or without parameters to train."""
        return getattr(section, "head", None) or self.scores or LINEAR

    def head(self, section: LossSection, d: int, n_classes: int) -> Shapes:
        """Return the shapes of the parameters of the head; one score for a number."""
        if self.scores is None:
            return {}
        one = any(TASKS[name].still for name in self.tasks)
        row = HEADS[self.scored_by(section)]
        size = getattr(section, "prototypes", None) or row.usual
        return row.shapes(d, 1 if one else n_classes, size)


def scored(cost: Callable[[CostSetting, Head], PointCost], head: str, **rest: Any) -> Row:
    """Return the row of a loss whose cost is a function of the scores of a head.

    Args:
        cost: (setting, head) -> the cost.
        head: a name in ``HEADS``, where the section names none.
        rest: the other attributes of the row.
    """

    def of(setting: CostSetting) -> PointCost:
        return cost(setting, HEADS[getattr(setting.section, "head", None) or head])

    return Row(lambda s: PointLoss(s, of(s)), cost=of, scores=head, **rest)


STEERING = ("classification", "density")
LOSSES: dict[str, Row] = {
    "quadratic": Row(lambda s: PointLoss(s, Quadratic(s)), cost=Quadratic, targets=True),
    "cross_entropy": scored(CrossEntropy, LINEAR, section=ScoredSection, probabilistic=True),
    "squared_error": scored(SquaredError, LINEAR, section=ScoredSection, tasks=("regression",)),
    "density_l2": Row(lambda s: DensityLoss(s, L2Distance(s)), DensitySection, tasks=STEERING),
    "density_dual_h1": Row(lambda s: DensityLoss(s, DualDistance(s)), DualSection, tasks=STEERING),
    "kullback_leibler": Row(
        lambda s: DensityLoss(s, KullbackLeibler(s)), KullbackLeiblerSection, tasks=STEERING
    ),
    "moments": Row(MomentsLoss, MomentsSection),
}
"""Name -> a loss."""


class UnknownSection(Model, extra="allow"):
    """[loss] of a kind that is not in the table."""

    kind: Annotated[str, Name(LOSSES)]


def loss_section(value: Any) -> type[Model]:
    """Return the model of [loss] for its content."""
    kind = value.get("kind", "quadratic") if isinstance(value, dict) else "quadratic"
    known = isinstance(kind, str) and kind in LOSSES
    return LOSSES[kind].section if known else UnknownSection
