# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The limiter: positivity, mass, orders, its exact derivatives, pairing and cost."""

from mpi4py import MPI

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from helpers import (
    carry,
    few,
    gaussian,
    inner,
    l2_error,
    make_case,
    observed_orders,
    random_field,
    shaped_mesh,
)
from mfresnet.arrays import Array
from mfresnet.data.laws.density import Gaussian, project
from mfresnet.errors import SolveError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory
from mfresnet.mesh.boxes import CELLS, box
from mfresnet.mesh.space import Space
from mfresnet.network.schemes import SCHEMES
from mfresnet.optimise.optimiser import minimise
from mfresnet.optimise.result import Status
from mfresnet.transport.fused.transport import FusedTransport
from mfresnet.transport.operator.coefficients import Coefficients
from mfresnet.transport.operator.transport import Transport
from mfresnet.transport.steps.cfl import steps_needed
from mfresnet.transport.steps.limiter import LIMITERS, WIDTH, ZhangShu
from mfresnet.transport.steps.make import make_step
from mfresnet.transport.steps.positivity import mean_rate, mean_rate_bound
from mfresnet.transport.steps.step import Adjoint, Stages, Step
from mfresnet.verification.certificate import certify
from mfresnet.verification.taylor import taylor_test

DEGREES = (0, 1, 2, 3)
KINDS = [name for name in LIMITERS if name != "none"]
SMOOTH = "smooth_zhang_shu"


def limiter_of(name: str, space: Space) -> ZhangShu:
    limiter = LIMITERS[name](space)
    assert isinstance(limiter, ZhangShu)
    return limiter


def positive_means(space: Space, limiter: ZhangShu) -> np.ndarray:
    """Return a field with positive means, and negative values in most cells."""
    f = limiter.by_cell(random_field(space).copy())
    mean = limiter.mean(f.ravel())
    f += (0.3 + 0.2 * np.sin(9.0 * np.arange(len(f))) - mean)[:, None] * limiter.one[None]
    return f.ravel()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("cell", CELLS)
def test_limiter_is_positive_and_keeps_means(cell: str, degree: int, kind: str) -> None:
    space = Space(shaped_mesh(MPI.COMM_SELF, cell, few(cell, 4, 2), "rotated"), degree)
    limiter = limiter_of(kind, space)
    u = positive_means(space, limiter)
    mean, values = limiter.mean(u), limiter.values(u)
    assert mean.min() > 0.0
    assert degree == 0 or (values.min(axis=0) < 0.0).mean() > 0.5
    y = limiter.limit(u)
    assert limiter.values(y).min() >= 0.0
    np.testing.assert_allclose(limiter.mean(y), mean, rtol=1e-13)
    np.testing.assert_allclose(y @ space.integral, u @ space.integral, rtol=1e-13)
    np.testing.assert_allclose(limiter.limit(3.0 * u), 3.0 * y, rtol=1e-12, atol=1e-13)
    again = limiter.linearise(u)
    assert np.array_equal(again.y, y)
    # positive is left alone, by a smooth limiter where it is above a part of the mean
    assert kind == SMOOTH or limiter.limit(y) is y
    gap = mean - values.min(axis=0)
    part = np.minimum(1.0, (0.99 - WIDTH) * mean / np.maximum(gap, 1e-9))
    above = part[:, None] * limiter.by_cell(u) + ((1.0 - part) * mean)[:, None] * limiter.one
    for size in (1.0, 1e-200):
        v = size * above.ravel()
        assert limiter.limit(v) is v
    # a scale of the field is no scale of the limiter
    np.testing.assert_allclose(limiter.limit(1e-200 * u), 1e-200 * y, rtol=1e-11, atol=1e-213)
    # what the operator sees at its points is not negative either
    transport = FusedTransport(space)
    one = transport.new_coefficients()
    one.flat[:] = 1.0
    transport.apply(y, one)
    assert transport.outflow(one, transport.exit_traces).min() >= 0.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", SCHEMES)
