# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Densities by a formula: what a formula means, what is refused, and every use of a density."""

from mpi4py import MPI

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from helpers import few, gaussian, make_case, write_table
from mfresnet.case.case import load, parse
from mfresnet.data.laws.density import Gaussian, project
from mfresnet.data.laws.expression import Expression
from mfresnet.data.laws.formula import FUNCTIONS, read_formula
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.handover import steered
from mfresnet.mesh.boxes import CELLS, box
from mfresnet.mesh.space import Space
from mfresnet.trained.sampling import log_density_at, sample
from mfresnet.verification.accuracy import loss_error
from mfresnet.verification.bounds.table import lower_bound

COMM = MPI.COMM_SELF
ROOT = Path(__file__).parents[2]
RING = "exp(-(hypot(x[0], x[1]) - 1)**2 / 0.05)"


def bell(mean: float, variance: float, d: int) -> str:
    """Return the formula of a Gaussian, of any mass."""
    squares = " + ".join(f"(x[{i}] - {mean!r})**2" for i in range(d))
    return f"3 * exp(-({squares}) / (2 * {variance!r}))"


def formula(text: str, half: float = 1.0, d: int = 1) -> dict[str, Any]:
    return {"kind": "expression", "expression": text, "lower": [-half] * d, "upper": [half] * d}


def test_values_of_formulas() -> None:
    x = np.random.default_rng(0).uniform(0.1, 0.9, (3, 50))
    a, b, c = x
    expected = {
        "1 + 2 * 3 ** 2 / 4 - -x[0]": 5.5 + a,
        "2 ** 3 ** 2 - (x[1] < 0.5)": 512.0 - (b < 0.5),
        "0.2 < x[0] <= x[1] < 0.8": (a > 0.2) & (a <= b) & (b < 0.8),
        "(x[0] > 0.1) + (x[1] > 0.1)": np.full(50, 2.0),
        "where(x[0] >= 0.5, sqrt(x[0] - 0.5), x[2])": np.where(a >= 0.5, abs(a - 0.5) ** 0.5, c),
        "pi * e": np.full(50, np.pi * np.e),
        "heaviside(x[0] - x[0]) + sign(-x[1])": np.full(50, -0.5),
        "erf(1)": np.full(50, 0.8427007929497149),
        " maximum(x[0],\n minimum(x[1], x[2])) ": np.maximum(a, np.minimum(b, c)),
        "arctan2(x[0], x[1]) - arctan(x[0] / x[1])": np.zeros(50),
        "hypot(x[0], x[1]) ** 2 - +x[1] ** 2": a**2,
    }
    for text, values in expected.items():
        np.testing.assert_allclose(read_formula(text)(x), values, atol=2e-16, err_msg=text)
    for name in ("abs", "arcsin", "arccos", "cos", "cosh", "exp", "log", "sin", "sinh", "tan"):
        one = read_formula(f"{name}(x[0])")
        np.testing.assert_array_equal(one(x), getattr(np, name)(a), err_msg=name)
        assert name in FUNCTIONS and one.dimension == 1
    assert read_formula("x[0] + x[2]").dimension == 3


MISTAKES = {
    "exp(-x[0]": r"expected a formula such as exp\(-x\[0\]\*\*2\) \('\(' was never closed\)",
    "": "expected a formula such as",
    "x[0] = 1": "expected a formula such as",
    "exq(x[0])": r"expected one of abs, .*, where, not exq \(did you mean 'exp'\?\)",
    "x[0] + px": r"expected one of x\[0\], x\[1\], x\[2\], e, pi, not px",
    "exp": r"expected exp\(\.\.\.\), not exp",
    "exp(x[0], 2)": "expected exp of 1 and not of 2 values",
    "exp(x=1)": r"expected numbers, .*, not exp\(x=1\)",
    "x": r"expected x\[0\], x\[1\] or x\[2\], not x\.",
    "x[-1]": r"expected x\[0\], x\[1\] or x\[2\], not x\[-1\]",
    "x[3]": r"expected x\[0\], x\[1\] or x\[2\], not x\[3\]",
    "x[1]": r"expected x\[0\] only, not x\[1\]",
    "x[0] ^ 2": r"expected \*\* for powers, not \^",
    "1j * x[0]": "expected numbers, .*, not 1j",
    "'a'": "expected numbers, .*, not 'a'",
    "True": "expected numbers, .*, not True",
    "x.shape": r"expected numbers, .*, not x\.shape",
    "1 if x[0] > 0 else 2": "expected numbers, .*, not 1 if",
    "(lambda: 1)()": "expected numbers, .*, not",
    "__import__('os').abort()": "expected numbers, .*, not __import__",
    "x[0]" + " + x[0]" * 400: "expected at most 300 operations",
    "(" * 999: "expected a formula such as",
    "x[0]": r"expected values of at least 0, not -0\.9\d+ at x = \(-0\.9\d+\)",
    "log(x[0])": r"expected finite real values, not nan at x = \(-0\.9\d+\)",
    "(-8) ** (1 / 3)": "expected finite real values, not nan",
    "10 ** 400": "expected finite real values, not inf",
    "9" * 400: "expected finite real values, not inf",
    "0 * x[0]": "expected a positive, finite integral",
}


