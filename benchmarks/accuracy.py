# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Trainings to an accuracy beside those on meshes that were chosen by hand, and their true errors.

docker/run python3 benchmarks/accuracy.py cases           # all of cases/, or those that are named
docker/run python3 benchmarks/accuracy.py gaussians       # two Gaussian classes: true loss and time
docker/run python3 benchmarks/accuracy.py held_out        # problems that nothing was tuned with
docker/run python3 benchmarks/accuracy.py empty           # cells that never have mass

The reference of ``cases`` and ``held_out`` is J of the controls that were found on a mesh with one
degree more and 1.7 times as many cells a direction; that of ``gaussians`` is the mean over points
of a Gauss-Hermite rule that the network moves.
"""

from __future__ import annotations

from mpi4py import MPI

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.case import Case, load, populate
from mfresnet.data import Samples
from mfresnet.errors import InputError, SolveError
from mfresnet.functional import ParticleFunctional, ReducedFunctional
from mfresnet.mesh import CELLS, MESHES
from mfresnet.optimise import Functional, Oracle, minimise
from mfresnet.training import Trained, train_case

CASES = Path(__file__).parents[1] / "cases"
COMM = MPI.COMM_WORLD
FINER = 1.7
REPEATS = 5
EXCESS = (1e-3, 1e-4, 1e-5)
SKEWED = "exp(-4 * x[1]**2 - 3 * (x[0] - 0.4)**2) * (1 + erf(4 * (x[0] - 0.4)))"
RING = "exp(-8 * (sqrt(x[0]**2 + x[1]**2) - 1.3)**2)"
WIDE = {"block": "wide", "width": 5}
Changes = dict[str, Any]


def to_accuracy(case: Case, accuracy: float) -> Case:
    """Return a case that asks for an accuracy and says nothing of cells, degree and steps."""
    changes: Changes = {
        "accuracy": accuracy,
        "time": {"steps_per_layer": None},
        "training": {"levels": None},
    }
    if MESHES[case.mesh.kind].grid:
        changes["mesh"] = {"cells": None}
    return case.with_(changes)


def trained(case: Case, oracle: Oracle | None = None) -> tuple[Trained, float]:
    """Train a case, and return what was found and the seconds with the set-up."""
    start = time.perf_counter()
    population = populate(case, COMM)
    found = train_case(case, population, COMM, oracle=oracle)
    return found, time.perf_counter() - start


def finer(found: Trained) -> float:
    """Return J of the controls on a finer mesh, not a number where it cannot be had."""
    f = found.functional
    changes: Changes = {
        "space": {"degree": f.case.space.degree + 1},
        "time": {"steps_per_layer": None, "order": 4},
    }
    if MESHES[f.case.mesh.kind].grid:
        changes["mesh"] = {"cells": [int(np.ceil(FINER * n)) for n in f.case.cells()]}
    try:
        g = ReducedFunctional(f.case.with_(changes), COMM, f.population)
        g.make_room(g.steps_for(found.result.theta))
        return g.value(found.result.theta)
    except (InputError, SolveError):
        return np.nan


def discretisation(found: Trained) -> str:
    """Return cells and degree."""
    case = found.functional.case
    cells = " x ".join(map(str, case.cells())) if MESHES[case.mesh.kind].grid else "of the file"
    return f"{cells}, {case.space.degree}"


def row(name: str, case: Case, accuracy: float) -> float:
    """Print a row of the training of a case to an accuracy, and return its seconds."""
    start = time.perf_counter()
    try:
        found, seconds = trained(to_accuracy(case, accuracy))
    except (InputError, SolveError) as refusal:
        print(f"| {name} | refused: {refusal}" + " |" * 8, end="", flush=True)
        return time.perf_counter() - start
    error, reference = found.error, finer(found)
    assert error is not None
    said = "reached" if error.reached else "refused"
    corrected = "" if error.corrected is None else f"{abs(error.corrected / reference - 1):.1e}"
    print(
        f"| {name} | {discretisation(found)} | {error.value:.6g} | {said} | {error.relative:.1e} "
        f"| {abs(error.value / reference - 1):.1e} | {corrected} "
        f"| {error.parts['optimisation'].size / abs(error.value):.1e} | {seconds:.2f} |",
        end="",
        flush=True,
    )
    return seconds


HEAD = "| case | mesh, degree | J | accuracy | error said | true | corrected J | not trained | s |"


def cases(accuracy: float, names: Sequence[str]) -> None:
    """Train all cases to an accuracy and on their own meshes."""
    print(f"{HEAD} s on the mesh of the case | its J |")
    print("|---" * 11 + "|")
    totals = np.zeros(2)
    for path in sorted(CASES.glob("*.toml")):
        if names and path.stem not in names:
            continue
        case = load(path)
        seconds = row(path.stem, case, accuracy)
        own, by_hand = trained(case)
        totals += seconds, by_hand
        print(f" {by_hand:.2f} | {own.result.value:.6g} |", flush=True)
    print(f"in total {totals[0]:.1f} s and {totals[1]:.1f} s, {totals[1] / totals[0]:.2g} times")


# ---------------------------------------------------------------------- two Gaussian classes
class Recorder(Oracle):
    """Keeps all controls that J was asked for, with the seconds."""

    def __init__(self) -> None:
        """Start the clock."""
        self.start = time.perf_counter()
        self.asked: list[tuple[float, Array]] = []

    def evaluate(self, functional: Functional, theta: Array) -> tuple[float, Array]:
        """Keep theta."""
        found = super().evaluate(functional, theta)
        self.asked.append((time.perf_counter() - self.start, theta.copy()))
        return found


def hermite(case: Case, n: int) -> Samples:
    """Return n x n nodes of a Gauss-Hermite rule for each class."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    points, masses, classes = [], [], []
    for k, (population, mass) in enumerate(zip(case.classes, case.class_weights(), strict=True)):
        density = population.density
        grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij")).reshape(2, -1)
        root = np.linalg.cholesky(np.asarray(density.covariance))
        points.append(np.asarray(density.mean)[:, None] + root @ grid)
        masses.append(mass * np.outer(weights, weights).ravel() / weights.sum() ** 2)
        classes.append(np.full(n * n, k))
    return Samples(np.concatenate(points, axis=1), np.concatenate(classes), np.concatenate(masses))