@pytest.mark.parametrize("cell", CELLS)
def test_means_stay_positive_at_the_longest_step(cell: str, order: int, kind: str) -> None:
    """Cells are emptied as far as the quadrature allows; mass and outflow balance."""
    worst = []
    for degree in DEGREES:
        if degree not in SCHEMES[order].cfl:
            continue
        space = Space(shaped_mesh(MPI.COMM_SELF, cell, few(cell, 4, 2), "rotated"), degree)
        transport, limiter, scheme = FusedTransport(space), limiter_of(kind, space), SCHEMES[order]
        v = np.sin(2.0 * transport.points + 0.3) + 0.4
        a = transport.coefficients(v, transport.new_coefficients())
        dt = 1.0 / mean_rate(transport, v, a)
        g = positive_means(space, limiter)
        step = make_step(transport, scheme, dt, limiter)
        for _ in range(6):
            stages, after, left = forward(step, a, g, transport.n_exit)
            lost = (g - after) @ space.integral
            assert lost == pytest.approx(left.sum(), abs=1e-13)
            for u in (*stages, after):
                worst.append(limiter.mean(u).min())
            g = after
            assert limiter.least(limiter.limit(g)) >= 0.0
    assert min(worst) >= 0.0


def forward(step: Step, a: Coefficients, g: Array, n_exit: int) -> tuple[Array, Array, Array]:
    """Return stages, the new g and what left of one class."""
    stages, after = np.zeros((1, step.stages, g.size)), np.empty((1, g.size))
    left = np.zeros((1, n_exit))
    stages[0, 0] = g
    step.forward(Stages(a, stages), after, left)
    return stages[0], after[0], left[0]


class OneStep:
    """One step with everything that its derivatives need, for fields g, dg and coefficients."""

    def __init__(self, cell: str, order: int, kind: str) -> None:
        degree = max(p for p in SCHEMES[order].cfl if p < 4)
        self.space = Space(shaped_mesh(MPI.COMM_SELF, cell, few(cell, 4, 2), "rotated"), degree)
        self.transport, self.limiter = FusedTransport(self.space), limiter_of(kind, self.space)
        v = np.sin(2.0 * self.transport.points + 0.3)
        new = self.transport.new_coefficients
        self.a, self.da = (self.transport.coefficients(w, new()) for w in (v, np.cos(v)))
        dt = 0.7 / mean_rate(self.transport, v, self.a)
        self.step = make_step(self.transport, SCHEMES[order], dt, self.limiter)
        self.g = positive_means(self.space, self.limiter)
        self.dg, self.psi, self.dpsi = (
            np.sin((3.0 + i) * random_field(self.space)) for i in range(3)
        )
        n = self.transport.n_exit
        self.source, self.dsource = np.cos(np.arange(n)), np.sin(3.0 * np.arange(n))

    def moved(self, e: float) -> Coefficients:
        a = self.transport.new_coefficients()
        a.flat[:] = self.a.flat + e * self.da.flat
        return a

    def forward(self, g: Array, a: Coefficients) -> tuple[Array, Array, Array]:
        """Return stages, the new g and what left."""
        return forward(self.step, a, g, self.transport.n_exit)

    def backward(
        self, g: Array, a: Coefficients, psi: Array, source: Array
    ) -> tuple[Array, Coefficients]:
        """Return psi of the state before the step and the sensitivity."""
        stages, after, _ = self.forward(g, a)
        psi, sensitivity = psi.copy(), self.transport.new_coefficients()
        end = self.limiter.density(after[None])
        adjoint = Adjoint(psi[None], source[None], np.ones(1), sensitivity)
        before = self.step.transpose(Stages(a, stages[None]), adjoint, end)
        before.transpose(psi[None])
        return psi, sensitivity


@pytest.fixture(
    params=[(c, s, k) for c in CELLS for s in SCHEMES for k in KINDS],
    ids=lambda p: f"{p[0]}-{p[1]}-{p[2]}",
)
def one(request: pytest.FixtureRequest) -> OneStep:
    return OneStep(*request.param)


E = 3e-6


def close(got: Array, expected: Array, tolerance: float = 1e-7) -> None:
    assert np.abs(got - expected).max() <= tolerance * np.abs(expected).max()


