# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a loss is: what it depends on, its value and derivatives, and how it is made.

A loss sees the densities f_k, the mass that has left through each boundary point, which pays there,
and the parameters of its trainable head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, Protocol

from pydantic import Field

from mfresnet.arrays import Array
from mfresnet.mesh import Space
from mfresnet.network import HEADS, LINEAR
from mfresnet.schema import Model, Name, NonNegativeFloat, Vector

Shapes = dict[str, tuple[int, ...]]


class Parts(NamedTuple):
    """What a loss depends on; or a change of it; or the derivative in it.

    Attributes:
        f: the densities (or psi), (classes, n_owned).
        left: mass that has left through each boundary point (or its price), (classes, n_exit).
        head: name -> parameter of the head.
    """

    f: Array
    left: Array
    head: Mapping[str, Array]


class Loss(Protocol):
    """A loss on one space, each class with weight one: Loss_k(f_k, left_k, head).

    Parallel: every method is collective; fields are those of this rank.
    """

    def value(self, at: Parts) -> Array:
        """Return Loss_k of the whole mesh, (classes,), the same on all ranks."""

    def derivative(self, at: Parts, weights: Array) -> Parts:
        """Return psi_k = dLoss_k/df_k (the L2 representative), prices, sum_k pi_k dLoss_k/dhead.

        The part in the head is the contribution of this rank.
        """

    def hessian_action(self, at: Parts, along: Parts, weights: Array) -> Parts:
        """Return the change of ``derivative`` along a change of its argument."""

    def report(self, f: Array) -> dict[str, Array]:
        """Return numbers that tell the user how good f is, name -> (classes,)."""


class LossSection(Model):
    """[loss]: the keys that every loss has.

    Attributes:
        kind: a name in ``LOSSES``.
        targets: with [data], the point that each class should reach, by its label.
        terminal: weight of the loss at T.
        running: weight of the integral of the loss over (0, T).
    """

    kind: str = "quadratic"
    targets: dict[str, Vector] | None = None
    terminal: NonNegativeFloat = 1.0
    running: NonNegativeFloat = 0.0

    def dimensions(self) -> dict[str, int]:
        """Return the dimension that each parameter implies."""
        return {}


class ScoredSection(LossSection):
    """[loss] of a kind whose scores may come from any head.

    Attributes:
        head: a name in ``HEADS``.
        prototypes: size of a head that has one: prototypes of each class, or hidden units. When not
            given the usual size; of prototypes for samples as many as they need at most.
    """

    head: Annotated[str, Name(HEADS)] = LINEAR
    prototypes: Annotated[int, Field(ge=1, le=64)] | None = None


class CostSetting(Protocol):
    """What the cost of a unit of mass is made from, see ``Setting``."""

    @property
    def section(self) -> Any:
        """[loss] of the case."""

    @property
    def n_classes(self) -> int:
        """Number of classes."""

    @property
    def targets(self) -> Array:
        """The point that each class should reach, (classes, d)."""


@dataclass(frozen=True)
class Setting:
    """What a loss is made from.

    Attributes:
        space: the space of the densities.
        exit_points: the boundary points where mass may leave, (d, n_exit).
        section: [loss] of the case, an instance of the row's ``section``.
        n_classes: number of classes.
        targets: the point that each class should reach, (classes, d), where the row wants them.
        goal: the density to reach where it comes from samples, (n_owned,).
    """

    space: Space
    exit_points: Array
    section: Any
    n_classes: int
    targets: Array
    goal: Array | None = None
