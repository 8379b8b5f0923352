# %% tags=["remove-cell"]
# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT

# %% [markdown]
# # Rows of your own: an activation, a block, a loss, a penalty
#
# What varies is a row of a table. A row that is put in at run time is known at once, to the case file,
# the training, the certificate and the export; so one tries it in a script first, and then makes it a diff.
# The four diffs of this page are real: a test applies them to the package and trains with them.

# %%
import numpy as np

import mfresnet
from mfresnet.losses import LOSSES, PointLoss, Quadratic, Row
from mfresnet.network import ACTIVATIONS, Activation
from mfresnet.verification import certify, check_table

sections = {
    "mesh": {"cell": "interval", "cells": [40], "lower": -4.0, "upper": 4.0},
    "classes": [
        {
            "density": {"kind": "gaussian", "mean": -0.4, "covariance": 0.06},
            "target": 0.4,
        }
    ],
    "training": {"gradient_tolerance": 1e-4},
}

# %% [markdown]
# ## An activation
#
# Its value, two derivatives, the supremum of its size, and what it is in PyTorch, for the export. Here the
# Gaussian bump.

# %%
ACTIVATIONS["bump"] = Activation(
    lambda u: np.exp(-u * u),
    lambda u: -2.0 * u * np.exp(-u * u),
    lambda u: (4.0 * u * u - 2.0) * np.exp(-u * u),
    bound=1.0,
    torch="torch.exp(-u * u)",
    least=0.0,
)
case = mfresnet.Case(network={"activation": "bump", "layers": 4}, **sections)
J = mfresnet.ReducedFunctional(case)
result = mfresnet.minimise(J)
print(f"J = {result.value:.5f}; {result.message}")
print(check_table(certify(J, result.theta)))

# %% [markdown]
# The Taylor remainders of order 1 and 2 have found both derivatives right. As a diff:
#
# ```diff
# --- a/solver/mfresnet/network/activations.py
# +++ b/solver/mfresnet/network/activations.py
# @@ -114,4 +114,12 @@ ACTIVATIONS: dict[str, Activation] = {
#      ),
#      "sin": Activation(np.sin, np.cos, lambda u: -np.sin(u), 1.0, "torch.sin(u)", steepness=1.0),
# +    "bump": Activation(
# +        lambda u: np.exp(-u * u),
# +        lambda u: -2.0 * u * np.exp(-u * u),
# +        lambda u: (4.0 * u * u - 2.0) * np.exp(-u * u),
# +        1.0,
# +        "torch.exp(-u * u)",
# +        least=0.0,
# +    ),
#      "identity": Activation(
#          np.positive, np.ones_like, np.zeros_like, math.inf, "u", steepness=1.0, affine=True
# ```
#
# ## A block
#
# The velocity, its derivatives along points and parameters, and their transposes. Here $v = \sigma(Wx+b) -
# x$, a leak that holds the mass together. What it shares with a row that exists it takes from there.
#
# ```diff
# --- a/solver/mfresnet/network/blocks.py
# +++ b/solver/mfresnet/network/blocks.py
# @@ -11,5 +11,5 @@ from __future__ import annotations
#  import math
#  from collections.abc import Callable, Mapping
# -from dataclasses import dataclass
# +from dataclasses import dataclass, replace
#
#  import numpy as np
# @@ -261,2 +261,13 @@ BLOCKS: dict[str, Block] = {
#  }
#  """Name -> a block."""
# +BLOCKS["leaky"] = replace(
# +    BLOCKS["square"],
# +    velocity=lambda sigma, x, p: _square_velocity(sigma, x, p) - x,
# +    push=lambda sigma, x, p, dx: _square_push(sigma, x, p, dx) - dx,
# +    pull=lambda sigma, x, p, g: _square_pull(sigma, x, p, g) - g,
# +    divergence=lambda sigma, x, p: _square_divergence(sigma, x, p) - len(x),
# +    bound=lambda sigma: math.inf,
# +    torch="sigma(x @ W.T + b) - x",
# +    reach=None,
# +    back=None,
# +)
# ```
#
# `reach=None` says that nothing is claimed of how far it moves mass, so that no lower bound of the loss is
# computed; `back=None` that there is no faster way to get both transposes at once.
#
# ## A loss
#
# A mean over points is a cost $\ell(x)$ with its derivatives; sweeps, particles and error estimates follow.
# In a script first: an expectile, for which mass beyond the target costs four times as much as mass before it,
#
# $$\ell_k(x) = \tfrac12\sum_i w_i\,(x_i - y_{k,i})^2, \qquad w_i = 0.8 \text{ if } x_i > y_{k,i},\ 0.2 \text{ else.}$$
#
# Points are columns, `x` (d, n); the classes come first, `value` (classes, n); `m` (classes, n) is the mass
# that `pull` weighs the slopes of all classes with, and `second` is the change of `pull` along `dx`. A head
# of its own it has none.


# %%
class Expectile(Quadratic):
    """Squares that count more on one side of the target."""

    def value(self, x, head):
        """Return l, (classes, n)."""
        weight, apart = self.parts(x)
        return 0.5 * np.sum(weight * apart**2, axis=1)

    def pull(self, x, head, m):
        """Return sum_k m_k dl_k/dx, (d, n)."""
        weight, apart = self.parts(x)
        return np.sum(m[:, None] * weight * apart, axis=0)

    def second(self, x, head, m, dx, h):
        """Return the change of pull, (d, n), and of what a head would have."""
        return np.sum(m[:, None] * self.parts(x)[0], axis=0) * dx, {}

    def parts(self, x):
        """Return w and x - y, (classes, d, n)."""
        apart = x - self.targets[:, :, None]
        return np.where(apart > 0.0, 0.8, 0.2), apart


