# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A density steered to a density: mfresnet, a continuous normalising flow, a spline flow."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.peers.evaluator import Array
from benchmarks.peers.page import number, seconds, table
from benchmarks.peers.problems import Gaussian
from benchmarks.peers.section import Found

TITLE = "Density to density"
BUDGET = {False: 30.0, True: 2.0}
L2, KL, CNF, SPLINE = "mfresnet, L2", "mfresnet, Kullback-Leibler", "CNF, torchdiffeq", "NSF, zuko"
NEEDS = {L2: (), KL: (), CNF: ("torchdiffeq",), SPLINE: ("zuko",)}
HALF, NODES, BATCH = 4.0, 80, 512
LOOKS = {False: 12, True: 3}
"""The box of the measures, its points a direction, samples of a step; looks at a training."""
STEPS_BACK = 8
"""Of RK4 in a layer or a tenth of the depth, when a density is carried to points at T."""


@dataclass(frozen=True)
class Mixture:
    """Gaussians of equal weights."""

    parts: tuple[Gaussian, ...]

    def density(self, x: Array) -> Array:
        """Return the density at x, (n,)."""
        return np.asarray(np.mean([part.density(x) for part in self.parts], axis=0))

    def sampled(self, n: int, rng: np.random.Generator) -> Array:
        """Return n samples, (n, 2)."""
        which = rng.integers(0, len(self.parts), n)
        means = np.stack([part.mean for part in self.parts])[which]
        roots = np.stack([np.linalg.cholesky(part.covariance) for part in self.parts])[which]
        return means + np.einsum("nij,nj->ni", roots, rng.standard_normal((n, 2)))

    def section(self) -> dict[str, Any]:
        """Return the density as a case file has it."""
        weight = 1.0 / len(self.parts)
        parts = [{"weight": weight, "density": part.section()} for part in self.parts]
        if len(parts) == 1:
            return self.parts[0].section()
        return {"kind": "mixture", "components": parts}


@dataclass(frozen=True)
class Steering:
    """From one density to another, one of which is a Gaussian in the middle.

    Attributes:
        said: both in words.
        start: f(0).
        target: g.
        width: hidden units of our blocks.
        layers: ours.
    """

    said: str
    start: Mixture
    target: Mixture
    width: int
    layers: int

    @property
    def forward(self) -> bool:
        """Whether the Gaussian is the start, so that flows are trained on samples of the target."""
        return len(self.start.parts) == 1

    def case(self, loss: str) -> dict[str, Any]:
        """Return the sections of a case file."""
        return {
            "mesh": {"cells": [24, 24], "lower": [-HALF] * 2, "upper": [HALF] * 2},
            "space": {"degree": 3},
            "network": {"block": "wide", "width": self.width, "layers": self.layers},
            "classes": [{"density": self.start.section()}],
            "loss": {"kind": loss, "target": self.target.section()},
            "penalty": {"tikhonov": 1e-5 if loss == "density_l2" else 1e-4},
            "initial": {"kind": "random", "seed": 1},
            "training": {"max_iterations": 400, "gradient_tolerance": 1e-4},
        }


def _round(*means: tuple[float, float], variance: float) -> Mixture:
    return Mixture(tuple(Gaussian(np.array(m), variance * np.eye(2)) for m in means))


def _circle(n: int, radius: float) -> list[tuple[float, float]]:
    angle = 2.0 * np.pi * np.arange(n) / n
    return [(float(radius * np.cos(a)), float(radius * np.sin(a))) for a in angle]


STEERINGS = {
    "one to two": Steering(
        "a Gaussian to two modes",
        _round((0.0, 0.0), variance=0.35),
        _round((-1.1, 0.4), (1.1, -0.4), variance=0.2),
        8,
        5,
    ),
    "eight to one": Steering(
        "eight Gaussians on a circle to one Gaussian",
        _round(*_circle(8, 1.6), variance=0.1),
        _round((0.0, 0.0), variance=0.5),
        16,
        5,
    ),
}


# ---------------------------------------------------------------------- measures
def grid() -> tuple[Array, float]:
    """Return the points of the measures, (n, 2), and the area of each."""
    h = 2.0 * HALF / NODES
    line = -HALF + h * (np.arange(NODES) + 0.5)
    return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2), h * h


