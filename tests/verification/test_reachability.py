# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Lower bounds: their closed forms, that no controls get below them, and that some get there."""

from mpi4py import MPI

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import lsq_linear
from scipy.optimize import minimize as search
from scipy.stats import norm

from helpers import gaussian, make_case, make_data_case
from mfresnet.case.case import Case
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.problem import Problem
from mfresnet.network.activations import ACTIVATIONS
from mfresnet.network.affine import affine_control
from mfresnet.optimise.optimiser import minimise
from mfresnet.verification.bounds.envelopes import least
from mfresnet.verification.bounds.table import LOWER_BOUNDS, best, lower_bound, lower_bounds
from mfresnet.verification.certificate import reachable


def found(functional: ReducedFunctional) -> dict[str, float]:
    """Return all bounds that apply."""
    f = functional
    return lower_bounds(f.problem, f.controls.initial)


def line(**sections: Any) -> ReducedFunctional:
    """Return J on the line [-6, 6]; sections replace the defaults."""
    data: dict[str, Any] = {
        "mesh": {"cells": [60], "lower": [-6.0], "upper": [6.0]},
        "penalty": {"tikhonov": 0.0},
    }
    return ReducedFunctional(make_case("interval", **(data | sections)), MPI.COMM_SELF)


def one_class(mean: float, variance: float, target: float) -> dict[str, Any]:
    return {"density": gaussian(mean, variance), "target": target}


CROSSED = [one_class(-1.0, 0.09, 1.0), one_class(1.0, 0.09, -1.0)]


# ---------------------------------------------------------------------- closed forms
@pytest.mark.parametrize("activation", ["tanh", "sin", "sigmoid", "relu", "softplus", "identity"])
def test_displacement_of_one_class(activation: str) -> None:
    """E 1/2 dist(y, [x - T down, x + T up])^2 for N(m, v) by quadrature in one dimension."""
    m, v, y, final_time = 0.3, 0.04, -1.2, 0.5
    network = {"activation": activation, "final_time": final_time}
    bounds = found(line(network=network, classes=[one_class(m, v, y)]))
    down = {"tanh": 0.5, "sin": 0.5, "identity": np.inf}.get(activation, 0.0)
    expected, _ = quad(
        lambda x: 0.5 * max(x - down - y, 0.0) ** 2 * norm.pdf(x, m, v**0.5), m - 1.2, m + 1.2
    )
    assert bounds["displacement"] == pytest.approx(expected, rel=1e-8)
    if activation == "tanh":
        assert expected == pytest.approx(0.5 * ((m - y - 0.5) ** 2 + v), rel=1e-6)


def test_crossed_classes_on_the_line() -> None:
    """Increasing maps cannot exchange -1 and 1: the best one is constant, J = 1/2, and so is A."""
    bounds = found(line(classes=CROSSED, network={"activation": "identity"}))
    assert bounds["monotone"] == pytest.approx(0.5, rel=1e-3)
    assert bounds["affine"] == pytest.approx(0.5, rel=1e-6)
    assert bounds["monotone"] <= bounds["affine"] * (1.0 + 1e-12)
    right = [one_class(-1.0, 0.09, -1.0), one_class(1.0, 0.09, 1.0)]
    assert found(line(classes=right))["monotone"] < 1e-3


def test_bayes() -> None:
    """Two classes of the same density: for any network 1/2 |y|^2, and log 2."""
    same = [one_class(0.0, 0.1, 1.0), one_class(0.0, 0.1, -1.0)]
    assert found(line(classes=same))["bayes"] == pytest.approx(0.5, rel=1e-6)
    entropy = found(line(classes=same, loss={"kind": "cross_entropy"}))
    assert entropy == {"bayes": pytest.approx(np.log(2.0)), "monotone": pytest.approx(np.log(2.0))}


