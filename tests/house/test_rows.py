# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A row that the package does not know is enough: from the case file to run directory and export.

Every test puts one row into one table, runs it, and takes it out again.
"""

from mpi4py import MPI

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
import pytest
import tomli_w
import torch
from numpy.random import Generator
from pydantic import PositiveFloat
from scipy import stats

from helpers import gaussian, imported
from mfresnet.arrays import Array
from mfresnet.case.case import Case, load
from mfresnet.data.laws.density import KINDS
from mfresnet.data.laws.kind import DensityKind
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.draw import drawn, midpoints
from mfresnet.functional.samples import ParticleFunctional
from mfresnet.losses.loss import LossSection
from mfresnet.losses.point import CrossEntropy, PointLoss, Quadratic
from mfresnet.losses.table import LOSSES, Row, scored
from mfresnet.network.activations import ACTIVATIONS, Activation
from mfresnet.network.blocks import BLOCKS, Block, Parameters
from mfresnet.network.heads import HEADS, Head
from mfresnet.network.penalties import PENALTIES, Penalty
from mfresnet.network.schemes import SCHEMES, Scheme
from mfresnet.optimise.methods import METHODS
from mfresnet.optimise.search import Method, OptimiseResult, Search, Status
from mfresnet.runs.runner import RunResult, run
from mfresnet.schema import Vector
from mfresnet.trained.exporters import EXPORTERS, export
from mfresnet.trained.loading import load_network
from mfresnet.verification.bounds.table import lower_bounds
from mfresnet.verification.certificate import certify
from mfresnet.verification.taylor import taylor_test

X = np.linspace(-1.0, 1.0, 21)[:, None]


def case_of(directory: Path, **sections: Any) -> Case:
    """Write a small case on the line to a file and read it; sections replace the keys."""
    data: dict[str, Any] = {
        "mesh": {
            "cell": "interval",
            "cells": [24],
            "lower": [-4.0],
            "upper": [4.0],
            "outflow_tolerance": 1e-3,
        },
        "space": {"degree": 1},
        "network": {"layers": 2},
        "classes": [
            {"density": gaussian(-0.4, 0.09), "target": -1.0},
            {"density": gaussian(0.5, 0.06), "target": 1.0},
        ],
        "training": {"max_iterations": 3},
        "output": {"fields": False, "pictures": False},
    }
    for name, section in sections.items():
        data[name] = data.get(name, {}) | section if isinstance(section, dict) else section
    path = directory / "case.toml"
    path.write_text(tomli_w.dumps(data))
    return load(path)


def trained(case: Case, directory: Path, exports: tuple[str, ...] = tuple(EXPORTERS)) -> RunResult:
    """Run a case, look at what it left, and hold the exported networks to each other."""
    result = run(case, directory / "run", comm=MPI.COMM_SELF)
    left = json.loads((directory / "run/run.json").read_text())
    rows = (directory / "run/history.csv").read_text().splitlines()[1:]
    objectives = [float(row.split(",")[1]) for row in rows]
    assert (
        left["status"] in ("converged", "iterations", "loss_error")
        and objectives[-1] < objectives[0]
    )
    assert (directory / "run/pictures/density.png").exists() == case.output.pictures
    network = load_network(directory / "run")
    expected = network.positions(X)
    assert load(directory / "run/case.toml") == ReducedFunctional(case, MPI.COMM_SELF).case
    for to in exports:
        (path, *_) = export(network, to, directory / f"network.{to}")
        if to == "npz":
            given = load_network(path).positions(X)
        elif to == "torch":
            with torch.no_grad():
                given = imported(path.with_suffix(".py")).load()(torch.from_numpy(X)).numpy()
        else:
            session = onnxruntime.InferenceSession(path)
            (given,) = session.run(["positions"], {"features": X})
        np.testing.assert_allclose(given, expected, rtol=1e-12, atol=1e-12)
    return result


def bounds_of(functional: ReducedFunctional) -> dict[str, float]:
    f = functional
    return lower_bounds(f.problem, f.controls.initial)


# ---------------------------------------------------------------------- an activation
def test_activation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bell = Activation(
        value=lambda u: np.exp(-u * u),
        derivative=lambda u: -2.0 * u * np.exp(-u * u),
        second=lambda u: (4.0 * u * u - 2.0) * np.exp(-u * u),
        bound=1.0,
        torch="torch.exp(-u * u)",
        least=0.0,
    )
    monkeypatch.setitem(ACTIVATIONS, "bell", bell)
    trained(case_of(tmp_path, network={"activation": "bell"}), tmp_path)


# ---------------------------------------------------------------------- a block
def scaled_second(
    sigma: Activation, x: Array, p: Parameters, g: Array, dx: Array, h: Parameters
) -> tuple[Array, dict[str, Array]]:
    square, inner, along = BLOCKS["square"], renamed(p), renamed(h)
    sg, dsg = p["s"][:, None] * g, h["s"][:, None] * g
    pulled, parts = square.second(sigma, x, inner, sg, dx, along)
    more = square.vjp(sigma, x, inner, dsg)
    speed = square.jvp(sigma, x, inner, along) + square.push(sigma, x, inner, dx)
    return pulled + square.pull(sigma, x, inner, dsg), {
        "A": parts["W"] + more["W"],
        "a": parts["b"] + more["b"],
        "s": np.sum(g * speed, axis=1),
    }


def renamed(p: Parameters) -> dict[str, Array]:
    """Return the parameters of the square block inside the scaled one."""
    return {"W": p["A"], "b": p["a"]}


def scaled_vjp(sigma: Activation, x: Array, p: Parameters, g: Array) -> dict[str, Array]:
    square = BLOCKS["square"]
    inner = square.vjp(sigma, x, renamed(p), p["s"][:, None] * g)
    speed = square.velocity(sigma, x, renamed(p))
    return {"A": inner["W"], "a": inner["b"], "s": np.sum(g * speed, axis=1)}


def scaled_reach(
    sigma: Activation, sizes: Parameters, x: Array, final_time: float
) -> tuple[Array, Array]:
    """|v_i| <= |s_i| sup |sigma|."""
    way = final_time * sizes["s"][:, None] * sigma.bound + np.zeros_like(x)
    return way, way


SQUARE = BLOCKS["square"]
SCALED = Block(  # v = s * sigma(A x + a), none of whose parameters has a name of another block
    shapes=lambda d, width: {"A": (d, d), "a": (d,), "s": (d,)},
    velocity=lambda sigma, x, p: p["s"][:, None] * SQUARE.velocity(sigma, x, renamed(p)),
    vjp=scaled_vjp,
    jvp=lambda sigma, x, p, h: (
        p["s"][:, None] * SQUARE.jvp(sigma, x, renamed(p), renamed(h))
        + h["s"][:, None] * SQUARE.velocity(sigma, x, renamed(p))
    ),
    push=lambda sigma, x, p, dx: p["s"][:, None] * SQUARE.push(sigma, x, renamed(p), dx),
    pull=lambda sigma, x, p, g: SQUARE.pull(sigma, x, renamed(p), p["s"][:, None] * g),
    second=scaled_second,
    divergence=lambda sigma, x, p: (p["s"] * np.diagonal(p["A"]))
    @ sigma.derivative(p["A"] @ x + p["a"][:, None]),
    bound=lambda sigma: math.inf,
    torch="s * sigma(x @ A.T + a)",
    reach=scaled_reach,
)
UNKNOWN = replace(SCALED, reach=None)
FAR = [{"density": gaussian(0.3, 0.04), "target": -1.5}]
"""Mass that a velocity of size 1 cannot bring to its target."""


@pytest.mark.parametrize("row", [SCALED, UNKNOWN], ids=["scaled", "unknown"])
def test_block(row: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BLOCKS, "scaled", row)
    output = {"fields": True, "pictures": row is SCALED}
    case = case_of(tmp_path, network={"block": "scaled"}, classes=FAR, output=output)
    result = trained(case, tmp_path)
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    functional.set_steps(2 * functional.steps_for(result.theta))
    assert certify(functional, result.theta)
    h = np.cos(np.arange(functional.controls.size))
    test = taylor_test(
        functional.value,
        functional.derivative,
        result.theta,
        h,
        2.0 ** -np.arange(3.0, 8.0),
        functional.hessian_action,
    )
    assert np.abs(test.rates()[1:, -1] - [2.0, 3.0]).max() < 0.1, test.table()


@pytest.mark.parametrize("row", [SCALED, UNKNOWN], ids=["scaled", "unknown"])
def test_no_false_bound_for_a_new_block(
    row: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """v = -2 is reached with s = -2 and a large a; with |s| <= 2 what is stated stays below."""
    monkeypatch.setitem(BLOCKS, "scaled", row)
    for training in ({}, {"lower": -2.0, "upper": 2.0}):
        case = case_of(
            tmp_path,
            network={"block": "scaled"},
            classes=FAR,
            initial={"kind": "values", "A": 0.0, "a": 2.0, "s": -1.85},
            training=training,
        )
        functional = ReducedFunctional(case, MPI.COMM_SELF)
        loss, bounds = functional.loss(functional.theta0), bounds_of(functional)
        assert loss < 0.5 * 0.8**2  # what a velocity of size 1 would leave
        assert all(bound <= loss for bound in bounds.values())
        assert ("displacement" in bounds) == (row is SCALED)
    short = case_of(
        tmp_path,
        network={"block": "scaled"},
        classes=FAR,
        training={"lower": -0.5, "upper": 0.5},
    )
    bounds = bounds_of(ReducedFunctional(short, MPI.COMM_SELF))
    if row is SCALED:
        assert bounds["displacement"] == pytest.approx(0.5 * (1.3**2 + 0.04), rel=1e-2)


def test_a_new_block_is_not_affine_unless_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """v = s x^2 with the identity: no affine map."""
    monkeypatch.setitem(BLOCKS, "scaled", SCALED)
    linear = case_of(tmp_path, network={"block": "scaled", "activation": "identity"})
    assert "affine" not in bounds_of(ReducedFunctional(linear, MPI.COMM_SELF))
    says_so = replace(SCALED, affine=lambda activation: activation.affine)
    monkeypatch.setitem(BLOCKS, "scaled", says_so)
    assert "affine" in bounds_of(ReducedFunctional(linear, MPI.COMM_SELF))


# ---------------------------------------------------------------------- a loss
class SharpSection(LossSection):
    sharpness: PositiveFloat = 2.0


class Sharp(Quadratic):
    """l = log(1 + sharpness |x - target|^2)."""

    def __init__(self, setting: Any) -> None:
        super().__init__(setting)
        self.sharpness = setting.section.sharpness

    def value(self, x: Array, head: Any) -> Array:
        return np.log1p(2.0 * self.sharpness * super().value(x, head))


def test_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row(lambda s: PointLoss(s, Sharp(s)), SharpSection, targets=True)
    monkeypatch.setitem(LOSSES, "sharp", row)
    trained(case_of(tmp_path, loss={"kind": "sharp", "sharpness": 3.0}), tmp_path)
    with pytest.raises(InputError, match=r"^loss\.sharpness: wrong value; got -1"):
        case_of(tmp_path, loss={"kind": "sharp", "sharpness": -1})


# ---------------------------------------------------------------------- a penalty
def test_penalty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Penalty(
        value=lambda p, space, theta: p.weight * float(np.sum(space.weights * theta**4)),
        derivative=lambda p, space, theta: 4.0 * p.weight * space.weights * theta**3,
        hessian_action=lambda p, space, theta, h: (12.0 * p.weight * space.weights * theta**2 * h),
    )
    monkeypatch.setitem(PENALTIES, "quartic", row)
    trained(case_of(tmp_path, penalty={"quartic": 0.1}), tmp_path)


# ---------------------------------------------------------------------- a scheme
def test_scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five stages; for particles the classical scheme with a stage that has no weight."""
    factorial, s = math.factorial, 5
    convex = tuple(
        sum((-1.0) ** i / factorial(i) for i in range(s - j + 1)) / factorial(j)
        for j in range(s + 1)
    )
    row = Scheme(
        order=s,
        coefficients=tuple(1.0 / j for j in range(s, 0, -1)),
        cfl=SCHEMES[4].cfl,
        convex=convex,
        tally=tuple(sum(convex[i:]) for i in range(1, s + 1)),
        nodes=(*SCHEMES[4].nodes, 1.0),
        weights=(*SCHEMES[4].weights, 0.0),
    )
    with pytest.raises(InputError, match=r"^time\.order: wrong value; got 5, expected one of 1, 2"):
        case_of(tmp_path, time={"order": 5})
    monkeypatch.setitem(SCHEMES, 5, row)
    trained(case_of(tmp_path, time={"order": 5}), tmp_path)