@pytest.mark.parametrize("text", MISTAKES, ids=lambda text: text[:12])
def test_mistake(text: str) -> None:
    """One sentence, with the place of the formula, and nothing is run."""
    with pytest.raises(InputError, match=MISTAKES[text]) as caught:
        make_case("interval", classes=[{"density": formula(text), "target": 0.0}])
    (sentence,) = caught.value.messages
    assert sentence.startswith("classes.0.density.expression: wrong value; got ")
    assert sentence.endswith("Change classes.0.density.expression.") and "\n" not in sentence


def test_box_of_a_formula() -> None:
    """Corners that are left out are those of the mesh, wherever the density stands."""
    data = {"kind": "expression", "expression": "1 + x[0]**2"}
    nested = {"kind": "mixture", "components": [{"weight": 1.0, "density": data}]}
    sections = {
        "classes": [{"density": data}, {"density": nested}],
        "loss": {"kind": "density_l2", "target": data | {"upper": 0.5}},
    }
    case = make_case("interval", mesh={"lower": -1.0, "upper": 2.0}, **sections)
    assert (case.classes[0].density.lower, case.classes[0].density.upper) == ([-1.0], [2.0])
    assert case.classes[1].density.components[0].density == case.classes[0].density
    assert (case.loss.target.lower, case.loss.target.upper) == ([-1.0], [0.5])
    with pytest.raises(InputError) as caught:
        parse({"mesh": {"cell": "interval", "lower": -1.0}, **sections})
    found = caught.value.messages
    assert len(found) == 2  # a mesh without upper, one sentence for each place, and loss.target
    expected = "expected where its mass ends, here or as mesh.upper. Add classes.0.density.upper."
    assert found[0] == f"classes.0.density.upper: missing; got nothing, {expected}"
    for corners, message in (
        ({"lower": 1, "upper": 1}, "expected more than lower"),
        ({"lower": -1, "upper": [1, 2]}, "expected as many numbers as lower has, 1"),
        ({"lower": [0, 0, 0, 0], "upper": 1}, "at most 3 items"),
    ):
        with pytest.raises(ValidationError, match=message):
            Expression(expression="1", **corners)
    with pytest.raises(InputError, match=r"density\.meen: unknown key; .* expression, kind, lower"):
        make_case("interval", classes=[{"density": formula("1") | {"meen": 1}, "target": 0.0}])
    with pytest.raises(InputError, match=r"density\.lower: wrong length; got 2, expected 1"):
        make_case("interval", classes=[{"density": formula("1", d=2), "target": 0.0}])


@pytest.mark.parametrize("cell", CELLS)
def test_formula_of_a_gaussian(cell: str) -> None:
    """Projection and values are those of kind gaussian."""
    d = CELLS[cell]
    space = Space(box(COMM, cell, [few(cell, 14, 6)] * d, np.full(d, -2.0), np.full(d, 2.2)), 2)
    exact = Gaussian(mean=[0.1] * d, covariance=(0.09 * np.eye(d)).tolist())
    density = Expression(expression=bell(0.1, 0.09, d), lower=[-1.9] * d, upper=[2.1] * d)
    assert not density.jumps
    x = np.random.default_rng(1).uniform(-1.0, 1.0, (d, 100))
    np.testing.assert_allclose(density.density(x), exact.density(x), rtol=1e-9)
    (f, mass), (g, raw) = (project(row, space, "f0") for row in (density, exact))
    np.testing.assert_allclose(f, g, atol=1e-9 * np.abs(g).max())
    assert mass == pytest.approx(raw, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "integral", "smooth"),
    [
        (bell(0.1, 0.01, 1), 3.0 * np.sqrt(0.02 * np.pi), True),
        ("x[0] ** 2", 2.0 / 3.0, False),
        ("abs(x[0]) < 0.3", 0.6, False),
        ("maximum(0, 0.5 - abs(x[0]))", 0.25, False),
        ("sqrt(1 - x[0]**2)", np.pi / 2, False),
    ],
)
def test_integral_and_smoothness(text: str, integral: float, smooth: bool) -> None:
    """A jump at the edge of the box counts."""
    density = Expression(expression=text, lower=-1.0, upper=1.0)
    assert density.jumps != smooth
    value = read_formula(text)(np.array([[0.05]]))[0] / density.density(np.array([[0.05]]))[0]
    assert value == pytest.approx(integral, rel=1e-9 if smooth else 2e-3)
    assert density.density(np.array([[-1.1, 1.1]])).tolist() == [0.0, 0.0]