@pytest.mark.parametrize(("sign", "slope"), [(1.0, 0.8), (-1.0, 0.0)])
def test_affine_maps_in_the_plane(sign: float, slope: float) -> None:
    """Least squares over det A > 0, against a search over A = Q diag(a, b) R and c."""
    rng = np.random.default_rng(3)
    means = rng.standard_normal((4, 2))
    matrix = np.array([[0.9, 0.2], [-0.3, sign * 0.7]])
    classes = [
        {"density": gaussian(m.tolist(), [[0.1, 0.02], [0.02, 0.06]]), "target": y.tolist()}
        for m, y in zip(means, means @ matrix.T, strict=True)
    ]
    case = make_case(
        "quadrilateral",
        mesh={"cells": [20, 20], "lower": [-5.0, -5.0], "upper": [5.0, 5.0]},
        network={"activation": "identity"},
        classes=classes,
    )
    bound = found(ReducedFunctional(case, MPI.COMM_SELF))["affine"]
    # the loss of x -> A x + c: 1/8 sum_k |A m_k + c - y_k|^2 + 1/2 tr A C A^T
    targets, spread = means @ matrix.T, np.array([[0.1, 0.02], [0.02, 0.06]])

    def loss(p: np.ndarray) -> float:
        (s, t, a, b), c = p[:4], p[4:]
        q, r = (np.array([[np.cos(u), -np.sin(u)], [np.sin(u), np.cos(u)]]) for u in (s, t))
        m = q @ np.diag(np.exp([a, b])) @ r
        rest = means @ m.T + c - targets
        return 0.5 * float(np.mean(np.sum(rest**2, axis=1)) + np.trace(m @ spread @ m.T))

    starts = [rng.standard_normal(6) for _ in range(6)]
    least = min(search(loss, p, method="BFGS", options={"gtol": 1e-9}).fun for p in starts)
    assert bound == pytest.approx(least, rel=1e-5)


@pytest.mark.parametrize("trained", [True, False])
def test_regression_on_the_line(trained: bool) -> None:
    """y = -x + noise: a head that stays at 1 leaves Var(y)/2, a trained one the noise alone."""
    noise, d = 0.05, {"kind": "gaussian", "mean": [0.0, 0.0]}
    d["covariance"] = [[0.3, -0.3], [-0.3, 0.3 + noise]]
    case = make_case(
        "quadrilateral",
        task="regression",
        mesh={"cells": [24, 24], "lower": [-4.5, -4.5], "upper": [4.5, 4.5]},
        network={"trainable": ["W", "b", "H", "h"] if trained else ["W", "b"]},
        classes=[{"density": d}],
    )
    bounds = found(ReducedFunctional(case, MPI.COMM_SELF))
    expected = 0.5 * noise if trained else 0.5 * (0.3 + noise)
    assert bounds == {"monotone": pytest.approx(expected, rel=2e-3)}
    data = case.model_dump(exclude_none=True)
    data["network"]["activation"] = "identity"
    linear = found(ReducedFunctional(Case.model_validate(data), MPI.COMM_SELF))
    assert linear["affine"] == pytest.approx(expected, rel=1e-6)
    assert linear["monotone"] <= linear["affine"] * (1 + 1e-9)


def test_bounded_controls_bound_the_way() -> None:
    """|w|, |b| <= 1/2: |x(1)| <= r with r' = (r + 1)/2; for wide blocks |V| 3 + |c| times T."""
    training = {"lower": -0.5, "upper": 0.5}
    m, y = 1.0, 5.0
    bounds = found(
        line(
            network={"activation": "identity"},
            training=training,
            classes=[one_class(m, 1e-2, y)],
        )
    )
    way = (np.exp(0.5) - 1.0) * (m + 1.0)
    assert bounds["displacement"] == pytest.approx(0.5 * (y - m - way) ** 2, rel=2e-2)
    wide = {"block": "wide", "width": 3, "activation": "tanh"}
    bounds = found(line(network=wide, training=training, classes=[one_class(m, 1e-2, y)]))
    assert bounds["displacement"] >= 0.5 * (y - m - 2.0) ** 2
    relu = wide | {"activation": "relu"}
    bounds = found(line(network=relu, training=training, classes=[one_class(m, 1e-2, 9.0)]))
    way = (np.exp(0.75) - 1.0) * (m + 1.25 / 0.75)  # r' = 3/4 r + 5/4
    assert bounds["displacement"] == pytest.approx(0.5 * (9.0 - m - way) ** 2, rel=1e-2)
    free = found(line(network=wide, classes=[one_class(m, 1e-2, y)]))
    assert free["displacement"] == 0.0


