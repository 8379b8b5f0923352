# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Density estimation: log density along the paths, new samples, from a table to the command."""

from mpi4py import MPI

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter
from scipy.linalg import expm
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from commands import command
from helpers import gaussian, make_data_case, random_network, write_table
from mfresnet.case.case import Case, parse
from mfresnet.case.population import fitted_gaussian, populate
from mfresnet.data.laws.density import KINDS, Density, Gaussian
from mfresnet.data.section import DataSection
from mfresnet.data.tables.dataset import load_data
from mfresnet.data.tables.scaling import ReduceSection
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.runs.crossval import cross_validate, split_table
from mfresnet.runs.runner import run
from mfresnet.trained.network import TrainedNetwork
from mfresnet.trained.sampling import (
    SteeredDensity,
    load_steered,
    log_density,
    log_density_at,
    sample,
)

START = Gaussian(mean=[0.2, -0.1], covariance=[[0.3, 0.1], [0.1, 0.4]])
MODELS: dict[str, dict[str, Any]] = {
    "gaussian": gaussian([0.3, -0.2], [[0.3, 0.1], [0.1, 0.4]]),
    "truncated_gaussian": {"kind": "truncated_gaussian", "mean": [0.1, 0.4], "std": 0.6,
                           "radius": 0.9},
    "uniform_box": {"kind": "uniform_box", "lower": [-0.5, 0.1], "upper": [0.7, 1.1]},
    "uniform_ball": {"kind": "uniform_ball", "mean": [0.2, -0.3], "radius": 0.8},
    "expression": {
        "kind": "expression", "lower": [-2.0, -1.0], "upper": [2.0, 2.0],
        "expression": "exp(-(x[0]**2 + (2 * x[1] - x[0]**2)**2) / 0.4) * (x[0] < 0.7)",
    },
    "mixture": {
        "kind": "mixture",
        "components": [
            {"weight": 1.0, "density": gaussian([-0.8, 0.2], [[0.1, 0.0], [0.0, 0.2]])},
            {"weight": 3.0, "density": {"kind": "uniform_ball", "mean": [0.9, 0.0], "radius": 0.5}},
        ],
    },
}  # fmt: skip


def line(w: float, b: float, start: Gaussian) -> SteeredDensity:
    """Return v = tanh(w x + b) over T = 1 with the start density."""
    network = TrainedNetwork(
        features=("x",), labels=("samples",), shift=np.zeros(1), matrix=np.eye(1),
        back=np.eye(1), block="square", activation="tanh",
        parameters={"W": np.full((2, 1, 1), w), "b": np.full((2, 1), b)}, final_time=1.0,
        order=4, steps_per_layer=40,
    )  # fmt: skip
    return SteeredDensity(network, start)


@pytest.mark.parametrize(
    ("w", "values"),
    [
        (2.0, [0.17945758, 0.09529372, 0.11075797, 0.15522927, 0.49691168]),
        (-2.0, [2.78513325e-4, 0.0645800752, 0.496672288, 5.20286090, 3.60088538e-4]),
    ],
)
def test_log_density_in_closed_form(w: float, values: list[float]) -> None:
    """A tanh layer on the line: f(T, X) = f0(x0) v(x0) / v(X) at five points."""
    model = line(w, 0.5, Gaussian(mean=[0.0], covariance=[[0.25]]))
    x = np.array([[-1.0, -0.25, 0.0, 0.25, 1.0]]).T
    np.testing.assert_allclose(np.exp(log_density(model, x)), values, rtol=2e-7)


def test_log_density_of_a_linear_network() -> None:
    """Layers that are linear make a Gaussian of a Gaussian, in the units of the features."""
    rng = np.random.default_rng(3)
    w, b = rng.standard_normal((2, 2, 2)), rng.standard_normal((2, 2))
    matrix, shift = np.array([[0.5, 0.2], [0.0, 2.0]]), np.array([3.0, -1.0])
    back = np.linalg.inv(matrix.T)
    network = TrainedNetwork(
        features=("x", "y"), labels=("samples",), shift=shift, matrix=matrix, back=back,
        block="square", activation="identity", parameters={"W": w, "b": b}, final_time=1.0, order=4,
        steps_per_layer=60,
    )  # fmt: skip
    mean, covariance = np.array(START.mean), np.array(START.covariance)
    for i in range(2):
        lifted = np.zeros((3, 3))
        lifted[:2] = np.column_stack([w[i], b[i]])
        flow = expm(0.5 * lifted)
        mean = flow[:2, :2] @ mean + flow[:2, 2]
        covariance = flow[:2, :2] @ covariance @ flow[:2, :2].T
    law = multivariate_normal(shift + back @ mean, back @ covariance @ back.T)
    model = SteeredDensity(network, START)
    x = law.rvs(50, random_state=0)
    np.testing.assert_allclose(log_density(model, x), law.logpdf(x), rtol=1e-6)
    drawn = sample(model, 200_000, 1)
    np.testing.assert_allclose(drawn.mean(axis=0), law.mean, atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), law.cov, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("block", ["square", "wide"])
