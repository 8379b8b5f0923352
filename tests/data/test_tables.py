# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Rows of the tables: activations, blocks, penalties, schemes, fluxes, against differences."""

from dataclasses import replace

import numpy as np
import pytest

from mfresnet.arrays import Array
from mfresnet.errors import InputError, lookup
from mfresnet.network.activations import ACTIVATIONS
from mfresnet.network.blocks import BLOCKS
from mfresnet.network.controls import INITIALS, Controls, ControlSpace, prolong
from mfresnet.network.label_block import beside_label
from mfresnet.network.penalties import PENALTIES, SmoothedWeight, TikhonovWeight, Weight
from mfresnet.network.schemes import SCHEMES, cfl_constant, excess
from mfresnet.transport.operator.fluxes import FLUXES

RNG = np.random.default_rng(3)
POINTS = np.concatenate([-np.logspace(-2, 1.5, 40), np.logspace(-2, 1.5, 40)])


def central(function: object, u: Array, e: float) -> Array:
    return (function(u + e) - function(u - e)) / (2 * e)  # type: ignore[operator]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name: str) -> None:
    row = ACTIVATIONS[name]
    np.testing.assert_allclose(row.derivative(POINTS), central(row.value, POINTS, 1e-5), atol=1e-8)
    np.testing.assert_allclose(row.second(POINTS), central(row.derivative, POINTS, 1e-5), atol=1e-8)
    largest = np.abs(row.value(1e3 * POINTS)).max()
    assert largest <= row.bound
    assert (largest > 1e3) == np.isinf(row.bound)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_far_out_is_finite(name: str) -> None:
    row = ACTIVATIONS[name]
    far = np.array([-1e4, 1e4])
    for values in (row.value(far), row.derivative(far), row.second(far)):
        assert np.isfinite(values).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("label", [False, True])
@pytest.mark.parametrize("name", BLOCKS)
def test_block(name: str, label: bool, d: int, activation: str) -> None:
    """vjp and jvp are transposes, jvp and divergence are difference quotients."""
    block, sigma = BLOCKS[name], ACTIVATIONS[activation]
    if label:
        block, d = beside_label(block), d + 1
    x, g = RNG.standard_normal((d, 50)), RNG.standard_normal((d, 50))
    theta = {n: RNG.standard_normal(s) for n, s in block.shapes(d, 4).items()}
    h = {n: RNG.standard_normal(s) for n, s in block.shapes(d, 4).items()}
    e = 1e-6
    plus = block.velocity(sigma, x, {n: theta[n] + e * h[n] for n in theta})
    minus = block.velocity(sigma, x, {n: theta[n] - e * h[n] for n in theta})
    slope = block.jvp(sigma, x, theta, h)
    np.testing.assert_allclose(slope, (plus - minus) / (2 * e), atol=1e-7)
    parts = block.vjp(sigma, x, theta, g)
    pairing = sum(float(np.sum(parts[n] * h[n])) for n in theta)
    assert pairing == pytest.approx(float(np.sum(g * slope)), rel=1e-12)
    assert np.abs(plus).max() <= block.bound(sigma)
    assert not (label and plus[-1].any())
    moved = [
        block.velocity(sigma, x + e * axis[:, None], theta)[i]
        - block.velocity(sigma, x - e * axis[:, None], theta)[i]
        for i, axis in enumerate(np.eye(d))
    ]
    quotient = np.sum(moved, axis=0) / (2 * e)
    np.testing.assert_allclose(block.divergence(sigma, x, theta), quotient, atol=1e-7)
    dx = RNG.standard_normal((d, 50))
    ends = [block.velocity(sigma, x + s * e * dx, theta) for s in (1.0, -1.0)]
    pushed, pulled = block.push(sigma, x, theta, dx), block.pull(sigma, x, theta, g)
    np.testing.assert_allclose(pushed, (ends[0] - ends[1]) / (2 * e), atol=1e-7)
    assert float(np.sum(pushed * g)) == pytest.approx(float(np.sum(pulled * dx)), rel=1e-12)


