# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Arguments why a loss cannot be lower, whatever the controls: each proved in its docstring.

X is the flow of the network, x(0) -> x(T). Mass may leave the mesh and pay where it leaves, which
stops its path there, in all arguments but the affine ones and those of ``density_bounds``, which
need a run without outflow. A running loss is at least zero, so that the loss at T alone is bounded.

Parallel: every function is collective.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import sqrtm
from scipy.special import xlogy
from sklearn.isotonic import IsotonicRegression

from mfresnet.arrays import Array
from mfresnet.network import ACTIVATIONS
from mfresnet.parallel import collect, maximum, total
from mfresnet.verification.bounds.nodes import Start

TIES = 1e-10
"""Share of the extent below which two points on the line are the same."""


# ---------------------------------------------------------------------- any network
def bayes_quadratic(start: Start) -> float:
    """Points at the same place go the same way: X is a function of x.

    So sum_k pi_k f_k |X - y_k|^2 >= sum_k pi_k f_k |m - y_k|^2 at every x, m the mean target there.
    """
    return 0.5 * float(start.sum(start.together * start.goal[1])[0])


def bayes_cross_entropy(start: Start) -> float:
    """The probabilities of the classes are functions of x likewise.

    -sum_k pi_k f_k log p_k is least at p_k = pi_k f_k / sum_j pi_j f_j, whatever the head: the
    conditional entropy of the class is left.
    """
    share = start.nodes.mass / np.where(start.together > 0.0, start.together, 1.0)
    return -float(start.sum(np.sum(xlogy(start.nodes.mass, share), axis=0))[0])


# ---------------------------------------------------------------------- how far mass moves
def reach(start: Start) -> tuple[Array, Array]:
    """Return how far every coordinate of every point can go down and up, (d, n) each, or infinity.

    As the row of the block says, for the largest absolute values that its parameters can have.
    """
    network, block = start.case.network, start.case.block()
    assert block.reach is not None  # else no argument about ways applies
    sizes = {name: start.size(name) for name in start.case.shapes()}
    activation = ACTIVATIONS[network.activation]
    return block.reach(activation, sizes, start.nodes.x, network.final_time)


def displacement_quadratic(start: Start) -> float:
    """X_i lies in [x_i - down_i, x_i + up_i], see ``reach``.

    The distance of the mean target from there remains, coordinate by coordinate, on top of what
    ``bayes_quadratic`` says. For one class and |sigma| <= 1 this is (D - T)^2 / 2 for a target at
    the distance D on a coordinate axis; for sigma >= 0, max(x_i - y_i, 0)^2 / 2: no mean decreases.
    """
    (goal, spread), (down, up) = start.goal, reach(start)
    x = start.nodes.x
    rest = np.maximum(x - down - goal, 0.0) + np.maximum(goal - x - up, 0.0)
    return 0.5 * float(start.sum(start.together * (spread + np.sum(rest**2, axis=0)))[0])


def displacement_moments(start: Start) -> float:
    """The mean of X_i is no further from that of x_i than the mean way, see ``reach``.

    And for the standard deviations |sd(X_i) - sd(x_i)| <= sd(X_i - x_i), which is at most the root
    of the mean squared way, and at most half the length of an interval that holds all ways.
    """
    section, result = start.case.loss, 0.0
    down, up = reach(start)
    longest = maximum(start.comm, [w.max(initial=0.0) for w in (down, up)])
    way = np.maximum(down, up)
    for mass in start.nodes.mass:
        there = mass > 0.0
        m, weight = mass[there], float(start.sum(mass)[0])
        for i, x in enumerate(start.nodes.x[:, there]):
            ways = m * down[i, there], m * up[i, there], m * way[i, there] ** 2
            first, second, below, above, squared = start.sum(m * x, m * x**2, *ways) / weight
            if section.mean is not None:
                y = section.mean[i]
                rest = max(first - below - y, 0.0) + max(y - first - above, 0.0)
                result += 0.5 * weight * rest**2
            if section.covariance is not None:
                deviation = np.sqrt(max(second - first**2, 0.0))
                change = min(np.sqrt(squared), 0.5 * float(longest.sum()))
                y = section.covariance[i][i]
                low, high = max(deviation - change, 0.0) ** 2, (deviation + change) ** 2
                result += 0.5 * weight * (max(low - y, 0.0) + max(y - high, 0.0)) ** 2
    return result


