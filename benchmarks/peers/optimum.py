# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Seconds to controls whose true population loss is near the optimum."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.peers import trainers
from benchmarks.peers.evaluator import Array, quadratic_loss
from benchmarks.peers.page import seconds, table
from benchmarks.peers.problems import LAYERS, PROBLEMS, TIKHONOV, Problem
from benchmarks.peers.section import Found

TITLE = "Time to the population optimum"
EXCESS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
BUDGET = {False: 30.0, True: 10.0}
MOST, REPEATS = 60, 3
"""Controls of a training that are looked at; trainings of one contestant that is soon ready."""
OURS, SIMPLE = "mfresnet, `accuracy`", "mfresnet, nodes by its points"
NODES, SAMPLES = "PyTorch L-BFGS, nodes", "PyTorch L-BFGS, samples"
ADAM = "PyTorch Adam, samples"
ADJOINT, SCAN, DIFFRAX = "torchdiffeq, nodes", "JAX and optax, nodes", "diffrax and optax, nodes"
FAMILIES = (OURS, SIMPLE, NODES, ADJOINT, SCAN, DIFFRAX, SAMPLES, ADAM)
NEEDS = {SCAN: ("jax", "optax"), DIFFRAX: ("jax", "optax", "diffrax"), ADJOINT: ("torchdiffeq",)}
RULES = {"1-D": (8, 16, 24, 32, 48), "2-D": (4, 6, 8, 12, 16, 24), "3-D": (4, 6, 8, 10, 12),
         "hole": (12, 16, 24, 32, 40)}  # fmt: skip
ACCURACIES = {"1-D": (1e-2, 1e-3, 1e-4, 1e-5), "2-D": (1e-2, 1e-3, 1e-4, 1e-5),
              "3-D": (1e-2, 1e-3), "hole": (1e-2, 1e-3, 1e-4, 1e-5)}  # fmt: skip
LARGE = {"1-D": 100_000, "2-D": 1_000_000, "3-D": 100_000, "hole": 100_000}
WARM = Problem("a small problem", PROBLEMS["1-D"].classes, PROBLEMS["1-D"].targets, 5.0, 8)