def test_derivatives_of_a_step(one: OneStep) -> None:
    """Tangent and transpose fit together to rounding; both tangents fit central differences."""
    limiter, transport, space = one.limiter, one.transport, one.space
    stages, after, _ = one.forward(one.g, one.a)
    assert limiter.linearise(stages[-1]).active or one.space.degree == 0
    at, along = Stages(one.a, stages[None]), Stages(one.da, np.zeros((1, *stages.shape)))
    dstates, dleft = np.empty((1, after.size)), np.zeros(transport.n_exit)
    along.y[0, 0] = one.dg
    one.step.tangent(at, along, dstates, dleft[None])
    dafter = dstates[0]
    ahead, behind = (one.forward(one.g + e * one.dg, one.moved(e)) for e in (E, -E))
    close(dafter, (ahead[1] - behind[1]) / (2 * E))
    close(dleft, (ahead[2] - behind[2]) / (2 * E))

    end = limiter.density(after[None])
    back, sensitivity = one.backward(one.g, one.a, one.psi, one.source)
    there = inner(space, one.psi, end.tangent(dstates)[0])
    there += float(one.source @ (dleft / transport.exit_weights))
    here = inner(space, back, one.dg) + transport.pairing(one.da, sensitivity)
    size = np.sqrt(inner(space, one.psi, one.psi) * inner(space, dafter, dafter))
    assert abs(there - here) <= 1e-12 * size

    psi, dpsi = one.psi.copy(), one.dpsi.copy()
    first, second = (transport.new_coefficients() for _ in range(2))
    adjoint = Adjoint(psi[None], one.source[None], np.ones(1), first)
    change = Adjoint(dpsi[None], one.dsource[None], np.ones(1), second)
    before = one.step.transpose_tangent(at, along, adjoint, change, end, dstates)
    before.transpose_tangent(one.dg[None], psi[None], dpsi[None])
    close(psi, back, 1e-12)
    close(first.flat, sensitivity.flat, 1e-12)
    ahead, behind = (
        one.backward(
            one.g + e * one.dg, one.moved(e), one.psi + e * one.dpsi, one.source + e * one.dsource
        )
        for e in (E, -E)
    )
    close(dpsi, (ahead[0] - behind[0]) / (2 * E), 1e-6)
    close(second.flat, (ahead[1].flat - behind[1].flat) / (2 * E), 1e-6)


def test_pairing_is_constant(one: OneStep) -> None:
    """V10 with a limiter: L is homogeneous, so that its linearisation keeps (f, psi)."""
    space, limiter, states = one.space, one.limiter, [one.g]
    stages = []
    for _ in range(4):
        made, after, _ = one.forward(states[-1], one.a)
        stages.append(made)
        states.append(after)
    at, psi = limiter.density(states[-1][None]), one.psi.copy()
    unused, no_cost = one.transport.new_coefficients(), np.zeros((1, one.transport.n_exit))
    adjoint = Adjoint(psi[None], no_cost, np.ones(1), unused)
    pairings = [inner(space, at.f[0], psi)]
    for made in reversed(stages):
        at = one.step.transpose(Stages(one.a, made[None]), adjoint, at)
        pairings.append(inner(space, at.f[0], psi))
    assert at.parts[0].active or space.degree == 0
    size = np.sqrt(inner(space, one.g, one.g) * inner(space, psi, psi))
    assert np.ptp(pairings) <= 1e-12 * size


def longest_step(transport: Transport, limiter: ZhangShu, a: Coefficients) -> float:
    """Return the longest dt that keeps all means positive, from a linear programme in each cell.

    The most that can flow out of a cell whose mean is one and which is not negative at its points.
    """
    space, most = transport.space, 0.0
    shape = limiter.by_cell(np.zeros(space.n_owned)).shape
    for cell in range(shape[0]):
        flow: list[float] = []
        means: list[float] = []
        for k in range(shape[1]):
            y = np.zeros(shape)
            y[cell, k] = 1.0
            means.append(limiter.mean(y.ravel())[cell])
            flow.append(limiter.mean(transport.apply(y.ravel(), a))[cell])
        found = linprog(
            flow,
            A_ub=-limiter.table,
            b_ub=np.zeros(len(limiter.table)),
            A_eq=[means],
            b_eq=[1.0],
            bounds=(None, None),
        )
        assert found.success
        most = max(most, -found.fun)
    return 1.0 / most


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_longest_step_against_linear_programmes(cell: str, degree: int) -> None:
    """The quadrature allows no longer step than is positive, and not much shorter ones."""
    space = Space(shaped_mesh(MPI.COMM_SELF, cell, few(cell, 2, 1), "rotated"), degree)
    transport, limiter = FusedTransport(space), ZhangShu(space)
    v = np.sin(2.0 * transport.points + 0.3)
    a = transport.coefficients(v, transport.new_coefficients())
    exact = longest_step(transport, limiter, a)
    assert 0.45 * exact < 1.0 / mean_rate(transport, v, a) < (1.0 + 1e-9) * exact