def near(case: Case, true: ParticleFunctional, least: float) -> tuple[Trained, Array]:
    """Train a case some times; return the least seconds until the excess is small, and in all."""
    best = np.full(len(EXCESS) + 1, np.inf)
    for _ in range(REPEATS):
        recorder = Recorder()
        found, seconds = trained(case, recorder)
        excess = np.array([true.value(theta) / least - 1.0 for _, theta in recorder.asked])
        first = [np.flatnonzero(excess <= small) for small in EXCESS]
        times = [recorder.asked[i[0]][0] if i.size else np.inf for i in first]
        best = np.minimum(best, [*times, seconds])
    return found, best


def gaussians(accuracy: float) -> None:
    """Print when the true loss of the controls is near its least value."""
    case = load(CASES / "two_classes_2d.toml")
    tight = case.with_({"training": {"gradient_tolerance": 1e-9, "max_iterations": 500}})
    true = ParticleFunctional(tight, hermite(case, 24), COMM)
    least = minimise(true).value
    print(f"least population loss {least:.10g}")
    print("| | J | error said | excess at the end | s to 1e-3 | 1e-4 | 1e-5 | in all |")
    print("|---" * 8 + "|")
    by_hand = {"mesh": {"cells": [16, 16]}, "training": {"gradient_tolerance": 1e-5}}
    rows = {
        f"accuracy {asked:.0e}": to_accuracy(case, asked)
        for asked in (10.0 * accuracy, accuracy, 0.1 * accuracy)
    }
    for name, wanted in (rows | {"16 x 16, degree 2": case.with_(by_hand)}).items():
        found, best = near(wanted, true, least)
        said = "" if found.error is None else f"{found.error.relative:.1e}"
        last = true.value(found.result.theta) / least - 1.0
        reached = " | ".join(f"{s:.3f}" for s in best)
        head = f"| {name} | {found.result.value:.8g} | {said} | {last:.1e} "
        print(f"{head}| {reached} |", flush=True)


# ---------------------------------------------------------------------- held-out problems
def gaussian(mean: Any, covariance: Any) -> Changes:
    """Return a Gaussian density."""
    return {"kind": "gaussian", "mean": mean, "covariance": covariance}


