# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Densities against closed forms, with the order of convergence in L2."""

from mpi4py import MPI

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import expit, lambertw

from helpers import carry, l2_error, moments, observed_orders
from mfresnet.arrays import Array
from mfresnet.data.laws.density import Gaussian, UniformBox, project
from mfresnet.mesh.boxes import box
from mfresnet.mesh.space import Space
from mfresnet.transport.fused.transport import FusedTransport
from mfresnet.transport.steps.cfl import steps_needed

COMM = MPI.COMM_SELF
Density = Callable[[Array], Array]


def normal(mean: Any, covariance: Any) -> Density:
    return Gaussian(mean=mean, covariance=covariance).density


def on_box(cell: str, n: int, lower: list[float], upper: list[float], degree: int) -> Space:
    cells = [n] * len(lower)
    return Space(box(COMM, cell, cells, np.array(lower), np.array(upper)), degree)


def solve(
    space: Space,
    f0: Gaussian,
    activation: str,
    w: Any,
    b: Any,
    order: int = 3,
    final_time: float = 1.0,
) -> Array:
    """Return f(T) with W, b constant in depth, at half of the largest stable time step."""
    f, _ = project(f0, space, "f0")
    scheme_limit = {3: (1.256, 0.409, 0.209, 0.130, 0.089), 4: (1.392, 0.464, 0.235, 0.145, 0.100)}
    transport = FusedTransport(space)
    speed = np.abs(np.asarray(w)) @ np.abs(transport.points) + np.abs(np.asarray(b))[:, None]
    bound = float(speed.max()) if activation == "identity" else 1.0
    cfl = 0.5 * scheme_limit[order][space.degree]
    steps = steps_needed(2.0 * transport.rate_bound(bound) / cfl, final_time)
    parameters = {"W": w, "b": b}
    return carry(space, f, activation, parameters, order=order, steps=steps, final_time=final_time)


def check_order(
    make: Callable[[int], Space], run: Callable[[Space], Array], exact: Density, sizes: list[int]
) -> None:
    errors, degree = [], -1
    for n in sizes:
        space = make(n)
        degree = space.degree
        errors.append(l2_error(space, run(space), exact))
    orders = observed_orders(sizes, errors)
    table = "\n".join(f"{n:5d} {e:.3e}" for n, e in zip(sizes, errors, strict=True))
    assert abs(orders[-1] - (degree + 1)) < 0.45, f"{table}\norders {orders}"


# ---------------------------------------------------------------------- one dimension
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_linear_1d(degree: int) -> None:
    """V1: X = e^s x + (b/w)(e^s - 1)."""
    w, b, final_time = -1.3, 0.4, 0.8
    grow = np.exp(w * final_time)
    mean, variance = grow * 0.5 + b / w * (grow - 1.0), grow**2 * 0.04
    assert (mean, variance) == pytest.approx((0.375664361915, 0.00499720848794), rel=1e-11)
    f0 = Gaussian(mean=0.5, covariance=0.04)

    def run(space: Space) -> Array:
        return solve(space, f0, "identity", [[w]], [b], final_time=final_time)

    check_order(
        lambda n: on_box("interval", n, [-0.8], [1.8], degree),
        run,
        normal(mean, variance),
        [64, 96, 144],
    )


def test_moments_of_the_linear_flow() -> None:
    """V1: mean and variance, which superconverge."""
    space = on_box("interval", 80, [-0.8], [1.8], 3)
    f0 = Gaussian(mean=0.5, covariance=0.04)
    f = solve(space, f0, "identity", [[-1.3]], [0.4], final_time=0.8, order=4)
    _, mean, covariance = moments(space, f)
    assert mean[0] == pytest.approx(0.375664361915, rel=1e-8)
    assert covariance[0, 0] == pytest.approx(0.00499720848794, rel=1e-7)