LOSSES["expectile"] = Row(
    lambda setting: PointLoss(setting, Expectile(setting)),
    cost=Expectile,
    targets=True,
)
case = mfresnet.Case(network={"layers": 4}, loss={"kind": "expectile"}, **sections)
J = mfresnet.ReducedFunctional(case)
theta, h = J.theta0, np.cos(np.arange(len(J.theta0)))
for e in (1e-1, 1e-2, 1e-3):
    rest = J.value(theta + e * h) - J.value(theta) - e * J.derivative(theta) @ h
    print(
        f"step {e:.0e}: Taylor remainder {rest:.1e}, over step^2 {rest / e**2:.3f}"
    )

# %% [markdown]
# The remainder falls with the square of the step: the derivative is right. A loss that is no mean over points,
# such as a distance of densities, is `DensityLoss` around a distance with `value`, `slope` and `curvature`
# in `losses/density.py`.
#
# As a diff, a cost that grows like a logarithm, so that mass that is far away counts less:
#
# ```diff
# --- a/solver/mfresnet/losses/point.py
# +++ b/solver/mfresnet/losses/point.py
# @@ -71,4 +71,25 @@ class Quadratic:
#
#
# +class Logarithmic(Quadratic):
# +    """l_k = log(1 + 1/2 |x - target_k|^2): mass that is far away counts less."""
# +
# +    def value(self, x: Array, head: Parameters) -> Array:
# +        """Return l."""
# +        return np.log1p(super().value(x, head))
# +
# +    def pull(self, x: Array, head: Parameters, m: Array) -> Array:
# +        """Return sum_k m_k (x - target_k) / (1 + 1/2 |x - target_k|^2)."""
# +        return super().pull(x, head, m / (1.0 + super().value(x, head)))
# +
# +    def second(
# +        self, x: Array, head: Parameters, m: Array, dx: Array, h: Parameters
# +    ) -> tuple[Array, dict[str, Array]]:
# +        """Return the change of ``pull``."""
# +        whole = 1.0 + super().value(x, head)
# +        along = np.array([np.sum((x - y[:, None]) * dx, axis=0) for y in self.targets])
# +        pulled, _ = super().second(x, head, m / whole, dx, h)
# +        return pulled - super().pull(x, head, m * along / whole**2), {}
# +
# +
#  class CrossEntropy:
#      """l_k = log sum_j exp(z_j) - z_k with the scores z of a head, one a class."""
# --- a/solver/mfresnet/losses/table.py
# +++ b/solver/mfresnet/losses/table.py
# @@ -25,5 +25,12 @@ from mfresnet.losses.density import (
#  from mfresnet.losses.dual import DualDistance, DualSection
#  from mfresnet.losses.loss import CostSetting, Loss, LossSection, ScoredSection, Setting, Shapes
# -from mfresnet.losses.point import CrossEntropy, PointCost, PointLoss, Quadratic, SquaredError
# +from mfresnet.losses.point import (
# +    CrossEntropy,
# +    Logarithmic,
# +    PointCost,
# +    PointLoss,
# +    Quadratic,
# +    SquaredError,
# +)
#  from mfresnet.network import HEADS, LINEAR, Head
#  from mfresnet.schema import Model, Name
# @@ -96,4 +103,5 @@ STEERING = ("classification", "density")
#  LOSSES: dict[str, Row] = {
#      "quadratic": Row(lambda s: PointLoss(s, Quadratic(s)), cost=Quadratic, targets=True),
# +    "logarithmic": Row(lambda s: PointLoss(s, Logarithmic(s)), cost=Logarithmic, targets=True),
#      "cross_entropy": scored(CrossEntropy, LINEAR, section=ScoredSection, probabilistic=True),
#      "squared_error": scored(SquaredError, LINEAR, tasks=("regression",)),
# ```
#
# ## A penalty
#
# Value, derivative and Hessian action, as functions of its keys, the control space and $\theta$; here
# $\gamma\int|\theta|^4\,dt$. The case file knows `penalty.quartic` at once.
#
# ```diff
# --- a/solver/mfresnet/network/penalties.py
# +++ b/solver/mfresnet/network/penalties.py
# @@ -136,4 +136,9 @@ PENALTIES: dict[str, Penalty] = {
#          lambda p, space, theta, h: _smoothness_derivative(p, space, h),
#      ),
# +    "quartic": Penalty(
# +        lambda p, space, theta: p.weight * float(space.weights @ theta**4),
# +        lambda p, space, theta: 4.0 * p.weight * space.weights * theta**3,
# +        lambda p, space, theta, h: 12.0 * p.weight * space.weights * theta**2 * h,
# +    ),
#      "l1": Penalty(_l1_value, _l1_derivative, _l1_hessian_action, SmoothedWeight),
#  }
# ```
#
# ## What else?
#
# A line in [the case file](../case-file.md), for which a test asks, and one in the changelog. All tests
# that run over the tables cover the row: transposes, Taylor remainders, Hessian actions, export,
# parallel runs. [Contributing](../contributing.md) lists the other tables.
