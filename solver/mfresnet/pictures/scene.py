# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Bodies in space, drawn by a process of its own.

VTK needs a screen, a virtual one at least, and ends the process that has none; so it gets one of
its own, without MPI.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.pictures.camera import Box, sight

OPACITIES = (0.85, 0.35, 0.13)
"""Of the surfaces, the innermost first."""
HEIGHT = 460
"""Of a picture, in points."""


def render(content: Mapping[str, Array]) -> Array:
    """Return pictures of all classes, the surfaces around their sets of mass, (pictures, m, n, 3).

    Args:
        content: ``axes_0``, ``axes_1``, ``axes_2`` the coordinates, equally spaced; ``f`` the
            densities (depths, classes, n_0, n_1, n_2); ``levels`` the values on the surfaces
            (depths, classes, surfaces); ``rows`` the depth of each picture and ``azimuths`` where
            it is seen from; ``low``, ``high`` the box; ``colours`` of the classes.
    """
    import pyvista

    f, box = content["f"], Box(content["low"], content["high"])
    width, height = box.half
    size = round(HEIGHT * width / height), HEIGHT
    plotter = pyvista.Plotter(off_screen=True, window_size=size)
    plotter.set_background("white")
    axes = [content[f"axes_{i}"] for i in range(3)]
    grid = pyvista.ImageData(
        dimensions=f.shape[2:],
        spacing=[axis[1] - axis[0] for axis in axes],
        origin=[axis[0] for axis in axes],
    )
    pair = np.stack([box.low, box.high], axis=1)
    frame, colours = pyvista.Box(pair.ravel()), content["colours"].tolist()
    plotter.add_mesh(frame, style="wireframe", color="silver", line_width=1, lighting=False)
    pictures: list[Array] = []
    drawn: list[Any] = []
    last = None
    for row, azimuth in zip(content["rows"], content["azimuths"], strict=True):
        if row != last:
            for actor in drawn:
                plotter.remove_actor(actor, render=False)
            drawn = [
                actor
                for k, colour in enumerate(colours)
                for actor in _bodies(plotter, grid, f[row, k], content["levels"][row, k], colour)
            ]
            last = row
        _, up, towards = sight(float(azimuth))
        plotter.camera.focal_point = box.middle
        plotter.camera.position = box.middle + 3.0 * frame.length * towards
        plotter.camera.up = up
        plotter.camera.parallel_projection = True
        plotter.camera.parallel_scale = height
        plotter.reset_camera_clipping_range()
        plotter.render()
        pictures.append(np.array(plotter.screenshot(None, return_img=True))[..., :3])
    plotter.close()
    return np.array(pictures)


def _bodies(plotter: Any, grid: Any, f: Array, levels: Array, colour: Any) -> list[Any]:
    """Add the surfaces of a class; return their actors."""
    # points of VTK: the first direction is the fastest
    grid.point_data["f"] = f.ravel(order="F")
    actors = []
    for level, opacity in zip(levels, OPACITIES, strict=True):
        surface = grid.contour([level], scalars="f", method="flying_edges")
        if surface.n_points:
            actors.append(
                plotter.add_mesh(
                    surface, color=colour, opacity=opacity, smooth_shading=True, ambient=0.3,
                    diffuse=0.8,
                    show_scalar_bar=False, reset_camera=False, render=False,
                )
            )  # fmt: skip
    return actors


if __name__ == "__main__":
    with np.load(sys.argv[1]) as file:
        np.save(sys.argv[2], render(dict(file)))
