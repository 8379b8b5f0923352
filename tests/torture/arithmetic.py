# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""NaN, infinities, huge and denormal numbers in controls, data and densities."""

from mpi4py import MPI

import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from helpers import gaussian, make_case
from mfresnet.arrays import Array
from mfresnet.case.case import parse
from mfresnet.errors import InputError, SolveError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.network.activations import ACTIVATIONS
from mfresnet.optimise.optimiser import minimise
from mfresnet.output.progress import Progress
from mfresnet.runs.runner import run
from torture.chapter import Chapter, Outcomes, check_sentences

CONTROLS, TABLES, DENSITIES = 60, 6, 10
"""Tries of a seed."""
SPECIAL = (np.nan, np.inf, -np.inf, 1e308, -1e308, 1e154, 1e100, 1e20, 1e6, 5e-324, -1e-310, 0.0)


def outcome(what: str, make: Callable[[], Any]) -> str:
    """Return how something ends: with finite numbers, or with a sentence."""
    try:
        found = np.asarray(make(), dtype=float)
    except (InputError, SolveError) as error:
        check_sentences(error)
        return "a sentence"
    except BaseException as error:
        raise AssertionError(what) from error
    assert np.isfinite(found).all(), f"{what}: {found.ravel()[:5]}"
    return "numbers"


def hostile(theta: Array, rng: np.random.Generator) -> Array:
    """Return controls of which some are special, or that all have another size."""
    theta = theta + 0.1 * rng.standard_normal(theta.size)
    if rng.random() < 0.3:
        return theta * 10.0 ** rng.uniform(-320, 300)
    places = rng.integers(theta.size, size=rng.integers(1, 4))
    theta[places] = rng.choice(SPECIAL, size=len(places))
    return theta


def controls(seed: int) -> Outcomes:
    """Ask J for its value, derivative and Hessian action at impossible controls."""
    found: Outcomes = Counter()
    rng = np.random.default_rng(seed)
    activation = ("tanh", "relu", "sin", "identity", "softplus", "sigmoid")[seed % 6]
    operator = ("fused", "petsc")[seed // 6 % 2]
    limiter = ("none", "zhang_shu", "smooth_zhang_shu")[seed // 12 % 3]
    sections: dict[str, Any] = {
        "network": {"activation": activation, "layers": 2},
        "time": {"limiter": limiter},
    }
    if not np.isfinite(
        ACTIVATIONS[activation].bound
    ):  # as many steps as are asked for may be years
        sections["time"]["steps_per_layer"] = 60
    case = make_case("interval", resources={"operator": operator}, **sections)
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    first, steps = functional.value(functional.theta0), functional.steps_per_layer
    for number in range(CONTROLS):
        theta = hostile(functional.theta0, rng)
        way = int(rng.integers(5))
        h = hostile(functional.theta0, rng)
        ways: list[Callable[[], Any]] = [
            lambda t=theta: functional.value(t),
            lambda t=theta: functional.derivative(t),
            lambda t=theta, h=h: functional.hessian_action(t, h),
            lambda h=h: functional.hessian_action(functional.theta0, h),
            lambda t=theta: minimise(functional, t).value,
        ]  # fmt: skip
        what = f"controls {number}, way {way}, {activation}, {operator}, {limiter}"
        found[f"controls: {outcome(what, ways[way])}"] += 1
        functional.set_steps(steps)
        again = functional.value(functional.theta0)
        assert again == first, f"{what}: J at other controls is another one afterwards"
    return found


def tables(seed: int, directory: Path) -> Outcomes:
    """Train on features of sizes over 12 decades, or over all that there are."""
    found: Outcomes = Counter()
    rng = np.random.default_rng([seed, 1])
    for number in range(TABLES):
        exponents = rng.uniform(-6, 6, 2) if number % 2 else rng.uniform(-320, 308, 2)
        y = np.arange(80) % 2
        x = (rng.standard_normal((80, 2)) + np.outer(y, [1.0, 0.5])) * 10.0**exponents
        if number % 3 == 0:
            x += 10.0 ** rng.uniform(-3, 18)
        if number == TABLES - 1:
            x[rng.integers(80), 0] = rng.choice(SPECIAL)
        rows = [f"{float(a)!r},{float(b)!r},{'pq'[k]}" for (a, b), k in zip(x, y, strict=True)]
        (directory / "a.csv").write_text("\n".join(["a,b,kind", *rows]) + "\n")
        scale = str(rng.choice(["standard", "robust", "none"]))
        data = {
            "mesh": {"cells": [8, 8]},
            "space": {"degree": 1},
            "network": {"layers": 2},
            "data": {"file": "a.csv", "label": "kind", "scale": scale},
            "training": {"max_iterations": 1},
            "output": {"fields": False, "pictures": False},
        }
        out = directory / str(number)

        def make(data: dict[str, Any] = data, out: Path = out) -> Any:
            result = run(parse(data, directory), out, comm=MPI.COMM_SELF, progress=Progress(1))
            return [*result.theta, result.report.objective.total]

        found[
            f"features on 12 decades and beyond: {outcome(f'table {number}, {scale}', make)}"
        ] += 1
    return found


def densities(seed: int) -> Outcomes:
    """Put Gaussians of impossible sizes on a mesh."""
    found: Outcomes = Counter()
    rng = np.random.default_rng([seed, 2])
    for number in range(DENSITIES):
        size = 10.0 ** rng.uniform(-90, 90) if number % 2 else 10.0 ** rng.uniform(-6, 6)
        mean = float(rng.choice([0.0, 1.0, 1e-30, 1e16, 1e90, -5.0]))
        target = float(rng.choice([0.0, 1e90, -1e50, 1.0]))
        classes = [{"density": gaussian([mean], [[size]]), "target": [target]}]
        box = bool(rng.integers(2))
        mesh = {"cells": [10], "lower": [-2.5] if box else None, "upper": [3.0] if box else None}

        def make(classes: Any = classes, mesh: Any = mesh) -> Any:
            given = {name: value for name, value in mesh.items() if value is not None}
            case = make_case("interval", classes=classes, mesh=given)
            functional = ReducedFunctional(case, MPI.COMM_SELF)
            return minimise(functional).value

        what = f"density {number}, mean {mean:g}, variance {size:g}, target {target:g}, {mesh}"
        found[f"densities: {outcome(what, make)}"] += 1
    return found


def trial(seed: int, directory: Path) -> Outcomes:
    """Try impossible numbers wherever there are numbers."""
    warnings.simplefilter("ignore")
    return controls(seed) + tables(seed, directory) + densities(seed)


CHAPTER = Chapter(
    name="arithmetic",
    what=f"{CONTROLS} controls a seed with NaN, infinities, 1e308 and denormals, {TABLES} "
    f"tables with "
    f"features on 12 decades and beyond, {DENSITIES} densities of any size: each ends in finite "
    "numbers or a sentence, and J at other controls is the same afterwards.",
    trial=trial,
    quick=1,
    full=20,
)