def test_moments() -> None:
    """|sigma| <= 1, T = 1/2: the mean moves by 1/2, the standard deviation by 1/2."""
    loss = {"kind": "moments", "mean": 2.0, "covariance": 1.44}
    functional = line(
        network={"final_time": 0.5}, classes=[{"density": gaussian(0.0, 0.04)}], loss=loss
    )
    expected = 0.5 * 1.5**2 + 0.5 * (1.44 - 0.7**2) ** 2
    assert found(functional)["displacement"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_density_out_of_reach(activation: str) -> None:
    """A thin density, f0 in [-1, 0] and g in [2, 3]: the best f is as close and flat as it can be.

    |sigma| <= 1, T = 1: f ends on (-2, 1), of any shape there, so that 2 J = 1/3 + 1; relu carries
    it to g, but not to one on the left.
    """
    box = {"kind": "uniform_box", "lower": -1.0, "upper": 0.0}
    goal = {"kind": "uniform_box", "lower": 2.0, "upper": 3.0}
    if activation == "relu":
        goal = {"kind": "uniform_box", "lower": -3.0, "upper": -2.0}
    functional = line(
        network={"activation": activation},
        classes=[{"density": box}],
        loss={"kind": "density_l2", "target": goal},
    )
    # relu: f may spread over [0, 6] once it has passed its beginning: F <= F0
    expected = {"tanh": 0.5 * (1.0 / 3.0 + 1.0), "relu": 0.5 * (1.0 / 7.0 + 1.0)}[activation]
    bound = found(functional)["displacement"]
    assert bound == pytest.approx(expected, rel=2e-2)
    ahead = {"kind": "density_l2", "target": box | {"lower": 2.0, "upper": 3.0}}
    right = line(network={"activation": "relu"}, classes=[{"density": box}], loss=ahead)
    assert found(right)["displacement"] < 1e-9


DENSITY_LOSSES = ("density_l2", "density_dual_h1", "kullback_leibler")


@pytest.mark.parametrize("kind", DENSITY_LOSSES)
def test_density_bounds_are_sharp_on_the_line(kind: str) -> None:
    """Training comes within 5 % of them, from above."""
    functional = line(
        network={"layers": 3},
        mesh={"cells": [40], "lower": [-3.5], "upper": [4.5]},
        classes=[{"density": gaussian(0.0, 0.09)}],
        loss={"kind": kind, "target": gaussian(1.5, 0.09)},
        training={"max_iterations": 30},
    )
    bound, result = found(functional)["displacement"], minimise(functional)
    assert 1.0 <= functional.loss(result.theta) / bound < 1.05
    if kind == "kullback_leibler":  # of the density that has moved by 1
        assert 0.97 < bound / (0.5**2 / (2.0 * 0.09)) < 1.0


@pytest.mark.parametrize("goal", [1.5, 3.9])
@pytest.mark.parametrize("kind", DENSITY_LOSSES)
def test_a_density_that_cannot_move(kind: str, goal: float) -> None:
    """T is almost zero: the bound is the loss. The second target has 2 % of its mass beyond."""
    functional = line(
        network={"layers": 1, "final_time": 1e-5},
        mesh={"cells": [80], "lower": [-3.5], "upper": [4.5]},
        classes=[{"density": gaussian(1.0, 0.09)}],
        loss={"kind": kind, "target": gaussian(goal, 0.09)},
    )
    loss = functional.loss(functional.theta0)
    assert 0.98 * loss < found(functional)["displacement"] <= 1.001 * loss


@pytest.mark.parametrize("kind", DENSITY_LOSSES)
def test_density_bounds_in_the_plane(kind: str) -> None:
    """Below the loss of a shift by T and of controls near it, and not far below."""
    spread = [[0.09, 0.0], [0.0, 0.09]]
    case = make_case(
        "quadrilateral",
        mesh={"cells": [16, 16], "lower": [-2.0, -2.0], "upper": [4.5, 2.0]},
        network={"layers": 1},
        classes=[{"density": gaussian([0.0, 0.0], spread)}],
        loss={"kind": kind, "target": gaussian([2.5, 0.0], spread)},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    bound = found(functional)["displacement"]
    shift = np.array([0.0, 0.0, 0.0, 0.0, 9.0, 0.0])
    noise = np.random.default_rng(1).uniform(-1.0, 1.0, (3, 6))
    for theta in [shift, *(shift + noise)]:
        functional.set_steps(max(functional.steps_per_layer, functional.steps_for(theta)))
        assert functional.loss(theta) > bound
    functional.set_steps(functional.steps_for(shift))
    least = {"density_l2": 0.5, "density_dual_h1": 0.25, "kullback_leibler": 0.75}
    assert bound > least[kind] * functional.loss(shift)


def test_a_thin_density_in_the_plane_spreads_where_it_can() -> None:
    """f0 on [-1, 0] x [0, 1] ends on (-2, 1) x any: 2 J = 1/15 + 1, g being out of reach."""
    box = {"kind": "uniform_box", "lower": [-1.0, 0.0], "upper": [0.0, 1.0]}
    case = make_case(
        "quadrilateral",
        mesh={"cells": [24, 10], "lower": [-6.0, -2.0], "upper": [6.0, 3.0]},
        classes=[{"density": box}],
        loss={"kind": "density_l2", "target": box | {"lower": [2.0, 0.0], "upper": [3.0, 1.0]}},
    )
    bound = found(ReducedFunctional(case, MPI.COMM_SELF))["displacement"]
    assert bound == pytest.approx(0.5 * (1.0 / 15.0 + 1.0), rel=1e-2)


@pytest.mark.parametrize("seed", range(3))
def test_least_cost_between_envelopes(seed: int) -> None:
    """Against the least squares with bounds of scipy, and never above it."""
    rng, n = np.random.default_rng(seed), 40
    goal, middle = rng.dirichlet(np.ones(n + 1)), np.sort(rng.uniform(size=n))
    inverse = np.eye(n + 1) if seed else spd(n + 1, rng)

    class Quadratic:
        points = np.empty((n, 1))

        def value(self, masses: np.ndarray) -> float:
            return 0.5 * float((masses - goal) @ inverse @ (masses - goal))

        def slope(self, masses: np.ndarray) -> np.ndarray:
            return inverse @ (masses - goal)

        def curvature(self, masses: np.ndarray) -> np.ndarray:
            return inverse if seed == 0 else np.ones(n + 1)

    low, high = middle - 0.01, np.minimum(middle + 0.2 * (np.arange(n) % 3), 1.0)
    root = np.linalg.cholesky(inverse).T
    ends = np.eye(n + 1)[-1] - goal
    exact = lsq_linear(
        root @ np.diff(np.eye(n + 2), axis=0)[:, 1:-1],
        -root @ ends,
        (low.clip(0.0), high),
        tol=1e-14,
    ).cost
    assert least(Quadratic(), low, high) == pytest.approx(exact, rel=3e-5)
    assert least(Quadratic(), low, high) <= exact * (1.0 + 1e-7)


def spd(n: int, rng: np.random.Generator) -> np.ndarray:
    a = rng.standard_normal((n, n))
    return a @ a.T / n + np.eye(n)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_ranges_of_the_activations(name: str) -> None:
    """``infimum``, ``bound`` and ``steepness`` hold, and nothing tighter does."""
    row = ACTIVATIONS[name]
    u = np.concatenate([np.linspace(-30.0, 30.0, 60001), [-1e9, 1e9]])
    s, slope = row.value(u), np.abs(row.derivative(u))
    assert s.min() >= row.infimum and s.max() <= row.bound
    assert s.min() == pytest.approx(row.infimum, abs=1e-6) or s.min() < -1e8
    assert s.max() == pytest.approx(row.bound, abs=1e-6) or s.max() > 1e8
    assert slope.max() == pytest.approx(row.steepness, rel=1e-6)


# ---------------------------------------------------------------------- nobody gets below
TRIED: dict[str, dict[str, Any]] = {
    "tanh": {"classes": CROSSED},
    "relu": {"network": {"activation": "relu"}, "classes": CROSSED},
    "identity": {"network": {"activation": "identity"}, "classes": CROSSED},
    "wide": {
        "network": {"block": "wide", "width": 3},
        "classes": CROSSED,
        "training": {"lower": -0.6, "upper": 0.6},
    },
    "cross_entropy": {"classes": CROSSED, "loss": {"kind": "cross_entropy"}},
    "moments": {"loss": {"kind": "moments", "mean": 2.5}, "network": {"final_time": 0.5}},
} | {
    kind: {
        "classes": [{"density": gaussian(0.0, 0.1)}],
        "loss": {"kind": kind, "target": gaussian(1.4, 0.05)},
    }
    for kind in DENSITY_LOSSES
}


@pytest.mark.parametrize("name", TRIED)
def test_training_stays_above(name: str) -> None:
    """And so do random controls, for every bound that applies."""
    functional = line(**TRIED[name])
    data = functional.case.model_dump(exclude_none=True)
    data["training"] |= {"max_iterations": 8}
    functional = ReducedFunctional(Case.model_validate(data), MPI.COMM_SELF)
    bounds = found(functional)
    assert any(value > 0.0 for value in bounds.values())
    trained = minimise(functional).theta
    rng = np.random.default_rng(0)
    for theta in [trained, *(0.3 * rng.uniform(-1.0, 1.0, (5, trained.size)))]:
        functional.set_steps(max(functional.steps_per_layer, functional.steps_for(theta)))
        loss = functional.loss(theta)
        for argument, value in bounds.items():
            assert loss >= value * (1.0 - 1e-4), argument
        assert reachable(functional, theta)[0].passed


def test_some_bounds_are_reached() -> None:
    """tanh with a far target, relu with a target on the left, and x -> -x in the plane."""
    functional = line(classes=[one_class(-1.0, 0.04, 3.0)], network={"layers": 2})
    bound = lower_bound(functional.problem)
    assert bound is not None and bound.name == "displacement"
    assert functional.loss(np.full(4, 20.0) * [0, 0, 1, 1]) == pytest.approx(bound.value, rel=1e-4)
    still = line(
        classes=[one_class(1.0, 0.04, -3.0)],
        network={"activation": "relu"},
        initial={"kind": "zero"},
    )
    assert still.loss(still.theta0) == pytest.approx(found(still)["displacement"], rel=1e-6)


def test_half_a_turn_is_no_obstacle_in_the_plane() -> None:
    """The crossed classes change places by W = pi J, which a line does not allow."""
    classes = [
        {"density": gaussian([s, 0.0], [[1e-1, 0.0], [0.0, 1e-1]]), "target": [-s, 0.0]}
        for s in (-1.0, 1.0)
    ]
    case = make_case(
        "quadrilateral",
        mesh={"cells": [24, 24], "lower": [-4.0, -4.0], "upper": [4.0, 4.0]},
        network={"activation": "identity", "layers": 1},
        classes=classes,
        initial={
            "kind": "values",
            "W": affine_control(-np.eye(2), [0.0, 0.0]).W[0].tolist(),
            "b": [0.0, 0.0],
        },
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    # what is left is the spread of the classes, tr C / 2
    assert functional.loss(functional.theta0) == pytest.approx(0.1, rel=1e-3)
    assert found(functional)["affine"] < 0.1


# ---------------------------------------------------------------------- where it is said
def test_a_loss_below_fails_the_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    functional = line(classes=CROSSED, network={"final_time": 3.0})
    monkeypatch.setattr(functional, "loss", lambda theta: 0.4)
    (check,) = reachable(functional, functional.theta0)
    assert not check.passed and "monotone" in check.sentence


def test_does_not_apply_is_said() -> None:
    functional = line(
        classes=[{"density": gaussian(0.0, 0.1)}],
        loss={"kind": "kullback_leibler", "target": gaussian(1.0, 0.1)},
        network={"activation": "identity"},
    )
    (check,) = reachable(functional, functional.theta0)
    assert check.passed and check.value is None and check.sentence.startswith("Does not apply")
    bounded = line(classes=CROSSED, training={"lower": -0.1, "upper": 0.1})
    (check,) = reachable(bounded, np.full(bounded.theta0.size, 0.2))
    assert check.value is None


def test_bound_from_samples(tmp_path: Path) -> None:
    bound = lower_bound(
        Problem(make_data_case(tmp_path, loss={"kind": "cross_entropy"}), MPI.COMM_SELF)
    )
    assert bound is not None and bound.name == "bayes" and bound.value > 0.01
    assert best({}) is None and best({"bayes": 0.0}) is None


def test_every_argument_is_tried() -> None:
    names = {n for s in TRIED.values() for n in found(line(**s))}
    assert names == set(LOWER_BOUNDS)
