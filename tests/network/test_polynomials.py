# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Stability polynomials: order, stability on the Fourier symbol and for the real operator."""

from mpi4py import MPI

import math
from math import factorial

import numpy as np
import pytest

from helpers import shaped_mesh
from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.mesh.space import Space
from mfresnet.network.polynomials import POLYNOMIALS
from mfresnet.network.schemes import (
    SCHEMES,
    excess,
    fewest_stages,
    scheme_of,
    stage_counts,
)
from mfresnet.transport.fused.transport import FusedTransport

DEGREES = range(7)
ROWS = [(order, stages, degree) for order, stages in POLYNOMIALS for degree in DEGREES]


def symbol(degree: int, v: float, phase: float) -> Array:
    """Return the symbol of A on the line, cells [-1, 1], a+, a- = (v +- 1) / 2, by quadrature."""
    x, w = np.polynomial.legendre.leggauss(degree + 2)
    basis = [np.polynomial.Legendre.basis(k) for k in range(degree + 1)]
    matrix = np.empty((degree + 1, degree + 1), complex)
    for i, test in enumerate(basis):
        for j, trial in enumerate(basis):
            right = 0.5 * ((v + 1) * trial(1.0) + (v - 1) * np.exp(1j * phase) * trial(-1.0))
            left = 0.5 * ((v + 1) * np.exp(-1j * phase) * trial(1.0) + (v - 1) * trial(-1.0))
            inside = v * w @ (trial(x) * test.deriv()(x))
            matrix[i, j] = inside - right * test(1.0) + left * test(-1.0)
    return matrix / np.array([[w @ test(x) ** 2] for test in basis])


def spectrum(degree: int) -> Array:
    """Return eigenvalues over lambda, and convex combinations of them, as boxes have."""
    found = []
    for v in (0.0, 0.3, 0.6, 0.9, 1.0):
        rate = 0.5 * (1.0 + excess(degree) * (1.0 - v))  # cells of length 2
        for phase in np.pi * np.linspace(0.0, 1.0, 61) ** 2:
            found.append(np.linalg.eigvals(symbol(degree, v, phase)) / rate)
    z = np.concatenate(found)
    z = np.concatenate([z, z.conj()])
    shares, others = np.random.default_rng(3).random((2, 4, len(z)))
    pairs = z[(others * len(z)).astype(int)]
    return np.concatenate([z, (shares * z + (1.0 - shares) * pairs).ravel()])


def step(coefficients: tuple[float, ...], z: Array) -> Array:
    """Return P(z) in Horner form; z are numbers or a matrix."""
    one = np.eye(len(z)) if z.ndim == 2 else np.ones_like(z)
    y = one
    for c in coefficients:
        y = one + c * (z @ y if z.ndim == 2 else z * y)
    return y


def test_table_is_complete() -> None:
    assert all(list(rows) == list(DEGREES) for rows in POLYNOMIALS.values())


@pytest.mark.parametrize(("order", "stages", "degree"), ROWS)
def test_order_and_size(order: int, stages: int, degree: int) -> None:
    _, coefficients = POLYNOMIALS[order, stages][degree]
    assert len(coefficients) == stages
    assert all(0.0 < c < 1.2 for c in coefficients)
    a = np.cumprod(coefficients[::-1])
    exact = [1.0 / factorial(k) for k in range(1, order + 2)]
    assert np.allclose(a[:order], exact[:order], rtol=1e-14, atol=0.0)
    assert abs(a[order] / exact[order] - 1.0) > 1e-4


@pytest.mark.parametrize("degree", DEGREES)
def test_stable_on_the_symbol(degree: int) -> None:
    """At the largest step and below it, and Taylor's schemes too; well above it not."""
    z = spectrum(degree)
    rows = [rows[degree] for rows in POLYNOMIALS.values()]
    rows += [(SCHEMES[order].cfl[degree], SCHEMES[order].coefficients) for order in (3, 4)]
    for cfl, coefficients in rows:
        for part in (0.1, 0.5, 0.8, 1.0):
            assert np.abs(step(coefficients, part * cfl * z)).max() <= 1.0 + 1e-12
        assert np.abs(step(coefficients, 1.05 * cfl * z)).max() > 1.0 + 1e-3


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("order", [3, 4])
def test_more_stages_are_worth_more(order: int, degree: int) -> None:
    found = {s: rows[degree][0] / s for (q, s), rows in POLYNOMIALS.items() if q == order}
    worth = [SCHEMES[order].cfl[degree] / order, *(found[s] for s in sorted(found))]
    assert np.all(np.diff(worth) > 0.0)


@pytest.mark.parametrize("v", [[1.0, 0.0], [0.7, -1.0]])
def test_stable_for_the_real_operator(v: list[float]) -> None:
    """Powers of a step stay bounded in L2, cells rotated and not alike."""
    space = Space(shaped_mesh(MPI.COMM_SELF, "triangle", 3, "rotated"), 2)
    transport = FusedTransport(space)
    velocity = np.array(v)[:, None] + 0.0 * transport.points
    a = transport.coefficients(velocity, transport.new_coefficients())
    columns = [transport.apply(unit, a).copy() for unit in np.eye(space.n_owned)]
    root = np.sqrt(space.mass)
    matrix = root[:, None] * np.stack(columns, axis=1) / root / transport.rates(a)[0]
    for rows in POLYNOMIALS.values():
        cfl, coefficients = rows[space.degree]
        power = step(coefficients, cfl * matrix)
        assert np.abs(np.linalg.eigvals(power)).max() <= 1.0
        for _ in range(8):
            assert np.linalg.norm(power, 2) < 1.001
            power = power @ power


@pytest.mark.parametrize("order", [3, 4])
def test_a_layer_takes_the_fewest_stages(order: int) -> None:
    """Whatever its length, no scheme of the order needs fewer, and ties have the shorter steps."""
    for degree in (0, 2, 6):
        taylor = SCHEMES[order]
        for rate in np.geomspace(1e-3, 300.0, 40):
            found = {}
            for stages in stage_counts(order, degree):
                longer = scheme_of(order, degree, stages).cfl[degree] / taylor.cfl[degree]
                found[stages] = stages * math.ceil(rate / longer)
            best = fewest_stages(order, degree, rate, 1.0)
            assert found[best.stages] == min(found.values()) <= found[order]
            assert best.stages == min(s for s, n in found.items() if n == found[best.stages])
    assert fewest_stages(order, 2, math.inf, 1.0) is SCHEMES[order]


def test_stages_that_there_are_not_are_refused() -> None:
    assert stage_counts(2, 1) == [2] and scheme_of(2, 1, 2) is SCHEMES[2]
    for order, stages in ((4, 3), (4, 99), (2, 5)):
        with pytest.raises(InputError, match=rf"time\.stages: .* order {order} .* got {stages},"):
            scheme_of(order, 2, stages)
