# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures of a run with matplotlib: densities, velocity, controls over depth, convergence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.interrupt import leave_if_asked
from mfresnet.losses import LOSSES
from mfresnet.optimise import Iteration
from mfresnet.output.fields import depths
from mfresnet.output.pictures.animation import animate
from mfresnet.output.pictures.palette import COLOURS, shown, style
from mfresnet.output.pictures.raster import Raster, view
from mfresnet.output.pictures.space import draw_space
from mfresnet.output.pictures.table import PICTURES
from mfresnet.parallel import together
from mfresnet.tasks import of_task

PIXELS, ARROWS, ROWS = 400, 17, 200
SPREAD = 1e-2
"""Least height of a picture of controls, relative to the largest above one."""
LEGEND = 9
"""Parameters above which a legend says nothing any more."""


@style()
def draw(
    functional: ReducedFunctional, theta: Array, history: Sequence[Iteration], directory: Path
) -> None:
    """Write all pictures of a run into ``directory``, which exists. Parallel: collective."""
    figures = {}
    with together(functional.comm):
        if functional.comm.rank == 0:
            figures["controls"] = controls_figure(functional, theta)
            figures["history"] = history_figure(history)
            if functional.population.dataset is not None:
                figures |= of_task(PICTURES, functional.case.task).samples(functional, theta)
    if functional.problem.space.dimension < 3:
        figures |= _flat_figures(functional, theta, directory)
    else:
        draw_space(functional, theta, directory / "density.png")
    with together(functional.comm):
        for name, figure in figures.items():
            leave_if_asked()
            figure.savefig(directory / f"{name}.png")


