# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures on the line and in the plane: what is drawn lies where it is."""

from mpi4py import MPI

from pathlib import Path

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import mfresnet
from helpers import gaussian, make_case, make_data_case, shaped_mesh
from mfresnet.arrays import Array
from mfresnet.case.case import Case
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.handover import trained_network
from mfresnet.losses.table import LOSSES
from mfresnet.mesh.space import Space
from mfresnet.output.run_directory import read_history
from mfresnet.output.run_json import read_report
from mfresnet.output.sets import SHARES, MassSets
from mfresnet.pictures import figures as plot
from mfresnet.pictures import flat
from mfresnet.pictures import space as plot3d
from mfresnet.pictures.language import Names
from mfresnet.pictures.moving import moving
from mfresnet.pictures.raster import Raster
from mfresnet.runs.runner import run

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


@pytest.mark.parametrize("cell", ["interval", "quadrilateral"])
def test_density_that_is_to_be_reached_is_drawn(cell: str, tmp_path: Path) -> None:
    """Where the loss has it from the case, not from samples; a mean over points has none."""
    d = 1 if cell == "interval" else 2
    target = gaussian([0.3] * d, (0.2 * np.eye(d)).tolist())
    for loss, wanted in (({"kind": "density_l2", "target": target}, True), ({}, False)):
        case = make_case(cell, mesh={"cells": [10] * d}, network={"layers": 2}, loss=loss)
        functional = ReducedFunctional(case, MPI.COMM_SELF)
        figure = flat.flat_figures(functional, functional.theta0, tmp_path)["density"]
        texts = [t.get_text() for legend in figure.legends for t in legend.get_texts()]
        assert ("target density" in texts) == wanted


def test_plane_shows_the_steps_inside_a_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """v = b in both layers: the middle of the set of half the mass moves with b t."""
    monkeypatch.setattr(flat, "_line_film", lambda *_: None)
    seen: list[tuple[Array, Array, Array]] = []
    monkeypatch.setattr(flat, "fill_sets", lambda axes, x, y, share, c: seen.append((x, y, share)))
    case = mfresnet.load(CASES / "shift_1d.toml", ["network.layers=2", "time.steps_per_layer=14"])
    functional = mfresnet.ReducedFunctional(case, MPI.COMM_SELF)
    flat.flat_figures(functional, np.full_like(functional.theta0, 0.5), tmp_path)
    ((x, times, share),) = seen
    assert len(times) == min(flat.ROWS, functional.sweep.steps) + 1 > 10
    middles = np.array([x[row < 0.5].mean() for row in share])
    assert middles - middles[0] == pytest.approx(0.5 * times, abs=0.02)


def test_grid_samples_and_boundary_move_with_the_network(tmp_path: Path) -> None:
    """v = b: all are shifted; the boundary is where the scores are equal, at the output a line."""
    functional = ReducedFunctional(_small("samples", "quadratic", tmp_path), MPI.COMM_SELF)
    zero = functional.controls.split(np.zeros_like(functional.theta0))
    zero["b"][:] = 0.3
    theta = functional.controls.join(zero)
    box = np.array([-1.5, -1.5]), np.array([1.5, 1.5])
    things = moving(functional, theta, box, box)
    way = np.tanh(0.3) * things.times[-1]
    for places in (things.grid, things.samples, *things.boundaries):
        np.testing.assert_allclose(places[-1] - places[0], way, atol=1e-10)
    (line,) = things.boundaries
    assert line[-1][0] == pytest.approx(0.0, abs=1e-12)
    assert np.ptp(line[-1][1]) > 3.0
    scores = trained_network(functional, theta).scores(line[-1])
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-12)


def test_boundary_is_carried_back(tmp_path: Path) -> None:
    """Points on it at the input arrive where both scores are the same."""
    functional = ReducedFunctional(_small("samples", "quadratic", tmp_path), MPI.COMM_SELF)
    network = trained_network(functional, functional.theta0)
    box = np.array([-1.5, -1.5]), np.array([1.5, 1.5])
    (line,) = moving(functional, functional.theta0, box, box).boundaries
    scores = network.scores(network.carry(line[0]))
    np.testing.assert_allclose(scores[0], scores[1], atol=2e-3)


