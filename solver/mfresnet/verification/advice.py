# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a run should have had otherwise: a larger box, a finer mesh, smaller controls."""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.functional import Balance, Problem, ReducedFunctional, Trajectory
from mfresnet.network import SCHEMES, flow
from mfresnet.parallel import total
from mfresnet.verification.accuracy import LossError

FELT = 1e-4
"""Mass over the boundary, within the tolerance, that shows in the loss: worth a sentence."""
COARSE = 0.05
"""Share of the square of the L2 norm that the flux may take before it is worth a sentence."""
NEGATIVE = 1e-4
"""Mass below zero of a density made from samples before it is worth a sentence."""
APART = 0.01
"""Distance between density and points, as ``drift`` has it, before it is worth a sentence."""
CHUNK = 50_000


def undershoots(problem: Problem) -> list[str]:
    """Return a sentence for every density of samples that the cells are too wide for.

    int max(-f, 0) dx says so: the kernel is positive, its polynomials on the cells need not be.
    Where a limiter keeps the densities positive there is none.

    Parallel: collective.
    """
    widths, space = problem.population.bandwidths, problem.space
    if widths is None or problem.limiter.positive:
        return []
    f = problem.f0 if problem.goal is None else problem.goal[None]
    values = space.at_quadrature(f)
    below = np.sum(space.quadrature.weights * np.maximum(-values, 0.0), axis=(1, 2))
    return [
        f"data.bandwidth: {width:.3g} is too small for the cells, so that the density of class "
        f"{label} is negative in places; got a mass of {part:.1e} below zero, expected less than "
        f"{NEGATIVE:.0e}. {problem.case.mesh.finer}, or raise space.degree or data.bandwidth."
        for label, width, part in zip(
            problem.population.labels, widths, total(problem.comm, below), strict=True
        )
        if part > NEGATIVE
    ]