# ---------------------------------------------------------------------- one contestant
def _trainer(family: str, setting: float) -> Callable[[Problem, trainers.Watch], None]:
    """Return the training of a contestant."""
    count = int(setting)

    def make(problem: Problem) -> trainers.Make:
        if family in (SAMPLES, ADAM):
            return lambda: problem.sampled(count, seed=0)
        return lambda: problem.nodes(count) if problem.gaussian else problem.box_nodes(count)

    def train(problem: Problem, watch: trainers.Watch) -> None:
        if family == OURS:
            trainers.mfresnet(problem, setting, watch)
        elif family == SIMPLE:
            trainers.mfresnet_points(problem, make(problem), watch)
        elif family == ADAM:
            batch, steps = (count, 1000) if count <= 1000 else (1000, min(count // 20 + 500, 3000))
            trainers.torch_adam(problem, make(problem), watch, batch, steps)
        elif family in (SCAN, DIFFRAX):
            trainers.jax_lbfgs(problem, make(problem), watch, by_diffrax=family == DIFFRAX)
        else:
            layer = trainers.adjoint_layer if family == ADJOINT else trainers.rk4_layer
            trainers.torch_lbfgs(problem, make(problem), watch, layer)

    return train


def _run(name: str, family: str, setting: float, budget: float) -> Found:
    """Train a contestant in this process, some times where it is quick; return times and losses."""
    problem = PROBLEMS[name]
    with suppress(trainers.OutOfTimeError):
        _trainer(family, 1e-2 if family == OURS else 16)(WARM, trainers.Watch(0.5))
    runs: list[trainers.Watch] = []
    while not runs or (len(runs) < REPEATS and runs[-1].spent() < 0.1 * budget):
        watch = trainers.Watch(budget)
        runs.append(watch)
        try:
            _trainer(family, setting)(problem, watch)
        except trainers.OutOfTimeError:
            watch.facts["stopped"] = budget
    watch = min(runs, key=lambda run: run.seen[-1][0])
    last = len(watch.seen) - 1
    if last < MOST:
        chosen = np.arange(last + 1)
    else:
        chosen = np.unique(np.geomspace(1, last + 1, MOST).round().astype(int) - 1)
    losses = [problem.loss(watch.seen[i][1], watch.seen[i][2]) for i in chosen]
    return {
        "family": family,
        "setting": setting,
        "times": [watch.seen[i][0] for i in chosen],
        "losses": losses,
        "evaluations": last + 1,
        "facts": watch.facts,
    }


def _optimum(name: str) -> tuple[float, float]:
    """Return the loss that L-BFGS on the nodes of the evaluator ends with, and its own error."""
    problem, watch = PROBLEMS[name], trainers.Watch(120.0)
    with suppress(trainers.OutOfTimeError):
        trainers.torch_lbfgs(problem, lambda: problem.reference, watch)
    _, W, b = watch.seen[-1]  # noqa: N806  # the names in the equations
    more = problem.nodes(problem.exact + 8)
    value = problem.loss(W, b)
    return value, abs(quadratic_loss(more, problem.targets, TIKHONOV, W, b) / value - 1.0)


# ---------------------------------------------------------------------- all of them
def _contestants(name: str, quick: bool) -> list[tuple[str, float, float]]:
    """Return (family, setting, budget)."""
    budget = BUDGET[quick]
    rules, accuracies = RULES[name], ACCURACIES[name]
    counts = [10**k for k in range(3, 7) if 10**k <= LARGE[name]]
    if quick:
        rules, accuracies, counts = rules[2:3], (1e-3,), [1000]
    found = [(OURS, a, 4 * budget) for a in accuracies]
    for family in (SIMPLE, NODES, ADJOINT, SCAN, DIFFRAX):
        some = rules[1:4] if family in (ADJOINT, SCAN, DIFFRAX) and not quick else rules
        found += [(family, float(n), budget) for n in some]
    for family in (SAMPLES, ADAM):
        found += [(family, float(n), budget if n < 1_000_000 else 6 * budget) for n in counts]
    return [row for row in found if all(map(util.find_spec, NEEDS.get(row[0], ())))]


def measure(quick: bool) -> Found:
    """Return the runs of all problems, the one in 2-D when quick."""
    found: Found = {}
    names = [name for name in PROBLEMS if not quick or name == "2-D"]
    with ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        for name in names:
            jobs = [pool.submit(_run, name, *row) for row in _contestants(name, quick)]
            optimum, doubt = pool.submit(_optimum, name).result()
            found[name] = judged([job.result() for job in jobs], optimum) | {"doubt": doubt}
    return found


def judged(runs: list[Found], optimum: float) -> Found:
    """Return runs with their losses over the optimum, and when they came near."""
    for run in runs:
        run["excess"] = [loss / optimum - 1.0 for loss in run.pop("losses")]
        run["reached"] = [_first(run, small) for small in EXCESS]
    lowest = min(min(run["excess"]) for run in runs)
    return {"optimum": optimum, "lowest": lowest, "runs": runs}


def _first(run: Found, small: float) -> float | None:
    hits = np.flatnonzero(np.array(run["excess"]) <= small)
    return run["times"][hits[0]] if hits.size else None


# ---------------------------------------------------------------------- the page
def _best(runs: list[Found], family: str, index: int) -> tuple[float, str] | None:
    """Return the least seconds of a family to an excess, and its setting."""
    some = [r for r in runs if r["family"] == family and r["reached"][index] is not None]
    if not some:
        return None
    best = min(some, key=lambda run: run["reached"][index])
    setting = best["setting"]
    if family == OURS:
        return best["reached"][index], f"{setting:.0e}"
    if family in (SAMPLES, ADAM):
        return best["reached"][index], f"N = 1e{round(np.log10(setting))}"
    return best["reached"][index], f"n = {setting:.0f}"


def _times(found: Found, name: str, families: tuple[str, ...], index: int) -> float | None:
    """Return the least seconds of some families."""
    every = [_best(found[name]["runs"], family, index) for family in families]
    return min((best[0] for best in every if best is not None), default=None)


def _rows(runs: list[Found]) -> list[list[str]]:
    rows = []
    for family in FAMILIES:
        if any(run["family"] == family for run in runs):
            cells = [_best(runs, family, i) for i in range(len(EXCESS))]
            rows.append(
                [family, *("-" if c is None else f"{seconds(c[0])} s ({c[1]})" for c in cells)]
            )
    return rows


def _compared(ours: float | None, theirs: float | None, what: str) -> str:
    """Return a sentence."""
    if ours is None or theirs is None:
        who = "mfresnet" if theirs is not None else what
        return f"{who} has not reached it"
    if theirs >= ours:
        return f"{what} takes {theirs / ours:.2g} times as long as mfresnet"
    return f"{what} takes {theirs / ours:.2g} of the time of mfresnet, which loses"


def _said(found: Found, name: str) -> str:
    """Return what the table of a problem says."""
    runs = found[name]["runs"]
    index = EXCESS.index(1e-4)
    ours = _times(found, name, (OURS,), index)
    parts = [
        _compared(ours, _times(found, name, (SAMPLES, ADAM), index), "PyTorch on samples"),
        _compared(ours, _times(found, name, (NODES,), index), "PyTorch on nodes"),
    ]
    ends = [
        f"{run['facts']['seconds']:.2g} s with {run['setting']:.0e} "
        f"({' x '.join(map(str, run['facts']['cells']))} cells of degree {run['facts']['degree']}, "
        f"said {run['facts']['error_said']:.0e})"
        for run in runs
        if run["family"] == OURS and run["facts"].get("error_said") is not None
    ]
    other = ""
    if found[name]["lowest"] < -1e-4:
        below = [f for f in FAMILIES for run in runs if run["family"] == f
                 and min(run["excess"]) < -1e-4]  # fmt: skip
        other = (
            f" It is not the only minimum: {', '.join(dict.fromkeys(below))} came "
            f"{-100 * found[name]['lowest']:.2g} % below it, or on the way there."
        )
    return (
        f"At 1e-4 {parts[0]}; {parts[1]}. Until mfresnet ends with an error of J that it says "
        f"itself: {', '.join(ends) or 'not in the time given'}. The optimum is "
        f"{found[name]['optimum']:.8g}, which eight more nodes a direction change by "
        f"{found[name]['doubt']:.0e}.{other}"
    )


def page(found: Found) -> str:
    """Return the section."""
    parts = [
        f"A tanh network of {LAYERS} layers, T = 1, moves two classes to two targets: half the "
        f"mean squared distance and {TIKHONOV:g}/2 times the integral of the squares of all "
        "controls. Tables have the seconds until the true loss of the controls is above the "
        "optimum by a relative excess at most, for each peer those of its best setting (in "
        "brackets: nodes a direction and class, samples N, or `accuracy`), chosen afterwards, "
        "excess by excess. "
        "The true loss is that of Gauss-Hermite nodes carried by RK4 in NumPy, the same for all, "
        "the optimum where L-BFGS on these nodes ends from the same start. "
        "Seconds are processor time of one core, each contestant in a process of its own that "
        "has begun a smaller problem before, so that imports do not count; compilation by JAX "
        f"counts, {_compilation(found)}; the C kernels of mfresnet are compiled once on a machine, "
        "in two to three seconds, and do not. All begin at W = I, b = 0, in double precision. "
        "PyTorch: `torch.optim.LBFGS` with its strong Wolfe search on all points, Adam with a "
        "cosine rate on batches of 1000. diffrax has no RK4, a layer is a step of its Tsit5. "
        f'"{SIMPLE}" is `ParticleFunctional`, which trains on given points without a mesh.',
    ]
    for name in found:
        problem = PROBLEMS[name]
        rule = "" if problem.gaussian else (
            " Nodes are those of Gauss and Legendre in the box, weighted with the densities."
        )  # fmt: skip
        rows = _rows(found[name]["runs"])
        parts += [
            f"**{name}: {problem.said}.**{rule}",
            table(["excess", *(f"{e:.0e}" for e in EXCESS)], rows),
            _said(found, name),
        ]
    parts.append(
        "Where PyTorch on nodes is sooner, it is for this: a network of four to twelve numbers a "
        "layer bends a smooth density so little that some hundred nodes integrate the loss to "
        "five digits, and a step of RK4 on them costs some microseconds. Nodes say nothing of "
        "their error, and how many are enough was known here afterwards; mfresnet chooses cells "
        "and degree while it trains and spends a part of its time on the error that it says. "
        "Samples are slow for another reason: their optimum is off by about one over N, whatever "
        "the optimiser."
    )
    return "\n\n".join(parts)


def _compilation(found: Found) -> str:
    spent = [
        run["facts"]["compile"]
        for name in found
        for run in found[name]["runs"]
        if "compile" in run["facts"]
    ]
    return f"{min(spent):.1f} to {max(spent):.1f} s" if spent else "though none was installed"


def line(found: Found) -> tuple[str, str]:
    """Return the line of the README."""
    index = EXCESS.index(1e-4)
    ours = _times(found, "2-D", (OURS,), index)
    parts = (
        _compared(ours, _times(found, "2-D", (SAMPLES, ADAM), index), "PyTorch on samples"),
        _compared(ours, _times(found, "2-D", (NODES,), index), "PyTorch on nodes"),
    )
    what = "two Gaussian classes in the plane, to 1e-4 above the least population loss"
    return what, f"{seconds(ours)} s; {'; '.join(parts)}"


# ---------------------------------------------------------------------- the picture
def _envelope(runs: list[Found], family: str) -> tuple[Array, Array]:
    """Return times and the least excess that any setting of a family had by then."""
    pairs = sorted(
        pair
        for run in runs
        if run["family"] == family
        for pair in zip(run["times"], run["excess"], strict=True)
    )
    times = np.array([t for t, _ in pairs])
    return times, np.minimum.accumulate(np.array([max(e, 1e-8) for _, e in pairs]))


def draw(found: Found, path: Path) -> None:
    """Draw the excess over the seconds, a panel a problem."""
    import matplotlib.pyplot as plt  # noqa: PLC0415

    columns = 2
    rows = (len(found) + 1) // 2
    figure, axes = plt.subplots(
        rows, columns, figsize=(9.0, 3.6 * rows), sharey=True, squeeze=False, layout="constrained"
    )
    handles: dict[str, Any] = {}
    colours = dict(zip(FAMILIES, plt.get_cmap("tab10")(range(10)), strict=False))
    for axis, name in zip(axes.flat, found, strict=False):
        for family in FAMILIES:
            times, excess = _envelope(found[name]["runs"], family)
            if times.size:
                width = 2.8 if family == OURS else 1.5
                (handles[family],) = axis.step(
                    times, excess, where="post", color=colours[family], linewidth=width
                )
        axis.set(xscale="log", yscale="log", ylim=(3e-7, 1.0), title=name)
        axis.grid(alpha=0.3)
        axis.set_xlabel("seconds of one core")
    for axis in axes[:, 0]:
        axis.set_ylabel("excess of the true loss")
    names = [family.replace("`", "") for family in handles]
    figure.legend(handles.values(), names, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