# ---------------------------------------------------------------------- maps of the line
def _isotonic(start: Start, goal: Array, increasing: bool) -> tuple[Array, Array]:
    """Return the monotone function of x closest to ``goal`` and the order of the points.

    On rank 0, where all points are; other ranks get nothing.
    """
    x, weights = start.nodes.x[0], start.together
    rows = collect(start.comm, np.stack([x, goal, weights], axis=1))
    if not len(rows):
        return rows[:, 0], rows
    rows[:, 0] = np.round(rows[:, 0] / max(float(np.ptp(rows[:, 0])) * TIES, 1e-300))
    rows = rows[rows[:, 2] > 0.0]
    regression = IsotonicRegression(increasing=increasing)
    fitted = regression.fit_transform(rows[:, 0], rows[:, 1], sample_weight=rows[:, 2])
    return fitted, rows


def _least(start: Start, values: list[Array]) -> float:
    """Return the least of the sums that rank 0 has made, on all ranks."""
    return min(float(total(start.comm, np.sum(v))[0]) for v in values)


def monotone_quadratic(start: Start) -> float:
    """Paths on the line do not cross: X increases (in the wide sense where mass leaves).

    The best increasing function of the mean target is the isotonic regression.
    """
    goal, spread = start.goal
    fitted, rows = _isotonic(start, goal[0], True)
    within = 0.5 * float(start.sum(start.together * spread)[0])
    return within + _least(start, [0.5 * rows[:, 2] * (rows[:, 1] - fitted) ** 2])


def monotone_squared_error(start: Start) -> float:
    """The same for the prediction, which increases or decreases in X, see ``Start.slopes``."""
    found = []
    for increasing, possible in zip((True, False), start.slopes(), strict=True):
        if possible:
            fitted, rows = _isotonic(start, start.nodes.x[-1], increasing)
            found.append(0.5 * rows[:, 2] * (rows[:, 1] - fitted) ** 2)
    return _least(start, found)


def monotone_cross_entropy(start: Start) -> float:
    """The same for the probability of the second of two classes, which is monotone in X.

    The isotonic regression of the share of the second class is also the monotone function of the
    least cross entropy, as for every Bregman distance.
    """
    if len(start.nodes.mass) != 2:
        return 0.0
    share = start.nodes.mass[1] / np.where(start.together > 0.0, start.together, 1.0)
    found = []
    for increasing, possible in zip((True, False), start.slopes(), strict=True):
        if possible:
            p, rows = _isotonic(start, share, increasing)
            second, weights = rows[:, 1], rows[:, 2]
            found.append(-weights * (xlogy(second, p) + xlogy(1.0 - second, 1.0 - p)))
    return _least(start, found)


# ---------------------------------------------------------------------- affine maps
def _moments(start: Start, x: Array, y: Array) -> tuple[Array, Array, Array, float]:
    """Return the covariances of x with itself, of y with x, of y with itself, and the mass."""
    z = np.concatenate([x, y, np.ones((1, x.shape[1]))])
    n = len(z)
    products = start.sum((start.together * z[:, None] * z).reshape(n * n, -1)).reshape(n, n)
    mass = float(products[-1, -1])
    mean = products[:-1, -1] / mass
    covariance = products[:-1, :-1] / mass - np.outer(mean, mean)
    d = len(x)
    return covariance[:d, :d], covariance[d:, :d], covariance[d:, d:], mass


def affine_quadratic(start: Start) -> float:
    """With sigma(u) = u the block is affine in x: X = A x + c with det A > 0.

    The least squares over all A and c leave a residual. Where the best A has a negative determinant
    the least value over det A >= 0 is taken where det A = 0, as the loss is convex: by Eckart and
    Young it costs the square of the least singular value of A Cov(x)^{1/2}. The bound is the
    infimum: every A of positive determinant is reached, see ``polar_control``.
    """
    goal, spread = start.goal
    xx, yx, yy, mass = _moments(start, start.nodes.x, goal)
    best = np.linalg.solve(xx, yx.T).T
    rest = float(np.trace(yy) - np.sum(best * yx))
    if np.linalg.det(best) < 0.0:
        rest += float(np.linalg.svd(best @ np.real(sqrtm(xx)), compute_uv=False).min()) ** 2
    return 0.5 * (float(start.sum(start.together * spread)[0]) + mass * max(rest, 0.0))


def affine_squared_error(start: Start) -> float:
    """The prediction is affine in x: the residual of linear regression.

    On the line with a slope of a sign that it can have, see ``Start.slopes``, and constant when the
    best slope has another one.
    """
    x, y = start.nodes.x[:-1], start.nodes.x[-1:]
    xx, yx, yy, mass = _moments(start, x, y)
    best = np.linalg.solve(xx, yx.T).T
    if len(x) == 1:
        best = best if start.slopes()[int(best[0, 0] < 0.0)] else 0.0 * best
    return 0.5 * mass * max(float(np.trace(yy) - np.sum(best * yx)), 0.0)
