# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures of a run with matplotlib: densities, velocity, controls over depth, convergence."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import basix
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy.spatial import Delaunay

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import Iteration
from mfresnet.output import depths
from mfresnet.parallel import collect, together
from mfresnet.space import Space

matplotlib.rcParams.update({"font.size": 10, "axes.grid": False, "savefig.dpi": 140})
LARGEST = 200_000
"""Points above which each cell is sampled at its corners only."""
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown")


def draw(
    functional: ReducedFunctional, theta: Array, history: Sequence[Iteration], directory: Path
) -> None:
    """Write all pictures of a run into ``directory``, which exists. Parallel: collective."""
    fields = _Fields(functional, theta)
    with together(functional.comm):
        if functional.comm.rank == 0:
            figures = {
                "density": fields.densities(),
                "velocity": fields.velocities(),
                "controls": controls_figure(functional, theta),
                "history": history_figure(history),
            }
            for name, figure in figures.items():
                figure.savefig(directory / f"{name}.png")


def history_figure(history: Sequence[Iteration]) -> Figure:
    """Return J and the norm of the gradient over the iterations."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    numbers = [row.iteration for row in history]
    marker = "." if len(history) < 60 else ""
    left.plot(numbers, [row.objective for row in history], marker=marker)
    left.set(xlabel="iteration", ylabel="objective J")
    right.semilogy(numbers, [row.gradient_norm for row in history], marker=marker)
    right.set(xlabel="iteration", ylabel=r"gradient norm in $L^2(0,T)$")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def controls_figure(functional: ReducedFunctional, theta: Array) -> Figure:
    """Return every parameter over depth, constant in each layer."""
    values = functional.controls.from_vector(theta).values
    times = depths(functional)
    figure = Figure(figsize=(3.5 * len(values), 3.2), layout="constrained")
    for axes, (name, array) in zip(
        figure.subplots(1, len(values), squeeze=False)[0], values.items(), strict=True
    ):
        columns = array.reshape(len(array), -1).T
        for index, column in zip(np.ndindex(array.shape[1:]), columns, strict=True):
            number = "".join(str(i + 1) for i in index)
            label = f"${name}_{{{number}}}$" if array[0].size > 1 else f"${name}$"
            axes.stairs(column, times, baseline=None, label=label, lw=1.6)
        axes.set(xlabel="depth t", ylabel=f"${name}(t)$")
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    return figure


class _Fields:
    """The densities and velocities of a run at sample points, on rank 0."""

    def __init__(self, functional: ReducedFunctional, theta: Array) -> None:
        """Gather. Parallel: collective."""
        space: Space = functional.transport.space
        self.functional, self.times = functional, depths(functional)
        per_direction = space.degree + 1 if space.n_global < LARGEST else 1
        kind = space.basis.cell_type
        points = basix.create_lattice(kind, per_direction, basix.LatticeType.equispaced, True)
        if space.dimension == 1:
            points = np.sort(points, axis=0)
        self.triangles = Delaunay(points).simplices if space.dimension > 1 else None
        chosen = [0, len(self.times) // 2, len(self.times) - 1]
        self.chosen = range(len(self.times)) if space.dimension == 1 else chosen
        f = functional.densities(theta)
        x, _ = space.at_points(f[0, 0], points)
        columns = np.ascontiguousarray(x.reshape(-1, space.dimension).T)
        parameters = functional.controls.from_vector(theta)
        self.x = collect(functional.comm, x)
        self.f = {
            (i, k): collect(functional.comm, space.at_points(f[i, k], points)[1])
            for i, k in itertools.product(self.chosen, range(f.shape[1]))
        }
        self.v = {}
        for i in self.chosen:
            layer = min(i, functional.controls.layers - 1)
            v = functional.sweep.velocity(columns, parameters, layer)
            self.v[i] = collect(functional.comm, v.T.reshape(x.shape))
        self.labels = functional.population.labels
        self.targets = functional.population.targets

    def densities(self) -> Figure:
        """Return the densities at the start, the middle and the end, or over the plane in 1-D."""
        return self._densities_1d() if self.triangles is None else self._densities_2d()

    def velocities(self) -> Figure:
        """Return the velocity in the first, middle and last layer, or over the plane in 1-D."""
        return self._velocities_1d() if self.triangles is None else self._velocities_2d()

    # ------------------------------------------------------------------ one dimension
    def _line(self, values: Any) -> tuple[Array, Array]:
        order = np.argsort(self.x[:, 0, 0])
        return self.x[order, :, 0].ravel(), values[order].ravel()

    def _plane(self, axes: Any, values: dict[Any, Any], label: str, cmap: str, low: float) -> None:
        """Draw rows over depth with colours from ``low`` times the largest value to that."""
        x = self._line(next(iter(values.values())))[0]
        rows = np.array([self._line(values[key])[1] for key in sorted(values)])
        top = float(np.abs(rows).max()) or 1.0
        image = axes.pcolormesh(
            x,
            self.times,
            rows,
            shading="gouraud",
            cmap=cmap,
            vmin=low * top,
            vmax=top,
            rasterized=True,
        )
        axes.set(xlabel="x", ylabel="depth t")
        axes.figure.colorbar(image, ax=axes, label=label)

    def _densities_1d(self) -> Figure:
        n = len(self.labels)
        figure = Figure(figsize=(9, 3.2 * n), layout="constrained")
        for k, (left, right) in enumerate(figure.subplots(n, 2, squeeze=False)):
            plane = {i: self.f[i, k] for i in self.chosen}
            self._plane(left, plane, f"density of class {self.labels[k]}", "viridis", 0.0)
            for i, colour in ((0, "0.6"), (len(self.times) - 1, COLOURS[k % len(COLOURS)])):
                right.plot(*self._line(self.f[i, k]), color=colour, label=f"t = {self.times[i]:g}")
            if k < len(self.targets):
                right.axvline(self.targets[k][0], color="black", ls=":", lw=1, label="target")
            right.set(xlabel="x", ylabel="density")
            right.legend()
        return figure

    def _velocities_1d(self) -> Figure:
        figure = Figure(figsize=(5, 3.2), layout="constrained")
        plane = {i: v[..., 0] for i, v in self.v.items()}
        self._plane(figure.subplots(), plane, "velocity v", "RdBu_r", -1.0)
        return figure

    # ------------------------------------------------------------------ two dimensions
    def _mesh(self) -> tuple[Array, Array, Any]:
        cells, n, _ = self.x.shape
        assert self.triangles is not None
        numbers = self.triangles[None] + n * np.arange(cells)[:, None, None]
        flat = self.x.reshape(-1, self.x.shape[2])
        return flat[:, 0], flat[:, 1], numbers.reshape(-1, 3)

    def _densities_2d(self) -> Figure:
        n, (x, y, triangles) = len(self.labels), self._mesh()
        figure = Figure(figsize=(9.5, 2.7 * n), layout="constrained")
        for k, row in enumerate(figure.subplots(n, 3, squeeze=False, sharex=True, sharey=True)):
            for axes, i in zip(row, self.chosen, strict=True):
                values = self.f[i, k].ravel()
                image = axes.tripcolor(
                    x,
                    y,
                    triangles,
                    values,
                    shading="gouraud",
                    cmap="viridis",
                    vmin=0.0,
                    rasterized=True,
                )
                if k < len(self.targets):
                    axes.plot(*self.targets[k], "+", color="white", ms=9, mew=1.8)
                axes.set(aspect="equal", title=f"class {self.labels[k]}, t = {self.times[i]:g}")
                axes.margins(0)
                figure.colorbar(image, ax=axes, shrink=0.8)
        return figure

    def _velocities_2d(self) -> Figure:
        figure = Figure(figsize=(9.5, 2.7), layout="constrained")
        x, y, triangles = self._mesh()
        block = self.x.reshape(-1, 2)
        lower, upper = block.min(axis=0), block.max(axis=0)
        nodes = np.stack(np.meshgrid(*np.linspace(lower, upper, 19)[1:-1].T), -1).reshape(-1, 2)
        near = np.argmin(((nodes[:, None] - block[None]) ** 2).sum(axis=-1), axis=1)
        for axes, i in zip(
            figure.subplots(1, 3, sharex=True, sharey=True), self.chosen, strict=True
        ):
            v = self.v[i].reshape(-1, 2)
            speed = np.linalg.norm(v, axis=1)
            image = axes.tripcolor(
                x, y, triangles, speed, shading="gouraud", cmap="cividis", vmin=0.0, rasterized=True
            )
            axes.quiver(*block[near].T, *v[near].T, color="white", pivot="mid", width=0.005)
            layer = min(i, self.functional.controls.layers - 1) + 1
            axes.set(aspect="equal", title=f"|v| in layer {layer}")
            axes.margins(0)
            figure.colorbar(image, ax=axes, shrink=0.8)
        return figure