def test_axes_have_the_units_of_the_features(tmp_path: Path) -> None:
    functional = ReducedFunctional(_small("samples", "quadratic", tmp_path), MPI.COMM_SELF)
    dataset = functional.population.dataset
    assert dataset is not None
    axes = Figure().subplots()
    axes.set(xlim=(-2.0, 2.0), ylim=(-2.0, 2.0))
    Names(functional).name(axes, 0, 1)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("width", "height")
    for tick, text in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
        found = dataset.shift[1] + dataset.back[1, 1] * tick
        assert found == pytest.approx(float(text.get_text()), abs=1e-9)


def test_sets_hold_their_share_of_the_mass() -> None:
    """Of a Gaussian: 95 % lies within 2.448 of its deviation; the frame holds 99 %."""
    functional = ReducedFunctional(
        make_case("quadrilateral", mesh={"cells": [40, 40]}), MPI.COMM_SELF
    )
    sets = MassSets(functional.problem.space, functional.problem.f0)
    raster = Raster(functional.problem.space, np.full(2, -2.0), np.full(2, 2.0), 300)
    share = sets.share(0, raster.sample(functional.problem.f0)[0])
    for part in SHARES:
        radius = 0.3 * np.sqrt(-2.0 * np.log(1.0 - part))
        area = (share < part).sum() * (4.0 / 300) ** 2
        assert area == pytest.approx(np.pi * radius**2, rel=0.12)
    low, high = sets.bounds()
    reach = 0.3 * np.sqrt(-2.0 * np.log(0.01))
    assert (low < -0.4 - reach + 0.1).all()
    assert (low > -0.4 - reach - 0.5).all()
    assert (high > 0.5).all()


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
    marks: list[str] = []

    def see(axes: Axes, *args: object, **keys: object) -> object:
        if isinstance(args[-1], str) and args[-1] == "P":
            marks.append("mark")
        return real_plot(axes, *args, **keys)

    def see_legend(axes: object, handles: list[Artist], **keys: object) -> None:
        marks.extend(str(handle.get_label()) for handle in handles)

    real_plot = Axes.plot
    monkeypatch.setattr(flat, "PIXELS", 40)
    monkeypatch.setattr(flat, "FRAMES", 2)
    monkeypatch.setattr(Axes, "plot", see)
    monkeypatch.setattr(Figure, "legend", see_legend)
    functional = ReducedFunctional(_small(source, kind, tmp_path), MPI.COMM_SELF)
    plot.draw(functional, functional.theta0, [], tmp_path)
    found = marks.count("mark"), marks.count("target")
    # on the line two panels and the animation; in the plane four, the animation, and the paths
    expected = {"interval": (6, 1), "samples": (12, 3)}
    assert found == (expected[source] if kind == "quadratic" else (0, 0))


@pytest.mark.parametrize("kind", ["quadratic", "cross_entropy"])
def test_targets_in_space(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture in space has the targets that the loss has."""
    frames = plot3d.PANELS + plot3d.FRAMES
    blank = np.full((frames, 8, 8, 3), 255, dtype=np.uint8)
    monkeypatch.setattr(plot3d, "_rendered", lambda content: blank)
    functional = ReducedFunctional(_small("tetrahedron", kind, tmp_path), MPI.COMM_SELF)
    figure = plot3d.draw_space(functional, functional.theta0, tmp_path)["density"]
    for axes in figure.axes:
        marks = [line for line in axes.lines if line.get_marker() == "P"]
        assert len(marks) == (2 if LOSSES[kind].targets else 0)


def test_levels_of_a_training_are_marked(tmp_path: Path) -> None:
    """The history says where the first iterate on a mesh is, and which mesh it is."""
    case = make_data_case(tmp_path, network={"layers": 2})
    case = case.with_({"mesh": {"cells": None}, "accuracy": 1e-2})
    run(case, tmp_path / "run", comm=MPI.COMM_SELF)
    report, history = read_report(tmp_path / "run"), read_history(tmp_path / "run/history.csv")
    made = [stage for stage in report.stages if stage.first is not None]
    assert len(made) > 1
    assert made[0].first == 0
    for axes in plot.history_figure(history, 1e-3, report).axes:
        places = [line.get_xdata()[0] + 0.5 for line in axes.lines if line.get_linestyle() == ":"]
        assert places == [stage.first for stage in made[1:]]
        assert {stage.place for stage in made} <= {text.get_text() for text in axes.texts}
