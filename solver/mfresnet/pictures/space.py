# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Densities in space: sampled on all ranks, their bodies drawn by a child process of rank 0."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mfresnet.arrays import Array
from mfresnet.child import KILLED, execute
from mfresnet.errors import SolveError
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.output import SHARES, MassSets
from mfresnet.parallel import together
from mfresnet.pictures.animation import film
from mfresnet.pictures.camera import Box
from mfresnet.pictures.language import Names, aims_of, framed, legend, mark, target_mark
from mfresnet.pictures.palette import COLOURS
from mfresnet.pictures.raster import Raster

PIXELS, FRAMES = 64, 25
"""Points in the longest direction, and frames of the animation."""
PANELS = 3
"""Depths in the picture."""
STILL, TURN = -55.0, (-75.0, -15.0)
"""Where the picture is seen from, and the animation at its start and its end: degrees from x_1."""
PATIENCE = 300.0
FIRST, MANY = 100, 10000
"""First number of a virtual screen, and how many."""
SCREEN = "-screen 0 1280x1024x24 -noreset"
"""It does not start again when a program closes its connection and opens another one."""
SIDE = 3.9
"""Width of a panel in inches."""
OUT = 0.05
"""Distance of a tick from its edge, over the height of the picture."""


def draw_space(functional: ReducedFunctional, theta: Array, directory: Path) -> dict[str, Figure]:
    """Return the picture ``density`` on rank 0; write the animation ``density.webp``.

    Surfaces hold 50, 75 and 95 % of the mass of a class.

    Args:
        functional: J, in three dimensions.
        theta: the controls.
        directory: where the animation goes.

    Raises:
        SolveError: they cannot be drawn; with the reason.

    Parallel: collective.
    """
    space, aims = functional.problem.space, aims_of(functional)
    frames = Trajectory(functional, theta).snapshots(FRAMES)
    ends, levels = [], []
    for _, densities in frames:
        sets = MassSets(space, densities)
        ends.append(sets.bounds())
        levels.append([[sets.level(k, s) for s in SHARES[1:]] for k in range(len(densities))])
    low, high = np.min([e[0] for e in ends], axis=0), np.max([e[1] for e in ends], axis=0)
    raster = Raster(space, *framed(low, high, aims), PIXELS)
    f = np.empty((len(frames), len(frames[0][1]), *raster.shape), dtype="f4")
    for number, (_, densities) in enumerate(frames):
        f[number] = np.nan_to_num(raster.sample(densities))
    box, times = Box(*raster.ends), [t for t, _ in frames]
    chosen, moving = (
        np.linspace(0, len(times) - 1, n).round().astype(int) for n in (PANELS, FRAMES)
    )
    azimuths = np.concatenate([np.full(PANELS, STILL), np.linspace(*TURN, FRAMES)])
    figures: dict[str, Figure] = {}
    with together(functional.comm):
        if functional.comm.rank == 0:
            content: dict[str, Any] = {f"axes_{i}": axis for i, axis in enumerate(raster.axes)}
            content |= {"f": f, "levels": levels, "low": box.low, "high": box.high}
            content |= {"rows": [*chosen, *moving], "azimuths": azimuths}
            content["colours"] = COLOURS[: f.shape[1]]
            pictures = _rendered(content)
            names, labels = Names(functional), functional.population.labels
            panels = _Panels(box, names, labels, aims)
            figures["density"] = panels.figure(pictures[:PANELS], [times[i] for i in chosen])
            seen = [times[i] for i in moving]
            panels.film(pictures[PANELS:], seen, azimuths[PANELS:], directory / "density.webp")
    return figures