def measures(steering: Steering, log_density: Array) -> tuple[float, float]:
    """Return |f(T) - g| / |g| in L2, and the integral of g log(g / f(T)) - g + f(T), at least 0."""
    x, area = grid()
    g, log_f = steering.target.density(x), np.maximum(log_density, -700.0)
    f = np.exp(log_f)
    apart = float(np.sqrt(np.sum((f - g) ** 2) / np.sum(g**2)))
    return apart, float(area * np.sum(g * (np.log(np.maximum(g, 1e-300)) - log_f) - g + f))


def carried_back(start: Mixture, values: dict[str, Array]) -> Array:
    """Return log f(T) at the points: wide tanh blocks backward by RK4, with the divergence."""
    x, _ = grid()
    change = np.zeros(len(x))
    W, V, b, c = (values[name] for name in ("W", "V", "b", "c"))  # noqa: N806
    h = -1.0 / (len(W) * STEPS_BACK)

    def rate(x: Array, k: int) -> tuple[Array, Array]:
        s = np.tanh(x @ W[k].T + b[k])
        return s @ V[k].T + c[k], (1.0 - s**2) @ np.sum(W[k] * V[k].T, axis=1)

    for k in reversed(range(len(W))):
        for _ in range(STEPS_BACK):
            v1, d1 = rate(x, k)
            v2, d2 = rate(x + 0.5 * h * v1, k)
            v3, d3 = rate(x + 0.5 * h * v2, k)
            v4, d4 = rate(x + h * v3, k)
            x = x + h / 6.0 * (v1 + 2.0 * (v2 + v3) + v4)
            change += h / 6.0 * (d1 + 2.0 * (d2 + d3) + d4)
    return np.log(np.maximum(start.density(x), 1e-300)) + change


class Looks:
    """Measures of a training at some times, whose own time does not count."""

    def __init__(self, steering: Steering, budget: float) -> None:
        """Choose the times, as a geometric sequence."""
        self.steering, self.budget = steering, budget
        self.at = list(np.geomspace(0.005 * budget, budget, LOOKS[budget < 10.0]))
        self.found: list[list[float]] = []
        self.looked, self.start = 0.0, time.process_time()

    def spent(self) -> float:
        """Return the seconds of the training."""
        return time.process_time() - self.start - self.looked

    def look(self, log_density: Callable[[], Array], last: bool = False) -> None:
        """Measure, where it is time to; end the training, where it is over."""
        now = self.spent()
        if last or (self.at and now >= self.at[0]):
            self.at = [t for t in self.at if t > now]
            began = time.process_time()
            self.found.append([now, *measures(self.steering, log_density())])
            self.looked += time.process_time() - began
        if now > self.budget:
            raise TimeoutError


# ---------------------------------------------------------------------- contestants
def _ours(steering: Steering, budget: float, loss: str) -> Looks:
    from mfresnet import Case, ReducedFunctional, minimise  # noqa: PLC0415
    from mfresnet.optimise import Oracle  # noqa: PLC0415

    looks = Looks(steering, budget)
    functional = ReducedFunctional(Case(**steering.case(loss)))
    least = [np.inf]

    def log_density(theta: Array) -> Array:
        return carried_back(steering.start, dict(functional.controls.from_vector(theta).values))

    class Watched(Oracle):
        def evaluate(self, functional: Any, theta: Array) -> tuple[float, Array]:
            value, derivative = super().evaluate(functional, theta)
            if value < least[0]:
                least[0] = value
                looks.look(lambda: log_density(theta))
            return value, derivative

    with suppress(TimeoutError):
        result = minimise(functional, oracle=Watched())
        looks.look(lambda: log_density(result.theta), last=True)
    return looks


def _known(steering: Steering) -> tuple[Mixture, float]:
    """Return the density that flows are trained on samples of, and the variance of the Gaussian."""
    samples, gaussian = steering.target, steering.start
    if not steering.forward:
        samples, gaussian = gaussian, samples
    return samples, float(gaussian.parts[0].covariance[0, 0])