def tanh_density(w: float, b: float, x: Array) -> Array:
    """V4: the density of N(0, 0.25) at T = 1 under v = tanh(w x + b)."""
    u = w * x[0] + b
    u0 = np.arcsinh(np.exp(-w) * np.sinh(u))
    x0 = (u0 - b) / w
    f0 = np.exp(-(x0**2) / 0.5) / np.sqrt(0.5 * np.pi)
    return f0 * np.exp(-w) * np.cosh(u) / np.sqrt(1.0 + np.exp(-2.0 * w) * np.sinh(u) ** 2)


def test_reference_values_of_tanh() -> None:
    points = np.array([[-1.0, -0.25, 0.0, 0.25, 1.0]])
    wide = [0.17945758, 0.09529372, 0.11075797, 0.15522927, 0.49691168]
    narrow = [2.78513325e-4, 0.0645800752, 0.496672288, 5.20286090, 3.60088538e-4]
    # the values belong to the flow of x' = tanh(w x + b), b = 1/2
    for w, expected in ((2.0, wide), (-2.0, narrow)):
        given = tanh_density(w, 0.5, points)
        np.testing.assert_allclose(given, expected, rtol=1e-7)


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4])
def test_tanh_1d(degree: int) -> None:
    """V4 with w = 2: the density splits."""
    sizes = [240, 480, 960] if degree == 0 else [60, 90, 135]
    f0 = Gaussian(mean=0.0, covariance=0.25)
    check_order(
        lambda n: on_box("interval", n, [-4.0], [4.0], degree),
        lambda space: solve(space, f0, "tanh", [[2.0]], [0.5], order=4),
        lambda x: tanh_density(2.0, 0.5, x),
        sizes,
    )


@pytest.mark.parametrize(
    ("w", "mean", "variance"),
    [(2.0, 0.348552103427, 1.447180937178), (-2.0, 0.195740205531, 0.014931590892)],
)
def test_moments_of_tanh(w: float, mean: float, variance: float) -> None:
    space = on_box("interval", 240, [-4.2], [4.2], 3)
    f = solve(space, Gaussian(mean=0.0, covariance=0.25), "tanh", [[w]], [0.5], order=4)
    _, m, c = moments(space, f)
    assert m[0] == pytest.approx(mean, abs=1e-8)
    assert c[0, 0] == pytest.approx(variance, abs=1e-8)


# ---------------------------------------------------------------------- two dimensions
FLOWS = {
    "rotation": [[0.0, -np.pi / 2], [np.pi / 2, 0.0]],
    "shear": [[0.0, 0.8], [0.0, 0.0]],
    "contraction": [[-0.5, 0.1], [0.1, -0.3]],
}


@pytest.mark.parametrize("cell", ["quadrilateral", "triangle"])
@pytest.mark.parametrize("flow", FLOWS)
def test_linear_2d(cell: str, flow: str) -> None:
    """V3: N(m, C) -> N(E m + int, E C E^T), E = expm(W T)."""
    w, b = np.array(FLOWS[flow]), np.array([0.2, -0.1])
    mean, covariance = np.array([0.3, 0.2]), np.array([[0.12, 0.03], [0.03, 0.1]])
    block = expm(np.block([[w, b[:, None]], [np.zeros((1, 3))]]))
    e, shift = block[:2, :2], block[:2, 2]
    exact = normal((e @ mean + shift).tolist(), (e @ covariance @ e.T).tolist())
    f0 = Gaussian(mean=mean.tolist(), covariance=covariance.tolist())
    check_order(
        lambda n: on_box(cell, n, [-2.2, -2.2], [2.4, 2.4], 2),
        lambda space: solve(space, f0, "identity", w, b),
        exact,
        [14, 20, 28],
    )


def test_full_turn() -> None:
    """V3: a full turn gives f0 back, and its L2 norm."""
    space = on_box("quadrilateral", 16, [-2.2, -2.2], [2.2, 2.2], 3)
    f0 = Gaussian(mean=[0.4, 0.1], covariance=[[0.1, 0.02], [0.02, 0.08]])
    w = 2.0 * np.pi * np.array([[0.0, -1.0], [1.0, 0.0]])
    f = solve(space, f0, "identity", w, np.zeros(2), order=4)
    start, _ = project(f0, space, "f0")
    size = l2_error(space, start, lambda x: np.zeros(x.shape[1]))
    assert l2_error(space, f, f0.density) < 6e-3 * size
    assert l2_error(space, f, lambda x: np.zeros(x.shape[1])) == pytest.approx(size, rel=2e-4)


