# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures of densities in space: sampled on all ranks, drawn by a child process of rank 0."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.child import KILLED, execute
from mfresnet.errors import SolveError
from mfresnet.functional import ReducedFunctional, Trajectory
from mfresnet.losses import LOSSES
from mfresnet.output import depths
from mfresnet.parallel import together
from mfresnet.pictures.palette import COLOURS, shown
from mfresnet.pictures.raster import Raster

PIXELS = 90
VISIBLE, PAD = 0.04, 3
"""Share of the largest density that counts as visible; grid points around it."""
PATIENCE = 300.0


def draw_space(functional: ReducedFunctional, theta: Array, path: Path) -> None:
    """Draw the densities at the start, in the middle and at the end.

    Args:
        functional: J, in three dimensions.
        theta: the controls.
        path: the picture (.png).

    Raises:
        SolveError: the picture cannot be drawn; with the reason.

    Parallel: collective.
    """
    space, times = functional.problem.space, depths(functional)
    chosen = [0, len(times) // 2, len(times) - 1]
    raster = Raster(space, *space.bounds(), PIXELS)
    f = np.array([raster.sample(f) for f in Trajectory(functional, theta).densities(chosen)])
    population = functional.population
    aims = LOSSES[functional.case.loss.kind].aims(population.targets)
    kept = _visible(f, raster.axes, aims)
    content: dict[str, Any] = {
        f"axes_{i}": axis[part]
        for i, (axis, part) in enumerate(zip(raster.axes, kept, strict=True))
    }
    content |= {
        "f": f[:, :, kept[0], kept[1], kept[2]],
        "times": times[chosen],
        "targets": aims,
    }
    content["labels"] = np.array([shown(label) for label in population.labels])
    content["colours"] = np.array(COLOURS[: f.shape[1]])
    with together(functional.comm):
        if functional.comm.rank == 0:
            with tempfile.TemporaryDirectory() as directory:
                data = Path(directory) / "scene.npz"
                np.savez(data, **content)
                _render([str(data), str(path)])
            if not path.is_file():
                raise SolveError(f"output.pictures: {path.name} was not drawn. Set it to false.")


def _visible(f: Array, axes: Sequence[Array], targets: Array) -> tuple[slice, ...]:
    """Return the part of the grid in each direction that holds all bodies and targets."""
    values = np.nan_to_num(f)
    body = (values > VISIBLE * values.max(axis=(2, 3, 4), keepdims=True)).any(axis=(0, 1))
    parts = []
    for i, axis in enumerate(axes):
        others = tuple(j for j in range(3) if j != i)
        inside = np.flatnonzero(body.any(axis=others))
        marks = np.searchsorted(axis, targets[:, i]) if len(targets) else inside
        low, high = min(inside[0], marks.min()) - PAD, max(inside[-1], marks.max()) + PAD
        parts.append(slice(max(int(low), 0), int(high) + 1))
    return tuple(parts)


def _render(arguments: Sequence[str]) -> None:
    """Run ``scene`` with a screen, without what MPI has told this process."""
    if importlib.util.find_spec("pyvista") is None:
        raise SolveError(
            "output.pictures: pictures in space need the package pyvista; got none installed. "
            "Install mfresnet[space] or set output.pictures = false."
        )
    line = [sys.executable, "-m", "mfresnet.pictures.scene", *arguments]
    if "DISPLAY" not in os.environ:
        if shutil.which("xvfb-run") is None:
            raise SolveError(
                "output.pictures: no screen for pictures in space and no xvfb-run. Install xvfb "
                "and xauth or set output.pictures = false."
            )
        line = ["xvfb-run", "-a", *line]
    done = execute(line, PATIENCE)
    if done.status == KILLED:
        raise SolveError(
            f"output.pictures: the picture in space took more than {PATIENCE:g} s. Set "
            "output.pictures = false."
        )
    if done.status != 0:
        raise SolveError(
            f"output.pictures: the picture in space was not drawn ({done.last}). Set "
            "output.pictures = false."
        )
