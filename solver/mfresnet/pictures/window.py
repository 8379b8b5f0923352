# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A window with the fields of a finished run, to turn and to walk through the depth.

It is a process of its own: VTK ends the process that cannot reach a screen.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.child import execute
from mfresnet.errors import InputError
from mfresnet.output import SHARES, SHOWN, read_fields
from mfresnet.pictures.palette import COLOURS

FAINT = 0.22
"""Opacity of a set; they lie in one another."""
WIDTH, HEIGHT = 1100, 850
FINE = 2
"""Times that cells of higher degree are divided."""
PREFIX = "mass_share_"


def show_window(run: Path) -> str:
    """Open a window with the fields of a run directory, and wait until it is closed.

    Returns:
        What was done.

    Raises:
        InputError: the run has no fields, PyVista is missing, or there is no screen.
    """
    read_fields(run)
    if os.environ.get("DISPLAY"):
        line = [sys.executable, "-m", "mfresnet.pictures.window", str(run)]
        done = execute(line, float("inf"))
        if done.status == 0:
            return f"Closed: the window of {run}"
        reason = f"the display {os.environ['DISPLAY']} cannot be reached, or shows no window of VTK"
    else:
        reason = "there is no display here"
    raise InputError(
        f"view: {reason}, expected a screen for a window. Look at {run / 'report.html'}, or take "
        "--script FILE, for ParaView on another machine."
    )


class Window:
    """The window: sets of mass of all classes at a depth, samples, paths and targets.

    Attributes:
        plotter: the ``pyvista.Plotter``.
        depths: those at which there are fields.
    """

    def __init__(self, run: Path) -> None:
        """Fill it with the output."""
        import pyvista

        self._blocks = read_fields(run)
        self._fields = self._blocks["fields"]
        self.depths = [float(name.partition("=")[2]) for name in self._fields.keys()]
        self._names = [n for n in self._fields[0].point_data.keys() if n.startswith(PREFIX)]
        low, high = self._corners()
        self.flat = bool(low[2] == high[2])
        self.plotter = pyvista.Plotter(title=str(run), window_size=(WIDTH, HEIGHT))
        self.plotter.set_background("white")
        box = pyvista.Box(np.stack([low, high], axis=1).ravel())
        self.plotter.add_mesh(box, style="wireframe", color="silver", lighting=False)
        labels = [[n.removeprefix(PREFIX), COLOURS[k]] for k, n in enumerate(self._names)]
        if len(labels) > 1:
            self.plotter.add_legend(
                labels, bcolor=None, face="circle", size=(0.16, 0.06 * len(labels))
            )
        self._add_points("targets", size=16)
        if len(self.depths) > 1:
            self.plotter.add_slider_widget(
                self.show, (self.depths[0], self.depths[-1]), value=self.depths[-1],
                title="depth t", color="gray", fmt="%.2f", pointa=(0.3, 0.08), pointb=(0.7, 0.08),
            )  # fmt: skip
        elif "trajectories" in self._blocks.keys():
            self.plotter.add_mesh(self._blocks["trajectories"], color="gray", opacity=0.4)
        self.show(self.depths[-1])
        self.plotter.camera_position = "xy" if self.flat else "iso"
        if self.flat:
            self.plotter.enable_parallel_projection()
        self.plotter.reset_camera(bounds=box.bounds)

    def _corners(self) -> tuple[Array, Array]:
        """Return the corners of a box that holds nearly all mass at all depths."""
        ends = []
        for mesh in self._fields:
            share = np.min([mesh.point_data[name] for name in self._names], axis=0)
            inside = mesh.points[share < SHOWN]
            ends.append((inside.min(axis=0), inside.max(axis=0)))
        return np.min([e[0] for e in ends], axis=0), np.max([e[1] for e in ends], axis=0)

    def show(self, t: float) -> None:
        """Show the depth that is nearest to t."""
        n = min(range(len(self.depths)), key=lambda i: abs(self.depths[i] - t))
        mesh = self._fields[n]
        if self.flat:
            mesh = mesh.extract_surface(nonlinear_subdivision=FINE)
        for k, name in enumerate(self._names):
            for share in SHARES:
                part = (
                    mesh.clip_scalar(name, value=share)
                    if self.flat
                    else mesh.contour([share], scalars=name)
                )
                self._replace(f"{name} {share}", part, color=COLOURS[k], opacity=FAINT)
        if "samples" in self._blocks.keys() and len(self.depths) > 1:
            self._add_points("samples", self.depths[n], size=5)

    def _add_points(self, name: str, t: float | None = None, *, size: int) -> None:
        """Add points in the colours of their classes, of one depth where there are several."""
        if name not in self._blocks.keys():
            return
        points = self._blocks[name]
        if t is not None:
            keys = points.keys()
            points = points[min(keys, key=lambda key: abs(float(key.partition("=")[2]) - t))]
        for k in range(len(self._names)):
            rows = points["class"] == k
            self._replace(f"{name} {k}", points.points[rows], color=COLOURS[k], point_size=size,
                          render_points_as_spheres=True)  # fmt: skip

    def _replace(self, name: str, mesh: Any, **style: Any) -> None:
        """Put a mesh where one of the same name was; an empty one takes it away."""
        if len(mesh if not hasattr(mesh, "points") else mesh.points):
            self.plotter.add_mesh(mesh, name=name, show_scalar_bar=False, scalars=None,
                                  reset_camera=False, **style)  # fmt: skip
        else:
            self.plotter.remove_actor(name)


if __name__ == "__main__":
    Window(Path(sys.argv[1])).plotter.show()
