# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Densities at one depth, drawn into axes that the caller has made."""

from __future__ import annotations

from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.functional import Trajectory
from mfresnet.output import MassSets
from mfresnet.pictures.language import Names, aims_of, fill_sets, framed, mark
from mfresnet.pictures.palette import COLOURS, shown
from mfresnet.pictures.raster import Raster

PIXELS, ON_THE_LINE = 150, 400
"""Points in the longer direction, and on the line."""


def plot_densities(
    axes: Any, trajectory: Trajectory, layer: int = -1, frame: tuple[Array, Array] | None = None
) -> tuple[Array, Array]:
    """Draw the densities at the start of a layer: lines in 1-D, sets of mass in the plane.

    The sets hold 25, 50, 75 and 95 % of the mass of a class; crosses are the targets.

    Args:
        axes: axes of matplotlib, or None on ranks that do not draw.
        trajectory: what ``mean_field`` returns, or the sweep of trained controls.
        layer: the number of the layer; -1, or the number of layers, stands for T.
        frame: least and greatest coordinates, (d,) each; those of nearly all mass when not given.

    Returns:
        The frame, to draw other depths in the same one.

    Raises:
        InputError: the densities are neither on the line nor in the plane.

    Parallel: collective; rank 0 draws.
    """
    functional = trajectory.functional
    space = functional.problem.space
    if space.dimension > 2:
        raise InputError(
            f"plot_densities: not in space; got dimension {space.dimension}, expected 1 or 2. "
            "Run the case, whose pictures are in space, or open its fields in ParaView."
        )
    (f,) = trajectory.densities([layer])
    sets, aims = MassSets(space, f), aims_of(functional)
    line = space.dimension == 1
    frame = framed(*sets.bounds(), aims) if frame is None else frame
    low, high = (np.atleast_1d(np.asarray(end, float)) for end in frame)
    raster = Raster(space, low, high, ON_THE_LINE if line else PIXELS)
    values = raster.sample(f)
    if space.comm.rank or axes is None:
        return low, high
    for k, label in enumerate(functional.population.labels):
        if line:
            axes.plot(raster.axes[0], values[k], color=COLOURS[k], lw=1.6, label=shown(label))
        else:
            share = sets.share(k, values[k])
            fill_sets(axes, raster.axes[0], raster.axes[1], share.T, COLOURS[k])
        for aim in aims[k : k + 1]:
            mark(axes, (aim[0], 0.0) if line else (aim[0], aim[1]), k)
    axes.set_xlim(low[0], high[0])
    if not line:
        axes.set(ylim=(low[1], high[1]), aspect="equal")
    Names(functional).name(axes, 0, None if line else 1)
    return low, high
