# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Losses on the final densities: name -> value, adjoint at T, cost of the outflow.

A new loss is one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mfresnet.arrays import Array
from mfresnet.transport import Transport


@dataclass(frozen=True)
class Loss:
    """A loss of the final densities f_k(T) on one space, each class with weight one.

    Attributes:
        value: f (classes, n_owned) -> the contribution of this rank to each Loss_k, (classes,).
        adjoint: f (classes, n_owned) -> psi_k(T) = dLoss_k/df_k, the L2 representative.
        exit_cost: cost of a unit of mass of each class at the boundary points, (classes, n_exit).
    """

    value: Callable[[Array], Array]
    adjoint: Callable[[Array], Array]
    exit_cost: Array


def _squared_distance(x: Array, target: Array) -> Array:
    """Return 1/2 |x - target|^2 of points x, (d, n)."""
    return 0.5 * np.sum((x - target[:, None]) ** 2, axis=0)


def quadratic(transport: Transport, targets: Array) -> Loss:
    """Return Loss_k = int 1/2 |x - target_k|^2 f_k dx, a linear functional of f_k.

    Args:
        transport: the operator, for its space and boundary points.
        targets: the point that each class should reach, (classes, d).
    """
    space = transport.space
    rule = space.cell_quadrature(space.degree + 4)
    moments = np.array(
        [space.integrate_basis(rule, partial(_squared_distance, target=y)) for y in targets]
    )
    return Loss(
        value=lambda f: np.einsum("ki,ki->k", moments, f),
        adjoint=lambda f: moments / space.mass,
        exit_cost=np.array([_squared_distance(transport.exit_points, y) for y in targets]),
    )


LOSSES: dict[str, Callable[[Transport, Array], Loss]] = {
    "quadratic": quadratic,
}