@pytest.mark.parametrize("layered", [False, True])
@pytest.mark.parametrize("label", [False, True])
@pytest.mark.parametrize("name", BLOCKS)
def test_block_of_several_layers(name: str, label: bool, layered: bool) -> None:
    """velocity and vjp of several layers at once are those of each, bit for bit."""
    block, sigma, layers, d = BLOCKS[name], ACTIVATIONS["tanh"], 3, 2
    assert block.layered
    block = replace(block, layered=layered)
    if label:
        block, d = beside_label(block), d + 1
    x, g = RNG.standard_normal((d, 50)), RNG.standard_normal((layers, d, 50))
    shapes = block.shapes(d, 4)
    theta = {n: RNG.standard_normal((layers, *s)) for n, s in shapes.items()}
    v, parts = block.velocities(sigma, x, theta), block.vjps(sigma, x, theta, g)
    for layer in range(layers):
        own = {n: array[layer] for n, array in theta.items()}
        np.testing.assert_array_equal(v[layer], block.velocity(sigma, x, own))
        for n, part in block.vjp(sigma, x, own, g[layer]).items():
            np.testing.assert_array_equal(parts[n][layer], part)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("label", [False, True])
@pytest.mark.parametrize("name", BLOCKS)
def test_second_derivative_of_a_block(name: str, label: bool, activation: str) -> None:
    """The change of pull and vjp, along points and parameters, is their difference quotient."""
    block, sigma, e = BLOCKS[name], ACTIVATIONS[activation], 1e-6
    if label:
        block = beside_label(block)
    x, g, dx = RNG.standard_normal((3, 2, 50))
    theta, h = ({n: RNG.standard_normal(s) for n, s in block.shapes(2, 4).items()} for _ in "ab")
    still = {n: np.zeros_like(v) for n, v in h.items()}
    for along, change in ((dx, h), (dx, still), (0.0 * dx, h)):
        ends = [
            (x + s * e * along, {n: theta[n] + s * e * change[n] for n in theta}) for s in (1, -1)
        ]
        pulled, parts = block.second(sigma, x, theta, g, along, change)
        plus, minus = (block.pull(sigma, *end, g) for end in ends)
        np.testing.assert_allclose(pulled, (plus - minus) / (2 * e), atol=1e-6)
        up, down = (block.vjp(sigma, *end, g) for end in ends)
        for n in theta:
            np.testing.assert_allclose(parts[n], (up[n] - down[n]) / (2 * e), atol=1e-5)
    given = block.vjp_tangent(sigma, x, theta, g, h)
    for n in theta:
        np.testing.assert_array_equal(given[n], parts[n])


def controls() -> ControlSpace:
    values = {"W": RNG.standard_normal((5, 2, 2)), "b": RNG.standard_normal((5, 2))}
    return ControlSpace(Controls(values), ("b", "W"), 2.0)


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty(name: str) -> None:
    space, row, e = controls(), PENALTIES[name], 1e-6
    p = row.section(weight=0.7)
    # away from the rounded kink of l1
    theta, h = np.random.default_rng(8).uniform(0.2, 1.0, (2, space.size))
    slope = (row.value(p, space, theta + e * h) - row.value(p, space, theta - e * h)) / (2 * e)
    assert float(row.derivative(p, space, theta) @ h) == pytest.approx(slope, rel=1e-7)
    up, down = row.derivative(p, space, theta + e * h), row.derivative(p, space, theta - e * h)
    given = row.hessian_action(p, space, theta, h)
    np.testing.assert_allclose(given, (up - down) / (2 * e), atol=1e-7)


def test_penalties_are_the_integrals() -> None:
    """theta(t) = t: int t^2 / 2, int 1 / 2 and int |t| over (0, 2), midpoint values."""
    t = 2.0 * (np.arange(50) + 0.5) / 50
    values = {"b": t[:, None]}
    space = ControlSpace(Controls(values), ("b",), 2.0)
    theta, p = space.to_vector(values), Weight(weight=1.0)
    tikhonov = TikhonovWeight(weight=1.0)
    assert PENALTIES["tikhonov"].value(tikhonov, space, theta) == pytest.approx(8 / 6, rel=1e-3)
    assert PENALTIES["smoothness"].value(p, space, theta) == pytest.approx(49 / 50, rel=1e-12)
    p = SmoothedWeight(weight=1.0, smoothing=1e-8)
    assert PENALTIES["l1"].value(p, space, -theta) == pytest.approx(2.0, rel=1e-6)