def separable(x: Array) -> Array:
    """V7 with W = diag(2, -1), b = (0.5, 0): the product of V4."""
    u = -x[1]
    u0 = np.arcsinh(np.exp(1.0) * np.sinh(u))
    second = np.exp(-(u0**2) / 0.5) / np.sqrt(0.5 * np.pi)
    second *= np.exp(1.0) * np.cosh(u) / np.sqrt(1.0 + np.exp(2.0) * np.sinh(u) ** 2)
    return tanh_density(2.0, 0.5, x[:1]) * second


def rank_one(x: Array) -> Array:
    """V7 with W = 1 a^T, b = beta 1, a = (0.9, -0.3), beta = 0.2."""
    a, beta = np.array([0.9, -0.3]), 0.2
    u = a @ x + beta
    u0 = np.arcsinh(np.exp(-a.sum()) * np.sinh(u))
    x0 = x - (u - u0) / a.sum()
    return normal([0.0, 0.0], [[0.2, 0.0], [0.0, 0.25]])(x0) * np.tanh(u0) / np.tanh(u)


def shear(x: Array) -> Array:
    """V7 with W = [[0, 1.5], [0, 0]]: x1 moves by tanh(1.5 x2)."""
    x0 = np.stack([x[0] - np.tanh(1.5 * x[1]), x[1]])
    return normal([0.0, 0.0], [[0.2, 0.0], [0.0, 0.25]])(x0)


NONLINEAR: dict[str, tuple[Any, Any, Any, Density]] = {
    "separable": ([[2.0, 0.0], [0.0, -1.0]], [0.5, 0.0], [[0.25, 0.0], [0.0, 0.25]], separable),
    "rank_one": ([[0.9, -0.3], [0.9, -0.3]], [0.2, 0.2], [[0.2, 0.0], [0.0, 0.25]], rank_one),
    "shear": ([[0.0, 1.5], [0.0, 0.0]], [0.0, 0.0], [[0.2, 0.0], [0.0, 0.25]], shear),
}


def bent(n: int, size: float, degree: int) -> Space:
    """Return the space on a square whose cells are distorted alike on every refinement."""
    mesh = box(COMM, "quadrilateral", [n, n], np.full(2, -size), np.full(2, size))
    x, h = mesh.geometry.x, 2.0 * size / n
    for i in range(2):
        x[:, i] += 0.12 * h * np.sin(5.0 * x[:, 1 - i] / h + i)
    return Space(mesh, degree)


@pytest.mark.parametrize("degree", [1, 2])
def test_distorted_cells(degree: int) -> None:
    """V7, shear: divergence-free and nonlinear, on quadrilaterals of which none is affine."""
    w, b, covariance, exact = NONLINEAR["shear"]
    f0 = Gaussian(mean=[0.0, 0.0], covariance=covariance)
    check_order(
        lambda n: bent(n, 4.0, degree),
        lambda space: solve(space, f0, "tanh", w, b),
        exact,
        [28, 40, 56],
    )


@pytest.mark.parametrize("cell", ["quadrilateral", "triangle"])
@pytest.mark.parametrize("flow", NONLINEAR)
def test_nonlinear_2d(cell: str, flow: str) -> None:
    """V7: separable, rank one and shear flows with tanh."""
    w, b, covariance, exact = NONLINEAR[flow]
    f0 = Gaussian(mean=[0.0, 0.0], covariance=covariance)
    check_order(
        lambda n: on_box(cell, n, [-4.0, -4.0], [4.0, 4.0], 2),
        lambda space: solve(space, f0, "tanh", w, b),
        exact,
        [28, 40, 56],
    )


