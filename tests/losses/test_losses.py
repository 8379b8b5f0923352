# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Losses against closed forms and other ways to compute them; what a case file says about them."""

from mpi4py import MPI

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from helpers import gaussian, make_case
from mfresnet.arrays import Array
from mfresnet.errors import InputError, SolveError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory
from mfresnet.losses.dual import DualDistance, DualSection
from mfresnet.losses.loss import LossSection, Parts, Setting
from mfresnet.losses.table import LOSSES
from mfresnet.mesh.boxes import box
from mfresnet.mesh.space import Space

M0, V0, M1, V1 = 0.3, 0.25, 1.0, 0.5


def still(loss: dict[str, Any], **sections: Any) -> ReducedFunctional:
    """Return J of N(M0, V0) and of N(M1, V1), which stay where they are."""
    case = make_case(
        "interval",
        mesh={"cells": [80], "lower": [-5.0], "upper": [6.0]},
        space={"degree": 3},
        network={"activation": "identity", "layers": 1},
        classes=[
            {"density": gaussian(M0, V0), "weight": 0.4, "target": 0.0},
            {"density": gaussian(M1, V1), "weight": 0.6, "target": 2.0},
        ],
        penalty={"tikhonov": 0.0},
        loss=loss,
        initial=sections.pop("initial", {"kind": "zero"}),
        **sections,
    )
    return ReducedFunctional(case, MPI.COMM_SELF)


def value(functional: ReducedFunctional) -> float:
    return functional.value(functional.theta0)


def pdf(x: float, m: float, v: float) -> float:
    return float(norm.pdf(x, m, np.sqrt(v)))


def overlap(m0: float, v0: float, m1: float, v1: float) -> float:
    """Return the integral of the product of two normal densities."""
    return pdf(m0, m1, v0 + v1)


def test_quadratic() -> None:
    expected = 0.4 * 0.5 * (M0**2 + V0) + 0.6 * 0.5 * ((M1 - 2.0) ** 2 + V1)
    assert value(still({"kind": "quadratic"})) == pytest.approx(expected, rel=1e-6)


def test_cross_entropy() -> None:
    """With a given head, against quadrature of log(1 + e^{+-z})."""
    initial = {"kind": "values", "W": 0.0, "b": 0.0, "H": [[0.7], [-0.5]], "h": [0.2, 0.4]}
    functional = still({"kind": "cross_entropy"}, initial=initial)

    def cost(x: float, sign: float) -> float:
        return float(np.logaddexp(0.0, sign * (1.2 * x - 0.2)))

    one = quad(lambda x: cost(x, -1.0) * pdf(x, M0, V0), -8, 8)[0]
    two = quad(lambda x: cost(x, 1.0) * pdf(x, M1, V1), -8, 8)[0]
    assert value(functional) == pytest.approx(0.4 * one + 0.6 * two, rel=1e-6)


def test_density_l2() -> None:
    expected = (
        0.4
        * 0.5
        * (overlap(M0, V0, M0, V0) + overlap(M1, V1, M1, V1) - 2 * overlap(M0, V0, M1, V1))
    )
    loss = {"kind": "density_l2", "target": gaussian(M1, V1)}
    assert value(still(loss)) == pytest.approx(expected, rel=1e-6)


def test_kullback_leibler() -> None:
    """Of two Gaussians, as the smoothing tends to zero."""
    expected = 0.4 * 0.5 * (V0 / V1 + (M1 - M0) ** 2 / V1 - 1.0 + np.log(V1 / V0))
    errors = []
    for smoothing in (1e-2, 1e-4):
        loss = {"kind": "kullback_leibler", "target": gaussian(M1, V1), "smoothing": smoothing}
        errors.append(abs(value(still(loss)) - expected) / expected)
    assert errors[1] < 1e-3 and errors[1] < 0.1 * errors[0]


def test_moments() -> None:
    loss = {"kind": "moments", "mean": 0.5, "covariance": 0.1}
    expected = 0.4 * 0.5 * ((M0 - 0.5) ** 2 + (V0 - 0.1) ** 2)
    expected += 0.6 * 0.5 * ((M1 - 0.5) ** 2 + (V1 - 0.1) ** 2)
    assert value(still(loss)) == pytest.approx(expected, rel=1e-5)
    only_mean = 0.4 * 0.5 * (M0 - 0.5) ** 2 + 0.6 * 0.5 * (M1 - 0.5) ** 2
    assert value(still({"kind": "moments", "mean": 0.5})) == pytest.approx(only_mean, rel=1e-6)


