# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""An animation of the densities moving through the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.interrupt import leave_if_asked
from mfresnet.losses import LOSSES
from mfresnet.output.pictures.palette import COLOURS, blend, shown
from mfresnet.output.pictures.raster import Raster
from mfresnet.parallel import together

FRAMES, PER_SECOND = 40, 15


def animate(functional: ReducedFunctional, theta: Array, raster: Raster, path: Path) -> None:
    """Write a GIF of the densities over depth, in 1-D and 2-D. Parallel: collective."""
    frames = Trajectory(functional, theta).snapshots(FRAMES)
    fields = [np.nan_to_num(raster.sample(f)) for _, f in frames]
    with together(functional.comm):
        if functional.comm.rank == 0:
            _save(functional, [t for t, _ in frames], fields, raster, path)


def _save(
    functional: ReducedFunctional, times: list[float], fields: list[Array], raster: Raster,
    path: Path,
) -> None:  # fmt: skip
    leave_if_asked()
    population, line = functional.population, len(raster.shape) == 1
    figure = Figure(figsize=(5.4, 3.4 if line else 5.0), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel="$x_1$", ylabel="density" if line else "$x_2$")
    handles = [
        Line2D([], [], color=COLOURS[k], lw=4, label=shown(label))
        for k, label in enumerate(population.labels)
    ]
    axes.legend(handles=handles, loc="upper right", fontsize=8)
    title = axes.set_title("depth t = 0.00")
    show = _show_line(axes, fields, raster) if line else _show_plane(axes, fields, raster)
    for k, target in enumerate(LOSSES[functional.case.loss.kind].aims(population.targets)):
        at = (target[0], 0.0) if line else target
        axes.plot(*at, "P", color=COLOURS[k], mec="black", ms=10)

    def update(i: int) -> list[Artist]:
        if i:  # Pillow cannot close a picture without frames
            leave_if_asked()
        title.set_text(f"depth t = {times[i]:.2f}")
        show(fields[i])
        return []

    # The last frame stays for a second.
    order = [*range(len(times)), *[len(times) - 1] * PER_SECOND]
    animation = FuncAnimation(figure, update, frames=order, blit=False)
    animation.save(path, writer=PillowWriter(fps=PER_SECOND), dpi=80)


def _show_line(axes, fields, raster):  # type: ignore[no-untyped-def]
    top = max(float(f.max()) for f in fields)
    lines = [axes.plot(raster.axes[0], f, color=COLOURS[k])[0] for k, f in enumerate(fields[0])]
    axes.set(ylim=(-0.03 * top, 1.05 * top))

    def show(f: Array) -> None:
        for line, values in zip(lines, f, strict=True):
            line.set_ydata(values)

    return show


def _show_plane(axes, fields, raster):  # type: ignore[no-untyped-def]
    def picture(f: Array) -> Array:
        scale = np.maximum(f.max(axis=(1, 2), keepdims=True), 1e-300)
        return blend(np.sqrt(np.clip(f / scale, 0.0, 1.0)).swapaxes(1, 2))

    image = axes.imshow(
        picture(fields[0]), origin="lower", extent=raster.extent, interpolation="bilinear"
    )

    def show(f: Array) -> None:
        image.set_data(picture(f))

    return show
