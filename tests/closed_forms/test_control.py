# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Derivatives and optimal controls against closed forms; the optimisers."""

from mpi4py import MPI

import gc
from pathlib import Path

import numpy as np
import pytest
from scipy.special import lambertw

from helpers import gaussian, make_case
from mfresnet.arrays import Array
from mfresnet.case.case import load
from mfresnet.errors import InputError, SolveError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.optimise.methods import METHODS
from mfresnet.optimise.optimiser import minimise
from mfresnet.optimise.result import Status
from mfresnet.optimise.search import Oracle

CASES = Path(__file__).parents[2] / "cases"


def layer_average(primitive: object, layers: int) -> np.ndarray:
    """Return the means over the layers of (0, 1) of a function given by its primitive."""
    values = primitive(np.linspace(0.0, 1.0, layers + 1))  # type: ignore[operator]
    return np.diff(values) * layers


def test_derivative_of_the_linear_network() -> None:
    """V12: g_b = e^{w(1-t)}(m_1 - y), g_w = V_1 + e^{w(1-t)} m_t (m_1 - y), averaged in layers."""
    w, b, y, layers = -0.7, 0.3, 2.0, 8
    case = make_case(
        "interval",
        mesh={"cells": [60], "lower": [-1.5], "upper": [3.0]},
        space={"degree": 3},
        time={"order": 4},
        network={"activation": "identity", "layers": layers},
        classes=[{"density": gaussian(0.5, 0.04), "target": y}],
        penalty={"tikhonov": 0.0},
        initial={"kind": "values", "W": w, "b": b},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    grow = np.exp(w)
    m1, v1 = grow * 0.5 + b / w * (grow - 1.0), grow**2 * 0.04
    assert functional.value(functional.theta0) == pytest.approx(1.18451572397, rel=1e-9)
    given = functional.controls.split(functional.gradient(functional.theta0))
    g_b = layer_average(lambda t: -np.exp(w * (1 - t)) / w * (m1 - y), layers)
    # e^{w(1-t)} m_t = e^w (m_0 + b/w) - (b/w) e^{w(1-t)}
    g_w = layer_average(
        lambda t: v1 * t + (m1 - y) * (grow * (0.5 + b / w) * t + b / w * np.exp(w * (1 - t)) / w),
        layers,
    )
    np.testing.assert_allclose(given["b"][:, 0], g_b, rtol=1e-8)
    np.testing.assert_allclose(given["W"][:, 0, 0], g_w, rtol=1e-7)
    # the pointwise values of the closed form, at t = 0, 1/2, 1
    t = np.array([0.0, 0.5, 1.0])
    decay, mean = np.exp(w * (1 - t)), np.exp(w * t) * 0.5 + b / w * (np.exp(w * t) - 1)
    expected = [-0.371503254281, -0.508490616686, -0.702884937242]
    np.testing.assert_allclose(v1 + decay * mean * (m1 - y), expected, rtol=1e-10)
    np.testing.assert_allclose(
        decay[[0, 2]] * (m1 - y), [-0.762734265676, -1.535958192587], rtol=1e-10
    )


BOUNDED = [name for name, method in METHODS.items() if method.bounds]
SMOOTH = [name for name in METHODS if name != "nm"]


@pytest.mark.parametrize("method", SMOOTH)
def test_bias_only(method: str) -> None:
    """V14: b = (y - m0)/(gamma + T), by every optimiser that uses the gradient."""
    case = load(CASES / "shift_1d.toml", [f"training.method={method}"])
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    result = minimise(functional)
    assert result.status is Status.CONVERGED
    assert result.value == pytest.approx(0.122272727272, rel=1e-7)
    np.testing.assert_allclose(result.theta, 1.36363636363, rtol=1e-6)


@pytest.mark.parametrize("method", [name for name, m in METHODS.items() if m.hessian])
def test_error_in_a_hessian_action_ends_every_method(method: str) -> None:
    class Broken(Oracle):
        def hessian_action(self, functional: ReducedFunctional, theta: Array, h: Array) -> Array:
            raise KeyboardInterrupt

    case = load(CASES / "shift_1d.toml", [f"training.method={method}"])
    with pytest.raises(KeyboardInterrupt):
        minimise(ReducedFunctional(case, MPI.COMM_SELF), oracle=Broken())
    gc.collect()


def test_weight_only() -> None:
    """V15: w = -W0(2 T V0 / gamma) / (2 T)."""
    functional = ReducedFunctional(load(CASES / "scale_1d.toml"), MPI.COMM_SELF)
    result = minimise(functional)
    w = -float(lambertw(20.0).real) / 2.0
    assert w == pytest.approx(-1.10250163901, rel=1e-11)
    assert result.converged
    assert result.value == pytest.approx(0.115900575152, rel=1e-6)
    np.testing.assert_allclose(result.theta, w, rtol=2e-6)


@pytest.mark.parametrize("method", ["lmvm", *BOUNDED])
def test_bounds_are_kept(method: str) -> None:
    """V14 with b <= 1: the bound is active in every layer."""
    settings = [f"training.method={method}", "training.upper=1.0", "training.lower=-1.0"]
    functional = ReducedFunctional(load(CASES / "shift_1d.toml", settings), MPI.COMM_SELF)
    result = minimise(functional)
    assert result.converged, result.message
    np.testing.assert_allclose(result.theta, 1.0, atol=1e-12)
    assert result.value == pytest.approx(0.02 + 0.5 * 0.25 + 0.05, rel=1e-7)


def test_start_outside_of_the_bounds_is_moved_to_them() -> None:
    settings = ["training.upper=1.0", "initial.kind=identity", "initial.kind=values"]
    settings += ["initial.W=0", "initial.b=3"]
    functional = ReducedFunctional(load(CASES / "shift_1d.toml", settings), MPI.COMM_SELF)
    np.testing.assert_allclose(minimise(functional).theta, 1.0, atol=1e-12)


def test_iteration_limit_is_said() -> None:
    case = make_case("interval", training={"max_iterations": 2})
    result = minimise(ReducedFunctional(case, MPI.COMM_SELF))
    assert result.status is Status.ITERATIONS
    assert result.iterations == 2
    assert "training.max_iterations" in result.message


def test_steps_are_raised_when_the_velocity_grows() -> None:
    """From theta = 0 with an unbounded activation the first guess of the steps is too small."""
    functional = ReducedFunctional(load(CASES / "scale_1d.toml"), MPI.COMM_SELF)
    before = functional.steps_per_layer
    result = minimise(functional)
    assert functional.steps_per_layer > before
    assert result.converged
    numbers = [row.iteration for row in result.history]
    assert numbers == list(range(len(numbers)))


def test_given_steps_are_kept_and_said() -> None:
    """With steps_per_layer in the case a too fast trial point is refused, not the steps changed."""
    settings = ["time.steps_per_layer=2", "training.max_iterations=5"]
    functional = ReducedFunctional(load(CASES / "scale_1d.toml", settings), MPI.COMM_SELF)
    result = minimise(functional)
    assert functional.steps_per_layer == 2
    assert result.refused and "time.steps_per_layer" in result.refused[0]


def test_given_steps_that_are_too_few_at_the_start_are_an_error() -> None:
    settings = ["time.steps_per_layer=1"]
    functional = ReducedFunctional(load(CASES / "scale_1d.toml", settings), MPI.COMM_SELF)
    with pytest.raises(SolveError, match=r"time\.steps_per_layer.*got 1"):
        minimise(functional)


def test_minimise_twice_is_the_same() -> None:
    results = [minimise(ReducedFunctional(make_case("triangle"), MPI.COMM_SELF)) for _ in range(2)]
    assert results[0].theta.tobytes() == results[1].theta.tobytes()
    objectives = [[row.objective for row in result.history] for result in results]
    assert objectives[0] == objectives[1]


def test_error_in_a_callback_reaches_the_caller() -> None:
    def broken(_: object) -> None:
        raise InputError("from the callback")

    functional = ReducedFunctional(make_case("interval"), MPI.COMM_SELF)
    with pytest.raises(InputError, match="from the callback"):
        minimise(functional, on_iteration=broken)


@pytest.mark.parametrize("at", [1, 4])
@pytest.mark.parametrize("method", METHODS)
def test_error_in_an_evaluation_ends_every_method(method: str, at: int) -> None:
    """Soon, with the error itself, and with nothing left pending when memory is collected."""
    calls: list[int] = []

    class Broken(Oracle):
        def evaluate(self, functional: ReducedFunctional, theta: Array) -> tuple[float, Array]:
            calls.append(1)
            if len(calls) == at:
                raise KeyboardInterrupt
            return super().evaluate(functional, theta)

    case = load(CASES / "shift_1d.toml", [f"training.method={method}"])
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    with pytest.raises(KeyboardInterrupt):
        minimise(functional, oracle=Broken())
    gc.collect()
    assert len(calls) == at