def damping(functional: ReducedFunctional, theta: Array) -> Array:
    """Return how much of each class the mesh does not resolve.

    int_0^T int_facets speed [f]^2 / ||f||^2 dt: the jumps between cells let the flux take this
    share of the square of the L2 norm, which the equation itself does not. It vanishes with the
    order 2 p + 1 and is of order one when a density is narrower than the cells.

    Args:
        functional: J.
        theta: the controls.

    Returns:
        The share, (classes,).

    Parallel: collective.
    """
    transport, sweep = functional.problem.transport, functional.sweep
    network, mass = functional.network(theta), transport.space.mass
    a = transport.new_coefficients()
    lost: list[list[tuple[float, float]]] = []

    def see(n: int, f: Array, left: Array) -> None:
        v = network.velocity(transport.points, n // sweep.steps_per_layer - 1)
        transport.coefficients(v, a)
        lost.append([(transport.damping(y, a), float(np.dot(y * y, mass))) for y in f])

    ends = sweep.boundaries
    ends[0] = False
    Trajectory(functional, theta).visit(see, ends)
    taken, squared = np.moveaxis(
        total(functional.comm, np.ravel(lost)).reshape(np.shape(lost)), -1, 0
    )
    # of a class that has left the mesh there is nothing to resolve
    parts = np.divide(taken, squared, out=np.zeros_like(taken), where=squared > 0.0)
    shares: Array = parts.sum(axis=0) * functional.controls.layer_time
    return shares


def drift(functional: ReducedFunctional, theta: Array) -> Array:
    """Return how far each density ends from where the network moves its points.

    With the mean m and the standard deviation s at T, of the density and of points x with the
    masses of the density at 0 that the network moves to X,

        sqrt( |m_f - m_X|^2 + (s_f - s_X)^2 ) / max( sqrt(E |X - x|^2), s_X ) .

    The points know no mesh: a velocity that is steeper than the cells or the steps resolve shows.
    Mass that has left the mesh is not in m_f and s_f.

    Args:
        functional: J.
        theta: the controls.

    Returns:
        The relative distance, (classes,).

    Parallel: collective.
    """
    space, network = functional.problem.space, functional.network(theta)
    rule, dofs = space.quadrature, space.dofs[: space.n_owned_cells]
    d, steps, f0 = space.dimension, 2 * functional.particle_steps, functional.problem.f0
    moved = np.zeros((len(f0), d + 3))
    cells = max(1, CHUNK // len(rule.basis))
    for start in range(0, space.n_owned_cells, cells):
        part = slice(start, start + cells)
        x = rule.x[part].reshape(-1, d).T
        mass = (rule.weights[part] * (f0[:, dofs[part]] @ rule.basis.T)).reshape(len(f0), -1)
        end = flow(network, x, SCHEMES[4], steps)[-1]
        squares = [np.sum(end**2, axis=0), np.sum((end - x) ** 2, axis=0)]
        moved += mass @ np.array([np.ones_like(end[0]), *end, *squares]).T
    degree = space.degree + 2
    second = space.integrate(lambda x: np.sum(x**2, axis=0), degree)
    first = [space.integrate(lambda x, i=i: x[i], degree) for i in range(d)]  # type: ignore[misc]
    carried = (
        Trajectory(functional, theta).densities([-1])[0]
        @ np.array([space.integral, *first, second]).T
    )
    sums = total(functional.comm, np.concatenate([moved.ravel(), carried.ravel()]))
    points, density = np.split(sums, [moved.size])
    points, density = points.reshape(moved.shape), density.reshape(carried.shape)
    travelled = points[:, -1] / points[:, 0]
    (m, s), (m_f, s_f) = _mean_and_deviation(points[:, :-1]), _mean_and_deviation(density)
    apart = np.sum((m_f - m) ** 2, axis=1) + (s_f - s) ** 2
    return np.sqrt(apart / np.maximum(travelled, s**2))


def _mean_and_deviation(sums: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation from the sums of 1, x and |x|^2, (classes, d + 2)."""
    mean = sums[:, 1:-1] / sums[:, :1]
    variance = sums[:, -1] / sums[:, 0] - np.sum(mean**2, axis=1)
    return mean, np.sqrt(np.maximum(variance, 0.0))


def warnings(
    functional: ReducedFunctional,
    balance: Balance,
    shares: Array,
    apart: Array,
    error: LossError,
) -> list[str]:
    """Return a sentence for everything that the user may want to change.

    What the mesh does not resolve is worth one where the loss is not known to be right.

    Args:
        functional: J.
        balance: the mass balance of the controls.
        shares: what ``damping`` returns for them.
        apart: what ``drift`` returns for them.
        error: what ``loss_error`` returns for them.
    """
    case, found = functional.case, [error.sentence()] if error.ways and not error.right else []
    labels = functional.population.labels
    for label, outflow, share, far in zip(labels, balance.outflow, shares, apart, strict=True):
        if error.right:
            continue
        # below zero where undershoots have left: as far from none as above it
        if FELT < abs(outflow) <= case.mesh.outflow_tolerance:
            found.append(
                f"mesh: class {label} reaches the boundary; got {abs(outflow):.1e} of its mass "
                f"over it, within mesh.outflow_tolerance = {case.mesh.outflow_tolerance:g}, but "
                f"expected below {FELT:g} for the loss to hold. {case.mesh.larger}."
            )
        if share > COARSE:
            found.append(f"{_narrow(label, share)}. {case.mesh.finer} or raise space.degree.")
        if far > APART and abs(outflow) <= case.mesh.outflow_tolerance:
            found.append(
                f"{_elsewhere(label, far)}: the velocity is steeper than cells or steps resolve. "
                f"{case.mesh.finer}, raise space.degree or keep the controls small "
                "(penalty.tikhonov, training.lower and training.upper)."
            )
    worst = float(np.abs(functional.problem.initial_mass - 1.0).max())
    if not error.right and worst > case.mesh.outflow_tolerance:
        found.append(
            f"mesh: it does not hold or resolve the densities; got an initial mass that differs "
            f"from 1 by {worst:.2e}, expected at most {case.mesh.outflow_tolerance:.2e}. "
            f"{case.mesh.larger}. {case.mesh.finer}."
        )
    return found


def notes(
    functional: ReducedFunctional, shares: Array, apart: Array, error: LossError
) -> list[str]:
    """Return a sentence for everything that changes the pictures, but not the loss.

    The arguments are those of ``warnings``.
    """
    if not error.ways:
        return [error.sentence()]
    if not error.right:
        return []
    finer, found = functional.case.mesh.finer, []
    loss = f"The loss is right to {error.relative:.1e}"
    for label, share, far in zip(functional.population.labels, shares, apart, strict=True):
        if share > COARSE:
            found.append(
                f"{_narrow(label, share)}. {loss}; in the pictures the class is wider. {finer} or "
                "raise space.degree to see it."
            )
        if far > APART:
            found.append(f"{_elsewhere(label, far)}. {loss}; its density at T is not.")
    return found


def _elsewhere(label: str, far: float) -> str:
    return (
        f"mesh: class {label} does not end where the network moves its points; got {far:.2g} of "
        f"their distance, expected below {APART}"
    )


def _narrow(label: str, share: float) -> str:
    return (
        f"mesh: class {label} becomes narrower than the cells resolve; got {share:.2g} of its "
        f"squared L2 norm lost at jumps, expected below {COARSE}"
    )
