# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The loss by the network itself: points of the initial densities moved by accurate integration.

The points and their masses come from the densities in closed form, or from the samples with their
kernels, so that nothing of the mesh is used: what the projection onto the cells and the transport
over them do wrong shows. Only where the mesh is no box beyond the kernels, or the samples are too
many to be kept, the density is that on the mesh, and the points are those of a rule on its cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array
from mfresnet.data import Samples
from mfresnet.errors import SolveError
from mfresnet.functional import ReducedFunctional, smoothed
from mfresnet.losses import PointLoss
from mfresnet.mesh import MESHES
from mfresnet.network import SCHEMES, advance
from mfresnet.parallel import maximum, total

COUNTS = {1: 160, 2: 36, 3: 20}
"""Dimension -> points a direction at first."""
GROWTH, ROUNDS = 1.5, 5
"""Times as many points a direction, and twice as many steps, in every further round."""
STEPS = 4
"""Steps of the classical Runge-Kutta scheme in a layer at first; an even number."""
SETTLED = {1: 1e-5, 2: 1e-5, 3: 1e-4}
"""Dimension -> relative change of the loss from one round to the next that is small enough."""
LIGHT, DECADES = 1e-3, 13
"""Share of the wanted relative change of the loss that the mass of the lightest points, which are
left out, may have; and how many powers of ten a point may at most be lighter than the heaviest."""
CHUNK = 50_000
INSIDE = 4.0
"""Bandwidths between the samples and the boundary beyond which the kernels do not feel it."""
Kernels = tuple[Samples, Array]


@dataclass(frozen=True)
class Pathwise:
    """The loss by points.

    Attributes:
        loss: its value.
        change: how much it has changed with more points and steps; its error is smaller.
        points: number of points of all classes.
        closed: whether they come from the densities themselves, not from those on the mesh.
    """

    loss: float
    change: float
    points: int
    closed: bool


def pathwise_loss(
    functional: ReducedFunctional, theta: Array, settled: float | None = None
) -> Pathwise:
    """Return sum_k pi_k int l_k(X(x)) f0_k dx, X the flow of the network over [0, T].

    With loss.running the integral of the same over the depth is added, by Simpson's rule. Points
    and steps are made more until the loss settles.

    Args:
        functional: J.
        theta: the controls.
        settled: relative change of the loss that is small enough, by default that of ``SETTLED``.

    Raises:
        SolveError: the loss is not a mean over the samples.

    Parallel: collective; every rank moves a part of the points.
    """
    loss = functional.depth_loss.loss
    if not isinstance(loss, PointLoss):
        kind = functional.case.loss.kind
        raise SolveError(f"Does not apply: loss {kind} is no mean over the samples.")
    settled = SETTLED[functional.problem.space.dimension] if settled is None else settled
    kernels = _kernels(functional)
    found, points = _mean(functional, kernels, theta, 0, LIGHT * settled)
    for number in range(1, ROUNDS):
        before = found
        found, points = _mean(functional, kernels, theta, number, LIGHT * settled)
        change = abs(found - before)
        if not change > settled * abs(found):
            break
    closed = functional.case.data is None or kernels is not None
    return Pathwise(found, change, points, closed)


def _kernels(functional: ReducedFunctional) -> Kernels | None:
    """Return the samples of the classes and the widths of their kernels, all inside of a box."""
    case, population = functional.case, functional.population
    if case.data is None or population.start is not None or not MESHES[case.mesh.kind].grid:
        return None
    kernels = population.kernels()
    if kernels is None:
        return None
    samples, widths = kernels
    margin = INSIDE * widths[samples.y]
    low, high = functional.problem.space.bounds()
    inside = np.minimum(
        (samples.x - margin).min(axis=1) - low, high - (samples.x + margin).max(axis=1)
    )
    return kernels if (inside >= 0.0).all() else None


def _mean(
    functional: ReducedFunctional,
    kernels: Kernels | None,
    theta: Array,
    number: int,
    light: float,
) -> tuple[float, int]:
    """Return the loss of one round, and the number of all points."""
    weights = functional.population.weights
    sums: Array = np.zeros((3, len(weights)))
    for k in range(len(weights)):
        x, mass = _start(functional, kernels, k, number, light)
        sums[1:, k] = mass.sum(), len(mass)
        for first in range(0, len(mass), CHUNK):
            part = slice(first, first + CHUNK)
            paid = _costs(functional, theta, k, x[:, part], STEPS * 2**number)
            sums[0, k] += mass[part] @ paid
    losses, masses, counts = np.split(total(functional.comm, sums.ravel()), 3)
    return float(weights @ (losses / masses)), int(counts.sum())


def _start(
    functional: ReducedFunctional, kernels: Kernels | None, k: int, number: int, light: float
) -> tuple[Array, Array]:
    """Return the points of class k at 0 that this rank moves, (d, m), and their masses, (m,).

    The lightest points, whose mass is a share ``light`` of all, are left out.
    """
    case, comm, space = functional.case, functional.comm, functional.problem.space
    if case.data is None:
        x, mass = case.classes[k].density.nodes(round(COUNTS[space.dimension] * GROWTH**number))
        mine = slice(comm.rank, None, comm.size)
    elif kernels is not None:
        x, mass = smoothed(*kernels, k, number)
        mine = slice(comm.rank, None, comm.size)
    else:
        rule = space.cell_quadrature(2 * (space.degree + number) + 1)
        x, mine = rule.x.reshape(-1, space.dimension).T, slice(None)
        f = functional.problem.f0[k][space.dofs[: space.n_owned_cells]]
        mass = (rule.weights * (f @ rule.basis.T)).ravel()
    size = np.abs(mass)
    limits = maximum(comm, [size.max(initial=0.0)])[0] * 10.0 ** -np.arange(DECADES + 1.0)
    below = total(comm, np.array([size[size <= limit].sum() for limit in limits]))
    limit = limits[below <= light * below[0]].max(initial=limits[-1])
    heavy = np.flatnonzero(size > limit)[mine]
    return x[:, heavy], mass[heavy]


def _costs(functional: ReducedFunctional, theta: Array, k: int, x: Array, steps: int) -> Array:
    """Return what a unit of mass of class k pays that starts at points x, (d, m) -> (m,)."""
    section, network = functional.case.loss, functional.network(theta)
    loss, head = functional.depth_loss.loss, network.controls.of_head()
    assert isinstance(loss, PointLoss)
    dt = network.final_time / network.layers / steps
    paid = np.zeros(x.shape[1])

    def pay(weight: float) -> None:
        if weight:
            paid[:] += weight * loss.cost.value(x, head)[k]

    for layer in range(network.layers):
        for step in range(steps):
            pay(section.running * dt / 3.0 * (1.0, 4.0, 2.0)[0 if step == 0 else 2 - step % 2])
            x = advance(network, layer, x, dt, SCHEMES[4])
        pay(section.running * dt / 3.0)
    pay(section.terminal)
    return paid