def _cnf(steering: Steering, budget: float) -> Looks:
    """Train a continuous flow by the likelihood of samples; exact trace, odeint_adjoint, rk4."""
    import torch  # noqa: PLC0415
    from torch import nn  # noqa: PLC0415
    from torchdiffeq import odeint_adjoint  # noqa: PLC0415

    class Velocity(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(
                nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2)
            )

        def forward(self, t: Any, state: Any) -> Any:
            with torch.enable_grad():  # type: ignore[no-untyped-call]
                x = state[0].detach().requires_grad_() if not state[0].requires_grad else state[0]
                v = self.net(torch.cat([x, t.expand(len(x), 1)], dim=1))
                rows = [
                    torch.autograd.grad(v[:, i].sum(), x, create_graph=True)[0][:, i]
                    for i in range(2)
                ]
            return v, -sum(rows)

    samples, variance = _known(steering)
    rng, velocity = np.random.default_rng(0), Velocity()
    torch.manual_seed(0)
    optimiser = torch.optim.Adam(velocity.parameters(), lr=3e-3)

    def moved(x: Any, first: float, last: float) -> tuple[Any, Any]:
        """Return x at the other end, and the logarithm of the change of the density on the way."""
        out, change = odeint_adjoint(
            velocity, (x, torch.zeros(len(x))), torch.tensor([first, last]),
            method="rk4", options={"step_size": 0.1},
        )  # fmt: skip
        return out[-1], change[-1]

    def log_density() -> Array:
        points = torch.tensor(grid()[0], dtype=torch.float32)
        # the Gaussian stands at 0, the samples at 1; f(T) is at the end of the target
        first, last = (1.0, 0.0) if steering.forward else (0.0, 1.0)
        with torch.no_grad():
            x, change = moved(points, first, last)
        before = np.log(np.maximum(steering.start.density(x.numpy().astype(float)), 1e-300))
        return np.asarray(before - change.numpy())

    looks = Looks(steering, budget)
    with suppress(TimeoutError):
        while True:
            x = torch.tensor(samples.sampled(BATCH, rng), dtype=torch.float32)
            z, change = moved(x, 1.0, 0.0)
            loss = (0.5 * (z**2).sum(dim=1) / variance + change).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            looks.look(log_density)
    return looks


def _spline(steering: Steering, budget: float) -> Looks:
    """Train a neural spline flow by the likelihood of samples."""
    import torch  # noqa: PLC0415
    import zuko  # noqa: PLC0415

    samples, variance = _known(steering)
    rng, scale = np.random.default_rng(0), float(np.sqrt(variance))
    torch.manual_seed(0)
    flow = zuko.flows.NSF(features=2, transforms=3, hidden_features=(64, 64))
    optimiser = torch.optim.Adam(flow.parameters(), lr=3e-3)

    def log_density() -> Array:
        points = torch.tensor(grid()[0], dtype=torch.float32)
        with torch.no_grad():
            if steering.forward:
                return flow().log_prob(points).numpy().astype(float)
            x, change = flow().transform.inv.call_and_ladj(points / scale)
        before = np.log(np.maximum(steering.start.density(x.numpy().astype(float)), 1e-300))
        return np.asarray(before + change.numpy() - 2.0 * np.log(scale))

    looks = Looks(steering, budget)
    with suppress(TimeoutError):
        while True:
            x = torch.tensor(samples.sampled(BATCH, rng), dtype=torch.float32)
            loss = -flow().log_prob(x).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            looks.look(log_density)
    return looks


def _run(name: str, contestant: str, budget: float) -> list[list[float]]:
    steering = STEERINGS[name]
    if contestant in (CNF, SPLINE):
        import torch  # noqa: PLC0415

        torch.set_num_threads(1)
        return (_cnf if contestant == CNF else _spline)(steering, budget).found
    loss = "density_l2" if contestant == L2 else "kullback_leibler"
    return _ours(steering, 4.0 * budget, loss).found


def measure(quick: bool) -> Found:
    """Return (seconds, L2, Kullback-Leibler) of every training."""
    found: Found = {}
    names = list(STEERINGS)[:1] if quick else list(STEERINGS)
    with ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        for name in names:
            jobs = {
                who: pool.submit(_run, name, who, BUDGET[quick])
                for who, modules in NEEDS.items()
                if all(map(util.find_spec, modules))
            }
            found[name] = {who: job.result() for who, job in jobs.items()}
    return found


# ---------------------------------------------------------------------- the page
def _end(looks: list[list[float]], index: int) -> float:
    return looks[-1][index]