def box(cell: str, half: float) -> Changes:
    """Return a cube around zero."""
    d = CELLS[cell]
    lower, upper = ([-half] * d, [half] * d) if d > 1 else (-half, half)
    return {"cell": cell, "lower": lower, "upper": upper}


def of_classes(*entries: tuple[Changes, Any]) -> list[Changes]:
    """Return classes of densities with targets."""
    return [
        {"label": str(k), "density": density} | ({} if target is None else {"target": target})
        for k, (density, target) in enumerate(entries)
    ]


def mixture(*densities: Changes) -> Changes:
    """Return a mixture of equal weights."""
    components = [{"weight": 1.0 / len(densities), "density": density} for density in densities]
    return {"kind": "mixture", "components": components}


def cross_entropy(seed: int, *densities: Changes) -> Changes:
    """Return the sections of classes that a wide network tells apart."""
    return {
        "mesh": box("quadrilateral", 4.0),
        "network": WIDE | {"layers": 4, "final_time": 1.0},
        "loss": {"kind": "cross_entropy"},
        "penalty": {"tikhonov": 1e-3},
        "initial": {"kind": "random", "seed": seed},
        "classes": of_classes(*((density, None) for density in densities)),
    }


def held_out_cases() -> dict[str, Changes]:
    """Return the sections of the problems by name."""
    round_ = [[0.2, 0.0], [0.0, 0.2]]
    two_modes = mixture(gaussian([-0.9, 0.0], round_), gaussian([0.9, 0.3], round_))
    on_line = mixture(gaussian(-0.8, 0.1), gaussian(1.0, 0.2))
    in_space = np.diag([0.2, 0.3, 0.25]).tolist()
    return {
        "narrow": {
            "mesh": box("quadrilateral", 3.0),
            "network": {"layers": 5, "final_time": 1.0},
            "classes": of_classes(
                (gaussian([-0.4, 0.1], [[0.01, 0.0], [0.0, 0.02]]), [-1.0, 0.0]),
                (gaussian([0.3, -0.2], [[0.02, 0.0], [0.0, 0.01]]), [1.0, 0.5]),
            ),
        },
        "skewed": {
            "mesh": box("triangle", 3.0),
            "network": {"layers": 5, "final_time": 1.0},
            "classes": of_classes(
                (gaussian([-0.5, 0.0], [[0.3, 0.2], [0.2, 0.2]]), [-1.0, 0.0]),
                ({"kind": "expression", "expression": SKEWED}, [1.0, 0.0]),
            ),
        },
        "three classes": {
            "mesh": box("quadrilateral", 3.5),
            "network": {"layers": 8, "final_time": 1.0},
            "classes": of_classes(
                (gaussian([-0.6, 0.0], round_), [-1.2, 0.0]),
                (gaussian([0.5, 0.6], round_), [0.6, 1.1]),
                (gaussian([0.4, -0.7], round_), [0.6, -1.1]),
            ),
        },
        "in space": {
            "mesh": box("hexahedron", 3.5),
            "network": {"layers": 3, "final_time": 1.0},
            "classes": of_classes(
                (gaussian([-0.5, 0.2, 0.0], in_space), [-1.0, 0.0, 0.5]),
                (gaussian([0.5, -0.1, 0.2], in_space), [1.0, 0.0, 0.0]),
            ),
        },
        "tetrahedra": {
            "mesh": box("tetrahedron", 3.0),
            "network": {"layers": 2, "final_time": 0.5},
            "classes": of_classes((gaussian([-0.3, 0.2, 0.0], in_space), [0.3, 0.0, 0.2])),
        },
        "wide, cross-entropy": cross_entropy(
            2, two_modes, gaussian([0.0, -0.2], [[0.1, 0.0], [0.0, 0.3]])
        ),
        "disk in a ring": cross_entropy(
            3,
            {"kind": "expression", "expression": RING},
            gaussian([0.0, 0.0], [[0.12, 0.0], [0.0, 0.12]]),
        ),
        "L2 on the line": {
            "mesh": box("interval", 5.0),
            "network": WIDE | {"layers": 5, "final_time": 1.0},
            "loss": {"kind": "density_l2", "target": on_line},
            "penalty": {"tikhonov": 1e-4},
            "initial": {"kind": "random", "seed": 4},
            "classes": [{"density": gaussian(0.2, 0.3)}],
        },
        "Kullback-Leibler": {
            "mesh": box("quadrilateral", 4.0),
            "network": WIDE | {"layers": 3, "final_time": 1.0},
            "loss": {"kind": "kullback_leibler", "target": two_modes},
            "penalty": {"tikhonov": 1e-3},
            "initial": {"kind": "random", "seed": 5},
            "classes": [{"density": gaussian([0.0, 0.0], [[0.4, 0.0], [0.0, 0.3]])}],
        },
        "sigmoid on the line": {
            "mesh": box("interval", 4.0),
            "network": {"layers": 10, "final_time": 1.0, "activation": "sigmoid"},
            "classes": of_classes((gaussian(-0.6, 0.1), -0.8), (on_line, 0.9)),
        },
    }