def _flat_figures(
    functional: ReducedFunctional, theta: Array, directory: Path
) -> dict[str, Figure]:
    """Return the pictures of fields in 1-D and 2-D, on rank 0; write the animation."""
    times, space = depths(functional), functional.problem.space
    if space.dimension == 1:
        frames = Trajectory(functional, theta).snapshots(ROWS)
    else:
        chosen = [0, len(times) // 2, len(times) - 1]
        frames = list(
            zip(times[chosen], Trajectory(functional, theta).densities(chosen), strict=True)
        )
    everything = np.concatenate([f for _, f in frames])
    aims = LOSSES[functional.case.loss.kind].aims(functional.population.targets)
    raster = view(space, everything, aims, PIXELS)
    fields = [(t, raster.sample(f)) for t, f in frames]
    animate(functional, theta, raster, directory / "density.gif")
    goal = (
        None if functional.problem.goal is None else raster.sample(functional.problem.goal[None])[0]
    )
    figures: dict[str, Figure] = {}
    with together(functional.comm):
        if functional.comm.rank == 0:
            figures["density"] = density_figure(functional, raster, fields)
            figures["velocity"] = velocity_figure(functional, theta, raster)
            if functional.population.dataset is not None:
                figures |= of_task(PICTURES, functional.case.task).flat(
                    functional, theta, raster, goal
                )
    return figures


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
    controls = functional.controls.from_vector(theta)
    values = {name: v for name, v in controls.values.items() if name not in controls.head}
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
        # what differs by rounding alone is shown as equal
        low, high = axes.get_ylim()
        room = max(0.0, SPREAD * max(1.0, float(np.abs(array).max())) - (high - low))
        axes.set_ylim(low - 0.5 * room, high + 0.5 * room)
        if array[0].size <= LEGEND:
            axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    return figure


# ---------------------------------------------------------------------- fields
def density_figure(
    functional: ReducedFunctional, raster: Raster, fields: Sequence[tuple[float, Array]]
) -> Figure:
    """Return the densities at the start, the middle and the end, or over the plane in 1-D.

    Args:
        functional: J.
        raster: the points.
        fields: depths and the densities there, (classes, *shape), from 0 to T.
    """
    population = functional.population
    n, aims = len(population.labels), LOSSES[functional.case.loss.kind].aims(population.targets)
    if len(raster.shape) == 1:
        figure = Figure(figsize=(9, 3.2 * n), layout="constrained")
        for k, (left, right) in enumerate(figure.subplots(n, 2, squeeze=False)):
            rows = np.array([values[k] for _, values in fields])
            edges = _edges(np.array([t for t, _ in fields]))
            label = f"density of class {shown(population.labels[k])}"
            _plane(left, raster, edges, rows, label, "viridis", 0.0)
            for (t, values), colour in ((fields[0], "0.6"), (fields[-1], COLOURS[k])):
                right.plot(raster.axes[0], values[k], color=colour, label=f"t = {t:g}")
            for target in aims[k : k + 1]:
                right.axvline(target[0], color="black", ls=":", lw=1, label="target")
            right.set(xlabel="$x_1$", ylabel="density")
            right.legend()
        return figure
    figure = Figure(figsize=_size(raster, n, len(fields)), layout="constrained")
    for k, row in enumerate(
        figure.subplots(n, len(fields), squeeze=False, sharex=True, sharey=True)
    ):
        for axes, (t, values) in zip(row, fields, strict=True):
            _image(axes, raster, values[k], "viridis", "density")
            for target in aims[k : k + 1]:
                axes.plot(*target, "+", color="white", ms=9, mew=1.8)
            axes.set(title=f"class {shown(population.labels[k])}, t = {t:g}")
    return figure


def velocity_figure(functional: ReducedFunctional, theta: Array, raster: Raster) -> Figure:
    """Return the velocity in the first, middle and last layer, or over the plane in 1-D."""
    network = functional.network(theta)
    if len(raster.shape) == 1:
        figure = Figure(figsize=(5, 3.2), layout="constrained")
        rows = np.array([network.velocity(raster.points, i)[0] for i in range(network.layers)])
        _plane(figure.subplots(), raster, depths(functional), rows, "velocity v", "RdBu_r", -1.0)
        return figure
    layers = [0, network.layers // 2, network.layers - 1]
    figure = Figure(figsize=_size(raster, 1, len(layers)), layout="constrained")
    steps = [np.linspace(0, n - 1, ARROWS).astype(int)[1:-1] for n in raster.shape]
    for axes, layer in zip(
        figure.subplots(1, len(layers), sharex=True, sharey=True), layers, strict=True
    ):
        v = network.velocity(raster.points, layer)
        speed = np.where(raster.inside, np.linalg.norm(v, axis=0), np.nan)
        _image(axes, raster, speed.reshape(raster.shape), "cividis", "|v|")
        x, y = (a[s] for a, s in zip(raster.axes, steps, strict=True))
        arrows = v.reshape(2, *raster.shape)[:, steps[0]][:, :, steps[1]].swapaxes(1, 2)
        axes.quiver(x, y, *arrows, color="white", pivot="mid", width=0.005)
        axes.set(title=f"|v| in layer {layer + 1}")
    return figure


def _size(raster: Raster, rows: int, columns: int) -> tuple[float, float]:
    """Return the size of a figure of panels with the shape of the raster."""
    width, height = raster.shape
    return 3.2 * columns, rows * (0.9 + min(2.5 * height / width, 4.0))


def _image(axes: Any, raster: Raster, values: Array, cmap: str, label: str) -> None:
    image = axes.imshow(
        values.T, origin="lower", extent=raster.extent, cmap=cmap, vmin=0.0, interpolation="nearest"
    )
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    axes.label_outer()
    axes.figure.colorbar(image, ax=axes, shrink=0.8, label=label)


def _edges(times: Array) -> Array:
    """Return the depths between which each of ``times`` is shown, one more than those."""
    return np.concatenate([times[:1], (times[1:] + times[:-1]) / 2.0, times[-1:]])


def _plane(
    axes: Any, raster: Raster, edges: Array, rows: Array, label: str, cmap: str, low: float
) -> None:
    """Draw rows between depths with colours from ``low`` times the largest value to that."""
    top = float(np.nanmax(np.abs(rows))) or 1.0
    image = axes.pcolormesh(
        raster.edges[0], edges, rows, cmap=cmap, vmin=low * top, vmax=top, rasterized=True
    )
    axes.set(xlabel="$x_1$", ylabel="depth t")
    axes.figure.colorbar(image, ax=axes, label=label)
