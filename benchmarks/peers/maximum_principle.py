# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The shooting method of the mean-field maximum principle, in NumPy and SciPy.

Controls W(t), constant in layers, of the velocity tanh(W x). In turn: densities forward, adjoints
backward, and in every layer the root of the derivative of the Hamiltonian in W,

    lambda W + sum_k pi_k int f_k ( grad psi_k * tanh'(W x) ) x^T dx = 0,

with f and psi held. Where J would rise, or no root is found, rho (W - W_old) is added, with a
larger rho until J falls, as in the extended method of successive approximations. Densities and
adjoints are those of particles, or those of the first-order upwind method on a grid of squares.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from benchmarks.peers.evaluator import Array
from benchmarks.peers.problems import Problem
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import root

COURANT = 0.9
FASTER, SLOWER, MOST = 2.0, 4.0, 1e8
"""How rho goes down after a step and up after a failed one, and how large in lambda it becomes."""
LIGHT = 1e-9
"""Masses, in the largest one, below which a place is left out where roots are looked for."""
CONVERGED = 1e-7
"""Change of the controls where the method ends."""


@dataclass(frozen=True)
class Step:
    """Weighted places of one time step with the gradients of the adjoint.

    Attributes:
        x: (n, d).
        w: masses, (n,).
        p: gradients of psi, (n, d).
    """

    x: Array
    w: Array
    p: Array


class Method(ABC):
    """Densities and adjoints of a problem."""

    def __init__(self, problem: Problem, layers: int, steps: int) -> None:
        """Keep the problem and the number of steps in a layer."""
        self.problem, self.layers, self.steps = problem, layers, steps
        self.h = 1.0 / (layers * steps)

    @abstractmethod
    def sweep(self, controls: Array) -> tuple[float, list[list[Step]]]:
        """Return the mean loss and, layer by layer, the time steps of all classes."""


class Particles(Method):
    """Particles of both classes, moved by Euler's method, and their costates."""

    def __init__(self, problem: Problem, layers: int, steps: int, n: int, seed: int) -> None:
        """Draw n particles of each class."""
        super().__init__(problem, layers, steps)
        points = problem.sampled(n * len(problem.classes), seed)
        self.x, self.w, self.classes = points.x, points.masses, points.classes
        self.to = problem.targets[points.classes]

    def forward(self, controls: Array) -> list[Array]:
        """Return the places at all times."""
        path = [self.x]
        for W in np.repeat(controls, self.steps, axis=0):  # noqa: N806
            path.append(path[-1] + self.h * np.tanh(path[-1] @ W.T))
        return path

    def loss(self, end: Array) -> float:
        """Return the mean loss."""
        return 0.5 * float(self.w @ np.sum((end - self.to) ** 2, axis=1))

    def sweep(self, controls: Array) -> tuple[float, list[list[Step]]]:
        """Return the mean loss and, layer by layer, the steps."""
        path = self.forward(controls)
        p, found = path[-1] - self.to, []
        for i in reversed(range(len(path) - 1)):
            found.append(Step(path[i], self.w, p))
            W = controls[i // self.steps]  # noqa: N806
            slope = 1.0 - np.tanh(path[i] @ W.T) ** 2
            p = p + self.h * (slope * p) @ W
        return self.loss(path[-1]), in_layers(found[::-1], self.steps)


class Upwind(Method):
    """Densities and adjoints by the first-order upwind method on a grid."""

    def __init__(self, problem: Problem, layers: int, cells: int, half: float) -> None:
        """Make the grid, and put the densities into its cells."""
        self.size, d = 2.0 * half / cells, problem.d
        super().__init__(problem, layers, int(np.ceil(d / (layers * COURANT * self.size))))
        centres = -half + self.size * (np.arange(cells) + 0.5)
        self.axes, edges = [centres] * d, centres[:-1] + 0.5 * self.size
        self.shape = (cells,) * d
        self.x = np.stack(np.meshgrid(*self.axes, indexing="ij"), axis=-1).reshape(-1, d)
        self.faces = []
        for axis in range(d):
            places = [edges if i == axis else centres for i in range(d)]
            self.faces.append(np.stack(np.meshgrid(*places, indexing="ij"), axis=-1))
        masses = [np.asarray(c.density(self.x)) for c in problem.classes]
        share = 1.0 / len(masses)
        self.f0 = np.array([share * (m / m.sum()).reshape(self.shape) for m in masses])
        self.end = np.array(
            [0.5 * np.sum((self.x - to) ** 2, axis=1).reshape(self.shape) for to in problem.targets]
        )

    def speeds(self, W: Array) -> list[tuple[Array, Array]]:  # noqa: N803
        """Return the positive and negative parts of the velocity at the faces, cells a step."""
        found = []
        for axis, x in enumerate(self.faces):
            v = self.h / self.size * np.tanh(x @ W[axis])
            found.append((np.maximum(v, 0.0), np.minimum(v, 0.0)))
        return found

    def forward(self, controls: Array) -> list[Array]:
        """Return the densities at all times, mass a cell, of the classes."""
        path = [self.f0]
        for W in controls:  # noqa: N806
            speeds = self.speeds(W)
            for _ in range(self.steps):
                f = path[-1]
                new = f.copy()
                for axis, (plus, minus) in enumerate(speeds, start=1):
                    low, high = parts(axis, f.ndim)
                    flux = plus * f[low] + minus * f[high]
                    new[low] -= flux
                    new[high] += flux
                path.append(new)
        return path

    def backward(self, controls: Array) -> list[Array]:
        """Return the adjoints of the classes at all times."""
        path = [self.end]
        for W in controls[::-1]:  # noqa: N806
            speeds = self.speeds(W)
            for _ in range(self.steps):
                psi = path[-1]
                new = psi.copy()
                for axis, (plus, minus) in enumerate(speeds, start=1):
                    low, high = parts(axis, psi.ndim)
                    rise = psi[high] - psi[low]
                    new[low] += plus * rise
                    new[high] += minus * rise
                path.append(new)
        return path[::-1]

    def slopes(self, psi: Array) -> Array:
        """Return grad psi of one class at the centres of the cells, (n, d)."""
        slopes = np.gradient(psi, self.size)
        listed = slopes if isinstance(slopes, (list, tuple)) else [slopes]
        return np.stack([slope.ravel() for slope in listed], axis=-1)

    def sweep(self, controls: Array) -> tuple[float, list[list[Step]]]:
        """Return the mean loss and, layer by layer, the steps: the differences at the faces."""
        f, psi = self.forward(controls), self.backward(controls)
        places = [x.reshape(-1, self.problem.d) for x in self.faces]
        x = np.tile(np.concatenate(places), (len(self.end), 1))
        steps = []
        for i, (g, after) in enumerate(zip(f[:-1], psi[1:], strict=True)):
            W = controls[i // self.steps]  # noqa: N806
            masses, slopes = [], []
            for k in range(len(g)):
                one: Array = g[k]
                its: Array = after[k]
                for axis, face in enumerate(self.faces):
                    low, high = parts(axis, one.ndim)
                    masses.append(np.where(face @ W[axis] > 0.0, one[low], one[high]).ravel())
                    slope = np.zeros((masses[-1].size, self.problem.d))
                    slope[:, axis] = (its[high] - its[low]).ravel() / self.size
                    slopes.append(slope)
            steps.append(Step(x, np.concatenate(masses), np.concatenate(slopes)))
        return float(np.sum(f[-1] * self.end)), in_layers(steps, self.steps)


class Mixed(Method):
    """Densities by particles, adjoints by the upwind method, looked up at the particles."""

    def __init__(self, problem: Problem, layers: int, cells: int, half: float, n: int) -> None:
        """Make both."""
        self.grid = Upwind(problem, layers, cells, half)
        self.particles = Particles(problem, layers, self.grid.steps, n, 0)
        super().__init__(problem, layers, self.grid.steps)

    def sweep(self, controls: Array) -> tuple[float, list[list[Step]]]:
        """Return the mean loss and, layer by layer, the steps."""
        ours, grid = self.particles, self.grid
        path, psi = ours.forward(controls), grid.backward(controls)
        steps = []
        for x, after in zip(path[:-1], psi[1:], strict=True):
            p = np.empty_like(x)
            for k in range(len(after)):
                own = ours.classes == k
                slopes = grid.slopes(after[k]).reshape(*grid.shape, -1)
                look = RegularGridInterpolator(
                    grid.axes, slopes, bounds_error=False, fill_value=None
                )
                p[own] = look(x[own])
            steps.append(Step(x, ours.w, p))
        return ours.loss(path[-1]), in_layers(steps, self.steps)


def parts(axis: int, ndim: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the indices of all cells but the last, and but the first, along an axis."""
    both = [[slice(None)] * ndim for _ in range(2)]
    both[0][axis], both[1][axis] = slice(None, -1), slice(1, None)
    return tuple(both[0]), tuple(both[1])


def in_layers(steps: list[Step], each: int) -> list[list[Step]]:
    """Return the steps layer by layer."""
    return [steps[i : i + each] for i in range(0, len(steps), each)]


def best_control(steps: list[Step], weight: float, near: float, start: Array) -> Array | None:
    """Return the root of the derivative of the Hamiltonian in W, None where none is found.

    Args:
        steps: those of the layer.
        weight: lambda.
        near: rho, the weight of the distance from ``start``.
        start: the controls of before.
    """
    x, w, p = (np.concatenate([getattr(s, name) for s in steps]) for name in ("x", "w", "p"))
    heavy = w > LIGHT * w.max()
    x, weighted = x[heavy], (w[:, None] * p / len(steps))[heavy]

    def slope(flat: Array) -> Array:
        W = flat.reshape(start.shape)  # noqa: N806
        transported = (weighted * (1.0 - np.tanh(x @ W.T) ** 2)).T @ x
        return (weight * W + near * (W - start) + transported).ravel()

    found = root(slope, start.ravel())
    return np.asarray(found.x).reshape(start.shape) if found.success else None


def shoot(method: Method, weight: float, patience: float) -> Iterator[tuple[float, Array]]:
    """Yield seconds since the start and controls, until they stand still or for some seconds."""
    d, near, begun = method.problem.d, weight, time.perf_counter()
    controls: Array = np.zeros((method.layers, d, d))
    paused = 0.0

    def swept(controls: Array) -> tuple[float, list[list[Step]]]:
        loss, layers = method.sweep(controls)
        return loss + 0.5 * weight * float(np.sum(controls**2)) / method.layers, layers

    value, layers = swept(controls)
    while time.perf_counter() - begun - paused < patience:
        roots = [best_control(s, weight, near, controls[i]) for i, s in enumerate(layers)]
        found = [W for W in roots if W is not None]
        if len(found) == len(roots):
            tried = np.array(found)
            after, its_layers = swept(tried)
            if after < value:
                change = float(np.max(np.abs(tried - controls)))
                controls, value, layers, near = tried, after, its_layers, near / FASTER
                now = time.perf_counter()
                yield now - begun - paused, controls
                paused += time.perf_counter() - now
                if change < CONVERGED:
                    return
                continue
        near = max(SLOWER * near, weight)
        if near > MOST * weight:
            return