def test_running_loss_is_the_integral_over_depth() -> None:
    """What stays pays T times the loss; terminal = 0 leaves the running loss alone."""
    once = value(still({"kind": "quadratic"}))
    running = still({"kind": "quadratic", "running": 0.7})
    assert value(running) == pytest.approx(once * (1.0 + 0.7), rel=1e-12)
    alone = still({"kind": "quadratic", "running": 0.7, "terminal": 0.0})
    assert value(alone) == pytest.approx(0.7 * once, rel=1e-12)


def test_running_loss_of_a_shift() -> None:
    """x = x0 + b t: int_0^1 1/2 E|x - y|^2 dt, by the trapezoidal rule of the steps."""
    b, y = 0.8, 0.0
    functional = still(
        {"kind": "quadratic", "running": 1.0, "terminal": 0.0},
        initial={"kind": "values", "W": 0.0, "b": b},
        time={"steps_per_layer": 80},
    )
    t = np.linspace(0.0, 1.0, functional.sweep.steps + 1)
    one = 0.5 * ((M0 + b * t - y) ** 2 + V0)
    two = 0.5 * ((M1 + b * t - 2.0) ** 2 + V1)
    expected = np.trapezoid(0.4 * one + 0.6 * two, t)
    assert value(functional) == pytest.approx(float(expected), rel=1e-6)


def test_mass_that_left_pays_where_it_left_as_long_as_the_loss_runs() -> None:
    functional = still(
        {"kind": "quadratic", "running": 1.0},
        initial={"kind": "values", "W": 0.0, "b": 5.5},
    )
    value(functional)
    left: list[Array] = []
    everywhere = np.ones(functional.sweep.steps + 1, dtype=bool)
    Trajectory(functional, functional.theta0).visit(
        lambda n, f, gone: left.append(gone.copy()), everywhere
    )
    assert left[-1].sum() > 0.9
    assert (np.diff([gone.sum() for gone in left]) >= -1e-15).all()
    # at T: all of class 0 that is out has x = 6
    out = Parts(np.zeros_like(functional.problem.f0), left[-1], {})
    charge = functional.depth_loss.loss.value(out)
    assert charge[0] == pytest.approx(left[-1][0].sum() * 0.5 * 36.0, rel=1e-12)


@pytest.mark.parametrize("kind", ["density_l2", "density_dual_h1", "kullback_leibler"])
def test_outflow_of_a_density_has_a_price(kind: str) -> None:
    loss = {"kind": kind, "target": gaussian(M1, V1)}
    initial = {"kind": "values", "W": 0.0, "b": 5.5}
    free, charged = (still(loss | {"outflow": price}, initial=initial) for price in (0.0, 3.0))
    difference = value(charged) - value(free)
    left = charged.problem.class_weights @ charged.sweep.final_left.sum(axis=1)
    assert left > 0.3
    assert difference == pytest.approx(3.0 * left, rel=1e-10)


def dual(cell: str, cells: int, degree: int, length: float) -> tuple[Space, DualDistance]:
    d = {"interval": 1}.get(cell, 2)
    mesh = box(MPI.COMM_SELF, cell, [cells] * d, np.full(d, -4.0), np.full(d, 4.0))
    space = Space(mesh, degree)
    section = DualSection(target=gaussian([0.0] * d, np.eye(d).tolist()), length=length)
    return space, DualDistance(Setting(space, np.zeros((d, 0)), section, 1, np.zeros((1, d))))


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_dual_norm_of_a_cosine(degree: int) -> None:
    """r = cos(pi x / 4) on (-4, 4): u = r / (1 + l^2 pi^2 / 16), order 2 p."""
    length, errors = 0.8, []
    exact = 0.5 * 4.0 / (1.0 + (length * np.pi / 4) ** 2)
    for cells in (8, 16, 32):
        space, distance = dual("interval", cells, degree, length)
        r = space.integrate(lambda x: np.cos(np.pi * x[0] / 4), 8) / space.mass
        errors.append(abs(float(distance.value((distance._g + r)[None])[0]) - exact))
    orders = -np.diff(np.log2(errors))
    assert np.abs(orders - 2.0 * degree).max() < 0.2, (errors, orders)


@pytest.mark.parametrize("cell", ["triangle", "quadrilateral"])
def test_dual_norm_needs_as_many_iterations_on_every_mesh(cell: str) -> None:
    counts = []
    for cells in (8, 16, 32):
        space, distance = dual(cell, cells, 1, 0.5)
        distance.value((distance._g + np.sin(np.arange(space.n_owned)))[None])
        counts.append(distance.iterations)
    assert max(counts) <= 30 and counts[-1] <= counts[0] + 8, counts


