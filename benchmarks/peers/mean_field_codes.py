# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The optimality system by shooting, as the papers on the mean-field maximum principle have it."""

from __future__ import annotations

from mpi4py import MPI

import itertools
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from benchmarks.peers.evaluator import Array, quadratic_loss
from benchmarks.peers.maximum_principle import Method, Mixed, Particles, Upwind, shoot
from benchmarks.peers.page import seconds, table
from benchmarks.peers.problems import Gaussian, Problem

from mfresnet import Case, ParticleFunctional, minimise
from mfresnet.case import populate
from mfresnet.data import Samples
from mfresnet.optimise import Functional, Oracle
from mfresnet.training import train_case

TITLE = "The optimality system of the field's own code"
LAYERS, TIKHONOV = 10, 0.1
PROBLEMS = {
    "1-D": Problem(
        "modes at +-1 with the variance 0.04, pushed to +-2",
        (Gaussian(np.array([-1.0]), np.eye(1) * 0.04), Gaussian(np.array([1.0]), np.eye(1) * 0.04)),
        np.array([[-2.0], [2.0]]),
        3.2,
        40,
    ),
    "2-D": Problem(
        "modes at +-(1, 0.4) with the covariance 0.05, pushed to +-(1.5, 1.2)",
        (
            Gaussian(np.array([-1.0, -0.4]), np.eye(2) * 0.05),
            Gaussian(np.array([1.0, 0.4]), np.eye(2) * 0.05),
        ),
        np.array([[-1.5, -1.2], [1.5, 1.2]]),
        3.2,
        24,
    ),
}
EXCESS = (1e-2, 1e-3, 1e-4)
ACCURACIES = (1e-2, 1e-3, 1e-4)
REPEATS = 3
NUMBERS, STEPS, MIXED = (100, 1000, 10_000), (1, 4), 1000
"""Particles of a class, Euler steps in a layer; particles of a class beside a grid."""
CELLS = {"1-D": (50, 100, 200, 400), "2-D": (50, 100, 200)}
PATIENCE = 60.0
"""Seconds after which a run of a rival is stopped."""
QUICK = 4.0
"""The same with small sizes."""
OURS, KINDS = "mfresnet", ("particles", "upwind", "particles and upwind")
Course = list[tuple[float, float]]
"""Seconds and excess of all controls that were tried."""
EXPECTED = 100.0


class Recorder(Oracle):
    """Keeps all controls that J was asked for, with the seconds."""

    def __init__(self) -> None:
        """Start the clock."""
        self.start, self.asked = time.perf_counter(), list[tuple[float, Array]]()

    def evaluate(self, functional: Functional, theta: Array) -> tuple[float, Array]:
        """Keep theta."""
        found = super().evaluate(functional, theta)
        self.asked.append((time.perf_counter() - self.start, theta.copy()))
        return found


def sections(problem: Problem) -> dict[str, Any]:
    """Return the sections of the case: no bias, the start at zero."""
    given = problem.case()
    given["network"] |= {"trainable": ["W"]}
    return given | {"penalty": {"tikhonov": TIKHONOV}, "initial": {"kind": "zero"}}


def true_loss(problem: Problem, W: Array) -> float:  # noqa: N803
    """Return the population loss."""
    bias = np.zeros(W.shape[:2])
    return quadratic_loss(problem.reference, problem.targets, TIKHONOV, W, bias)


def least(problem: Problem) -> float:
    """Return the least population loss, by L-BFGS on the nodes of the evaluator."""
    training = {"gradient_tolerance": 1e-11, "max_iterations": 2000}
    case = Case(**sections(problem), training=training, time={"order": 4, "steps_per_layer": 2})
    nodes = problem.reference
    samples = Samples(np.ascontiguousarray(nodes.x.T), nodes.classes, nodes.masses)
    functional = ParticleFunctional(case, samples, MPI.COMM_SELF)
    found = functional.controls.from_vector(minimise(functional).theta)
    return true_loss(problem, np.array(found.values["W"]))


def reached(course: Course) -> list[float | None]:
    """Return when the excess has come below each bound for good."""
    found: list[float | None] = []
    for bound in EXCESS:
        above = [i for i, (_, excess) in enumerate(course) if excess > bound]
        first = above[-1] + 1 if above else 0
        found.append(course[first][0] if first < len(course) else None)
    return found