# ---------------------------------------------------------------------- whole sweeps
@pytest.mark.parametrize(
    ("cell", "degree", "sizes"),
    [
        ("interval", 1, (64, 96, 144)),
        ("interval", 2, (48, 72, 108)),
        ("interval", 3, (32, 48, 72)),
        ("quadrilateral", 2, (16, 24, 36)),
        ("triangle", 1, (16, 24, 36)),
    ],
)
def test_order_on_smooth_densities(cell: str, degree: int, sizes: tuple[int, ...]) -> None:
    """V1, V3: the limiter acts in the tails at every step and leaves the order as it is."""
    d, w, final_time = CELLS[cell], -0.7, 0.8
    grow = np.exp(w * final_time)
    f0, exact = (
        Gaussian(mean=[0.4 * g] * d, covariance=(0.16 * g**2 * np.eye(d)).tolist())
        for g in (1.0, grow)
    )
    errors: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for n in sizes:
        corners = np.full(d, -2.2), np.full(d, 2.6)
        space = Space(box(MPI.COMM_SELF, cell, [n] * d, *corners), degree)
        transport = FusedTransport(space)
        rate = transport.rate_bound(2.6 * abs(w)) / SCHEMES[3].cfl[degree]
        rate = max(rate, mean_rate_bound(transport, 2.6 * abs(w)))
        f, _ = project(f0, space, "f0")
        limiter = ZhangShu(space)
        f = limiter.start(f)
        parameters = {"W": w * np.eye(d), "b": np.zeros(d)}
        steps = steps_needed(2.0 * rate, final_time)
        settings = {"order": 3, "steps": steps, "final_time": final_time}
        free = carry(space, f, "identity", parameters, **settings)
        assert limiter.least(free) < 0.0
        for kind in KINDS:
            kept = carry(space, f, "identity", parameters, **settings, limiter=kind)
            assert limiter.least(kept) >= 0.0
            errors[kind].append(l2_error(space, kept, exact.density))
    for found in errors.values():
        orders = observed_orders(sizes, found)
        assert abs(orders[-1] - (degree + 1)) < 0.45, f"{errors} {orders}"
    # on the finest mesh the smooth limiter costs next to no accuracy beside that with kinks
    assert errors[SMOOTH][-1] < 1.02 * errors["zhang_shu"][-1]


def sharp(cell: str, **sections: Any) -> ReducedFunctional:
    """Return J of densities that jump between cells, off the axes of symmetry."""
    d = CELLS[cell]
    matrix = np.array([[0.9, 0.2, 0.1], [-0.1, 0.7, 0.2], [0.1, -0.2, 0.5]])[:d, :d]
    defaults: dict[str, Any] = {
        "mesh": {"cells": [few(cell, 10, 4)] * d, "lower": [-1.4] * d, "upper": [1.5] * d},
        "time": {"limiter": "zhang_shu"},
        "network": {"layers": 2},
        "initial": {"kind": "values", "W": matrix.tolist(), "b": [0.2, -0.1, 0.15][:d]},
    }
    for name, section in sections.items():
        defaults[name] = defaults.get(name, {}) | section
    functional = ReducedFunctional(make_case(cell, **defaults), MPI.COMM_SELF)
    space = functional.problem.space
    x, _ = space.map_points(slice(0, space.n_owned_cells), np.full((1, d), 0.27))
    places = ([-0.9] * d, [0.31, 0.4, 0.2][:d]), ([-0.3, -0.4, -0.2][:d], [0.9] * d)
    for f, (lower, upper) in zip(functional.problem.f0, places, strict=True):
        inside = ((x[:, 0] > lower) & (x[:, 0] < upper)).all(axis=1)
        f[space.dofs[: space.n_owned_cells]] = inside[:, None] * 1.0
        f *= space.integral / space.mass
        f /= f @ space.integral
    return functional


@pytest.mark.parametrize("order", SCHEMES)
@pytest.mark.parametrize("cell", CELLS)
def test_densities_that_jump_stay_positive(cell: str, order: int) -> None:
    """With mass that leaves the box; without the limiter there are undershoots."""
    degree = max(p for p in SCHEMES[order].cfl if p < 3)
    space = {"degree": degree}
    free = sharp(cell, time={"order": order, "limiter": "none"}, space=space)
    for name in KINDS:
        kept = sharp(cell, time={"order": order, "limiter": name}, space=space)
        balance = Trajectory(kept, kept.theta0).balance()
        assert balance.min_density >= 0.0
        assert balance.error < 1e-13 and balance.outflow.min() > 1e-3
        every = np.ones(kept.sweep.steps + 1, dtype=bool)
        least: list[float] = []
        watch = kept.problem.limiter.least
        Trajectory(kept, kept.theta0).visit(lambda n, f, left: least.extend(map(watch, f)), every)  # noqa: B023
        assert len(least) == 2 * every.size and min(least) >= 0.0
    assert degree == 0 or Trajectory(free, free.theta0).balance().min_density < -1e-2