def test_density_integrates_to_one(block: str) -> None:
    """A nonlinear network in the plane; the samples have the mean of the density."""
    model = SteeredDensity(random_network(block, "tanh", order=4, steps=10), START)
    axis = np.linspace(-9.0, 9.0, 301)
    grid = np.stack(np.meshgrid(axis, axis)).reshape(2, -1)
    f = np.exp(log_density_at(model, grid)) * (axis[1] - axis[0]) ** 2
    assert f.sum() == pytest.approx(1.0, abs=1e-5)
    drawn = model.network.reduce(sample(model, 100_000, 2))
    np.testing.assert_allclose(drawn.mean(axis=1), grid @ f, atol=0.02)
    np.testing.assert_array_equal(sample(model, 7, 2), sample(model, 7, 2))
    assert not np.array_equal(sample(model, 7, 2), sample(model, 7, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_points_of_a_density(kind: str) -> None:
    """The share of points in every square of a grid is the integral of the density there."""
    density = TypeAdapter(Density).validate_python(MODELS[kind])
    x = density.sample(100_000, np.random.default_rng(4))
    edges = np.linspace(-2.4, 2.4, 9)
    share = np.histogram2d(*x, bins=[edges, edges])[0] / x.shape[1]
    fine = (np.arange(800) + 0.5) / 800 * 4.8 - 2.4
    f = density.density(np.stack(np.meshgrid(fine, fine, indexing="ij")).reshape(2, -1))
    exact = f.reshape(8, 100, 8, 100).sum(axis=(1, 3)) * (4.8 / 800) ** 2
    np.testing.assert_allclose(share, exact, atol=6e-3)


def test_samples_on_the_plane_of_the_components(tmp_path: Path) -> None:
    """Features of unlike sizes: new samples have their moments, and their density is a Gaussian's.

    The network stands still, so that the density is the start density: the Gaussian with the
    moments of the samples, of two coordinates on the plane that holds nearly all of three features.
    """
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2000, 2)) @ [[3.0, 0.4, 0.0], [0.0, 0.3, 200.0]] + [0.0, 7.0, 1e4]
    x += 1e-3 * rng.standard_normal(x.shape) * [3.0, 0.5, 200.0]
    write_table(tmp_path / "a.csv", dict(zip("abc", x.T, strict=True)))
    section = DataSection(file=tmp_path / "a.csv", test_fraction=0.0, reduce=ReduceSection())
    dataset = load_data(section, MPI.COMM_SELF)
    network = TrainedNetwork(
        features=dataset.features, labels=("samples",), shift=dataset.shift, matrix=dataset.matrix,
        back=dataset.back, block="square", activation="identity",
        parameters={"W": np.zeros((1, 2, 2)), "b": np.zeros((1, 2))}, final_time=1.0, order=4,
        steps_per_layer=1,
    )  # fmt: skip
    model = SteeredDensity(network, fitted_gaussian(dataset, 0.0))
    drawn = sample(model, 200_000, 0)
    size = x.std(axis=0)
    np.testing.assert_allclose(drawn.mean(axis=0), x.mean(axis=0), atol=0.01 * size.max())
    given, ours = np.cov((x / size).T), np.cov((drawn / size).T)
    np.testing.assert_allclose(ours, given, atol=0.01)
    axes = np.linalg.qr(dataset.back)[0]  # an orthonormal basis of the plane
    law = multivariate_normal((x.mean(axis=0)) @ axes, np.cov((drawn @ axes).T))
    np.testing.assert_allclose(
        log_density(model, drawn[:50]), law.logpdf(drawn[:50] @ axes), atol=0.03
    )


