# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Training on samples: exact derivatives, the loss by hand, agreement with the density."""

from mpi4py import MPI

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.special import logsumexp

from helpers import gaussian, make_case, make_data_case
from mfresnet.case.case import Case
from mfresnet.data.laws.density import Gaussian, Mixture, TruncatedGaussian, UniformBall, UniformBox
from mfresnet.data.laws.expression import Expression
from mfresnet.data.tables.dataset import Samples
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.draw import drawn, midpoints
from mfresnet.functional.samples import ParticleFunctional
from mfresnet.losses.loss import LossSection
from mfresnet.losses.table import LOSSES
from mfresnet.network.activations import ACTIVATIONS
from mfresnet.network.blocks import BLOCKS
from mfresnet.network.penalties import PENALTIES
from mfresnet.network.schemes import SCHEMES
from mfresnet.optimise.methods import METHODS
from mfresnet.optimise.optimiser import minimise
from mfresnet.runs.studies.sample_limit import sample_limit, train_on_samples
from mfresnet.verification.taylor import TaylorTest, taylor_test

SELF = MPI.COMM_SELF
COSTS = [name for name, row in LOSSES.items() if row.cost is not None]
STEPS = tuple(1e-2 / 2**k for k in range(4))


class Choice(NamedTuple):
    block: str = "square"
    activation: str = "tanh"
    loss: str = "quadratic"
    running: float = 0.0
    shared: bool = False
    order: int = 3
    inference: str = "runge_kutta"


def choices() -> Iterator[Choice]:
    for block in BLOCKS:
        yield from (Choice(block, activation) for activation in ACTIVATIONS)
        yield from (Choice(block, loss=loss, running=0.6, shared=True) for loss in COSTS)
        yield from (Choice(block, loss=loss) for loss in COSTS)
    yield from (Choice("wide", "sin", order=order) for order in SCHEMES)
    yield Choice(inference="euler", loss="cross_entropy")


def functional_of(choice: Choice) -> ParticleFunctional:
    """Return a small J in the plane; for activations with a kink the argument stays above it."""
    block, wide = BLOCKS[choice.block], BLOCKS[choice.block].wide
    task = LOSSES[choice.loss].tasks[0]
    moving = 2 - (task == "regression")
    shapes = block.shapes(moving, 3) | LOSSES[choice.loss].head(LossSection(), moving, 2)
    rng = np.random.default_rng(3)
    values = {name: 0.6 * rng.standard_normal(shape) for name, shape in shapes.items()}
    if not ACTIVATIONS[choice.activation].smooth:
        values["b"] = 6.0 + 0.0 * values["b"]
    network = {"block": choice.block, "activation": choice.activation, "layers": 2}
    network |= {"shared": choice.shared, "inference": choice.inference, "final_time": 0.9}
    case = make_case(
        "quadrilateral",
        task=task,
        network=network | ({"width": 3} if wide else {}),
        space={"degree": min(2, choice.order - 1)},
        time={"order": choice.order, "steps_per_layer": 2},
        loss={"kind": choice.loss, "running": choice.running},
        penalty={name: 0.05 for name in PENALTIES},
        initial={"kind": "values"} | {n: v.tolist() for n, v in values.items()},
    )
    return ParticleFunctional(case, drawn(case, 40, seed=1), SELF)


@pytest.mark.parametrize("choice", list(choices()), ids=lambda c: "-".join(map(str, c)))
def test_taylor(choice: Choice) -> None:
    functional = functional_of(choice)
    theta, n = functional.theta0, functional.controls.size
    rng = np.random.default_rng(5)
    uphill = np.sign(functional.derivative(theta))
    parts = [
        taylor_test(
            functional.value, functional.derivative, theta, h, STEPS, functional.hessian_action
        )
        for h in np.abs(rng.standard_normal((2, n))) / np.sqrt(n) * uphill
    ]
    test = TaylorTest(parts[0].steps, np.sqrt(np.sum([t.remainders**2 for t in parts], axis=0)))
    assert np.abs(test.rates() - [[1.0], [2.0], [3.0]]).max() < 0.1, test.as_text()
    h, k = rng.standard_normal((2, n))
    one, two = functional.hessian_action(theta, h), functional.hessian_action(theta, k)
    assert abs(one @ k - two @ h) <= 1e-11 * np.linalg.norm(one) * np.linalg.norm(k)
    assert functional.gradient(theta) * functional.controls.weights == pytest.approx(
        functional.derivative(theta)
    )


