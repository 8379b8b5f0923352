# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The picture of densities in space."""

from mpi4py import MPI

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers import gaussian, make_case
from mfresnet.errors import SolveError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.pictures import space as plot3d
from mfresnet.pictures.space import draw_space


@pytest.fixture(scope="module")
def functional() -> ReducedFunctional:
    """Two classes that are apart."""
    small = (0.1 * np.eye(3)).tolist()
    means = [[-0.6, -0.6, -0.6], [0.6, 0.6, -0.3]]
    classes = [{"density": gaussian(mean, small), "target": mean} for mean in means]
    case = make_case("tetrahedron", network={"layers": 2}, classes=classes)
    return ReducedFunctional(case, MPI.COMM_SELF)


@pytest.mark.smoke
def test_classes_are_in_the_picture(functional: ReducedFunctional, tmp_path: Path) -> None:
    """Three panels and the animation, with a bluish and an orange body in each."""
    figure = draw_space(functional, functional.theta0, tmp_path)["density"]
    views = [np.asarray(axes.images[0].get_array(), dtype=int) for axes in figure.axes]
    with Image.open(tmp_path / "density.webp") as film:
        assert film.n_frames == plot3d.FRAMES
        for number in (0, film.n_frames - 1):
            film.seek(number)
            views.append(np.asarray(film.convert("RGB"), dtype=int))
    assert len(views) == plot3d.PANELS + 2
    for view in views:
        red, blue = view[..., 0], view[..., 2]
        assert (blue - red > 12).sum() > 3000
        assert (red - blue > 12).sum() > 3000
        assert (view.min(axis=-1) > 250).mean() > 0.5


def test_bodies_are_where_the_projection_says(
    functional: ReducedFunctional, tmp_path: Path
) -> None:
    """The darkest place of a body is that of its mean, by the axes that its ticks stand on."""
    axes = draw_space(functional, functional.theta0, tmp_path)["density"].axes[0]
    picture = np.asarray(axes.images[0].get_array(), dtype=int)
    left, right, bottom, top = axes.images[0].get_extent()
    marks = [line for line in axes.lines if line.get_marker() == "P"]
    for mark, sign in zip(marks, (1, -1), strict=True):
        rows, columns = np.nonzero(sign * (picture[..., 2] - picture[..., 0]) > 60)
        x = left + (right - left) * (columns.mean() + 0.5) / picture.shape[1]
        y = top - (top - bottom) * (rows.mean() + 0.5) / picture.shape[0]
        assert x == pytest.approx(float(mark.get_xdata()[0]), abs=0.08)
        assert y == pytest.approx(float(mark.get_ydata()[0]), abs=0.08)


def test_reasons_for_no_picture(
    functional: ReducedFunctional, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plot3d.sys, "executable", "/bin/false")
    with pytest.raises(SolveError, match=r"^output\.pictures: drawing in space failed"):
        draw_space(functional, functional.theta0, tmp_path)
    monkeypatch.setattr(plot3d.shutil, "which", lambda name: None)
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(SolveError, match="Install xvfb"):
        draw_space(functional, functional.theta0, tmp_path)
