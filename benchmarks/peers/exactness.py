# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How far the derivatives of adjoint ODE packages are from that of the residual network."""

from __future__ import annotations

from mpi4py import MPI

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from mfresnet import Case, ParticleFunctional, ReducedFunctional, load, minimise
from mfresnet.arrays import Array
from mfresnet.data import Samples

TITLE = "Exactness of the derivative"
CASE = Path(__file__).parents[2] / "cases" / "two_classes_2d.toml"
LAYERS, QUICK = (5, 10, 20, 40), (5, 10)
SAMPLES = 250
"""Samples of each class."""
STEP, LEVELS, DIRECTIONS = 4e-2, 4, 4
"""Of the differences of J of the density, halved so many times, and along how many directions."""
TRAINED = 1e-3
"""Part of its first size to which training has brought the gradient at the second point."""
COMPLEX = 1e-30

Derivative = Callable[[Array, Array], tuple[Array, Array]]
"""W, (L, 2, 2), and b, (L, 2) -> derivatives of the mean loss in both."""


def case_of(layers: int) -> Case:
    """Return the two Gaussian classes with one Euler step a layer for samples."""
    changes: dict[str, Any] = {"network": {"layers": layers, "inference": "euler"}}
    changes |= {"mesh": {"cells": [16, 16]}, "time": {"order": 4, "steps_per_layer": 2}}
    # a step for each of ten layers is stable with 16 x 16 cells; fewer layers are longer
    changes["time"]["steps_per_layer"] = max(2, 40 // layers)
    return load(CASE).with_(changes)


def samples_of(case: Case) -> tuple[Samples, Array]:
    """Return samples of the classes and the target of each, (2, N)."""
    rng = np.random.default_rng(1)
    points, targets = [], []
    for entry in case.classes:
        density = entry.density
        root = np.linalg.cholesky(np.asarray(density.covariance))
        noise = root @ rng.standard_normal((2, SAMPLES))
        points.append(np.asarray(density.mean)[:, None] + noise)
        targets.append(np.repeat(np.asarray(entry.target)[:, None], SAMPLES, axis=1))
    x, y = np.hstack(points), np.repeat(np.arange(len(points)), SAMPLES)
    return Samples(x, y, np.full(y.size, 1.0 / y.size)), np.hstack(targets)


def by_complex_step(x: Array, to: Array, dt: float) -> Derivative:
    """Return the derivative of the loss of Euler's layers in NumPy, by complex steps."""

    def loss(W: Any, b: Any) -> Any:  # noqa: N803
        z = x.astype(complex)
        for weight, bias in zip(W, b, strict=True):
            z = z + dt * np.tanh(weight @ z + bias[:, None])
        return 0.5 * np.mean(np.sum((z - to) ** 2, axis=0))

    def derivative(W: Array, b: Array) -> tuple[Array, Array]:  # noqa: N803
        parts = []
        for which in range(2):
            given = [W.astype(complex), b.astype(complex)]
            part = np.empty(given[which].size)
            for i in range(part.size):
                step = np.zeros(part.size, dtype=complex)
                step[i] = 1j * COMPLEX
                moved = list(given)
                moved[which] = given[which] + step.reshape(given[which].shape)
                part[i] = loss(*moved).imag / COMPLEX
            parts.append(part.reshape(given[which].shape))
        return parts[0], parts[1]

    return derivative


def by_torchdiffeq(x: Array, to: Array, dt: float, method: str, adjoint: bool) -> Derivative:
    """Return the derivative by torchdiffeq, one call a layer."""
    import torch
    from torchdiffeq import odeint, odeint_adjoint

    class Layer(torch.nn.Module):
        def __init__(self, weight: Array, bias: Array) -> None:
            super().__init__()
            self.affine = torch.nn.Linear(2, 2, dtype=torch.float64)
            self.affine.weight.data = torch.tensor(weight)
            self.affine.bias.data = torch.tensor(bias)

        def forward(self, t: Any, z: Any) -> Any:
            return torch.tanh(self.affine(z))

    start, targets = torch.tensor(x.T), torch.tensor(to.T)
    times = torch.tensor([0.0, dt], dtype=torch.float64)
    solve = odeint_adjoint if adjoint else odeint

    def derivative(W: Array, b: Array) -> tuple[Array, Array]:  # noqa: N803
        layers, z = [Layer(*given) for given in zip(W, b, strict=True)], start
        for layer in layers:
            z = solve(layer, z, times, method=method)[-1]
        (0.5 * ((z - targets) ** 2).sum(dim=1).mean()).backward()
        slopes = [(layer.affine.weight.grad, layer.affine.bias.grad) for layer in layers]
        return tuple(np.array([np.array(s[i]) for s in slopes]) for i in range(2))  # type: ignore[return-value]

    return derivative


def by_diffrax(x: Array, to: Array, dt: float, adjoint: str) -> Derivative:
    """Return the derivative by diffrax, one Euler step a layer."""
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    term = diffrax.ODETerm(lambda t, z, given: jnp.tanh(z @ given[0].T + given[1]))
    way, start, targets = getattr(diffrax, adjoint)(), jnp.array(x.T), jnp.array(to.T)

    def loss(controls: Any) -> Any:
        def layer(z: Any, given: Any) -> tuple[Any, None]:
            found = diffrax.diffeqsolve(
                term, diffrax.Euler(), 0.0, dt, dt, z, args=given, adjoint=way
            )
            return found.ys[-1], None

        z, _ = jax.lax.scan(layer, start, controls)
        return 0.5 * jnp.mean(jnp.sum((z - targets) ** 2, axis=1))

    slope = jax.jit(jax.grad(loss))

    def derivative(W: Array, b: Array) -> tuple[Array, Array]:  # noqa: N803
        found = slope((jnp.array(W), jnp.array(b)))
        return np.array(found[0]), np.array(found[1])

    return derivative


def ways(x: Array, to: Array, dt: float) -> dict[str, tuple[Derivative, Derivative]]:
    """Return by name the derivatives of the packages that are there and what each is held to."""
    steps, found = by_complex_step(x, to, dt), dict[str, tuple[Derivative, Derivative]]()
    if importlib.util.find_spec("torchdiffeq"):
        of = partial(by_torchdiffeq, x, to, dt)
        found |= {
            "torchdiffeq, odeint_adjoint, euler": (of("euler", True), steps),
            "torchdiffeq, odeint_adjoint, rk4": (of("rk4", True), of("rk4", False)),
            "torchdiffeq, odeint, euler": (of("euler", False), steps),
        }
    if importlib.util.find_spec("diffrax"):
        names = ("BacksolveAdjoint", "RecursiveCheckpointAdjoint")
        found |= {f"diffrax, {name}": (by_diffrax(x, to, dt, name), steps) for name in names}
    return found


def by_differences(functional: ReducedFunctional, theta: Array) -> float:
    """Return the error of the derivative of the density's J, by extrapolated differences.

    The largest over some directions h of |J'h - difference| / |J'h|.
    """
    rng, slope, errors = np.random.default_rng(2), functional.derivative(theta).copy(), []
    for _ in range(DIRECTIONS):
        h = rng.standard_normal(theta.size)
        h /= np.linalg.norm(h)
        steps = [STEP / 2**i for i in range(LEVELS)]
        row = [
            (functional.value(theta + s * h) - functional.value(theta - s * h)) / (2 * s)
            for s in steps
        ]
        for power in range(1, LEVELS):  # the error has even powers of the step
            row = [(4**power * b - a) / (4**power - 1) for a, b in zip(row, row[1:], strict=False)]
        errors.append(abs(slope @ h - row[0]) / abs(slope @ h))
    return float(max(errors))


def measure_at(layers: int) -> dict[str, dict[str, float]]:
    """Return the relative errors by name at the start and where training has nearly ended."""
    case = case_of(layers)
    samples, to = samples_of(case)
    ours, dt = ParticleFunctional(case, samples, MPI.COMM_SELF), case.network.final_time / layers
    weight = case.penalty.tikhonov.weight * dt
    densities = ReducedFunctional(case, MPI.COMM_SELF)
    first = float(np.linalg.norm(ours.gradient(ours.theta0)))
    training = {"gradient_tolerance": TRAINED * first, "max_iterations": 200}
    trained = minimise(
        ParticleFunctional(case.with_({"training": training}), samples, MPI.COMM_SELF)
    )
    points = {"start": ours.theta0, "trained": trained.theta}
    found: dict[str, dict[str, float]] = {}
    for point, theta in points.items():
        values = ours.controls.from_vector(theta).values
        W, b = np.array(values["W"]), np.array(values["b"])  # noqa: N806

        def whole(derivative: Derivative, W: Array = W, b: Array = b) -> Array:  # noqa: N803
            parts = derivative(W, b)
            slopes = [part + weight * of for part, of in zip(parts, (W, b), strict=True)]
            return np.concatenate([slope.ravel() for slope in slopes])

        errors = {}
        for name, (way, reference) in ways(samples.x, to, dt).items():
            exact = whole(reference)
            errors[name] = float(np.linalg.norm(whole(way) - exact) / np.linalg.norm(exact))
        exact = whole(by_complex_step(samples.x, to, dt))
        slope = ours.controls.from_vector(ours.derivative(theta)).values
        own = np.concatenate([np.ravel(slope["W"]), np.ravel(slope["b"])])
        errors["mfresnet, samples"] = float(np.linalg.norm(own - exact) / np.linalg.norm(exact))
        errors["mfresnet, density"] = by_differences(densities, theta)
        found[point] = errors
    return found


def measure(quick: bool) -> dict[str, Any]:
    """Return the relative errors by number of layers, point and name."""
    numbers = QUICK if quick else LAYERS
    return {"layers": list(numbers), "errors": [measure_at(layers) for layers in numbers]}


def page(found: dict[str, Any]) -> str:
    """Return the section."""
    names = list(found["errors"][0]["start"])
    titles = " | ".join(f"{layers} layers" for layers in found["layers"])
    tables = []
    for point, title in (("start", "At the start"), ("trained", "Near the optimum")):
        lines = [f"| {title} | {titles} |", "|---" * (1 + len(found["layers"])) + "|"]
        for name in names:
            errors = " | ".join(f"{row[point][name]:.1e}" for row in found["errors"])
            lines.append(f"| {name} | {errors} |")
        tables.append("\n".join(lines))
    continuous = ("torchdiffeq, odeint_adjoint, euler", "diffrax, BacksolveAdjoint")
    adjoint = [row["trained"].get(name) for row in found["errors"] for name in continuous]
    sizes = [error for error in adjoint if error is not None]
    said = f"{min(sizes):.2g} to {max(sizes):.2g}" if sizes else "many"
    return f"""\
The network of `cases/two_classes_2d.toml` with W = 1, b = 0 in all layers, one Euler step a layer
as in a residual network, {SAMPLES} samples of each class, double precision; the number is |g -
g*| / |g*| with g* the derivative of the same discrete J by complex steps in NumPy. For rk4, which
is another J, g* is that of automatic differentiation through its steps. J of the density, whose
code knows real numbers only, is compared with central differences along {DIRECTIONS} random
directions, extrapolated {LEVELS - 1} times: what is left there is rounding of the differences.
Near the optimum: where L-BFGS has made the gradient {TRAINED:g} times as large as it was
(that of rk4's J, whose optimum is elsewhere, is larger there).

{tables[0]}

{tables[1]}

The continuous adjoints integrate a differential equation backward that is not the transpose of
the steps forward, and read the state from a solve backward too: their error goes with the depth
of a layer. Near the optimum it is {said} times the derivative itself: an optimiser gets no
closer by it. A method of higher order makes the error smaller. Differentiation through the steps
(`odeint`, `RecursiveCheckpointAdjoint`) is as exact as mfresnet, as it should be: exactness is no
reason to leave PyTorch or JAX, but one to leave the continuous adjoint.
"""


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw the errors over the number of layers."""
    figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.4), sharey=True, layout="constrained")
    for axis, (point, title) in zip(
        axes, (("start", "at the start"), ("trained", "near the optimum")), strict=True
    ):
        for i, name in enumerate(found["errors"][0][point]):
            errors = [max(row[point][name], 1e-17) for row in found["errors"]]
            style = "o-" if name.startswith("mfresnet") else f"{'sD^vx'[i % 5]}--"
            axis.loglog(found["layers"], errors, style, color=f"C{i}", label=name, markersize=4)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("layers")
        axis.set_xticks(found["layers"], [str(n) for n in found["layers"]])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("relative error of the derivative")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7
    )
    figure.savefig(path, dpi=160)
    plt.close(figure)
