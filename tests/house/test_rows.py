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
from typing import IO, Any, Literal

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import tomli_w
import torch
from numpy.random import Generator
from pydantic import PositiveFloat
from scipy import stats

from helpers import gaussian, imported
from mfresnet.arrays import Array
from mfresnet.case.case import Case, load
from mfresnet.cli import export as export_command
from mfresnet.cli import predict as predict_command
from mfresnet.data.laws.density import KINDS
from mfresnet.data.laws.kind import DensityKind
from mfresnet.data.tables.formats import FORMATS, ArrayTable, Format
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.draw import drawn, midpoints
from mfresnet.functional.samples import ParticleFunctional
from mfresnet.losses.loss import LossSection
from mfresnet.losses.point import CrossEntropy, PointLoss, Quadratic, SquaredError
from mfresnet.losses.table import LOSSES, Row, scored
from mfresnet.mesh.boxes import box
from mfresnet.mesh.kinds import MESHES, MeshKind, MeshSection
from mfresnet.network.activations import ACTIVATIONS, Activation
from mfresnet.network.blocks import BLOCKS, Block, Parameters
from mfresnet.network.heads import HEADS, LINEAR, Head
from mfresnet.network.penalties import PENALTIES, Penalty
from mfresnet.network.schemes import SCHEMES, Scheme
from mfresnet.optimise.methods import METHODS
from mfresnet.optimise.search import Method, OptimiseResult, Search, Status
from mfresnet.runs.crossval import cross_validate, split_sentence, split_table
from mfresnet.runs.runner import RunResult, run
from mfresnet.schema import Vector
from mfresnet.tasks import TASKS
from mfresnet.trained.exporters import EXPORTERS, export
from mfresnet.trained.loading import load_network
from mfresnet.trained.network import TrainedNetwork
from mfresnet.trained.prediction import predict
from mfresnet.trained.writers import WRITERS
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


KNOWN = ("npz", "torch", "onnx")


def trained(case: Case, directory: Path, exports: tuple[str, ...] = KNOWN) -> RunResult:
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
    assert np.abs(test.rates()[1:, -1] - [2.0, 3.0]).max() < 0.1, test.as_text()


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
    shapes=lambda d, n_classes, size: {"centre": (n_classes, d)},
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
    assert np.abs(test.rates()[1:, -1] - [2.0, 3.0]).max() < 0.1, test.as_text()