@pytest.mark.parametrize("loss", ["quadratic", "cross_entropy"])
def test_plain_resnet_by_hand(loss: str) -> None:
    """x <- x + dt tanh(W x + b), layer by layer, and the mean of the costs with unequal weights."""
    case = make_case(
        "quadrilateral",
        network={"inference": "euler", "layers": 3, "final_time": 1.5},
        loss={"kind": loss},
        penalty={"tikhonov": 0.3},
    )
    rng = np.random.default_rng(2)
    samples = Samples(
        rng.standard_normal((2, 30)), rng.integers(0, 2, 30), rng.uniform(1.0, 2.0, 30)
    )
    functional = ParticleFunctional(case, samples, SELF)
    theta = rng.standard_normal(functional.controls.size)
    controls, x = functional.controls.from_vector(theta), samples.x
    for w, b in zip(controls.W, controls.b, strict=True):
        x = x + 0.5 * np.tanh(w @ x + b[:, None])
    targets = np.array([[-1.0, -1.0], [1.0, 1.0]])
    if loss == "quadratic":
        costs = 0.5 * np.sum((x - targets[samples.y].T) ** 2, axis=0)
    else:
        z = controls.H @ x + controls.h[:, None]
        costs = logsumexp(z, axis=0) - z[samples.y, np.arange(30)]
    mean = costs @ samples.w / samples.w.sum()
    assert functional.loss(theta) == pytest.approx(mean, rel=1e-13)
    assert functional.penalty(theta) == pytest.approx(
        0.15 * float(np.sum(functional.controls.weights * theta**2))
    )
    np.testing.assert_allclose(functional.path(theta)[-1], x, rtol=1e-13)
    assert (functional.forward_sweeps, functional.steps_per_layer) == (1, 1)


def nodes(case: Case, n: int = 24) -> Samples:
    """Return the nodes and weights of Gauss and Hermite for the Gaussian classes of a case."""
    z, w = np.polynomial.hermite_e.hermegauss(n)
    points = [c.density.mean[0] + c.density.covariance[0][0] ** 0.5 * z for c in case.classes]
    weights = np.concatenate([pi * w for pi in case.class_weights()])
    return Samples(np.concatenate(points)[None], np.repeat(np.arange(len(points)), n), weights)


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_optimum_is_that_of_the_density(activation: str) -> None:
    """With the samples of a quadrature rule J and the trained controls are those of the density."""
    case = make_case(
        "interval",
        mesh={"cells": [40], "lower": [-4.0], "upper": [4.0]},
        space={"degree": 3},
        network={"activation": activation, "layers": 4},
        time={"order": 4},
        penalty={"tikhonov": 0.1},
        training={"gradient_tolerance": 1e-8},
    )
    density = ReducedFunctional(case, SELF)
    particles = ParticleFunctional(case, nodes(case), SELF)
    particles.set_steps(8)
    one, two = minimise(density), minimise(particles)
    assert one.converged and two.converged
    assert two.value == pytest.approx(one.value, rel=1e-6)
    assert np.abs(one.theta - two.theta).max() < 1e-5
    assert np.abs(two.theta - particles.theta0).max() > 0.1


@pytest.mark.parametrize("method", [n for n, m in METHODS.items() if not m.frozen])
def test_every_method(method: str) -> None:
    """The bias alone moves 30 samples: b = (y - mean) / (alpha + T) in every layer."""
    case = make_case(
        "interval",
        classes=[{"density": gaussian(0.5, 0.04), "target": 2.0}],
        network={"activation": "identity", "trainable": ["b"], "layers": 1 + (method != "nm")},
        initial={"kind": "zero"},
        penalty={"tikhonov": 0.1},
        training={"method": method, "gradient_tolerance": 1e-7},
    )
    samples = drawn(case, 30)
    functional = ParticleFunctional(case, samples, SELF)
    result = minimise(functional)
    tolerance = 2e-2 if method == "nm" else 1e-6
    expected = (2.0 - samples.x.mean()) / 1.1
    np.testing.assert_allclose(result.theta, expected, atol=tolerance)
    assert result.converged or method == "nm"
    last = result.history[-1]
    assert last.forward_sweeps >= last.iteration > 0
    assert (last.hessian_actions > 0) == METHODS[method].hessian


def test_samples_of_a_table(tmp_path: Path) -> None:
    """The training samples of [data], with the weights of the classes; the optimiser gains."""
    case = make_data_case(
        tmp_path,
        data={"priors": "balanced"},
        network={"inference": "euler"},
        training={"gradient_tolerance": 1e-3},
    )
    functional = ParticleFunctional(case, comm=SELF)
    sums = [functional.samples.w[functional.samples.y == k].sum() for k in (0, 1)]
    np.testing.assert_allclose(sums, 0.5)
    assert functional.samples.x.shape[1] == functional.population.dataset.train.y.size  # type: ignore[union-attr]
    result = minimise(functional)
    assert result.converged
    assert result.value < 0.5 * result.history[0].objective