def active_set(functional: ReducedFunctional) -> list[bytes]:
    """Return which cells are limited at which points, for every stage of the last sweep."""
    sweep, limiter = functional.sweep, functional.problem.limiter
    assert isinstance(limiter, ZhangShu) and sweep.plan.whole
    layers = [sweep.layer(n).stages for n in range(functional.controls.layers)]
    states = [*np.reshape(layers, (-1, sweep.final.shape[1])), *sweep.last]
    found = []
    for at in map(limiter.linearise, states):
        active = at.theta < 1.0
        found.append(b"".join([active, limiter.by_cell(at.slope)[active]]))
    return found


def sharp_with(cell: str, loss: str, kind: str, cells: int) -> ReducedFunctional:
    """Return J of densities that jump with a loss, that over depth being "running"."""
    d = CELLS[cell]
    section = {"kind": "quadratic", "running": 0.7} if loss == "running" else {"kind": loss}
    if loss == "density_l2":
        section["target"] = gaussian([0.2] * d, (0.2 * np.eye(d)).tolist())
    initial = {"H": [[0.3, -0.2, 0.1][:d], [-0.2, 0.4, 0.0][:d]], "h": [0.1, 0.0]}
    return sharp(
        cell,
        loss=section,
        mesh={"cells": [cells] * d},
        time={"limiter": kind},
        initial=initial if loss == "cross_entropy" else {},
    )


def direction(functional: ReducedFunctional, theta: Array) -> Array:
    """Return a direction of increase."""
    h = np.sin(1.0 + 3.0 * np.arange(theta.size))
    return np.array(h * np.sign(functional.derivative(theta)))


LOSSES = ["quadratic", "running", "density_l2", "cross_entropy"]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("cell", ["interval", "quadrilateral", "triangle"])
def test_taylor_where_the_active_set_does_not_change(cell: str, loss: str) -> None:
    """J, its derivative and its Hessian action, with many limited cells."""
    functional = sharp_with(cell, loss, "zhang_shu", 6)
    steps = 2e-5 / 2.0 ** np.arange(4)
    for shift in 0.01 * np.arange(10):
        theta = functional.theta0 + shift
        h = direction(functional, theta)
        before = active_set(functional)
        functional.value(theta + steps[0] * h)
        if active_set(functional) == before:
            break
    else:
        pytest.fail("the active set changes everywhere")
    assert sum(at.count(1) for at in before) > 10
    test = taylor_test(
        functional.value, functional.derivative, theta, h, steps, functional.hessian_action
    )
    rates = test.rates()
    assert np.abs(rates[:2] - [[1.0], [2.0]]).max() < 0.1, test.as_text()


@pytest.mark.parametrize(
    ("cell", "loss"),
    [(c, loss) for c in ("interval", "quadrilateral", "triangle") for loss in LOSSES]
    + [("hexahedron", "quadratic"), ("tetrahedron", "quadratic")],
)
def test_taylor_of_the_smooth_limiter(cell: str, loss: str) -> None:
    """Of third order with the Hessian action, wherever cells begin or cease to be limited."""
    functional = sharp_with(cell, loss, SMOOTH, few(cell, 6, 4))
    theta = functional.theta0 + 0.05
    h = direction(functional, theta)
    assert sum(at.count(1) for at in active_set(functional)) > 10
    steps = 2e-4 / 2.0 ** np.arange(3)
    test = taylor_test(
        functional.value, functional.derivative, theta, h, steps, functional.hessian_action
    )
    assert np.abs(test.rates() - [[1.0], [2.0], [3.0]]).max() < 0.15, test.as_text()


