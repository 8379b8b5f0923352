# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures on the line and in the plane: what is drawn lies where it is."""

from mpi4py import MPI

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import QuadMesh

import mfresnet
from helpers import shaped_mesh
from mfresnet import plot
from mfresnet.raster import Raster
from mfresnet.space import Space

CASES = Path(__file__).parents[1] / "cases"


def test_pixels_fill_the_box_and_show_their_centres() -> None:
    raster = Raster(
        Space(shaped_mesh(MPI.COMM_SELF, "quadrilateral", 4, "affine"), 1),
        np.array([0.2, 0.0]),
        np.array([1.0, 0.4]),
        8,
    )
    assert raster.extent == pytest.approx((0.2, 1.0, 0.0, 0.4))
    assert raster.axes[0] == pytest.approx(np.arange(0.25, 1.0, 0.1))
    assert raster.shape == (8, 4)
    assert raster.points[:, 1] == pytest.approx([0.25, 0.15])


def test_plane_shows_the_steps_inside_a_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """v = b in both layers: the mean of every row moves with b t."""
    monkeypatch.setattr(plot, "animate", lambda *_: None)
    case = mfresnet.load(CASES / "shift_1d.toml", ["network.layers=2", "time.steps_per_layer=14"])
    functional = mfresnet.ReducedFunctional(case, MPI.COMM_SELF)
    figures = plot._flat_figures(functional, np.full_like(functional.theta0, 0.5), tmp_path)
    plane = next(c for c in figures["density"].axes[0].collections if isinstance(c, QuadMesh))
    x, t = np.moveaxis(np.asarray(plane.get_coordinates()), -1, 0)
    rows = np.asarray(plane.get_array()).reshape(len(t) - 1, -1)
    assert len(rows) == min(plot.ROWS, functional.sweep.steps + 1) > 10
    means = rows @ (x[0, 1:] + x[0, :-1]) / (2.0 * rows.sum(axis=1))
    shown = np.linspace(0.0, case.network.final_time, len(rows))
    assert means - means[0] == pytest.approx(0.5 * shown, abs=0.02)
    assert (t[:-1, 0] <= shown).all()
    assert (shown <= t[1:, 0]).all()