def test_drawn_and_midpoints() -> None:
    case = make_case("interval", classes=[
        {"density": gaussian(0.5, 0.04), "target": 2.0, "weight": 0.2},
        {"density": {"kind": "uniform_box", "lower": 0.0, "upper": 1.0}, "weight": 0.8,
         "target": 0.0},
    ])  # fmt: skip
    for samples in (drawn(case, 10), midpoints(case, 10)):
        np.testing.assert_allclose(np.bincount(samples.y, samples.w), [0.2, 0.8])
        assert samples.x.shape == (1, 20)
    np.testing.assert_allclose(samples.x[0, 10:], (np.arange(10) + 0.5) / 10)
    assert samples.x[0, :10].mean() == pytest.approx(0.5)
    assert np.array_equal(drawn(case, 10, 3).x, drawn(case, 10, 3).x)
    assert not np.array_equal(drawn(case, 10, 3).x, drawn(case, 10, 4).x)


@pytest.mark.parametrize("density", [
    Gaussian(mean=0.3, covariance=0.5),
    TruncatedGaussian(mean=0.3, std=0.5, radius=0.8),
    UniformBox(lower=-1.0, upper=2.0),
    UniformBall(mean=0.3, radius=0.5),
    Expression(expression="(1 + cos(4 * x[0])) * (x[0] < 0.7)", lower=-1.0, upper=1.0),
    Mixture(components=[
        {"weight": 1.0, "density": Gaussian(mean=-1.0, covariance=0.2)},
        {"weight": 3.0, "density": UniformBox(lower=0.0, upper=2.0)},
    ]),
], ids=lambda d: d.kind)  # fmt: skip
def test_quantiles(density: Any) -> None:
    s = np.linspace(0.01, 0.99, 60)
    x = density.quantile(s)
    np.testing.assert_allclose(density.below(x), s, rtol=1e-12)
    smooth = x[np.abs(density.density((x + 1e-4)[None]) - density.density(x[None])) < 0.01]
    slope = (density.below(smooth + 1e-6) - density.below(smooth - 1e-6)) / 2e-6
    np.testing.assert_allclose(slope, density.density(smooth[None]), rtol=1e-6)
    assert smooth.size > 40


def test_what_is_refused(tmp_path: Path) -> None:
    case = make_case("quadrilateral")
    with pytest.raises(InputError, match="samples: none; .* Take drawn"):
        ParticleFunctional(case, comm=SELF)
    samples = drawn(case, 5)
    for wrong, what in (
        (Samples(samples.x[:1], samples.y, samples.w), "wrong shape"),
        (Samples(samples.x, samples.y + 1, samples.w), "wrong classes"),
        (Samples(samples.x[:, :0], samples.y[:0], samples.w[:0]), "wrong classes"),
        (Samples(samples.x, samples.y, 0.0 * samples.w), "wrong weights"),
        (Samples(samples.x, samples.y, -samples.w), "wrong weights"),
    ):
        with pytest.raises(InputError, match=f"samples: {what}"):
            ParticleFunctional(case, wrong, SELF)
    with pytest.raises(InputError, match="on the line only"):
        midpoints(case, 5)
    other = make_case("interval", loss={"kind": "moments", "mean": 0.1, "covariance": 0.1})
    with pytest.raises(InputError, match=r"loss\.kind: no mean .* got moments"):
        ParticleFunctional(other, drawn(other, 5), SELF)
    other = make_case("interval", training={"method": "maximum_principle"})
    with pytest.raises(InputError, match=r"training\.method: needs densities"):
        ParticleFunctional(other, drawn(other, 5), SELF)


def test_limit_of_many_samples() -> None:
    """The bias alone, one class: H = T^2 + alpha T and S = T^2 V0 on constant controls."""
    case = make_case(
        "interval",
        mesh={"lower": [-1.0], "cells": [20]},
        classes=[{"density": gaussian(0.5, 0.04), "target": 2.0}],
        network={"activation": "identity", "trainable": ["b"], "layers": 3},
        initial={"kind": "zero"},
        penalty={"tikhonov": 0.1},
        training={"method": "ntr"},
    )
    functional = ReducedFunctional(case, SELF)
    theta = minimise(functional).theta
    limit = sample_limit(functional, theta, 400, seed=0)
    v0, d = 0.04, 0.1 * 1.5 / 1.1
    assert limit.control_error(100) == pytest.approx(np.sqrt(v0 / 100) / 1.1, rel=0.1)
    assert limit.excess(100) == pytest.approx(v0 / 1.1 / 200, rel=0.2)
    assert limit.gap(100) == pytest.approx(np.sqrt((d**2 * v0 + v0**2 / 2) / 100), rel=0.15)
    particles, result = train_on_samples(functional, theta, 50, seed=3)
    np.testing.assert_allclose(result.theta, (2.0 - particles.samples.x.mean()) / 1.1, atol=1e-5)