def test_value_that_only_the_mesh_finds() -> None:
    """A point of its rules lies where the formula is infinite."""
    space = Space(box(COMM, "interval", [5], np.full(1, -1.0), np.ones(1)), 0)
    node = float(space.cell_quadrature(8, 8).x[2, 3, 0])
    density = Expression(expression=f"abs(x[0] - {node!r}) ** -0.3", lower=-1.0, upper=1.0)
    with pytest.raises(
        InputError, match=r"^start\.expression: wrong value; .* not inf at x = \(-0"
    ):
        project(density, space, "start")


def test_points_are_drawn_in_any_dimension() -> None:
    rng = np.random.default_rng(5)
    for d in (1, 2, 3):
        density = Expression(expression=bell(0.2, 0.04, d), lower=[-1.0] * d, upper=[1.5] * d)
        x = density.sample(40_000, rng)
        assert x.shape == (d, 40_000)
        np.testing.assert_allclose(x.mean(axis=1), 0.2, atol=5e-3)
        np.testing.assert_allclose(np.cov(x).reshape(d, d), 0.04 * np.eye(d), atol=1.5e-3)
        again = [density.sample(9, np.random.default_rng(k)) for k in (1, 1, 2)]
        assert np.array_equal(again[0], again[1]) and not np.array_equal(again[0], again[2])


def test_training_sees_no_difference() -> None:
    """J, its derivative, the error of the loss and the lower bound: as of Gaussians."""
    data = {"network": {"layers": 2}, "mesh": {"cells": [16, 16], "lower": [-3, -3]}}
    found = []
    for density in (
        gaussian([0.2, 0.2], [[0.09, 0], [0, 0.09]]),
        formula(bell(0.2, 0.09, 2), 2, 2),
    ):
        classes = [{"density": density, "target": [2.5, 0.0]}]
        functional = ReducedFunctional(make_case("quadrilateral", classes=classes, **data), COMM)
        theta, bound = functional.theta0 + 0.1, lower_bound(functional.problem)
        assert loss_error(functional, theta, 1).right and bound is not None and bound.value > 0.1
        values = [functional.value(theta), bound.value, functional.steps_per_layer]
        found.append([*values, *functional.derivative(theta)])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-7)


def test_target_and_start(tmp_path: Path) -> None:
    """The density to reach, with its bound on the marginals; the density to start from."""
    found = []
    for target in (gaussian(1.9, 0.04), formula(bell(1.9, 0.04, 1), 3.0)):
        loss = {"kind": "density_l2", "target": target}
        case = make_case("interval", classes=[{"density": gaussian(0.0, 0.04)}], loss=loss)
        functional = ReducedFunctional(case, COMM)
        bound = lower_bound(functional.problem)
        assert bound is not None
        found.append([functional.value(functional.theta0), bound.value])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    x = np.random.default_rng(2).standard_normal(200)
    write_table(tmp_path / "x.csv", {"x": x})
    mesh = {"cell": "interval", "cells": 40, "lower": -5.0, "upper": 5.0}
    start = {"kind": "expression", "expression": "abs(x[0]) < 1"}
    data = {"mesh": mesh, "data": {"file": "x.csv"}, "start": start, "task": "density"}
    functional = ReducedFunctional(parse(data, tmp_path), COMM)
    model = steered(functional, 0.0 * functional.theta0)
    assert np.abs(sample(model, 100, 0) - model.network.shift).max() < x.std(ddof=1)
    log_f = log_density_at(model, np.array([[-0.9, 0.3, 1.2]]))
    np.testing.assert_allclose(log_f, [np.log(0.5), np.log(0.5), -np.inf], atol=1e-3)


def test_ring_on_a_mesh_from_a_file() -> None:
    case = load(ROOT / "cases/disk_2d.toml", ["space.degree=1", "network.layers=2"])
    density = Expression(expression=RING, lower=[-2.5, -2.5], upper=[2.5, 2.5])
    section = case.classes[0].model_copy(update={"density": density})
    functional = ReducedFunctional(
        case.model_copy(update={"classes": [section, case.classes[1]]}), COMM
    )
    assert functional.problem.initial_mass[0] == pytest.approx(1.0, abs=1e-4)
    space = functional.problem.space
    rule = space.quadrature
    f = space.at_quadrature(functional.problem.f0[0], rule.basis) * rule.weights
    mean = float(np.sum(f * np.linalg.norm(rule.x, axis=-1)))
    r = np.linspace(0.0, 3.0, 3001)
    weights = r * np.exp(-((r - 1.0) ** 2) / 0.05)
    assert mean == pytest.approx(np.sum(weights * r) / np.sum(weights), rel=2e-3)