def moons(path: Path) -> Changes:
    """Write two half circles with noise, 400 samples, and return the sections of their case."""
    rng = np.random.default_rng(5)
    y = np.repeat([0, 1], 200)
    angle = np.pi * rng.random(y.size) + np.pi * y
    x = np.stack([np.cos(angle) + 0.5 * (2 * y - 1), np.sin(angle) + 0.3 * (2 * y - 1)])
    x += 0.15 * rng.standard_normal(x.shape)
    np.savetxt(path, np.vstack([x, y]).T, delimiter=",", header="a,b,label", comments="")
    return {
        "mesh": {"cell": "quadrilateral"},
        "network": {"layers": 6, "final_time": 1.5},
        "data": {"file": str(path), "label": "label", "bandwidth": 0.2},
    }


def held_out(accuracy: float, names: Sequence[str]) -> None:
    """Train problems that nothing was tuned with."""
    print(HEAD)
    print("|---" * 9 + "|")
    with tempfile.TemporaryDirectory() as directory:
        problems = held_out_cases() | {"a table": moons(Path(directory) / "moons.csv")}
        for name, sections in problems.items():
            if not names or name in names:
                row(name, Case(**sections), accuracy)
                print(flush=True)


def empty(accuracy: float, names: Sequence[str]) -> None:
    """Print how many cells never have mass, and what share of a training sweeps over cells are."""
    print(
        "| case | cells, degree | without 1e-6 of a class | CPU s | share of sweeps on the mesh |"
    )
    print("|---" * 5 + "|")
    for path in sorted(CASES.glob("*.toml")):
        case = load(path)
        if not MESHES[case.mesh.kind].grid or (names and path.stem not in names):
            continue
        start = time.process_time()
        found = train_case(to_accuracy(case, accuracy), populate(case, COMM), COMM)
        all_of_it, f, theta = time.process_time() - start, found.functional, found.result.theta
        start = time.process_time()
        f.value(theta + 1e-9)
        forward = time.process_time() - start
        f.derivative(theta + 1e-9)
        both = time.process_time() - start
        space = f.problem.space
        largest = np.zeros(space.n_owned_cells)

        def see(n: int, densities: Array, left: Array) -> None:
            mass = np.abs(densities * space.mass)[:, space.dofs[: space.n_owned_cells]]  # noqa: B023
            np.maximum(largest, mass.sum(axis=2).max(axis=0), out=largest)  # noqa: B023

        f.value(theta)
        f.sweep.revisit(see, np.ones(f.sweep.steps + 1, dtype=bool))
        last = found.stages[-1]
        swept = last.forward_sweeps * forward + last.adjoint_sweeps * (both - forward)
        print(
            f"| {path.stem} | {discretisation(found)} | {100 * np.mean(largest < 1e-6):.0f} % "
            f"| {all_of_it:.2f} | {100 * swept / all_of_it:.0f} % |",
            flush=True,
        )


PARTS = {"cases": cases, "held_out": held_out, "empty": empty}


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=[*PARTS, "gaussians"])
    parser.add_argument("names", nargs="*", help="of cases or problems; all when not given")
    parser.add_argument("--accuracy", type=float, default=1e-3)
    given = parser.parse_args()
    if given.part == "gaussians":
        gaussians(given.accuracy)
    else:
        PARTS[given.part](given.accuracy, given.names)


if __name__ == "__main__":
    main()
