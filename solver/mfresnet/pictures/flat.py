# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures of fields on the line and in the plane: densities over depth, and the velocity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional, Trajectory, trained_network
from mfresnet.losses import DensityLoss
from mfresnet.network import Network
from mfresnet.output import MassSets, depths, samples_of, trace
from mfresnet.parallel import together
from mfresnet.pictures.animation import film
from mfresnet.pictures.language import (
    Names,
    aims_of,
    fill_sets,
    framed,
    legend,
    mark,
    target_mark,
)
from mfresnet.pictures.moving import FINEST, moving
from mfresnet.pictures.palette import COLOURS, shown
from mfresnet.pictures.raster import Raster
from mfresnet.pictures.row import Plane, row_figure, row_film
from mfresnet.pictures.table import PICTURES
from mfresnet.tasks import of_task

PIXELS, ON_THE_LINE = 150, 400
"""Points in the longer direction, and on the line."""
FRAMES, ROWS = 33, 160
"""Depths of an animation, and of the plane of place and depth."""
PARTS = 3
"""Parts of the depth between the panels of the row."""
PATHS = 12
"""Paths of a class over depth."""
STREAMS, LONG, STEPS = 15, 1.5, 12
"""Stream lines in the longer direction, length of the fastest over their distance, and steps."""
SEEN = 12
"""Depths whose sets of mass decide the frame."""