class _Panels:
    """Pictures of bodies with the names of the axes around them."""

    def __init__(self, box: Box, names: Names, labels: Sequence[str], aims: Array) -> None:
        self._box, self._names, self._labels, self._aims = box, names, labels, aims
        self._marks = [target_mark()] if len(aims) else []
        width, height = box.half
        self._extent = (-width, width, -height, height)
        self._window = (-width - 0.33 * height, width + 0.16 * height, -1.3 * height, height)
        self._shape = 2.3 * height / (2.0 * width + 0.49 * height)

    def figure(self, pictures: Array, times: Sequence[float]) -> Figure:
        """Return pictures side by side, the first of the input and the last of the output."""
        n = len(pictures)
        figure = Figure(figsize=(SIDE * n, SIDE * self._shape + 0.7), layout="constrained")
        panels = figure.subplots(1, n, squeeze=False)[0]
        for number, (axes, picture, t) in enumerate(zip(panels, pictures, times, strict=True)):
            self._show(axes, picture, STILL)
            word = {0: "input, ", n - 1: "output, "}.get(number, "")
            axes.set_title(f"{word}t = {t:.2g}")
        legend(figure, self._labels, self._marks)
        return figure

    def film(self, pictures: Array, times: Sequence[float], azimuths: Array, path: Path) -> None:
        """Write the animation."""
        figure = Figure(figsize=(4.8, 4.8 * self._shape + 0.9), dpi=100, layout="constrained")
        axes = figure.subplots()
        for artist in self._show(axes, pictures[0], float(azimuths[0])):
            artist.remove()
        legend(figure, self._labels, self._marks, columns=2)

        def draw(n: int) -> list[Any]:
            return self._show(axes, pictures[n], float(azimuths[n]))

        film(figure, times, draw, path)

    def _show(self, axes: Any, picture: Array, azimuth: float) -> list[Any]:
        """Draw a picture with its targets, ticks and names; return the artists."""
        left, right, bottom, top = self._extent
        axes.set_axis_off()
        artists = [axes.imshow(picture, extent=self._extent, interpolation="antialiased")]
        for k, place in enumerate(self._box.project(self._aims, azimuth)):
            artists += mark(axes, place, k)
        for i in range(3):
            artists += self._scale(axes, i, azimuth)
        axes.set(xlim=self._window[:2], ylim=self._window[2:], aspect="equal")
        return artists

    def _scale(self, axes: Any, i: int, azimuth: float) -> list[Any]:
        """Write ticks and name of a coordinate along an edge in front, from sides of ``TURN``."""
        low, high = self._box.low, self._box.high
        places, texts = self._names.ticks(i, low[i], high[i])
        at = np.tile([high[0] if i == 1 else low[0], low[1], low[2]], (len(places) + 1, 1))
        at[:-1, i], at[-1, i] = places, 0.5 * (low[i] + high[i])
        edge = np.diff(self._box.project(np.stack([low, low + np.eye(3)[i]]), azimuth), axis=0)[0]
        across = np.array([-edge[1], edge[0]]) / np.linalg.norm(edge)
        found = self._box.project(at, azimuth)
        out = 2.0 * self._box.half[1] * across * np.sign(across @ found[-1])
        style: dict[str, Any] = {
            "ha": "center",
            "va": "center",
            "clip_on": False,
            "in_layout": False,
        }
        return [
            *(axes.text(*(x + OUT * out), text, fontsize=8, color="0.3", **style)
              for x, text in zip(found, texts, strict=False)),
            axes.text(*(found[-1] + 2.6 * OUT * out), self._names.title(i), fontsize=9, **style,
                      rotation=np.degrees(np.arctan2(edge[1], edge[0]))),
        ]  # fmt: skip


def _rendered(content: Mapping[str, Any]) -> Array:
    """Return the pictures of ``scene.render``, from a process with a screen, without MPI."""
    if importlib.util.find_spec("pyvista") is None:
        raise SolveError(
            "output.pictures: pictures in space need the package pyvista; got none installed. "
            "Install mfresnet[space] or set output.pictures = false."
        )
    with tempfile.TemporaryDirectory() as directory:
        data, pictures = Path(directory) / "scene.npz", Path(directory) / "pictures.npy"
        np.savez(data, **content)
        line = [sys.executable, "-m", "mfresnet.pictures.scene", str(data), str(pictures)]
        if "DISPLAY" not in os.environ:
            if shutil.which("xvfb-run") is None:
                raise SolveError(
                    "output.pictures: no screen for pictures in space and no xvfb-run. Install "
                    "xvfb and xauth or set output.pictures = false."
                )
            # a number of its own: xvfb-run looks for a free one, but others that start now do too
            number = str(FIRST + os.getpid() % MANY)
            line = ["xvfb-run", "-a", "-n", number, "-s", SCREEN, *line]
        done = execute(line, PATIENCE)
        if done.status == 0 and pictures.is_file():
            return np.asarray(np.load(pictures))
    why = f"took more than {PATIENCE:g} s" if done.status == KILLED else f"failed ({done.last})"
    raise SolveError(f"output.pictures: drawing in space {why}. Set output.pictures = false.")
