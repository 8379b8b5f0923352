# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Time stepping schemes: order -> Horner coefficients and CFL constants.

Inside a layer the semi-discrete system d_t f = A f is linear and autonomous, so every s-stage
explicit Runge-Kutta method of order s is the Taylor polynomial of exp(dt A), in Horner form

    f <- f + dt A (f + dt/2 A (f + ... + dt/s A f)).

The same polynomial is a convex combination of powers of one Euler step E = 1 + dt A,

    f <- alpha_0 f + alpha_1 E f + ... + alpha_s E^s f ,

so that whatever E keeps (positive cell means, by a limiter positive values) f keeps.

For the particles, whose equation is not linear, each row has a Runge-Kutta scheme of the same order
in which every stage needs the one before only: Euler, midpoint, Heun's third order, the classical
fourth order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from mfresnet.errors import InputError
from mfresnet.network.polynomials import POLYNOMIALS


@dataclass(frozen=True)
class Scheme:
    """One Taylor (Runge-Kutta) scheme.

    Attributes:
        order: order of accuracy; of the particles and of a Taylor scheme also the number of stages.
        coefficients: the factors of dt from the innermost stage outwards, 1/s, ..., 1/2, 1.
        cfl: degree p -> largest stable dt * lambda for DG(p) with the upwind flux, where
            lambda = max over cells K of (1/|K|) int_{dK} [v.n]^+; a missing degree is unstable.
        convex: alpha_0, ..., alpha_s.
        tally: alpha_{i+1} + ... + alpha_s for i = 0, ..., s - 1.
        nodes: for particles, the part of dt up to which stage j follows stage j - 1.
        weights: for particles, the weight of each stage.
    """

    order: int
    coefficients: tuple[float, ...]
    cfl: dict[int, float]
    convex: tuple[float, ...]
    tally: tuple[float, ...]
    nodes: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def stages(self) -> int:
        """Number of stages of the density."""
        return len(self.coefficients)


def _scheme(
    cfl: tuple[float, ...],
    convex: tuple[float, ...],
    nodes: tuple[float, ...],
    weights: tuple[float, ...],
) -> Scheme:
    order = len(nodes)
    coefficients = tuple(1.0 / j for j in range(order, 0, -1))
    tally = tuple(sum(convex[i:]) for i in range(1, order + 1))
    return Scheme(order, coefficients, dict(enumerate(cfl)), convex, tally, nodes, weights)


SCHEMES: dict[int, Scheme] = {
    1: _scheme((1.0,), (0.0, 1.0), (0.0,), (1.0,)),
    2: _scheme((1.0, 0.333), (1 / 2, 0.0, 1 / 2), (0.0, 1 / 2), (0.0, 1.0)),
    3: _scheme(
        (1.256, 0.409, 0.209, 0.130, 0.089, 0.066, 0.051),
        (1 / 3, 1 / 2, 0.0, 1 / 6),
        (0.0, 1 / 3, 2 / 3),
        (1 / 4, 0.0, 3 / 4),
    ),
    4: _scheme(
        (1.392, 0.464, 0.235, 0.145, 0.100, 0.073, 0.056),
        (3 / 8, 1 / 3, 1 / 4, 0.0, 1 / 24),
        (0.0, 1 / 2, 1 / 2, 1.0),
        (1 / 6, 1 / 3, 1 / 3, 1 / 6),
    ),
}
"""Order -> Taylor's polynomial of it, and its Runge-Kutta method for points."""


def scheme_of(order: int, degree: int, stages: int | None = None) -> Scheme:
    """Return the scheme of an order with so many stages.

    With more stages than the order it is the polynomial of that order whose step is the longest
    for DG(``degree``), see ``polynomials``: longer a stage than that of Taylor.

    Args:
        order: the order of accuracy.
        degree: p.
        stages: number of stages, that of the order when not given.

    Raises:
        InputError: there is no such scheme.
    """
    if stages is None or stages == order:
        return SCHEMES[order]
    if stages not in stage_counts(order, degree):
        raise InputError(
            f"time.stages: there is no scheme of order {order} for degree {degree}; got {stages}, "
            f"expected one of {', '.join(map(str, stage_counts(order, degree)))}. Use one of them "
            "or leave it out."
        )
    cfl, coefficients = POLYNOMIALS[order, stages][degree]
    return replace(SCHEMES[order], coefficients=coefficients, cfl={degree: cfl})


def stage_counts(order: int, degree: int) -> list[int]:
    """Return the numbers of stages for which there is a scheme."""
    more = [s for (q, s), rows in POLYNOMIALS.items() if q == order and degree in rows]
    return [order, *sorted(more)]


def fewest_stages(order: int, degree: int, rate: float, time: float) -> Scheme:
    """Return the scheme of an order with the fewest stages from 0 to ``time``.

    Args:
        order: the order of accuracy.
        degree: p.
        rate: the least 1 / dt of the scheme with as many stages as the order.
        time: a depth that is made of whole steps.
    """
    taylor = SCHEMES[order]

    def cost(scheme: Scheme) -> tuple[int, int]:
        longer = scheme.cfl[degree] / taylor.cfl[degree]
        return scheme.stages * math.ceil(time * rate / longer), scheme.stages

    schemes = [scheme_of(order, degree, s) for s in stage_counts(order, degree)]
    return min(schemes, key=cost) if math.isfinite(rate) else taylor


def excess(degree: int) -> float:
    """Return e: damping beyond that of the upwind flux costs 1 + e times its share of lambda.

    A flux that damps jumps although nothing flows has negative real eigenvalues up to 23 % (degree
    6) larger than the upwind flux has for the same speed; found from the Fourier symbol.
    """
    return 0.04 * degree


def cfl_constant(scheme: Scheme, degree: int) -> float:
    """Return the largest stable dt * lambda of a scheme with DG(``degree``).

    Raises:
        InputError: the pair is unstable for every time step.
    """
    if degree not in scheme.cfl:
        stable = [str(s) for s, scheme in SCHEMES.items() if degree in scheme.cfl]
        raise InputError(
            f"time.order: unstable with degree {degree} at every time step; got {scheme.order}, "
            f"expected one of {', '.join(stable)}. Raise time.order or lower space.degree."
        )
    return scheme.cfl[degree]
