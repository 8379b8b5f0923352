# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A network recovers what another network has done: the loss falls to nearly zero.

A teacher with known controls moves f0 to g, here by its characteristics and not on the mesh. A
student with more layers starts elsewhere, sees f0 and g alone and is trained on their distance: in
L2 for the smooth densities of tanh, in the dual norm of H1 for those of relu, which jump. On the
line the map between two densities is unique, so that the student has that of the teacher; in the
plane it need not. Beside the error in the density stands that of the controls of the teacher on the
same mesh. For relu, whose density jumps, it is half as large: the map cannot be known much better
there, also when the student starts at it.
"""

from __future__ import annotations

from mpi4py import MPI

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mfresnet.arrays import Array
from mfresnet.case import parse, populate
from mfresnet.data import Gaussian
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.mesh import Space
from mfresnet.network import SCHEMES, Controls, flow
from mfresnet.optimise import minimise
from mfresnet.parallel import total
from mfresnet.pictures import COLOURS, Raster
from mfresnet.runs import Study, main
from mfresnet.trained import SteeredDensity, TrainedNetwork, log_density_at
from mfresnet.verification import at_most


@dataclass(frozen=True)
class Lesson:
    """One teacher.

    Attributes:
        activation: of teacher and student.
        start: f0.
        w: W of the layers of the teacher, (layers, d, d).
        b: (layers, d).
        half_width: of the box.
        cells: cells in a direction, of the full and the reduced study.
        student_case: sections of its case.
        share: what it may leave of the loss that it begins with.
        apart: on the line, the distance of the maps that it may leave, rms over f0.
    """

    activation: str
    start: Gaussian
    w: Array
    b: Array
    half_width: float
    cells: tuple[int, int]
    student_case: dict[str, Any]
    share: float
    apart: float | None

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return self.w.shape[1]

    def network(self) -> TrainedNetwork:
        """Return the teacher."""
        d = self.dimension
        return TrainedNetwork(
            features=tuple(f"x{i + 1}" for i in range(d)),
            labels=("1",),
            shift=np.zeros(d),
            matrix=np.eye(d),
            back=np.eye(d),
            block="square",
            activation=self.activation,
            parameters=Controls({"W": self.w, "b": self.b}).values,
            final_time=1.0,
            order=4,
            steps_per_layer=20,
        )

    def goal(self, x: Array) -> Array:
        """Return g at points, (d, n) -> (n,), by the characteristics of the teacher."""
        return np.exp(log_density_at(SteeredDensity(self.network(), self.start), x))

    def student(self, full: bool) -> ReducedFunctional:
        """Return J of the student."""
        return self._functional(self.student_case, full)

    def floor(self, full: bool) -> float:
        """Return the L2 error that the controls of the teacher have on the mesh of the student."""
        same = {
            "network": {"layers": len(self.w)},
            "initial": {"kind": "zero"},
            # the price of undershoots at the boundary may be more than the loss
            "loss": self.student_case["loss"] | {"outflow": 0.0},
        }
        functional = self._functional(self.student_case | same, full)
        theta = functional.controls.to_vector({"W": self.w, "b": self.b})
        functional.set_steps(functional.steps_for(theta))
        return error(functional, theta)

    def _functional(self, given: dict[str, Any], full: bool) -> ReducedFunctional:
        """Return J of a network with the loss of the student."""
        d, cells = self.dimension, self.cells[not full]
        case = parse(
            {
                "mesh": {
                    "cell": "interval" if d == 1 else "quadrilateral",
                    "cells": [cells] * d,
                    "lower": [-self.half_width] * d,
                    "upper": [self.half_width] * d,
                },
                "space": {"degree": 3 if d == 1 else 2},
                "network": {"activation": self.activation} | given["network"],
                "classes": [{"density": self.start.model_dump()}],
                # the section wants a density; the goal below takes its place
                "loss": given["loss"] | {"target": self.start.model_dump()},
                "penalty": {"tikhonov": given["tikhonov"]},
                "initial": given["initial"],
                "training": {"max_iterations": 400 if full else 40, "gradient_tolerance": 1e-6},
            }
        )
        population = populate(case, MPI.COMM_WORLD)

        def projected(space: Space) -> Array:
            return space.integrate(self.goal, 2 * space.degree + 8) / space.mass

        return ReducedFunctional(case, population=replace(population, goal=projected))


def gaussian(d: int, variance: float) -> Gaussian:
    """Return the centred Gaussian."""
    return Gaussian(mean=[0.0] * d, covariance=(variance * np.eye(d)).tolist())


LESSONS: dict[str, Lesson] = {
    "tanh, line": Lesson(
        activation="tanh",
        start=gaussian(1, 0.16),
        w=np.array([[[2.4]], [[-1.2]], [[1.6]]]),
        b=np.array([[0.5], [1.0], [-0.8]]),
        half_width=4.0,
        cells=(80, 50),
        student_case={
            "network": {"layers": 6},
            "tikhonov": 1e-9,
            "loss": {"kind": "density_l2"},
            "initial": {"kind": "values", "W": 0.1, "b": 0.1},
        },
        share=1e-5,
        apart=5e-4,
    ),
    "relu, line": Lesson(
        activation="relu",
        start=gaussian(1, 0.16),
        w=np.array([[[1.2]], [[-0.9]]]),
        b=np.array([[-0.2], [0.5]]),
        half_width=5.0,
        cells=(100, 50),
        student_case={
            "network": {"block": "wide", "width": 6, "layers": 2},
            "tikhonov": 1e-9,
            "loss": {"kind": "density_dual_h1", "length": 0.2},
            "initial": {"kind": "random", "seed": 1, "scale": 0.6},
        },
        share=1e-3,
        apart=1e-2,
    ),
    "tanh, plane": Lesson(
        activation="tanh",
        start=gaussian(2, 0.16),
        w=np.array([[[1.6, -0.9], [0.8, 1.2]], [[0.3, 1.8], [-1.4, 0.6]]]),
        b=np.array([[0.4, -0.3], [-0.5, 0.6]]),
        half_width=4.0,
        cells=(28, 18),
        student_case={
            "network": {"layers": 8},
            "tikhonov": 1e-7,
            "loss": {"kind": "density_l2"},
            "initial": {"kind": "random", "seed": 0, "scale": 0.7},
        },
        share=1e-3,
        apart=None,
    ),
}


def error(functional: ReducedFunctional, theta: Array) -> float:
    """Return ||f(T) - g|| / ||g|| in L2."""
    f, g, mass = (
        Trajectory(functional, theta).densities()[-1, 0],
        functional.problem.goal,
        functional.problem.space.mass,
    )
    assert g is not None  # the loss of a density has one
    over, under = total(functional.comm, [np.sum(mass * (f - g) ** 2), np.sum(mass * g**2)])
    return float(np.sqrt(over / under))


def study(size: str = "full") -> Study:
    """Train the students and compare density and map with those of the teachers."""
    full = size == "full"
    columns: dict[str, list[Any]] = {
        n: []
        for n in (
            "teacher",
            "first loss",
            "loss",
            "L2 error",
            "of the teacher",
            "rms of the map",
            "iterations",
        )
    }
    findings = []
    chosen = LESSONS if full else {n: v for n, v in LESSONS.items() if v.dimension == 1}
    figure = Figure(figsize=(3.85 * len(chosen), 4.2), layout="constrained")
    panels = figure.subplots(1, len(chosen))
    for axes, (name, lesson) in zip(panels, chosen.items(), strict=True):
        functional = lesson.student(full)
        begin = functional.loss(functional.theta0)
        result = minimise(functional)
        theta, loss, factor = result.theta, functional.loss(result.theta), 1.0 if full else 20.0
        left = error(functional, theta)
        x = lesson.start.sample(2000, np.random.default_rng(0))
        taught = lesson.network().carry(x)
        learnt = flow(functional.network(theta), x, SCHEMES[4], 8)[-1]
        apart = float(np.sqrt(np.mean(np.sum((learnt - taught) ** 2, axis=0))))
        floor = lesson.floor(full)
        row = (name, begin, loss, left, floor, apart, result.iterations)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
        findings.append(
            at_most(f"{name}: loss over the first", loss / begin, factor * lesson.share)
        )
        if lesson.apart is not None:
            findings.append(at_most(f"{name}: rms of the map", apart, factor * lesson.apart))
        draw = _line if lesson.dimension == 1 else _plane
        draw(axes, lesson, functional, theta)
        axes.set_title(rf"{name}: $\|f(T) - g\| = {left:.2g}\,\|g\|$", fontsize=11)
    return Study("A teacher recovered", __doc__, columns, tuple(findings), figure)


def _line(axes: Any, lesson: Lesson, functional: ReducedFunctional, theta: Array) -> None:
    """Draw f0, g and f(T)."""
    space = functional.problem.space
    raster = Raster(space, *space.bounds(), 800)
    found = raster.sample(Trajectory(functional, theta).densities()[-1])[0]
    x = raster.axes[0]
    axes.plot(x, lesson.start.density(x[None]), color="0.7", label="$f_0$")
    axes.plot(x, lesson.goal(x[None]), color=COLOURS[0], lw=2.4, label="$g$ of the teacher")
    axes.plot(x, found, color=COLOURS[3], ls="--", label="$f(T)$ of the student")
    axes.set(xlabel="$x$", ylabel="density", xlim=(-2.5, 3.5))
    axes.legend(fontsize=8)
    axes.grid(alpha=0.25)


def _plane(axes: Any, lesson: Lesson, functional: ReducedFunctional, theta: Array) -> None:
    """Draw contours of f0, g and f(T)."""
    space = functional.problem.space
    raster = Raster(space, *space.bounds(), 240)
    found = raster.sample(Trajectory(functional, theta).densities()[-1])[0]
    goal = lesson.goal(raster.points).reshape(raster.shape)
    levels = np.array([0.1, 0.3, 0.6, 0.9]) * goal.max()
    start = lesson.start.density(raster.points).reshape(raster.shape)
    axes.contour(*raster.axes, start.T, levels=levels, colors="0.8", linewidths=1)
    axes.contourf(*raster.axes, goal.T, levels=[*levels, 2 * goal.max()], cmap="Blues", alpha=0.8)
    axes.contour(*raster.axes, found.T, levels=levels, colors=[COLOURS[3]], linestyles="--",
                 linewidths=1.2)  # fmt: skip
    axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", xlim=(-2.2, 2.2), ylim=(-2.2, 2.2))
    axes.text(0.03, 0.03, "grey: $f_0$, filled: $g$, dashed: $f(T)$", fontsize=8,
              transform=axes.transAxes)  # fmt: skip


if __name__ == "__main__":
    main(study)