def flat_figures(functional: ReducedFunctional, theta: Array, directory: Path) -> dict[str, Figure]:
    """Return the pictures of fields in 1-D and 2-D, on rank 0; write the animation.

    Parallel: collective.
    """
    line, loss = functional.problem.space.dimension == 1, functional.depth_loss.loss
    goal = loss.target if isinstance(loss, DensityLoss) else None
    rows = ROWS if line else FRAMES
    frames = Trajectory(functional, theta).snapshots(rows + 1)
    sets = [MassSets(functional.problem.space, f) for _, f in frames]
    of_goal = None if goal is None else MassSets(functional.problem.space, goal[None])
    raster = _frame(functional, [*sets[:: -(-len(sets) // SEEN)], sets[-1], of_goal])
    values = {t: raster.sample(f) for t, f in frames}
    wanted = None if goal is None else raster.sample(goal[None])[0]
    shares = {
        t: np.array([one.share(k, v) for k, v in enumerate(values[t])])
        for t, one in zip(values, sets, strict=True)
    }
    above = None if of_goal is None or wanted is None else of_goal.share(0, wanted)
    start = sets[0].bounds()
    figures: dict[str, Figure] = {}
    with together(functional.comm):
        if functional.comm.rank == 0:
            if line:
                figures = _line_figures(functional, theta, raster, shares, values, wanted)
                _line_film(functional, raster, values, wanted, directory / "density.webp")
            else:
                frame = raster.ends
                plane = Plane(
                    axes=raster.axes,
                    shares=shares,
                    frame=frame,
                    things=moving(functional, theta, start, frame),
                    names=Names(functional),
                    labels=functional.population.labels,
                    aims=aims_of(functional),
                    goal=above,
                )
                figures = _plane_figures(functional, theta, plane)
                row_film(plane, directory / "density.webp")
            if functional.population.dataset is not None:
                drawn = of_task(PICTURES, functional.case.task)
                figures |= drawn.flat(functional, theta, raster, wanted)
    return figures


def _frame(functional: ReducedFunctional, sets: list[MassSets | None]) -> Raster:
    """Return the raster over the sets that hold nearly all mass, and over the targets."""
    ends = [one.bounds() for one in sets if one is not None]
    low, high = np.min([e[0] for e in ends], axis=0), np.max([e[1] for e in ends], axis=0)
    space = functional.problem.space
    pixels = ON_THE_LINE if space.dimension == 1 else PIXELS
    return Raster(space, *framed(low, high, aims_of(functional)), pixels)


# ---------------------------------------------------------------------- in the plane
def _plane_figures(functional: ReducedFunctional, theta: Array, plane: Plane) -> dict[str, Figure]:
    end = functional.controls.final_time
    at = [_nearest(plane.shares, end * part / PARTS) for part in range(PARTS + 1)]
    return {
        "density": row_figure(plane, at),
        "velocity": velocity_figure(functional, theta, plane),
    }


def _nearest(shares: dict[float, Array], t: float) -> float:
    return min(shares, key=lambda s: abs(s - t))


def velocity_figure(functional: ReducedFunctional, theta: Array, plane: Plane) -> Figure:
    """Return stream lines over the sets of mass in the first, middle and last layer.

    The darker a line the faster it is passed.
    """
    network, (low, high) = functional.network(theta), plane.frame
    layers = [0, network.layers // 2, network.layers - 1]
    times = depths(functional)
    lines, speeds = zip(*(_streams(network, layer, low, high) for layer in layers), strict=True)
    top = max(float(speed.max()) for speed in speeds) or 1.0
    height = float(np.clip(3.2 * (high[1] - low[1]) / (high[0] - low[0]), 1.6, 3.8))
    figure = Figure(figsize=(10.6, height + 1.0), layout="constrained")
    greys = LinearSegmentedColormap.from_list("speed", ["0.88", "0.25"])
    panels = figure.subplots(1, len(layers), sharex=True, sharey=True)
    for number, (axes, layer) in enumerate(zip(panels, layers, strict=True)):
        t = _nearest(plane.shares, 0.5 * (times[layer] + times[layer + 1]))
        for k, share in enumerate(plane.shares[t]):
            fill_sets(axes, plane.axes[0], plane.axes[1], share.T, COLOURS[k])
        drawn = LineCollection(list(lines[number]), cmap=greys, norm=Normalize(0.0, top), lw=1.0)
        drawn.set_array(speeds[number])
        axes.add_collection(drawn, autolim=False)
        step = lines[number][:, -1] - lines[number][:, -2]
        axes.quiver(
            *lines[number][:, -1].T, *step.T, speeds[number], cmap=greys, norm=drawn.norm,
            pivot="tip", angles="xy", units="dots", scale_units="dots", scale=1e-3, width=1e-3,
            headwidth=6e3, headlength=7e3, headaxislength=6e3, minlength=0.0,
        )  # fmt: skip
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
        axes.set_title(f"layer {layer + 1}, t = {t:.2g}")
        plane.names.name(axes, 0, 1)
        if number:
            axes.set_ylabel("")
    figure.colorbar(drawn, ax=panels, label="speed |v|", shrink=0.85)
    legend(figure, plane.labels)
    return figure


def _streams(network: Network, layer: int, low: Array, high: Array) -> tuple[Array, Array]:
    """Return stream lines of a layer, (n, STEPS + 1, 2), the longer the faster, and their speeds.

    Each goes through a point of a grid in its middle.
    """
    apart = float((high - low).max()) / STREAMS
    sides = [np.arange(a + 0.5 * apart, b, apart) for a, b in zip(low, high, strict=True)]
    middle = np.stack(np.meshgrid(*sides)).reshape(2, -1)
    speed = np.linalg.norm(network.velocity(middle, layer), axis=0)
    half = 0.5 * LONG * apart / (float(speed.max()) or 1.0)
    parts = []
    for way in (-1.0, 1.0):
        x: Array = middle
        dt = way * half / (STEPS // 2)
        rows = [x]
        for _ in range(STEPS // 2):
            x = x + dt * network.velocity(x + 0.5 * dt * network.velocity(x, layer), layer)
            rows.append(x)
        parts.append(rows)
    return np.array([*parts[0][:0:-1], *parts[1]]).transpose(2, 0, 1), speed


# ---------------------------------------------------------------------- on the line
def _line_figures(
    functional: ReducedFunctional,
    theta: Array,
    raster: Raster,
    shares: dict[float, Array],
    values: dict[float, Array],
    wanted: Array | None,
) -> dict[str, Figure]:
    times, x, names = np.array([*shares]), raster.axes[0], Names(functional)
    labels, aims = functional.population.labels, aims_of(functional)
    figure = Figure(figsize=(9.2, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    stacked = np.array([*shares.values()])
    network, end = trained_network(functional, theta), functional.controls.final_time
    given = samples_of(functional, PATHS)
    for k in range(len(labels)):
        fill_sets(left, x, times, stacked[:, k], COLOURS[k])
        for t, line in ((times[0], ":"), (times[-1], "-")):
            right.plot(x, values[t][k], color=COLOURS[k], ls=line, lw=1.6)
        for target in aims[k : k + 1]:
            mark(left, (target[0], end), k)
            mark(right, (target[0], 0.0), k)
    if given is not None:
        at, path = trace(network, given.x, FINEST)
        for place, k in zip(path[:, 0].T, given.y, strict=True):
            left.plot(place, at, color=COLOURS[k], lw=0.8, zorder=3)
    goal = _to_reach(right, x, wanted)
    low, high = (float(end[0]) for end in raster.ends)
    left.set(xlim=(low, high), ylim=(0.0, end), ylabel="depth t", title="sets of mass and paths")
    right.set(xlim=(low, high), ylabel="density", title=f"dotted: t = 0, solid: t = {end:.3g}")
    right.set_ylim(bottom=min(0.0, right.get_ylim()[0]))
    names.name(left, 0)
    names.name(right, 0)
    legend(figure, labels, [*([target_mark()] if len(aims) else []), *goal])
    return {
        "density": figure,
        "velocity": _line_velocity(functional, theta, raster, names),
    }


def _line_velocity(
    functional: ReducedFunctional, theta: Array, raster: Raster, names: Names
) -> Figure:
    """Return the velocity over place and depth; zero is white."""
    network = functional.network(theta)
    rows = np.array([network.velocity(raster.points, i)[0] for i in range(network.layers)])
    top = float(np.abs(rows).max()) or 1.0
    figure = Figure(figsize=(5.4, 3.6), layout="constrained")
    axes: Any = figure.subplots()
    image = axes.pcolormesh(
        raster.edges[0], depths(functional), rows, cmap="RdBu_r", vmin=-top, vmax=top,
        rasterized=True,
    )  # fmt: skip
    axes.set(ylabel="depth t")
    names.name(axes, 0)
    figure.colorbar(image, ax=axes, label="velocity v")
    return figure


def _to_reach(axes: Any, x: Array, wanted: Array | None) -> list[Any]:
    """Draw the density to reach, where there is one; return the lines."""
    if wanted is None:
        return []
    return axes.plot(x, wanted, color="black", lw=1.0, ls="--", label="target density")


def _line_film(
    functional: ReducedFunctional,
    raster: Raster,
    values: dict[float, Array],
    wanted: Array | None,
    path: Path,
) -> None:
    labels, times = functional.population.labels, np.array([*values])
    chosen = times[np.linspace(0, len(times) - 1, min(FRAMES, len(times))).astype(int)]
    figure = Figure(figsize=(5.4, 3.6), dpi=100, layout="constrained")
    axes, x = figure.subplots(), raster.axes[0]
    top = max(float(np.nanmax(f)) for f in values.values())
    axes.set(xlim=(x[0], x[-1]), ylim=(-0.03 * top, 1.05 * top), ylabel="density")
    for k, target in enumerate(aims_of(functional)):
        mark(axes, (target[0], 0.0), k)
    Names(functional).name(axes, 0)
    legend(figure, [shown(label) for label in labels], _to_reach(axes, x, wanted))

    def draw(n: int) -> list[Any]:
        f = values[chosen[n]]
        lines = [axes.plot(x, fk, color=COLOURS[k], lw=1.8)[0] for k, fk in enumerate(f)]
        fills = [
            axes.fill_between(x, 0.0, np.nan_to_num(fk), color=COLOURS[k], alpha=0.25, lw=0)
            for k, fk in enumerate(f)
        ]
        return [*fills, *lines]

    film(figure, [float(t) for t in chosen], draw, path)
