# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures on the line and in the plane: what is drawn lies where it is."""

from mpi4py import MPI

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

import mfresnet
from helpers import make_case, make_data_case, shaped_mesh
from mfresnet.case.case import Case
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.losses.table import LOSSES
from mfresnet.mesh.space import Space
from mfresnet.output.pictures import animation as animate
from mfresnet.output.pictures import figures as plot
from mfresnet.output.pictures import space as plot3d
from mfresnet.output.pictures.raster import Raster

CASES = Path(__file__).parents[2] / "cases"


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


def _small(source: str, kind: str, directory: Path) -> Case:
    """A case with targets in the file, from classes on a box of a cell type, or from samples."""
    changes = {"network": {"layers": 2}, "loss": {"kind": kind}, "space": {"degree": 1}}
    if source == "samples":
        targets = {"no": [-1.0, 0.5], "yes": [1.0, 0.5]}
        return make_data_case(
            directory, **changes | {"loss": {"kind": kind, "targets": targets}},
            mesh={"cells": [12, 12]},
        )  # fmt: skip
    return make_case(source, **changes)


@pytest.mark.parametrize("kind", ["quadratic", "cross_entropy"])
@pytest.mark.parametrize("source", ["interval", "samples"])
def test_targets_are_shown_where_the_loss_has_them(
    source: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every picture of a run, marks and legends, and in no other one."""
    shown: list[str] = []
    real_plot, real_line, real_save = Axes.plot, Axes.axvline, plot.Figure.savefig

    def see(axes: Axes, *args: object, **keys: object) -> object:
        if isinstance(args[-1], str) and args[-1] in "+P":
            shown.append("mark")
        return real_plot(axes, *args, **keys)

    def see_line(axes: Axes, *args: object, **keys: object) -> object:
        shown.append("line")
        return real_line(axes, *args, **keys)

    def see_legend(figure: plot.Figure, path: object, **keys: object) -> None:
        shown.extend(t.get_text() for legend in figure.legends for t in legend.get_texts())
        if not isinstance(path, Path):  # a frame of the animation
            real_save(figure, path, **keys)

    monkeypatch.setattr(plot, "PIXELS", 40)
    monkeypatch.setattr(animate, "FRAMES", 2)
    monkeypatch.setattr(Axes, "plot", see)
    monkeypatch.setattr(Axes, "axvline", see_line)
    monkeypatch.setattr(plot.Figure, "savefig", see_legend)
    functional = ReducedFunctional(_small(source, kind, tmp_path), MPI.COMM_SELF)
    plot.draw(functional, functional.theta0, [], tmp_path)
    found = {name: shown.count(name) for name in ("mark", "line", "target")}
    if kind == "quadratic":
        expected = {"interval": (2, 2, 0), "samples": (10, 0, 1)}
        assert tuple(found.values()) == expected[source]
    else:
        assert tuple(found.values()) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["quadratic", "cross_entropy"])
def test_targets_in_space(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture in space is given the targets that the loss has."""
    seen: list[int] = []

    def render(arguments: list[str]) -> None:
        with np.load(arguments[0]) as content:
            seen.append(len(content["targets"]))
        Path(arguments[1]).touch()

    monkeypatch.setattr(plot3d, "_render", render)
    functional = ReducedFunctional(_small("tetrahedron", kind, tmp_path), MPI.COMM_SELF)
    plot3d.draw_space(functional, functional.theta0, tmp_path / "density.png")
    assert seen == [2 if LOSSES[kind].targets else 0]