def test_a_head_has_its_share_of_the_penalty() -> None:
    """And a plain weight is a plain number in the case file."""
    space = ControlSpace(Controls({"b": np.ones((4, 1)), "h": np.ones(3)}, ("h",)), ("b", "h"), 2.0)
    theta, row = np.ones(7), PENALTIES["tikhonov"]
    p = TikhonovWeight(weight=2.0, head=0.25)
    assert row.value(p, space, theta) == pytest.approx(2.0 + 0.25 * 6.0)
    np.testing.assert_allclose(row.derivative(p, space, theta), [1.0] * 4 + [1.0] * 3)
    assert p.model_dump() == {"weight": 2.0, "head": 0.25}
    assert TikhonovWeight(weight=2.0).model_dump() == 2.0


@pytest.mark.parametrize("shared", [False, True])
def test_direction_and_pull_back_are_transposes(shared: bool) -> None:
    """And to_vector inverts from_vector, with a head and with layers that share."""
    values = {"W": RNG.standard_normal((4, 3, 2)), "H": RNG.standard_normal((2, 2))}
    space = ControlSpace(Controls(values, ("H",)), ("H", "W"), 2.0, shared)
    assert space.size == (4 + 6 if shared else 4 + 24)
    theta = RNG.standard_normal(space.size)
    full = space.from_vector(theta)
    assert full.W.shape == (4, 3, 2) and full.H.shape == (2, 2)
    np.testing.assert_allclose(space.to_vector(full.values), theta, rtol=1e-14)
    g = {name: RNG.standard_normal(v.shape) for name, v in values.items()}
    along = space.direction(theta)
    pairing = sum(float(np.sum(g[name] * along.values[name])) for name in g)
    assert float(space.pull_back(g) @ theta) == pytest.approx(pairing, rel=1e-13)
    # |theta|^2 in L2(0, T) of what is constant in depth
    assert space.norm(theta) ** 2 == pytest.approx(
        2.0 * float(np.sum(full.H**2)) + 0.5 * float(np.sum(full.W**2))
    )