def test_prototypes(tmp_path: Path) -> None:
    """Prototypes begin at clusters, have the right derivatives, and are in every exported file."""
    loss = {"kind": "cross_entropy", "head": "prototypes", "prototypes": 3}
    case = case_of(tmp_path, loss=loss, penalty={"tikhonov": {"weight": 1e-2, "head": 0.1}})
    start = ReducedFunctional(case, MPI.COMM_SELF).controls.initial.of_head()
    centres = np.sort(start["P"][:, :, 0].ravel())
    assert np.all(np.diff(centres) > 0.0), "k-means has found as many clusters as there are"
    result = trained(case, tmp_path)
    network = load_network(tmp_path / "run")
    assert network.scored == "prototypes" and network.head["P"].shape == (2, 3, 1)
    expected = network.probabilities(X)
    again = load_network(tmp_path / "network.npz")
    np.testing.assert_array_equal(again.probabilities(X), expected)
    module = imported(tmp_path / "network.py").load()
    given = module.probabilities(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(given, expected, rtol=1e-12)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    (given,) = session.run(["probabilities"], {"features": X})
    np.testing.assert_allclose(given, expected, rtol=1e-11)
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    h = np.cos(np.arange(functional.controls.size))
    steps = 2.0 ** -np.arange(3.0, 8.0)
    f: Callable[..., Any] = functional.derivative
    test = taylor_test(functional.value, f, result.theta, h, steps, functional.hessian_action)
    assert np.all(test.rates()[1:, -1] > [1.9, 2.9]), test.as_text()


def relettered(values: Any) -> dict[str, Array]:
    """Return parameters of the linear head by other names, or the other way round."""
    names = {"H": "A", "h": "a", "A": "H", "a": "h"}
    return {names[name]: v for name, v in values.items() if name in names}


KNOWN_HEAD = HEADS[LINEAR]
OTHER_NAMES = Head(
    shapes=lambda d, n_classes, size: relettered(KNOWN_HEAD.shapes(d, n_classes, size)),
    scores=lambda x, p: KNOWN_HEAD.scores(x, relettered(p)),
    vjp=lambda x, p, g: relettered(KNOWN_HEAD.vjp(x, relettered(p), g)),
    jvp=lambda x, p, h: KNOWN_HEAD.jvp(x, relettered(p), relettered(h)),
    push=lambda x, p, dx: KNOWN_HEAD.push(x, relettered(p), dx),
    pull=lambda x, p, g: KNOWN_HEAD.pull(x, relettered(p), g),
    second=lambda x, p, g, dx, h: (lambda pulled, parts: (pulled, relettered(parts)))(
        *KNOWN_HEAD.second(x, relettered(p), g, dx, relettered(h))
    ),
    scaled=lambda p, size, middle: relettered(KNOWN_HEAD.scaled(relettered(p), size, middle)),
    torch="x @ A.T + a",
    slope="A",
)


@pytest.mark.parametrize("slope", [None, 1.0, -1.0])
def test_a_bound_asks_the_head_for_its_slope(
    slope: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained, or kept with one of its signs, of which one is better."""
    found = []
    for head, name, offset in ((KNOWN_HEAD, "H", "h"), (OTHER_NAMES, "A", "a")):
        monkeypatch.setitem(HEADS, LINEAR, head)
        network: dict[str, Any] = {}
        initial: dict[str, Any] = {}
        if slope is not None:
            network = {"trainable": ["W", "b"]}
            initial = {"kind": "values", "W": 0.7, "b": 0.1}
            initial |= {name: [[-slope], [slope]], offset: [0.0, 0.0]}
        case = case_of(tmp_path, loss={"kind": "cross_entropy"}, network=network, initial=initial)
        found.append(bounds_of(ReducedFunctional(case, MPI.COMM_SELF))["monotone"])
    assert found[0] == found[1]
    assert (found[0] > 0.6) == (slope == -1.0), found


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


# ---------------------------------------------------------------------- a kind of mesh
class GradedSection(MeshSection):
    ratio: PositiveFloat = 2.0


def graded(comm: Any, mesh: GradedSection, cells: Any, corners: Any) -> Any:
    """Make the box and move its vertices by s -> s^ratio, s the share of the way through it."""
    made, (lower, upper) = box(comm, mesh.cell, cells, *corners), corners
    x = made.geometry.x
    share = (x[:, 0] - lower[0]) / (upper[0] - lower[0])
    x[:, 0] = lower[0] + share**mesh.ratio * (upper[0] - lower[0])
    return made


def test_kind_of_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key of its own; one that is a grid has cells and corners, others refuse them."""
    with pytest.raises(InputError, match=r"^mesh\.kind: unknown name; got 'graded', .* box, file"):
        case_of(tmp_path, mesh={"kind": "graded"})
    grid = MeshKind(graded, "Move the corners", "Use more cells", grid=True, section=GradedSection)
    monkeypatch.setitem(MESHES, "graded", grid)
    case = case_of(tmp_path, mesh={"kind": "graded", "ratio": 1.5})
    assert isinstance(case.mesh, GradedSection) and case.mesh.ratio == 1.5
    trained(case, tmp_path)
    assert "ratio = 1.5" in (tmp_path / "run/case.toml").read_text()
    space = ReducedFunctional(case, MPI.COMM_SELF).problem.space
    places = np.sort(space.mesh.geometry.x[:, 0])
    np.testing.assert_allclose(places, -4.0 + 8.0 * np.linspace(0.0, 1.0, 25) ** 1.5)
    assert case.mesh.larger == "Move the corners" and case.mesh.finer == "Use more cells"
    left_out = case.with_({"mesh": {"cells": None, "lower": None, "upper": None}})
    filled = ReducedFunctional(left_out, MPI.COMM_SELF).case.mesh
    assert filled.cells == [32] and filled.lower is not None and filled.upper is not None
    for mesh, sentence in (
        ({"ratio": -1.0}, r"^mesh\.ratio: wrong value; got -1"),
        ({"rato": 1.0}, r"^mesh\.rato: unknown key; .*Did you mean 'ratio'"),
        ({"file": "a.msh"}, r"^mesh\.file: only for kind file; got kind graded"),
        ({"cells": [8, 8]}, r"^mesh\.cells: wrong length; got 2, expected 1"),
    ):
        with pytest.raises(InputError, match=sentence):
            case_of(tmp_path, mesh={"kind": "graded"} | mesh)
    given = MeshKind(lambda *_: box(MPI.COMM_SELF, "interval", [24], *corners), "", "")
    corners = np.array([[-4.0], [4.0]])
    monkeypatch.setitem(MESHES, "given", given)
    with pytest.raises(InputError, match=r"^mesh\.cells: only for kind box or graded; got"):
        case_of(tmp_path, mesh={"kind": "given"})
    none = dict.fromkeys(("cells", "lower", "upper"))
    plain = case.with_({"mesh": none | {"kind": "given", "ratio": None}})
    run(plain, tmp_path / "plain", comm=MPI.COMM_SELF)
    assert load(tmp_path / "plain/case.toml").mesh.cells is None


# ---------------------------------------------------------------------- a format of tables
class JsonWriter:
    """A list of columns."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._columns = stream, {}

    @staticmethod
    def encode(columns: dict[str, Any]) -> dict[str, list[Any]]:
        return {name: np.asarray(values).tolist() for name, values in columns.items()}

    def write(self, part: dict[str, list[Any]]) -> None:
        for name, values in part.items():
            self._columns.setdefault(name, []).extend(values)

    def close(self) -> None:
        self._stream.write(json.dumps(self._columns).encode())


def read_json(path: Path) -> ArrayTable:
    columns = json.loads(path.read_text())
    return ArrayTable({name: np.array(values) for name, values in columns.items()}, path.name)


def samples(n: int = 40) -> dict[str, list[Any]]:
    """Two classes on the line."""
    x = np.random.default_rng(1).normal(size=n) * 0.3 + np.where(np.arange(n) % 2, 0.6, -0.6)
    return {"x": x.tolist(), "kind": ["b" if i % 2 else "a" for i in range(n)]}


def test_format_of_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read by a training, read and written by a prediction; its check comes first."""
    path, out, probed = tmp_path / "a.json", tmp_path / "b.JSON", []
    path.write_text(json.dumps(samples()))
    case = case_of(tmp_path, classes=[], data={"file": str(path), "label": "kind"})
    with pytest.raises(InputError, match=r"^data\.file: unknown format; got 'a\.json'"):
        run(case, tmp_path / "run", comm=MPI.COMM_SELF)
    monkeypatch.setitem(FORMATS, ".json", Format(read_json, probed.append))
    trained(case, tmp_path)
    assert probed and set(probed) == {path}
    with pytest.raises(InputError, match=r"^--out: unknown format; got 'b\.JSON'"):
        predict_command(tmp_path / "run", path, out)
    monkeypatch.setitem(WRITERS, ".json", JsonWriter)
    predict_command(tmp_path / "run", path, out)
    network, written = load_network(tmp_path / "run"), json.loads(out.read_text())
    found = network.predict(np.array(samples()["x"])[:, None])
    assert written["class"] == np.array(network.labels)[found].tolist()


# ---------------------------------------------------------------------- an exporter
def test_exporter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(network: TrainedNetwork, path: Path) -> list[Path]:
        path.write_text(json.dumps({n: v.tolist() for n, v in network.parameters.items()}))
        return [path]

    trained(case_of(tmp_path), tmp_path, exports=())
    with pytest.raises(InputError, match=r"^--to: unknown name; got 'text', expected one of npz"):
        export_command(tmp_path / "run", tmp_path / "a.txt", "text")
    monkeypatch.setitem(EXPORTERS, "text", write)
    export_command(tmp_path / "run", tmp_path / "a.txt", "text")
    given = json.loads((tmp_path / "a.txt").read_text())
    for name, values in load_network(tmp_path / "run").parameters.items():
        np.testing.assert_array_equal(given[name], values)


# ---------------------------------------------------------------------- a task
PLANE = {"cell": "quadrilateral", "cells": [12, 12], "lower": [-5.0] * 2, "upper": [5.0] * 2}
TASKS_OF_NOW: dict[str, tuple[str, dict[str, Any]]] = {
    "classification": ("cross_entropy", {"data": {"label": "kind"}}),
    "regression": ("bounded_error", {"data": {"label": "y"}, "mesh": PLANE}),
    "density": ("kullback_leibler", {}),
}
"""Task -> a loss that it has not by default, and the keys of a case."""


@pytest.mark.parametrize("like", TASKS)
def test_task(like: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another loss by default; what a run leaves is what the task that it is like leaves."""
    table, (loss, keys) = tmp_path / "a.csv", TASKS_OF_NOW[like]
    rng, data = np.random.default_rng(3), pd.DataFrame(samples(60))
    data.assign(y=np.tanh(data.x) + 0.1 * rng.normal(size=60)).to_csv(table, index=False)
    sections: dict[str, Any] = {
        "classes": [],
        "mesh": {"lower": [-5.0], "upper": [5.0], "outflow_tolerance": 1e-2} | keys.get("mesh", {}),
        "data": {"file": str(table), "features": ["x"]} | keys.get("data", {}),
        "output": {"fields": True, "pictures": True},
    }
    known = scored(SquaredError, LINEAR, tasks=("regression",))
    monkeypatch.setitem(LOSSES, "bounded_error", known)
    with pytest.raises(InputError, match=r"^task: unknown name; got 'novel'"):
        case_of(tmp_path, task="novel", **sections)
    monkeypatch.setitem(TASKS, "novel", replace(TASKS[like], loss=loss, like=like))
    with pytest.raises(InputError, match=r"^loss\.kind: not for task novel; got unfit, .*" + loss):
        monkeypatch.setitem(LOSSES, "unfit", replace(known, tasks=()))
        case_of(tmp_path, task="novel", loss={"kind": "unfit"}, **sections)
    found = []
    for task, given in (("novel", {}), (like, {"loss": {"kind": loss}})):
        case = case_of(tmp_path, task=task, **given, **sections)
        directory = tmp_path / task
        theta = trained(case, directory, exports=()).theta
        network = load_network(directory / "run")
        assert case.loss.kind == loss and network.task == task
        for to in KNOWN:
            export(network, to, directory / f"network.{to}")
        module, session = directory / "network.py", directory / "network.onnx"
        (given_names,) = onnxruntime.InferenceSession(session).get_inputs()
        predict(network, table, directory / "b.csv", MPI.COMM_SELF)
        checks = certify(ReducedFunctional(case, MPI.COMM_SELF), theta)
        left = json.loads((directory / "run/run.json").read_text())
        validated = cross_validate(case, seeds=1, comm=MPI.COMM_SELF)
        found.append(
            {
                "files": sorted(p.name for p in (directory / "run").rglob("*")),
                "numbers": [left[n] for n in ("status", "objective", "metrics")],
                "certificate": [(c.name, c.passed) for c in checks],
                "prediction": (directory / "b.csv").read_text(),
                "PyTorch": module.read_text(),
                "ONNX": given_names.name,
                "cross-validation": [validated["mean"], split_table(validated)],
                "splits": [split_sentence(task, row) for row in validated["splits"]],
            }
        )
    assert found[0] == found[1]