# ---------------------------------------------------------------------- other activations
def sigmoid_density(x: Array) -> Array:
    """V5: v = sigmoid(1.5 x + 0.2), T = 1: u + ... = u0 - e^{-u0} + s by Lambert's function."""
    w, b = 1.5, 0.2
    u = w * x[0] + b
    # u - e^{-u} grows at the rate w; invert it for the start
    c = u - np.exp(-u) - w
    u0 = c + lambertw(np.exp(-c)).real
    x0 = (u0 - b) / w
    f0 = np.exp(-(x0**2) / 0.5) / np.sqrt(0.5 * np.pi)
    return f0 * expit(u0) / expit(u)


def sine_density(x: Array) -> Array:
    """V5: v = sin(1.5 x + 0.2), T = 1: tan(u/2) = e^s tan(u0/2)."""
    w, b = 1.5, 0.2
    u = w * x[0] + b
    turns = np.round(u / (2.0 * np.pi))
    half = 0.5 * u - np.pi * turns
    u0 = 2.0 * (np.arctan(np.exp(-w) * np.tan(half)) + np.pi * turns)
    x0 = (u0 - b) / w
    f0 = np.exp(-(x0**2) / 0.5) / np.sqrt(0.5 * np.pi)
    # v(x0) / v(x), continuous where both vanish
    ratio = np.exp(-w) / (np.cos(half) ** 2 + np.exp(-2.0 * w) * np.sin(half) ** 2)
    return f0 * ratio


@pytest.mark.parametrize(
    ("activation", "exact"), [("sigmoid", sigmoid_density), ("sin", sine_density)]
)
def test_other_activations_1d(activation: str, exact: Density) -> None:
    """V5."""
    check_order(
        lambda n: on_box("interval", n, [-4.0], [4.0], 2),
        lambda space: solve(space, Gaussian(mean=0.0, covariance=0.25), activation, [[1.5]], [0.2]),
        exact,
        [60, 90, 135],
    )


def test_relu_jumps() -> None:
    """V6: U[0, 1], w = ln 2, b = -ln(2)/2: 1 on [0, 1/2], 1/2 on [1/2, 3/2]; L1 order above 1/2."""
    w, errors, sizes = np.log(2.0), [], [64, 128, 256]
    for n in sizes:
        space = on_box("interval", n, [-0.5], [2.0], 1)
        f0 = UniformBox(lower=[0.0], upper=[1.0])
        f, _ = project(f0, space, "f0")
        steps = steps_needed(4.0 * FusedTransport(space).rate_bound(0.5 * w + 1.0) / 0.409, 1.0)
        parameters = {"W": [[w]], "b": [-0.5 * w]}
        f = carry(space, f, "relu", parameters, order=3, steps=steps)
        rule = space.cell_quadrature(8)
        values = space.at_quadrature(f, rule.basis)
        x = rule.x[..., 0]
        exact = 1.0 * ((x > 0.0) & (x < 0.5)) + 0.5 * ((x > 0.5) & (x < 1.5))
        errors.append(float(np.sum(rule.weights * np.abs(values - exact))))
    orders = observed_orders(sizes, errors)
    assert 0.5 < orders[-1] < 1.2, (orders, errors)


@pytest.mark.parametrize("w", [1.5, -1.5])
def test_value_at_the_fixed_point(w: float) -> None:
    """V8: f(T, -b/w) = f0(-b/w) e^{-w T}, where the density splits or concentrates."""
    space = on_box("interval", 161, [-4.025], [4.025], 3)
    f0 = Gaussian(mean=0.3, covariance=0.25)
    f = solve(space, f0, "tanh", [[w]], [0.0], order=4)
    x, values = space.at_points(f, np.array([[0.5]]))
    middle = int(np.argmin(np.abs(x[:, 0, 0])))
    assert abs(x[middle, 0, 0]) < 1e-12
    exact = f0.density(np.zeros((1, 1)))[0] * np.exp(-w)
    assert values[middle, 0] == pytest.approx(exact, rel=1e-4)