def test_prolongation_keeps_the_velocity() -> None:
    before = Controls({"b": RNG.standard_normal((3, 2)), "h": np.ones(2)}, ("h",))
    after = prolong(before, 6)
    for layer in range(6):
        np.testing.assert_array_equal(after.layer(layer)["b"], before.layer(layer // 2)["b"])
    np.testing.assert_array_equal(after.h, before.h)
    with pytest.raises(InputError, match=r"got 7, expected a multiple of 3"):
        prolong(before, 7)


def test_random_controls_do_not_change() -> None:
    """The seed alone decides; the numbers are part of what a run promises."""
    shapes = BLOCKS["wide"].shapes(2, 3)
    one, two, other = (INITIALS["random"](shapes, seed) for seed in (7, 7, 8))
    assert all(np.array_equal(one[n], two[n]) for n in shapes)
    assert not np.array_equal(one["W"], other["W"])
    assert {n: a.shape for n, a in one.items()} == shapes


def test_controls_round_trip() -> None:
    space = controls()
    theta = RNG.standard_normal(space.size)
    named = space.from_vector(theta)
    assert named.W.shape == (5, 2, 2)
    np.testing.assert_array_equal(space.to_vector(named.values), theta)
    np.testing.assert_array_equal(named.layer(3)["b"], named.b[3])
    assert space.norm(space.riesz(theta)) == pytest.approx(np.linalg.norm(theta) / np.sqrt(0.4))
    with pytest.raises(ValueError, match="wrong shape"):
        space.split(theta[1:])
    with pytest.raises(AttributeError):
        named.V  # noqa: B018


def test_controls_that_are_not_trained_stay() -> None:
    space = ControlSpace(controls().initial, ("b",), 2.0)
    theta = np.ones(space.size)
    named = space.from_vector(theta)
    assert space.size == 10
    np.testing.assert_array_equal(named.W, space.initial.W)
    np.testing.assert_array_equal(named.b, 1.0)


@pytest.mark.parametrize("order", SCHEMES)
def test_scheme_is_the_taylor_polynomial(order: int) -> None:
    row = SCHEMES[order]
    assert len(row.coefficients) == row.order == order
    z, y = 0.3, 1.0
    for c in row.coefficients:
        y = 1.0 + z * c * y
    error = abs(y - np.exp(z))
    assert error == pytest.approx(z ** (order + 1) / np.prod(np.arange(1.0, order + 2)), rel=0.3)


@pytest.mark.parametrize("order", SCHEMES)
@pytest.mark.parametrize("degree", range(7))
def test_cfl_is_the_limit_of_stability(order: int, degree: int) -> None:
    """Largest amplification over all wave numbers, 1-D upwind DG on a uniform mesh."""
    if degree not in SCHEMES[order].cfl:
        with pytest.raises(InputError, match="unstable"):
            cfl_constant(SCHEMES[order], degree)
        assert amplification(order, degree, 0.1) > 1.0 + 1e-9
        return
    limit = cfl_constant(SCHEMES[order], degree)
    assert amplification(order, degree, 0.99 * limit) <= 1.0 + 1e-9
    assert amplification(order, degree, 1.02 * limit) > 1.0 + 1e-9


def amplification(order: int, degree: int, courant: float, speed: float | None = None) -> float:
    """Return the largest spectral radius of a step, from the Fourier symbol of DG(p).

    ``courant`` is dt v / h, ``speed`` is dt / h times the speed of the flux, upwind when omitted.
    """
    speed = courant if speed is None else speed
    plus, minus = 0.5 * (courant + speed), 0.5 * (courant - speed)
    x, w = np.polynomial.legendre.leggauss(degree + 2)
    legendre = np.polynomial.legendre
    scale = np.sqrt(2 * np.arange(degree + 1) + 1)
    unit = np.eye(degree + 1)
    value = np.array([legendre.legval(x, c) for c in unit]) * scale[:, None]
    slope = np.array([legendre.legval(x, legendre.legder(c)) for c in unit]) * scale[:, None]
    right, left = scale, scale * (-1.0) ** np.arange(degree + 1)
    inside = courant * (slope * w) @ value.T
    inside += minus * np.outer(left, left) - plus * np.outer(right, right)
    worst = 0.0
    for angle in np.linspace(0.0, 2 * np.pi, 401):
        a = inside + plus * np.outer(left, right) * np.exp(-1j * angle)
        a = a - minus * np.outer(right, left) * np.exp(1j * angle)
        step = np.eye(degree + 1, dtype=complex)
        for c in SCHEMES[order].coefficients:
            step = np.eye(degree + 1) + c * a @ step
        worst = max(worst, float(np.abs(np.linalg.eigvals(step)).max()))
    return worst


@pytest.mark.parametrize("name", FLUXES)
def test_flux(name: str) -> None:
    row, vn = FLUXES[name], np.linspace(-2.0, 2.0, 40)
    e = 1e-6
    slope = (row.speed(vn + e, 0.7) - row.speed(vn - e, 0.7)) / (2 * e)
    np.testing.assert_allclose(row.slope(vn, 0.7), slope, atol=1e-8)
    curvature = (row.slope(vn + e, 0.7) - row.slope(vn - e, 0.7)) / (2 * e)
    np.testing.assert_allclose(row.curvature(vn, 0.7), curvature, atol=1e-6)
    assert (row.speed(vn, 2.0) >= np.abs(vn)).all()
    assert row.bounded or (row.speed(vn, 0.7) >= np.abs(vn)).all()
    assert (np.diff(row.speed(np.sort(np.abs(vn)), 0.7)) >= 0.0).all()


@pytest.mark.parametrize("name", FLUXES)
@pytest.mark.parametrize(("order", "degree"), [(1, 0), (2, 1), (3, 2), (3, 6), (4, 4), (4, 6)])
def test_cfl_of_every_flux(order: int, degree: int, name: str) -> None:
    """Stable up to the limit, counted in the rate of the flux itself, for slow velocities too."""
    amount = [excess(p) for p in range(7)]
    assert amount[0] == 0.0 and (np.diff(amount) > 0.0).all()
    limit = SCHEMES[order].cfl[degree]
    for v in (0.0, 0.1, 0.4, 0.7, 1.0):
        speed = float(FLUXES[name].speed(np.float64(v), 1.0))
        if speed > 0.0:
            scale = 0.99 * limit / (speed + excess(degree) * (speed - v))
            assert amplification(order, degree, scale * v, scale * speed) <= 1.0 + 1e-9, v


def test_lookup_names_what_is_known() -> None:
    with pytest.raises(
        InputError, match="got 'rleu', expected one of .*relu.* Did you mean 'relu'"
    ):
        lookup(ACTIVATIONS, "rleu", "network.activation")