def test_second_differences_are_bounded_along_lines() -> None:
    """With kinks they grow as one over the step.

    The cells keep their means on the line, begin to be limited, and have other lowest points.
    """
    space = Space(shaped_mesh(MPI.COMM_SELF, "triangle", 3, "rotated"), 2)
    u = positive_means(space, limiter_of(SMOOTH, space))
    du = np.sin(3.0 * random_field(space))
    limiter = limiter_of(SMOOTH, space)
    limiter.by_cell(du)[:] -= limiter.mean(du)[:, None] * limiter.one
    growth = {}
    for kind in KINDS:
        limiter, worst = limiter_of(kind, space), []
        for h in (1e-3, 5e-4, 2.5e-4):
            line = [limiter.limit(u + s * du) for s in np.arange(0.0, 1.0, h)]
            worst.append(np.abs(np.diff(line, n=2, axis=0)).max() / h**2)
        growth[kind] = worst[-1] / worst[0]
    assert growth[SMOOTH] < 1.1 and growth["zhang_shu"] > 3.0, growth


@pytest.mark.parametrize("method", ["lmvm", "ntr"])
def test_trainings_on_coarse_meshes_end_at_a_zero_gradient(method: str) -> None:
    """Where the kinks of the other limiter stop them."""
    training = {"method": method, "gradient_tolerance": 1e-6, "max_iterations": 60}
    ended = {}
    for kind in KINDS:
        case = make_case(
            "interval",
            mesh={"cells": [8], "lower": [-3.0], "upper": [3.0]},
            time={"limiter": kind},
            network={"layers": 4},
            classes=[
                {"density": {"kind": "uniform_box", "lower": a, "upper": b}, "target": target}
                for a, b, target in ((-0.9, -0.1, -2.5), (0.1, 0.8, 2.5))
            ],
            penalty={"tikhonov": 1e-2},
            training=training,
        )
        ended[kind] = minimise(ReducedFunctional(case, MPI.COMM_SELF)).status
    assert ended[SMOOTH] is Status.CONVERGED, ended
    assert ended["zhang_shu"] is not Status.CONVERGED, ended


@pytest.mark.parametrize("kind", KINDS)
def test_layers_carried_again_give_the_same_bits(kind: str) -> None:
    """With memory for a few layers J, its derivative and its Hessian action are the same."""
    found, network = [], {"layers": 8}
    for memory in ("1 GB", "30 kB"):
        functional = sharp(
            "interval",
            network=network,
            time={"limiter": kind},
            loss={"running": 0.5},
            resources={"memory": memory},
        )
        assert functional.plan.whole == (memory == "1 GB")
        theta = functional.theta0 + 0.1 * np.sin(np.arange(functional.theta0.size))
        h = np.cos(np.arange(theta.size))
        parts = functional.derivative(theta), functional.hessian_action(theta, h)
        found.append(np.concatenate([[functional.value(theta)], *parts]))
    assert np.array_equal(*found)


@pytest.mark.parametrize("kind", KINDS)
def test_certificate(kind: str) -> None:
    """Everything that holds without a limiter holds with it; kinks of J are no failure."""
    box = {"kind": "uniform_box", "lower": -0.8, "upper": 0.4}
    case = make_case(
        "interval",
        mesh={"cells": [100], "lower": [-2.0], "upper": [2.0]},
        network={"layers": 2},
        time={"limiter": kind},
        classes=[{"density": box, "target": 1.0}],
    )
    found = {c.name: c for c in certify(ReducedFunctional(case, MPI.COMM_SELF))}
    assert all(c.passed for c in found.values()), found
    assert found["undershoot over the largest density"].value == 0.0


def test_compiled_once_or_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    space = Space(box(MPI.COMM_SELF, "interval", [2], np.zeros(1), np.ones(1)), 1)
    u = np.array([1.0, 0.1, -0.1, 1.0])
    assert all(ZhangShu(space).linearise(u).active for _ in range(2))
    (made,) = (tmp_path / "mfresnet").iterdir()
    made.unlink()
    monkeypatch.setenv("CC", "false")
    with pytest.raises(SolveError, match="mfresnet_limiter.* cannot be compiled.* set CC"):
        ZhangShu(space)
    assert not list((tmp_path / "mfresnet").iterdir())


def test_compiled_after_a_killed_compiler_and_without_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    space = Space(box(MPI.COMM_SELF, "interval", [2], np.zeros(1), np.ones(1)), 1)
    u = np.array([1.0, 0.1, -0.1, 1.0])
    half = tmp_path / "mfresnet/tmpkilled"
    half.mkdir(parents=True)
    (half / "mfresnet_limiter.o").write_bytes(b"half")
    assert ZhangShu(space).linearise(u).active
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert ZhangShu(space).linearise(u).active