def ours(problem: Problem, accuracy: float, best: float) -> Course:
    """Return the course of a training to an accuracy, from nothing: the one of median time."""
    case, courses = Case(**sections(problem), accuracy=accuracy), []
    for repeat in range(1 + REPEATS):
        recorder = Recorder()
        found = train_case(case, populate(case, MPI.COMM_SELF), MPI.COMM_SELF, oracle=recorder)
        of = found.functional.controls.from_vector
        course = [
            (at, true_loss(problem, np.array(of(theta).values["W"])) / best - 1.0)
            for at, theta in recorder.asked
        ]
        if repeat:  # the first may have compiled
            courses.append(course)
    return sorted(courses, key=lambda course: course[-1][0])[REPEATS // 2]


def rivals(name: str, quick: bool) -> dict[str, dict[str, Callable[[], Method]]]:
    """Return the methods by kind and configuration."""
    problem = PROBLEMS[name]
    half, d = problem.half, problem.d
    cells = CELLS[name][:1] if quick else CELLS[name]
    numbers, steps = (NUMBERS[1:2], STEPS[:1]) if quick else (NUMBERS, STEPS)
    squares = {c: " x ".join([str(c)] * d) + " cells" for c in cells}
    found: dict[str, dict[str, Callable[[], Method]]] = {kind: {} for kind in KINDS}
    for n, m in itertools.product(numbers, steps):
        what = f"{n:,} a class, {m} Euler step{'s' * (m > 1)} a layer"
        found[KINDS[0]][what] = partial(Particles, problem, LAYERS, m, n, 0)
    for c, what in squares.items():
        found[KINDS[1]][what] = partial(Upwind, problem, LAYERS, c, half)
    for c in cells[:2]:
        what = f"{MIXED:,} a class, {squares[c]}"
        found[KINDS[2]][what] = partial(Mixed, problem, LAYERS, c, half, MIXED)
    return found


def run(problem: Problem, make: Callable[[], Method], best: float, patience: float) -> Course:
    """Return the course of a rival, with its set-up."""
    start = time.perf_counter()
    method = make()
    setup = time.perf_counter() - start
    return [
        (setup + at, true_loss(problem, W) / best - 1.0)
        for at, W in shoot(method, TIKHONOV, patience)
    ]


def measure(quick: bool) -> dict[str, Any]:
    """Return, by problem, the courses of all methods and when they come near the optimum."""
    found = {}
    for name, problem in PROBLEMS.items():
        best = least(problem)
        runs: list[dict[str, Any]] = []
        for accuracy in ACCURACIES[1:2] if quick else ACCURACIES:
            course = ours(problem, accuracy, best)
            runs.append({"kind": OURS, "what": f"accuracy = {accuracy:g}", "course": course})
        for kind, configurations in rivals(name, quick).items():
            for what, make in configurations.items():
                course = run(problem, make, best, QUICK if quick else PATIENCE)
                runs.append({"kind": kind, "what": what, "course": course})
        for one in runs:
            one["reached"] = reached(one["course"])
            one["excess"] = one["course"][-1][1]
            one["course"] = thinned(one["course"])
        found[name] = {"least": best, "runs": runs}
    return {"problems": found, "patience": QUICK if quick else PATIENCE}


def thinned(course: Course) -> Course:
    """Return enough of a course to draw it."""
    every = max(1, len(course) // 40)
    return [*course[:-1:every], course[-1]]


def soonest(runs: list[dict[str, Any]], kind: str | None, bound: int) -> dict[str, Any] | None:
    """Return the run of a kind, or of all rivals, that is the first below a bound."""
    mine = [r for r in runs if (r["kind"] == kind if kind else r["kind"] != OURS)]
    done = [r for r in mine if r["reached"][bound] is not None]
    return min(done, key=lambda r: r["reached"][bound]) if done else None


def ratio(
    runs: list[dict[str, Any]], kind: str | None, bound: int, patience: float
) -> tuple[float, bool] | None:
    """Return how many times as long a rival takes as we, and whether it came there at all.

    None where we do not come there; the times for which it was tried where the rival does not.
    """
    own, other = soonest(runs, OURS, bound), soonest(runs, kind, bound)
    if own is None:
        return None
    return (patience if other is None else other["reached"][bound]) / own["reached"][bound], (
        other is not None
    )


def times(found: tuple[float, bool] | None) -> str:
    """Return a ratio in words."""
    if found is None:
        return "not reached by us"
    return rounded(found[0]) if found[1] else f"not in {found[0]:.0f}"


def rounded(factor: float) -> str:
    """Return a factor with two digits."""
    return f"{factor:.2g}" if factor < 10.0 else f"{factor:.0f}"


def of_problem(name: str, given: dict[str, Any], patience: float) -> str:
    """Return text and table of a problem."""
    problem, runs = PROBLEMS[name], given["runs"]
    head = ["method", *(f"s to {100 * bound:g} %" for bound in EXCESS), "excess at the end"]
    rows = [
        [f"{r['kind']}, {r['what']}", *map(seconds, r["reached"]), f"{r['excess']:.1e}"]
        for r in runs
    ]
    ratios = [
        [kind, *(times(ratio(runs, kind, i, patience)) for i in range(len(EXCESS)))]
        for kind in KINDS
    ]
    over = [
        "times as long as ours, the soonest of its kind",
        *(f"{100 * bound:g} %" for bound in EXCESS),
    ]
    return (
        f"### {name}: {problem.said}\n\nLeast population loss {given['least']:.8f}.\n\n"
        f"{table(head, rows)}\n\n{table(over, ratios)}\n"
    )


def within(given: dict[str, Any], patience: float, most: float) -> list[str]:
    """Return in words the rivals that come to a bound in less than so many times our time."""
    found = []
    for kind in KINDS:
        for i, bound in enumerate(EXCESS):
            one = ratio(given["runs"], kind, i, patience)
            if one is not None and one[1] and one[0] < most:
                found.append(f"{kind} to {100 * bound:g} % ({rounded(one[0])} times)")
    return found


def verdict(found: dict[str, Any]) -> str:
    """Return where we lose on the line, and what came out in the plane."""
    problems, patience = found["problems"], found["patience"]
    lost = within(problems["1-D"], patience, 1.0)
    less = within(problems["2-D"], patience, EXPECTED)
    line = f"On the line, where everything is small, we lose to {', '.join(lost)}. " if lost else ""
    if not less:
        return f"{line}In the plane no rival is within {EXPECTED:.0f} times our time, as expected."
    none = soonest(problems["2-D"]["runs"], None, len(EXCESS) - 1) is None
    last = f" No rival comes to {100 * EXCESS[-1]:g} %." if none else ""
    return (
        f"{line}In the plane {EXPECTED:.0f} times were expected. It is less for {', '.join(less)}: "
        f"a percent needs few particles, and few particles are fast.{last}"
    )


def page(found: dict[str, Any]) -> str:
    """Return the section."""
    patience = found["patience"]
    parts = [of_problem(name, given, patience) for name, given in found["problems"].items()]
    each = "\n".join(parts)
    return f"""\
Bimodal data of the kind of B. Bonnet, C. Cipriani, M. Fornasier, H. Huang, *A measure theoretical
approach to the mean-field maximum principle for training NeurODEs*: two modes, each with a target,
v = tanh(W(t) x) without a bias, T = 1, W constant in {LAYERS} layers and zero at the start, J =
mean of 1/2 |x(T) - y|^2 + {TIKHONOV}/2 int |W|^2 dt. Their places and variances are ours. The
excess is J of the population over its least value minus 1, by Gauss-Hermite nodes that RK4
carries, the same for all; a time counts from when the excess stays below.

The rivals are shooting for the maximum principle as we understand it, written by us
(`benchmarks/peers/maximum_principle.py`); we ran no code of the authors. Densities go forward,
adjoints backward, and in every layer the root of the derivative of the Hamiltonian in W by SciPy,
from the controls of before; a proximal term makes it converge where the roots alone do not, as in
the plane. *Particles*: samples and their costates by Euler's method, one draw. *Upwind*:
densities and adjoints by the first-order upwind method. *Particles and upwind*: densities by
particles, adjoints by the upwind method. All in NumPy, stopped after {patience:g} s. Ours is the
command's training with `accuracy`, from nothing, meshes made and refined by itself.

{each}
{verdict(found)} What costs the rivals their time in the plane is the number of their iterations,
each with a root in every layer for which all places of all its steps are gone through; what costs
them accuracy is the first order of the grid, and the draw and Euler's steps of the particles.
"""


def line(found: dict[str, Any]) -> tuple[str, str]:
    """Return the line of the README."""
    runs, patience = found["problems"]["2-D"]["runs"], found["patience"]
    own, near = soonest(runs, OURS, 1), times(ratio(runs, None, 1, patience))
    said = "not reached" if own is None else f"{seconds(own['reached'][1])} s"
    many = sum(r["kind"] != OURS for r in runs)
    return (
        "bimodal data in the plane to 0.1 % of the optimum, beside shooting",
        f"{said}; {near} times as long by the soonest of {many} runs",
    )


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw the excess over the seconds."""
    figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.4), sharey=True, layout="constrained")
    for axis, (name, given) in zip(axes, found["problems"].items(), strict=True):
        for i, kind in enumerate((OURS, *KINDS)):
            for j, one in enumerate(r for r in given["runs"] if r["kind"] == kind):
                at, excess = np.array(one["course"]).T
                label = None if j else kind
                style = "o-" if kind == OURS else "-"
                axis.loglog(
                    at, np.maximum(excess, 1e-8), style, color=f"C{i}", ms=2, lw=1, label=label
                )
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("s")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("excess of the population loss")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=7
    )
    figure.savefig(path, dpi=160)
    plt.close(figure)
