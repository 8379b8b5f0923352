# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Classes with known densities that a tanh network of ten layers moves to targets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from benchmarks.peers.evaluator import (
    Array,
    Points,
    gauss_hermite,
    gauss_legendre,
    quadratic_loss,
    together,
)

LAYERS, TIKHONOV = 10, 1e-2
CELLS = {1: "interval", 2: "quadrilateral", 3: "hexahedron"}


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian."""

    mean: Array
    covariance: Array

    def density(self, x: Array) -> Array:
        """Return the density at x, (n,)."""
        y = np.linalg.solve(np.linalg.cholesky(self.covariance), (x - self.mean).T)
        scale = np.sqrt(np.linalg.det(2.0 * np.pi * self.covariance))
        return np.exp(-0.5 * np.sum(y**2, axis=0)) / scale

    def sampled(self, n: int, rng: np.random.Generator) -> Array:
        """Return n samples, (n, d)."""
        return rng.multivariate_normal(self.mean, self.covariance, n)

    def nodes(self, n: int) -> tuple[Array, Array]:
        """Return n nodes a direction and their masses."""
        return gauss_hermite(self.mean, self.covariance, n)

    def section(self) -> dict[str, Any]:
        """Return the density as a case file has it."""
        one = len(self.mean) == 1
        mean = float(self.mean[0]) if one else self.mean.tolist()
        covariance = float(self.covariance[0, 0]) if one else self.covariance.tolist()
        return {"kind": "gaussian", "mean": mean, "covariance": covariance}


@dataclass(frozen=True)
class Holed:
    """A mixture of Gaussians of equal weights, times 1 - exp(-|x - c|^2 / (2 r^2))."""

    parts: tuple[Gaussian, ...]
    centre: Array
    radius: float

    def kept(self, x: Array) -> Array:
        """Return the share of the mixture that is left at x."""
        return 1.0 - np.exp(-0.5 * np.sum((x - self.centre) ** 2, axis=1) / self.radius**2)

    def mixture(self, n: int) -> tuple[Array, Array]:
        """Return nodes of the mixture with the masses that are left, not normalised."""
        rules = [part.nodes(n) for part in self.parts]
        x = np.concatenate([x for x, _ in rules])
        return x, np.concatenate([w for _, w in rules]) / len(rules) * self.kept(x)

    @cached_property
    def mass(self) -> float:
        """Mass of what is left of the mixture."""
        return float(self.mixture(80)[1].sum())

    def density(self, x: Array) -> Array:
        """Return the density at x, (n,)."""
        whole = np.mean([part.density(x) for part in self.parts], axis=0)
        return whole * self.kept(x) / self.mass

    def sampled(self, n: int, rng: np.random.Generator) -> Array:
        """Return n samples by rejection, (n, d)."""
        found = np.empty((0, len(self.centre)))
        while len(found) < n:
            counts = rng.multinomial(2 * n, np.full(len(self.parts), 1.0 / len(self.parts)))
            drawn = [p.sampled(int(m), rng) for p, m in zip(self.parts, counts, strict=True)]
            x = rng.permutation(np.concatenate(drawn))
            found = np.concatenate([found, x[rng.random(len(x)) < self.kept(x)]])
        return found[:n]

    def nodes(self, n: int) -> tuple[Array, Array]:
        """Return nodes of the components and their masses."""
        x, w = self.mixture(n)
        return x, w / w.sum()

    def section(self) -> dict[str, Any]:
        """Return the density as a case file has it."""
        c = [f"(x[{i}] - ({float(a)!r}))**2" for i, a in enumerate(self.centre)]
        hole = f"(1 - exp(-({' + '.join(c)}) / (2 * {self.radius}**2)))"
        terms = []
        for part in self.parts:
            inverse = np.linalg.inv(part.covariance)
            y = [f"(x[{i}] - ({float(m)!r}))" for i, m in enumerate(part.mean)]
            quadratic = " + ".join(
                f"({float(inverse[i, j])!r}) * {y[i]} * {y[j]}"
                for i in range(len(y))
                for j in range(len(y))
            )
            factor = float(1.0 / np.sqrt(np.linalg.det(part.covariance)))
            terms.append(f"{factor!r} * exp(-0.5 * ({quadratic}))")
        return {"kind": "expression", "expression": f"({' + '.join(terms)}) * {hole}"}


@dataclass(frozen=True)
class Problem:
    """Two classes of equal weights, their targets, and a box that holds all but 1e-12 of them.

    Attributes:
        said: the classes in words.
        classes: their densities.
        targets: (classes, d).
        half: the box is [-half, half]^d.
        exact: nodes a direction of the evaluator.
    """

    said: str
    classes: tuple[Gaussian | Holed, ...]
    targets: Array
    half: float
    exact: int

    @property
    def d(self) -> int:
        """Number of coordinates."""
        return self.targets.shape[1]

    @property
    def gaussian(self) -> bool:
        """Whether the classes are Gaussians, so that nodes for them are in every textbook."""
        return all(isinstance(density, Gaussian) for density in self.classes)

    def case(self) -> dict[str, Any]:
        """Return the sections of a case file, without mesh size, degree, steps."""
        lower: Any = [-self.half] * self.d if self.d > 1 else -self.half
        upper: Any = [self.half] * self.d if self.d > 1 else self.half
        return {
            "mesh": {"cell": CELLS[self.d], "lower": lower, "upper": upper},
            "network": {"activation": "tanh", "layers": LAYERS, "final_time": 1.0},
            "classes": [
                {
                    "label": str(k),
                    "weight": 1.0 / len(self.classes),
                    "density": density.section(),
                    "target": self.targets[k].tolist() if self.d > 1 else float(self.targets[k, 0]),
                }
                for k, density in enumerate(self.classes)
            ],
            "penalty": {"tikhonov": TIKHONOV},
        }

    def nodes(self, n: int) -> Points:
        """Return n Gauss-Hermite nodes a direction for each class, or each component of it."""
        rules = [density.nodes(n) for density in self.classes]
        return together([(x, w / len(rules)) for x, w in rules])

    def box_nodes(self, n: int) -> Points:
        """Return n Gauss-Legendre nodes a direction of the box with the masses of the densities."""
        half = np.full(self.d, self.half)
        x, w = gauss_legendre(-half, half, n)
        parts = [w * density.density(x) for density in self.classes]
        return together([(x, m / m.sum() / len(parts)) for m in parts])

    def sampled(self, n: int, seed: int) -> Points:
        """Return n samples, as many of each class."""
        rng = np.random.default_rng(seed)
        m = n // len(self.classes)
        parts = [density.sampled(m, rng) for density in self.classes]
        return together([(x, np.full(m, 1.0 / (m * len(parts)))) for x in parts])

    @cached_property
    def reference(self) -> Points:
        """The nodes of the evaluator."""
        return self.nodes(self.exact)

    def loss(self, W: Array, b: Array) -> float:  # noqa: N803  # the name in the equations
        """Return the true population loss with its penalty."""
        return quadratic_loss(self.reference, self.targets, TIKHONOV, W, b)


def _gaussian(mean: list[float], covariance: Any) -> Gaussian:
    return Gaussian(np.array(mean), np.array(covariance))


PROBLEMS = {
    "1-D": Problem(
        "two overlapping Gaussians on the line",
        (_gaussian([-0.5], [[0.1]]), _gaussian([0.5], [[0.15]])),
        np.array([[-0.8], [1.0]]),
        5.0,
        120,
    ),
    "2-D": Problem(
        "two overlapping Gaussians in the plane",
        (
            _gaussian([-0.5, 0.2], [[0.2, 0.06], [0.06, 0.15]]),
            _gaussian([0.5, -0.2], [[0.15, -0.04], [-0.04, 0.2]]),
        ),
        np.array([[-1.2, 0.0], [1.2, 0.0]]),
        5.0,
        36,
    ),
    "3-D": Problem(
        "two overlapping Gaussians in space",
        (
            _gaussian([-0.5, 0.2, 0.0], np.diag([0.2, 0.15, 0.2])),
            _gaussian([0.5, -0.2, 0.1], np.diag([0.15, 0.2, 0.15])),
        ),
        np.array([[-1.0, 0.3, 0.0], [1.0, -0.3, 0.0]]),
        4.5,
        20,
    ),
    "hole": Problem(
        "a mixture with a hole, and a Gaussian beside the hole",
        (
            Holed(
                (
                    _gaussian([-0.5, 0.3], [[0.3, 0.0], [0.0, 0.15]]),
                    _gaussian([0.4, -0.3], [[0.15, 0.05], [0.05, 0.3]]),
                ),
                np.array([0.1, 0.0]),
                0.35,
            ),
            _gaussian([0.3, 0.1], [[0.06, 0.0], [0.0, 0.08]]),
        ),
        np.array([[-0.6, 0.2], [0.6, 0.0]]),
        5.0,
        40,
    ),
}
"""Name -> problem; all with L = 10, T = 1, tanh and a penalty of 1e-2."""
