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
    """Three views, with a bluish and an orange body in each."""
    path = tmp_path / "density.png"
    draw_space(functional, functional.theta0, path)
    pixels = np.asarray(Image.open(path).convert("RGB"), dtype=int)
    assert pixels.shape == (600, 1920, 3)
    for view in np.split(pixels, 3, axis=1):
        red, blue = view[..., 0], view[..., 2]
        assert (blue - red > 12).sum() > 3000
        assert (red - blue > 12).sum() > 3000
        assert (view.min(axis=-1) > 250).mean() > 0.5


def test_reasons_for_no_picture(
    functional: ReducedFunctional, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SolveError, match=r"^output\.pictures: the picture in space was not drawn"):
        draw_space(functional, functional.theta0, tmp_path / "nowhere/density.png")
    monkeypatch.setattr(plot3d.shutil, "which", lambda name: None)
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(SolveError, match="Install xvfb"):
        draw_space(functional, functional.theta0, tmp_path / "density.png")
