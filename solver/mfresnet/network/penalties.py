# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Penalties on theta: name -> its keys, value, derivative, Hessian action.

Each acts on the trainable parameters. A new penalty is one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from pydantic import (
    BeforeValidator,
    create_model,
    model_serializer,
    model_validator,
)

from mfresnet.arrays import Array
from mfresnet.network.controls import ControlSpace
from mfresnet.schema import Model, NonNegativeFloat, PositiveFloat

OF_PRIOR = (3e-4, 0.1)
"""Least and largest weight that a number of samples gives."""


class Weight(Model):
    """The keys of a penalty; in the case file a plain number is the weight."""

    weight: NonNegativeFloat = 0.0

    @model_serializer
    def _short(self) -> Any:
        names = list(type(self).model_fields)
        return self.weight if names == ["weight"] else {n: getattr(self, n) for n in names}


class SmoothedWeight(Weight):
    """The keys of the L1 penalty.

    Attributes:
        smoothing: eps; below it |theta| is rounded off.
    """

    smoothing: PositiveFloat = 1e-3


class TikhonovWeight(Weight):
    """Tikhonov's weight.

    Attributes:
        head: the share of it that the parameters of the head of the loss have.
        prior: in place of the weight: the weight times the number of samples.
    """

    head: NonNegativeFloat = 1.0
    prior: PositiveFloat | None = None

    def of(self, samples: int) -> dict[str, Any]:
        """Return the keys with the weight that a number of samples gives, in ``OF_PRIOR``."""
        least, most = OF_PRIOR
        weight = self.weight if self.prior is None else min(max(self.prior / samples, least), most)
        return {"weight": weight, "head": self.head}

    @model_validator(mode="after")
    def _one(self) -> TikhonovWeight:
        if self.prior is not None and self.weight:
            raise ValueError("expected weight or prior, not both")
        return self

    @model_serializer
    def _short(self) -> Any:
        if self.prior is not None:
            return {"prior": self.prior, "head": self.head}
        return self.weight if self.head == 1.0 else {"weight": self.weight, "head": self.head}


@dataclass(frozen=True)
class Penalty:
    """One penalty, as a function of its keys p, the control space, and theta.

    Attributes:
        value: (p, space, theta) -> number.
        derivative: (p, space, theta) -> dual vector of theta's shape.
        hessian_action: (p, space, theta, h) -> dual vector of theta's shape.
        section: the model of its keys.
        default: its weight when the case file does not give it.
    """

    value: Callable[[Any, ControlSpace, Array], float]
    derivative: Callable[[Any, ControlSpace, Array], Array]
    hessian_action: Callable[[Any, ControlSpace, Array, Array], Array]
    section: type[Weight] = Weight
    default: float = 0.0


def _tikhonov_value(p: TikhonovWeight, space: ControlSpace, theta: Array) -> float:
    """Return alpha/2 int_0^T |theta|^2 dt, with a share of alpha for the head of the loss."""
    return 0.5 * float(theta @ _tikhonov_derivative(p, space, theta))


def _tikhonov_derivative(p: TikhonovWeight, space: ControlSpace, theta: Array) -> Array:
    derivative: Array = p.weight * space.weights * theta
    if p.head != 1.0:
        derivative[space.of_head] *= p.head
    return derivative


def _smoothness_value(p: Weight, space: ControlSpace, theta: Array) -> float:
    """Return beta/2 sum_l |theta_{l+1} - theta_l|^2 / dt, the discrete beta/2 int |theta'|^2 dt."""
    parts = space.split(theta).values()
    squares = sum(float(np.sum(np.diff(part, axis=0) ** 2)) for part in parts)
    return 0.5 * p.weight * squares / space.layer_time


def _smoothness_derivative(p: Weight, space: ControlSpace, theta: Array) -> Array:
    parts = {}
    for name, part in space.split(theta).items():
        jump = np.diff(part, axis=0) * (p.weight / space.layer_time)
        parts[name] = np.zeros_like(part)
        parts[name][1:] += jump
        parts[name][:-1] -= jump
    return space.join(parts)


def _l1_value(p: SmoothedWeight, space: ControlSpace, theta: Array) -> float:
    """Return weight * int sum_i sqrt(theta_i^2 + eps^2) - eps dt."""
    size = np.sqrt(theta**2 + p.smoothing**2) - p.smoothing
    return p.weight * float(np.sum(space.weights * size))


def _l1_derivative(p: SmoothedWeight, space: ControlSpace, theta: Array) -> Array:
    return p.weight * space.weights * theta / np.sqrt(theta**2 + p.smoothing**2)


def _l1_hessian_action(p: SmoothedWeight, space: ControlSpace, theta: Array, h: Array) -> Array:
    eps = p.smoothing
    return p.weight * space.weights * eps**2 / (theta**2 + eps**2) ** 1.5 * h


PENALTIES: dict[str, Penalty] = {
    "tikhonov": Penalty(
        _tikhonov_value,
        _tikhonov_derivative,
        lambda p, space, theta, h: _tikhonov_derivative(p, space, h),
        TikhonovWeight,
        default=1e-2,
    ),
    "smoothness": Penalty(
        _smoothness_value,
        _smoothness_derivative,
        lambda p, space, theta, h: _smoothness_derivative(p, space, h),
    ),
    "l1": Penalty(_l1_value, _l1_derivative, _l1_hessian_action, SmoothedWeight),
}


class Penalties:
    """The sum of the penalties of a case that have a weight."""

    def __init__(self, section: Any, space: ControlSpace) -> None:
        """Take [penalty] of the case and the space of the controls."""
        given = [(row, getattr(section, name)) for name, row in PENALTIES.items()]
        self._terms = [(row, p) for row, p in given if p.weight != 0.0]
        self._space = space

    def value(self, theta: Array) -> float:
        """Return the sum."""
        return sum(row.value(p, self._space, theta) for row, p in self._terms)

    def derivative(self, theta: Array) -> Array:
        """Return its derivative, a dual vector of theta's shape."""
        parts = [row.derivative(p, self._space, theta) for row, p in self._terms]
        return np.sum([np.zeros(theta.size), *parts], axis=0)

    def hessian_action(self, theta: Array, h: Array) -> Array:
        """Return its Hessian applied to h, a dual vector of theta's shape."""
        parts = [row.hessian_action(p, self._space, theta, h) for row, p in self._terms]
        return np.sum([np.zeros(theta.size), *parts], axis=0)


def penalty_section(value: Any) -> type[Model]:
    """Return the model of [penalty]: a key for every row of the table."""
    return _section(tuple(PENALTIES.items()))


@lru_cache
def _section(rows: tuple[tuple[str, Penalty], ...]) -> type[Model]:
    keys: dict[str, Any] = {
        name: (
            Annotated[row.section, BeforeValidator(_as_keys)],
            row.section(weight=row.default),
        )
        for name, row in rows
    }
    return create_model("PenaltySection", __base__=Model, **keys)


def _as_keys(value: Any) -> Any:
    return value if isinstance(value, dict | Weight) else {"weight": value}
