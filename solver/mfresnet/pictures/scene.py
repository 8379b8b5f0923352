# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The picture of densities in space, drawn by a process of its own.

VTK needs a screen, a virtual one at least, and ends the process that has none; so it gets one of
its own, without MPI.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from mfresnet.arrays import Array

LEVELS = ((0.08, 0.12), (0.3, 0.25), (0.7, 0.6))
"""Isosurfaces: share of the largest density of the class in the row, opacity."""
WINDOW = (640, 600)


def render(content: dict[str, Array], path: str) -> None:
    """Draw isosurfaces of all classes at several depths, side by side.

    Args:
        content: ``axes_0``, ``axes_1``, ``axes_2`` the coordinates; ``f`` the densities
            (depths, classes, n_0, n_1, n_2), NaN outside of the mesh; ``times`` the depths;
            ``targets`` (classes, 3) or nothing; ``labels`` and ``colours`` of the classes.
        path: the picture.
    """
    import pyvista

    f, times = np.nan_to_num(content["f"]), content["times"]
    columns, classes = f.shape[:2]
    size = (WINDOW[0] * columns, WINDOW[1])
    plotter = pyvista.Plotter(shape=(1, columns), off_screen=True, window_size=size, border=False)
    plotter.set_background("white")
    axes = [content[f"axes_{i}"] for i in range(3)]
    grid = pyvista.RectilinearGrid(*axes)
    for column, t in enumerate(times):
        plotter.subplot(0, column)
        plotter.add_mesh(grid.outline(), color="black", line_width=1)
        plotter.show_bounds(
            grid, location="outer", n_xlabels=3, n_ylabels=3, n_zlabels=3, fmt="%.1f",
            xtitle="x1", ytitle="x2", ztitle="x3", font_size=15, bold=False,
        )  # fmt: skip
        for k in range(classes):
            colour = tuple(content["colours"][k])
            # points of VTK: the first direction is the fastest
            grid.point_data["f"] = f[column, k].ravel(order="F")
            peak = float(f[column, k].max())
            for share, opacity in LEVELS:
                surface = grid.contour([share * peak], scalars="f")
                if surface.n_points:
                    plotter.add_mesh(surface, color=colour, opacity=opacity, show_scalar_bar=False)
            if len(content["targets"]):
                ball = pyvista.Sphere(0.012 * grid.length, content["targets"][k])
                plotter.add_mesh(ball, color=colour, ambient=0.4)
        plotter.add_text(f"t = {t:g}", position="upper_edge", font_size=12, color="black")
        if column == 0:
            entries: Any = list(
                zip(map(str, content["labels"]), map(tuple, content["colours"]), strict=True)
            )
            plotter.add_legend(
                entries, bcolor=None, face="circle", size=(0.2, 0.055 * classes), loc="upper left"
            )
        plotter.camera_position = "iso"
    plotter.screenshot(path)
    plotter.close()


if __name__ == "__main__":
    with np.load(sys.argv[1]) as file:
        render(dict(file), sys.argv[2])