def two_modes(directory: Path, **sections: Any) -> Case:
    """Return a case of 300 samples with two modes on the line."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal(300) * 0.35 + np.where(np.arange(300) % 3, 2.0, 4.5)
    write_table(directory / "modes.csv", {"length": x})
    data: dict[str, Any] = {
        "task": "density",
        "mesh": {"cell": "interval", "cells": [60], "lower": [-6.0], "upper": [6.0]},
        "network": {"block": "wide", "width": 4, "layers": 4},
        "data": {"file": "modes.csv", "test_fraction": 0.2, "bandwidth": 0.25},
        "penalty": {"tikhonov": 1e-6},
        "initial": {"kind": "random", "seed": 1},
        "training": {"gradient_tolerance": 1e-3, "max_iterations": 300},
        "output": {"fields": False, "pictures": True},
    }
    for name, section in sections.items():
        data[name] = data.get(name, {}) | section
    return parse(data, directory)


def test_from_a_table_to_new_samples(tmp_path: Path) -> None:
    """Training, run.json, the picture; the command draws what the library draws."""
    result = run(two_modes(tmp_path), tmp_path / "out", comm=MPI.COMM_SELF)
    metrics = result.report.metrics
    assert metrics.relative_l2_error["samples"] < 0.1
    assert metrics.integral == pytest.approx(1.0, abs=1e-3)
    for part in ("train", "test"):
        row = getattr(metrics.log_likelihood, part)
        assert row.network > row.start + 0.15
    # per volume of the feature, whose variance is about 1.5: that of one Gaussian
    assert row.gaussian == pytest.approx(-0.5 * np.log(2 * np.pi * np.e * 1.5), abs=0.15)
    ours, goal = metrics.moments.samples, metrics.moments.goal
    np.testing.assert_allclose(ours.mean, goal.mean, atol=0.03)
    np.testing.assert_allclose(ours.covariance, goal.covariance, rtol=0.05)
    assert (tmp_path / "out/pictures/samples.png").stat().st_size > 5000
    done = command("sample", tmp_path / "out", 50, "--out", tmp_path / "new.csv", "--seed", 5)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "new.csv")
    assert list(table.columns) == ["length"]
    drawn = sample(load_steered(tmp_path / "out"), 50, 5)
    np.testing.assert_allclose(table.to_numpy(), drawn, rtol=1e-14)


def test_cross_validation(tmp_path: Path) -> None:
    """The log densities are per volume of the features, as scikit-learn finds them there."""
    case = two_modes(
        tmp_path,
        network={"layers": 2},
        training={"gradient_tolerance": 5e-3, "max_iterations": 60},
    )
    result = cross_validate(case, seeds=1, comm=MPI.COMM_SELF)
    row, dataset = result["splits"][0], populate(case, MPI.COMM_SELF).dataset
    assert dataset is not None
    x, other = (p.x.T / dataset.matrix[0, 0] + dataset.shift for p in (dataset.train, dataset.test))
    gaussian_ = GaussianMixture(1, reg_covar=0.0).fit(x).score(other)
    assert row["gaussian_test_log_density"] == pytest.approx(gaussian_, rel=1e-6)
    kernels = KernelDensity(bandwidth=0.25 / dataset.matrix[0, 0]).fit(x)
    assert row["kernel_test_log_density"] == pytest.approx(kernels.score(other) / len(other))
    assert gaussian_ + 0.3 < row["test_log_density"] < row["kernel_test_log_density"] + 0.05
    titles = split_table(result).splitlines()[0].split()
    assert titles == ["log", "density", "gaussian", "gaussian", "mixture", "kernel"]


def test_density_far_outside() -> None:
    """Its logarithm is that of the Gaussian, where the density itself is rounded to zero."""
    far = np.full((1, 1), 40.0)
    start = Gaussian(mean=[0.0], covariance=[[0.25]])
    exact = -0.5 * 40.0**2 / 0.25 - 0.5 * np.log(2.0 * np.pi * 0.25)
    assert log_density_at(line(0.0, 0.0, start), far)[0] == pytest.approx(exact, rel=1e-12)


def test_start_has_the_moments_of_the_goal(tmp_path: Path) -> None:
    """By default; a start density that is given stays."""
    functional = ReducedFunctional(two_modes(tmp_path), MPI.COMM_SELF)
    space, goal = functional.problem.space, functional.problem.goal
    assert goal is not None
    rule = space.cell_quadrature(6)
    x = rule.x.ravel()
    moments = []
    for f in (functional.problem.f0[0], goal):
        mass = (rule.weights * (f[space.dofs] @ rule.basis.T)).ravel()
        moments.append([mass.sum(), mass @ x, mass @ x**2])
    np.testing.assert_allclose(*moments, atol=1e-5)
    given = {"kind": "uniform_box", "lower": [-1.0], "upper": [1.0]}
    case = ReducedFunctional(two_modes(tmp_path, start=given), MPI.COMM_SELF).case
    assert case.start is not None and case.start.kind == "uniform_box"


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"data": {"label": "length"}}, r"^data\.label: not for task density"),
        ({"loss": {"kind": "quadratic"}}, r"^loss\.kind: not for task density; got quadratic"),
        ({"loss": {"target": gaussian(0.0, 1.0)}}, r"^loss\.target: not for task density"),
        ({"start": gaussian([0.0, 0.0], np.eye(2).tolist())}, r"^start\.mean: wrong length; got 2"),
    ],
)
def test_mistakes(sections: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        two_modes(tmp_path, **sections)


def test_mistakes_of_other_tasks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^start: only for task density"):
        make_data_case(tmp_path, start=gaussian([0.0, 0.0], np.eye(2).tolist()))
    with pytest.raises(InputError, match=r"^data: missing; .* samples for task density"):
        parse({"task": "density"})
    with pytest.raises(InputError, match=r"^data\.label: missing"):
        parse({"data": {"file": "a.csv"}})
    with pytest.raises(InputError, match=r"^task: unknown name; got 'densty'.*'density'"):
        parse({"task": "densty", "data": {"file": "a.csv"}})