# ---------------------------------------------------------------------- a kind of density
class Hat(DensityKind):
    """A product of triangles."""

    kind: Literal["hat"] = "hat"
    mean: Vector
    radius: PositiveFloat

    def density(self, x: Array) -> Array:
        distance = np.abs(x - np.array(self.mean)[:, None]) / self.radius
        return np.prod(np.maximum(1.0 - distance, 0.0) / self.radius, axis=0)

    def sample(self, n: int, rng: Generator) -> Array:
        sums = rng.random((2, len(self.mean), n)).sum(axis=0) - 1.0
        return np.array(self.mean)[:, None] + self.radius * sums

    def extent(self) -> tuple[Array, Array]:
        return np.array(self.mean) - self.radius, np.array(self.mean) + self.radius

    def dimensions(self) -> dict[str, int]:
        return {"mean": len(self.mean)}

    def law(self) -> Any:
        return stats.triang(0.5, self.mean[0] - self.radius, 2.0 * self.radius)


HAT = {"kind": "hat", "mean": -0.4, "radius": 0.8}


def test_kind_of_density(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the density of a class, in a mixture, as the goal of a loss, and as samples."""
    with pytest.raises(InputError, match=r"^classes\.0\.density\.kind: unknown name; got 'hat'"):
        case_of(tmp_path, classes=[{"density": HAT}])
    monkeypatch.setitem(KINDS, "hat", Hat)
    parts = [{"weight": w, "density": d} for w, d in ((1, HAT), (2, gaussian(0.5, 0.06)))]
    classes = [{"density": HAT}, {"density": {"kind": "mixture", "components": parts}}]
    loss = {"kind": "density_l2", "target": HAT | {"mean": [0.7]}}
    case = case_of(tmp_path, classes=classes, loss=loss)
    trained(case, tmp_path)
    s = (np.arange(40) + 0.5) / 40
    for k, density in enumerate(c.density for c in case.classes):
        points = midpoints(case, 40).x[0, 40 * k : 40 * (k + 1)]
        np.testing.assert_allclose(density.below(points), s, atol=1e-12)
        assert abs(drawn(case, 4000).x[0, 4000 * k :][:4000].mean() - points.mean()) < 0.05
    with pytest.raises(InputError, match=r"^classes\.0\.density\.radius: wrong value; got -1"):
        case_of(tmp_path, classes=[{"density": HAT | {"radius": -1}}])
    with pytest.raises(
        InputError, match=r"^classes\.1\.density\.components\.0\.density\.radius: wrong value"
    ):
        worse = [parts[0] | {"density": HAT | {"radius": -1}}]
        case_of(
            tmp_path,
            classes=[classes[0], {"density": {"kind": "mixture", "components": worse}}],
        )


# ---------------------------------------------------------------------- an optimiser
def small_steps(search: Search) -> OptimiseResult:
    """Go down by steps of one length."""
    controls, theta, n = search.functional.controls, search.theta, 3
    for iteration in range(n + 1):
        answer = search.evaluate(theta)
        assert answer is not None
        value, gradient = answer[0], controls.riesz(answer[1])
        search.record(iteration, value, controls.norm(gradient))
        if iteration < n:
            theta = search.project(theta - 0.2 * gradient)
    return search.result(theta, value, controls.norm(gradient), Status.ITERATIONS)


def test_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that keeps no bounds has a twin that does; one that is frozen is refused for samples."""
    monkeypatch.setitem(METHODS, "small_steps", Method(small_steps, bounded_twin="kept"))
    monkeypatch.setitem(METHODS, "kept", Method(small_steps, bounds=True))
    monkeypatch.setitem(METHODS, "refused", Method(small_steps, frozen=True))
    trained(case_of(tmp_path, training={"method": "small_steps"}), tmp_path)
    bounded = case_of(tmp_path, training={"method": "small_steps", "lower": -0.1, "upper": 1.05})
    functional = ReducedFunctional(bounded, MPI.COMM_SELF)
    assert functional.case.training.method == "kept"
    with pytest.raises(InputError, match=r"^training\.method: cannot keep .*; got refused, exp"):
        case_of(tmp_path, training={"method": "refused", "lower": -0.1})
    with pytest.raises(InputError, match=r"^training\.method: the Hamiltonian .*; got refused"):
        case_of(tmp_path, training={"method": "refused"}, penalty={"tikhonov": 0.0})
    frozen = case_of(tmp_path, training={"method": "refused"})
    with pytest.raises(
        InputError, match=r"^training\.method: needs densities; got refused, .*kept"
    ):
        ParticleFunctional(frozen, drawn(frozen, 10), MPI.COMM_SELF)


# ---------------------------------------------------------------------- a head
def _no_units(head: Parameters, size: float, middle: float) -> dict[str, Array]:
    raise NotImplementedError


CENTRES = Head(  # z_k = A_k . x - |A_k|^2 / 2: the nearest centre
    shapes=lambda d, n_classes: {"centre": (n_classes, d)},
    scores=lambda x, p: p["centre"] @ x - 0.5 * np.sum(p["centre"] ** 2, axis=1)[:, None],
    vjp=lambda x, p, g: {"centre": g @ x.T - g.sum(axis=1)[:, None] * p["centre"]},
    jvp=lambda x, p, h: h["centre"] @ x - np.sum(p["centre"] * h["centre"], axis=1)[:, None],
    push=lambda x, p, dx: p["centre"] @ dx,
    pull=lambda x, p, g: p["centre"].T @ g,
    second=lambda x, p, g, dx, h: (
        h["centre"].T @ g,
        {"centre": g @ dx.T - g.sum(axis=1)[:, None] * h["centre"]},
    ),
    scaled=_no_units,
    torch="x @ centre.T - 0.5 * (centre * centre).sum(dim=1)",
)


def test_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss with another head: trained, told from the layers, and in every exported file."""
    monkeypatch.setitem(HEADS, "centres", CENTRES)
    monkeypatch.setitem(LOSSES, "nearest", scored(CrossEntropy, "centres", probabilistic=True))
    initial = {"kind": "values", "W": 0.7, "b": 0.1, "centre": [[-0.6], [0.8]]}
    case = case_of(tmp_path, loss={"kind": "nearest"}, initial=initial)
    result = trained(case, tmp_path)
    network = load_network(tmp_path / "run")
    assert set(network.head) == {"centre"} and set(network.parameters) == {"W", "b"}
    expected = network.probabilities(X)
    again = load_network(tmp_path / "network.npz")
    np.testing.assert_array_equal(again.probabilities(X), expected)
    module = imported(tmp_path / "network.py").load()
    given = module.probabilities(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(given, expected, rtol=1e-12)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    (given,) = session.run(["probabilities"], {"features": X})
    np.testing.assert_allclose(given, expected, rtol=1e-12)
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    h = np.cos(np.arange(functional.controls.size))
    steps = 2.0 ** -np.arange(3.0, 8.0)
    f: Callable[..., Any] = functional.derivative
    test = taylor_test(functional.value, f, result.theta, h, steps, functional.hessian_action)
    assert np.abs(test.rates()[1:, -1] - [2.0, 3.0]).max() < 0.1, test.table()


def test_no_bound_for_a_head_that_is_not_linear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paths on the line do not cross, but the scores need not be monotone."""
    case = case_of(tmp_path, loss={"kind": "cross_entropy"})
    assert "monotone" in bounds_of(ReducedFunctional(case, MPI.COMM_SELF))
    monkeypatch.setitem(HEADS, "centres", CENTRES)
    monkeypatch.setitem(
        LOSSES, "cross_entropy", scored(CrossEntropy, "centres", probabilistic=True)
    )
    case = case_of(tmp_path, loss={"kind": "cross_entropy"})
    assert set(bounds_of(ReducedFunctional(case, MPI.COMM_SELF))) == {"bayes"}