def _until(looks: list[list[float]], index: int, small: float) -> float | None:
    return next((look[0] for look in looks if look[index] <= small), None)


def page(found: Found) -> str:
    """Return the section."""
    parts = [
        "One density is steered to another, both known. mfresnet minimises the distance of the "
        "densities, a wide block with a penalty; the flows see samples, new ones in every "
        f"step of {BATCH}, and maximise their likelihood, which is to minimise a Kullback-Leibler "
        "divergence; a distance in L2 they cannot minimise. CNF: two hidden layers of 64, exact "
        "trace, `odeint_adjoint`, rk4 with steps of 0.1; NSF: zuko's, three transforms, two "
        "hidden layers of 64; Adam at 3e-3. Measured alike, |f(T) - g| over |g| in L2 and the "
        f"integral of g log(g / f(T)) - g + f(T), on {NODES} x {NODES} points: f(T) by the exact "
        "flow of the controls backward, not by the density on the mesh. Processor seconds of one "
        f"core, imports left out: {BUDGET[False]:.0f} s for the flows, four times that for "
        "mfresnet where it has not "
        "converged before."
    ]
    for name, runs in found.items():
        rows = []
        for who, looks in runs.items():
            l2, kl = _end(looks, 1), _end(looks, 2)
            rows.append([
                who, f"{100 * l2:.2g} %", number(kl, 2), f"{seconds(looks[-1][0])} s",
                *(
                    "-" if (t := _until(looks, index, small)) is None else f"{seconds(t)} s"
                    for index, small in ((1, 0.1), (1, 0.03), (2, 0.01), (2, 0.003))
                ),
            ])  # fmt: skip
        head = [
            "",
            "L2 at the end",
            "KL at the end",
            "in all",
            "L2 to 10 %",
            "3 %",
            "KL to 0.01",
            "0.003",
        ]
        parts += [f"**{name}: {STEERINGS[name].said}.**", table(head, rows), _said(runs)]
    parts.append(
        "Where a flow is nearer, it has more parameters and no penalty, and nothing has to be "
        "resolved by cells: a wide block with few units tears mass only as far as its penalty "
        "lets it. Flows are the tool for more than three coordinates, and where only samples of "
        "both densities are known."
    )
    return "\n\n".join(parts)


def _said(runs: Found) -> str:
    """Return who ends nearest."""
    said = []
    for index, what in ((1, "L2"), (2, "the Kullback-Leibler divergence")):
        best = min(runs, key=lambda who: _end(runs[who], index))
        said.append(f"{best} ends nearest in {what}")
    return "; ".join(said) + "."


def line(found: Found) -> tuple[str, str]:
    """Return the line of the README."""
    name = "one to two"
    looks = found[name][L2]
    small = _end(looks, 1)
    ours = _until(looks, 1, small)
    others = [
        f"{who}: "
        + ("not in " + f"{seconds(runs[-1][0])} s" if (t := _until(runs, 1, small)) is None
           else f"{seconds(t)} s")
        for who, runs in found[name].items()
        if who in (CNF, SPLINE)
    ]  # fmt: skip
    what = f"{STEERINGS[name].said}, until {100 * _end(looks, 1):.2g} % of L2 are left"
    return what, "; ".join([f"{seconds(ours)} s", *others])


def draw(found: Found, path: Path) -> None:
    """Draw both measures over the seconds, a row a steering."""
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(
        len(found), 2, figsize=(9.0, 3.4 * len(found)), squeeze=False, layout="constrained"
    )
    for row, (name, runs) in zip(axes, found.items(), strict=True):
        for index, axis in enumerate(row, start=1):
            for k, who in enumerate(NEEDS):
                if who in runs:
                    looks = np.array(runs[who])
                    axis.plot(
                        looks[:, 0], np.maximum(looks[:, index], 1e-5), color=f"C{k}", label=who,
                        marker="o", markersize=3, linewidth=2.6 if who in (L2, KL) else 1.4,
                    )  # fmt: skip
            axis.set(xscale="log", yscale="log", xlabel="seconds of one core")
            axis.grid(alpha=0.3)
            axis.set_title(f"{name}, {'L2, relative' if index == 1 else 'Kullback-Leibler'}")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
