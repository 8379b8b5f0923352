# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a model is worth: Bayes rule, baselines, quantiles, and the sentence that compares."""

from mpi4py import MPI

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from helpers import make_data_case, write_table
from mfresnet.arrays import Array
from mfresnet.case.case import Case, parse
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.handover import trained_network
from mfresnet.output.numbers import summary
from mfresnet.runs.runner import run
from mfresnet.verification.measures.bayes import (
    DOUBT,
    bayes_measures,
    density_shares,
    shares,
)
from mfresnet.verification.measures.density import gaussian_mixture
from mfresnet.verification.measures.grid import GridDensities
from mfresnet.verification.measures.predictive import predictive_law
from mfresnet.verification.measures.regression import LEVELS, regression_measures
from mfresnet.verification.measures.table import measure
from mfresnet.verification.measures.verdict import CONTESTS, verdict

N, SPREAD, WIDTH = 20_000, 1.0, 0.25


def line_case(directory: Path, slope: float = 1.0) -> Case:
    """Return two Gaussian classes on the line, 3 to 1, a network that does not move, and a head."""
    quantiles = norm.ppf((np.arange(N) + 0.5) / N)
    few = norm.ppf((np.arange(N // 3) + 0.5) / (N // 3))
    x = np.concatenate([-1.0 + SPREAD * quantiles, 1.0 + SPREAD * few])
    y = np.repeat(["a", "b"], [N, N // 3])
    write_table(directory / "line.parquet", {"x": x, "y": y})
    return parse(
        {
            "mesh": {"cell": "interval", "cells": [80]},
            "network": {"layers": 2},
            "data": {
                "file": "line.parquet", "label": "y", "scale": "none", "test_fraction": 0.0,
                "bandwidth": WIDTH,
            },
            "loss": {"kind": "cross_entropy"},
            "initial": {"kind": "values", "W": [[0.0]], "b": [0.0], "H": [[-slope], [slope]],
                        "h": [0.0, 0.0]},
        },
        directory,
    )  # fmt: skip


def test_bayes_rule_in_closed_form(tmp_path: Path) -> None:
    """Two Gaussians smoothed: the border where 3 f_a = f_b, and the conditional entropy."""
    functional = ReducedFunctional(line_case(tmp_path), MPI.COMM_SELF)
    found = bayes_measures(functional.problem, trained_network(functional, functional.theta0))
    deviation = np.hypot(SPREAD, WIDTH)
    a, b = norm(-1.0, deviation), norm(1.0, deviation)
    border = 0.5 * deviation**2 * np.log(3.0)
    best = 0.75 * a.cdf(border) + 0.25 * b.sf(border)
    assert found["accuracy"] == pytest.approx(best, abs=2e-3)

    def entropy(x: float) -> float:
        mass = np.array([0.75 * a.pdf(x), 0.25 * b.pdf(x)])
        return float(-np.sum(mass * np.log(mass / mass.sum())))

    assert found["log_loss"] == pytest.approx(quad(entropy, -9.0, 9.0)[0], abs=2e-3)
    # the network decides by the sign of x, with the probability 1 / (1 + exp(-2 x))
    right = 0.75 * a.cdf(0.0) + 0.25 * b.sf(0.0)
    loss = quad(
        lambda x: (
            0.75 * a.pdf(x) * np.logaddexp(0.0, 2 * x) + 0.25 * b.pdf(x) * np.logaddexp(0.0, -2 * x)
        ),
        -9.0,
        9.0,
    )[0]
    assert found["network"]["accuracy"] == pytest.approx(right, abs=2e-3)
    assert found["network"]["log_loss"] == pytest.approx(loss, abs=2e-3)
    assert found["accuracy_gap"] == pytest.approx(best - right, abs=2e-3) and best - right > 0.02
    assert found["log_loss_gap"] == found["network"]["log_loss"] - found["log_loss"]


def test_gaps_are_not_negative_and_may_be_large(tmp_path: Path) -> None:
    case = line_case(tmp_path, slope=-1.0)  # the wrong class everywhere
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    found = bayes_measures(functional.problem, trained_network(functional, functional.theta0))
    assert found["accuracy_gap"] > 0.5 and found["log_loss_gap"] > 1.0
    near = line_case(tmp_path, slope=1.0 / np.hypot(SPREAD, WIDTH) ** 2)
    near = near.model_copy(
        update={"initial": near.initial.model_copy(update={"h": [np.log(3.0), 0.0]})}
    )
    functional = ReducedFunctional(near, MPI.COMM_SELF)
    found = bayes_measures(functional.problem, trained_network(functional, functional.theta0))
    assert 0.0 <= found["accuracy_gap"] < 2e-3 and 0.0 <= found["log_loss_gap"] < 2e-3


def test_shares_in_closed_form(tmp_path: Path) -> None:
    functional = ReducedFunctional(line_case(tmp_path), MPI.COMM_SELF)
    x = np.linspace(-3.0, 3.0, 61)
    deviation = np.hypot(SPREAD, WIDTH)
    odds = 3.0 * norm.pdf(x, -1.0, deviation) / norm.pdf(x, 1.0, deviation)
    found = density_shares(functional.problem, x[None])
    np.testing.assert_allclose(found[:, 0], odds / (1.0 + odds), atol=0.02)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    outside = density_shares(functional.problem, np.array([[1e3]]))
    np.testing.assert_allclose(outside, [[0.75, 0.25]], atol=1e-4)


def test_shares_where_a_class_has_no_density() -> None:
    weights = np.array([0.9, 0.1])
    found = shares(np.array([[2.0, 0.0, -1e-9], [0.0, 0.0, 1.0]]), weights)
    np.testing.assert_allclose(found[0], [1.0 - 0.1 * DOUBT, 0.1 * DOUBT])
    np.testing.assert_allclose(found[1], weights)
    np.testing.assert_allclose(found[2], [0.9 * DOUBT, 1.0 - 0.9 * DOUBT])


@pytest.mark.parametrize(("d", "degree"), [(1, 0), (1, 3), (2, 2), (3, 1)])
def test_densities_without_the_mesh(d: int, degree: int, tmp_path: Path) -> None:
    """The same polynomials as on the mesh, inside of cells; nothing outside of the box."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((60, d))
    table = {f"x{i}": column for i, column in enumerate(x.T)} | {"y": np.arange(60) % 3}
    write_table(tmp_path / "a.parquet", table)
    case = parse(
        {
            "mesh": {"cell": ("interval", "quadrilateral", "hexahedron")[d - 1],
                     "cells": [5, 4, 3][:d], "lower": [-9.0] * d, "upper": [9.0, 8.0, 9.5][:d]},
            "space": {"degree": degree},
            "data": {"file": "a.parquet", "label": "y", "test_fraction": 0.0},
            "loss": {"kind": "cross_entropy"},
        },
        tmp_path,
    )  # fmt: skip
    problem = ReducedFunctional(case, MPI.COMM_SELF).problem
    densities, points = GridDensities.of(problem), rng.uniform(-3.0, 3.0, (d, 500))
    direct = shares(densities(points), problem.class_weights)
    np.testing.assert_allclose(direct, density_shares(problem, points), atol=1e-10)
    assert np.ptp(direct) > 0.1
    assert not densities(np.full((d, 1), 50.0)).any()


# ---------------------------------------------------------------------- regression
def joint_case(directory: Path, x: Array, y: Array, **data: Any) -> Case:
    write_table(directory / "joint.parquet", {"x": x, "y": y})
    section = {"file": "joint.parquet", "label": "y", "test_fraction": 0.3, "bandwidth": 0.1}
    return parse(
        {
            "task": "regression",
            "mesh": {"cells": [40, 40], "lower": [-6.0, -6.0], "upper": [6.0, 6.0]},
            "network": {"layers": 2},
            "data": section | data,
            "initial": {"kind": "values", "W": [[0.0]], "b": [0.0], "H": [[0.9]], "h": [0.0]},
            "output": {"fields": False, "pictures": False},
        },
        directory,
    )


def gaussian_pairs(n: int = 4000) -> tuple[Array, Array]:
    """Return correlated Gaussian pairs from a lattice, which has hardly any noise."""
    steps = np.arange(1, n + 1)
    x, z = norm.ppf(np.stack([(steps - 0.5) / n, (steps * 0.6180339887498949) % 1.0]))
    return x, 100.0 + 10.0 * (0.9 * x + np.sqrt(1 - 0.81) * z)


def test_quantiles_in_closed_form(tmp_path: Path) -> None:
    """Gaussian (x, y): given x the label has the mean a x and the variance that is left."""
    case = joint_case(tmp_path, *gaussian_pairs(), test_fraction=0.0)
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    network = trained_network(functional, functional.theta0)
    law, dataset = predictive_law(functional, network), functional.population.dataset
    assert dataset is not None
    size, h, r = dataset.back[-1, -1], 0.1, 0.9
    slope = r / (1.0 + h**2)
    rest = np.sqrt(1.0 + h**2 - r * slope)
    for x in (-1.0, 0.0, 1.2):
        prediction = np.array([100.0 + size * r * x])
        found = law.quantiles(prediction + dataset.shift[-1] - 100.0, LEVELS)[0]
        expected = dataset.shift[-1] + size * (slope * x + rest * norm.ppf(LEVELS))
        np.testing.assert_allclose(found, expected, atol=0.1 * size * rest)


def test_quantiles_know_where_the_noise_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    x = rng.uniform(-2.0, 2.0, 4000)
    y = 0.9 * x + np.where(x > 0.0, 1.0, 0.2) * rng.standard_normal(4000)
    functional = ReducedFunctional(joint_case(tmp_path, x, y), MPI.COMM_SELF)
    law = predictive_law(functional, trained_network(functional, functional.theta0))
    low, high = (np.ptp(law.quantiles(np.array([s]), LEVELS)) for s in (-1.0, 1.0))
    assert high > 2.5 * low
    found = regression_measures(functional, functional.theta0)
    assert 0.88 < found["test"]["coverage"] < 0.98
    other = found["linear_regression"]["test"]["pinball_loss"]
    assert found["test"]["pinball_loss"]["0.05"] < 0.9 * other["0.05"]


def test_regression_beside_its_baselines(tmp_path: Path) -> None:
    """Kernel regression and its quantiles by a loop; every measure by its definition."""
    functional = ReducedFunctional(joint_case(tmp_path, *gaussian_pairs(200)), MPI.COMM_SELF)
    found = regression_measures(functional, functional.theta0)
    dataset = functional.population.dataset
    assert dataset is not None
    size, middle = dataset.back[-1, -1], dataset.shift[-1]
    train, test = dataset.train, dataset.test
    y, labels = middle + size * train.x[-1], middle + size * test.x[-1]
    means, low = [], []
    for x in test.x[0]:
        w = np.exp(-0.5 * ((x - train.x[0]) / 0.1) ** 2)
        means.append(w @ y / w.sum())
        order = np.argsort(y)
        low.append(
            next(
                v
                for v, s in zip(y[order], np.cumsum(w[order]), strict=False)
                if s >= 0.05 * w.sum()
            )
        )
    errors = labels - np.array(means)
    row = found["kernel_regression"]["test"]
    assert row["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)))
    assert row["r2"] == pytest.approx(1.0 - np.mean(errors**2) / np.var(labels))
    below = labels - np.array(low)
    expected = np.mean(np.maximum(0.05 * below, -0.95 * below))
    assert row["pinball_loss"]["0.05"] == pytest.approx(expected)
    fit = np.polyfit(train.x[0], y, 1)
    beside = labels - np.polyval(fit, test.x[0])
    row = found["linear_regression"]["test"]
    assert row["rmse"] == pytest.approx(np.sqrt(np.mean(beside**2)))
    spread = np.quantile(y - np.polyval(fit, train.x[0]), [0.05, 0.95])
    assert row["interval"] == pytest.approx(np.ptp(spread), rel=0.05)
    inside = np.mean((spread[0] <= beside) & (beside <= spread[1]))
    assert row["coverage"] == pytest.approx(inside, abs=0.05)


def test_mixture_finds_its_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 900)) + np.outer([1.0, 0.0], 6.0 * (np.arange(900) % 3))
    assert gaussian_mixture(x).n_components == 3
    assert gaussian_mixture(x[:, :3]).n_components <= 2


# ---------------------------------------------------------------------- the sentence
def classes(ours: tuple[float, Any], line: tuple[float, float], rule: tuple[float, float]) -> Any:
    rows = [
        None if row is None else {"samples": 9, "accuracy": row[0], "log_loss": row[1]}
        for row in (ours, line, rule)
    ]
    names = ("logistic_regression", "kernel_density")
    return {"test": rows[0]} | {n: {"test": row} for n, row in zip(names, rows[1:], strict=True)}


BETTER = "Take the better one, or try another bandwidth, loss or network."


def test_sentence_of_a_classification() -> None:
    assert verdict("classification", classes((0.9, 0.2), (0.8, 0.3), (0.7, 0.4))) == []
    (text,) = verdict("classification", classes((0.9, 0.2), (0.95, 0.3), (0.97, 0.1)))
    rule = CONTESTS["classification"].rivals["kernel_density"]
    assert text == (
        "On the 9 held-out samples the network does not beat its baselines: accuracy 0.9, "
        f"{rule} 0.97; log loss 0.2, {rule} 0.1. {BETTER}"
    )
    (text,) = verdict("classification", classes((0.9, None), (0.9, 0.1), (0.5, 0.1)))
    assert text.endswith(f"accuracy 0.9, logistic regression 0.9. {BETTER}")  # equal is no better
    assert verdict("classification", classes(None, None, None)) == []  # type: ignore[arg-type]


def test_sentence_of_a_density_and_of_a_regression() -> None:
    rows = {"network": -1.0, "gaussian_mixture": None, "kernel": -0.9}
    (text,) = verdict("density", {"log_likelihood": {"test": rows}})
    assert text.endswith(f"log likelihood -1, the kernel density estimate -0.9. {BETTER}")
    assert verdict("density", {"log_likelihood": {"test": rows | {"kernel": -1.1}}}) == []
    assert verdict("density", {"log_likelihood": {"test": None}}) == []

    def row(r2: float, pinball: float) -> Any:
        return {"test": {"samples": 5, "r2": r2, "pinball_loss": {"0.05": pinball, "0.95": 0.0}}}

    metrics = row(0.8, 1.0) | {
        "linear_regression": row(0.7, 0.5),
        "kernel_regression": {"test": None},
    }
    (text,) = verdict("regression", metrics)
    assert text.endswith(f"baselines: pinball loss 0.5, linear regression 0.25. {BETTER}")


def test_run_says_what_it_is_worth(tmp_path: Path) -> None:
    """In run.json, in the table and in a note; a head that says nothing loses."""
    case = make_data_case(
        tmp_path,
        mesh={"cells": [12, 12]},
        loss={"kind": "cross_entropy"},
        penalty={"tikhonov": 1e3},
    )
    report = run(case, tmp_path / "out", comm=MPI.COMM_SELF).report
    metrics = report.metrics
    assert metrics.bayes is not None and metrics.kernel_density is not None
    assert metrics.kernel_density.test_accuracy > 0.9
    assert metrics.bayes.accuracy > metrics.bayes.network.accuracy
    rows = dict(summary(report))
    assert "kernel density 0.9" in rows["test accuracy"] and "test log loss" in rows
    assert f"Bayes bound {metrics.bayes.accuracy:.4f}" in rows["accuracy on the smoothed classes"]
    assert any("does not beat its baselines: " in note for note in report.notes)
    bare = make_data_case(tmp_path, mesh={"cells": [12, 12]})
    functional = ReducedFunctional(bare, MPI.COMM_SELF)
    found = measure(functional, functional.theta0)
    assert found["bayes"]["log_loss_gap"] is None and found["bayes"]["accuracy_gap"] >= 0.0