def test_dual_norm_sees_the_distance() -> None:
    """Two far shifts differ in the dual norm, and hardly in L2."""
    space, distance = dual("interval", 64, 2, 2.0)

    def at(m: float) -> Any:
        return (space.integrate(lambda x: norm.pdf(x[0], m, 0.3), 8) / space.mass)[None]

    near, far = (float(distance.value(at(m))[0]) for m in (1.0, 2.5))
    assert far > 1.5 * near


WRONG = [
    ({"kind": "density_l2"}, r"^loss\.target: missing"),
    ({"kind": "density_l2", "target": gaussian([0, 0], [[1, 0], [0, 1]])}, r"^loss\.target\.mean"),
    ({"kind": "density_l2", "target": {"kind": "gausian"}}, r"^loss\.target\.kind: unknown name"),
    (
        {"kind": "density_dual_h1", "lenght": 1, "target": gaussian(0, 1)},
        r"^loss\.lenght: unknown key; .* Did you mean 'length'\?",
    ),
    ({"kind": "kl"}, r"^loss\.kind: unknown name; got 'kl', expected one of cross_entropy"),
    ({"kind": "density_dual_h1", "length": 0.0, "target": gaussian(0, 1)}, r"^loss\.length: wrong"),
    ({"kind": "moments"}, r"^loss\.mean: missing"),
    ({"kind": "moments", "mean": [0, 0]}, r"^loss\.mean: wrong length"),
    ({"terminal": 0.0}, r"^loss\.terminal: no loss at all"),
    ({"running": -1.0}, r"^loss\.running: wrong value"),
    (3, r"^loss: wrong value"),
]


@pytest.mark.parametrize(("section", "pattern"), WRONG)
def test_mistakes(section: Any, pattern: str) -> None:
    with pytest.raises(InputError, match=pattern):
        make_case("interval", loss=section)


def test_every_row_has_a_section_that_says_its_kind() -> None:
    for row in LOSSES.values():
        assert issubclass(row.section, LossSection)


def test_undershoots_that_pay_are_an_error() -> None:
    """A negative density far away is the cheapest of all; no optimiser may find it."""
    functional = still({"kind": "quadratic"})
    assert value(functional) > 0.0
    functional.problem.f0[1, :4] = -50.0
    functional.set_steps(functional.steps_per_layer)
    with pytest.raises(SolveError, match=r"mesh: the loss of a positive density cannot be"):
        value(functional)


def test_a_loss_of_almost_nothing_may_be_negative() -> None:
    """f is g but for a little undershoot that leaves: exact controls on a mesh have such losses."""
    functional = still(
        {"kind": "density_l2", "target": gaussian(M0, V0), "outflow": 100.0},
        initial={"kind": "values", "W": 0.0, "b": 1e-5},
    )
    functional.problem.f0[:] = functional.problem.f0[0]
    functional.problem.f0[:, -4:] = -3e-5
    functional.set_steps(functional.steps_per_layer)
    assert -1e-6 < value(functional) < -1e-9


@pytest.mark.parametrize("kind", [name for name, row in LOSSES.items() if row.cost is not None])
def test_second_derivatives_of_costs(kind: str) -> None:
    """The change of ``pull`` and ``vjp`` is their difference quotient, along all coordinates."""
    row, rng, n = LOSSES[kind], np.random.default_rng(3), 2
    section = row.section.model_validate({"kind": kind})
    assert row.cost is not None
    cost = row.cost(SimpleNamespace(section=section, targets=np.eye(2), n_classes=n))
    shapes = row.head(section, 1 if kind == "squared_error" else 2, n)
    head, along = ({m: rng.standard_normal(s) for m, s in shapes.items()} for _ in range(2))
    x, dx, m = rng.standard_normal((3, 2, 9))

    def at(e: float) -> Any:
        moved = {name: value + e * along[name] for name, value in head.items()}
        return cost.pull(x + e * dx, moved, m), cost.vjp(x + e * dx, moved, m)

    (pull, parts), (back, other) = at(1e-5), at(-1e-5)
    pulled, changed = cost.second(x, head, m, dx, along)
    np.testing.assert_allclose(pulled, (pull - back) / 2e-5, atol=1e-8)
    for name, part in changed.items():
        np.testing.assert_allclose(part, (parts[name] - other[name]) / 2e-5, atol=1e-8)
