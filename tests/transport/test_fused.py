# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The compiled operator, its marches and its activations."""

from mpi4py import MPI

from pathlib import Path

import numpy as np
import pytest

from helpers import make_case, shaped_mesh
from mfresnet.arrays import Array
from mfresnet.compiled import levels
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.mesh.boxes import CELLS
from mfresnet.mesh.facets import find_facets
from mfresnet.mesh.layout import ALIGNMENT, Layout, aligned
from mfresnet.mesh.space import Space
from mfresnet.transport.fused import kernels
from mfresnet.transport.fused.ahead import compile_ahead
from mfresnet.transport.fused.march import FusedMarch
from mfresnet.transport.fused.transport import FusedTransport
from mfresnet.transport.steps.march import OneByOne

SMALL = {"interval": 24, "triangle": 5, "quadrilateral": 6, "tetrahedron": 3, "hexahedron": 3}


def functional(cell: str, operator: str, **sections: object) -> ReducedFunctional:
    d = CELLS[cell]
    mesh = {"cells": [SMALL[cell]] * d, "lower": [-2.0] * d, "upper": [1.7] * d}
    resources = {"operator": operator, **sections.pop("resources", {})}  # type: ignore[dict-item]
    case = make_case(cell, mesh=mesh, resources=resources, **sections)
    return ReducedFunctional(case, MPI.COMM_SELF)


def numbers(j: ReducedFunctional) -> list[Array]:
    theta = j.theta0 + 0.2 * np.sin(np.arange(j.theta0.size))
    h = np.cos(1.0 + np.arange(theta.size))
    return [np.array([j.value(theta)]), j.derivative(theta), j.hessian_action(theta, h)]


@pytest.mark.parametrize("running", [0.0, 0.4])
@pytest.mark.parametrize("limiter", ["none", "smooth_zhang_shu"])
@pytest.mark.parametrize("cell", CELLS)
def test_sweeps_of_both_operators_agree(cell: str, limiter: str, running: float) -> None:
    """J with outflow, its derivative and its Hessian action, to rounding.

    With several steps in a layer, which are one call where no loss is taken between them.
    """
    time = {"limiter": limiter, "order": 3, "steps_per_layer": 14}
    sections = {"loss": {"kind": "quadratic", "running": running}, "time": time}
    both = [functional(cell, operator, **sections) for operator in ("fused", "petsc")]
    marches = [type(j.sweep.march) for j in both]
    assert marches == [FusedMarch if limiter == "none" else OneByOne, OneByOne]
    assert both[0].steps_per_layer == both[1].steps_per_layer
    for one, other in zip(*map(numbers, both), strict=True):
        np.testing.assert_allclose(one, other, rtol=0.0, atol=1e-12 * np.abs(other).max())


@pytest.mark.parametrize("running", [0.0, 0.3])
def test_little_memory_has_the_same_bits(running: float) -> None:
    sections = {
        "loss": {"kind": "quadratic", "running": running},
        "network": {"layers": 6},
        "time": {"order": 3, "steps_per_layer": 4},
    }
    whole = functional("quadrilateral", "fused", **sections)
    size = 4.2 * whole.plan.layer_bytes + 2 * whole.plan.state_bytes
    resources = {"memory": f"{size / 1e3} kB"}
    little = functional(
        "quadrilateral", "fused", resources=resources, training={"method": "nls"}, **sections
    )
    assert whole.plan.whole and not little.plan.whole
    for one, other in zip(numbers(whole), numbers(little), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("degree", [0, 2])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("lanes", [2, 4, 8])
def test_layout_puts_everything_in_its_place(cell: str, degree: int, lanes: int) -> None:
    space = Space(shaped_mesh(MPI.COMM_SELF, cell, SMALL[cell], "rotated"), degree)
    interior, exterior = find_facets(space)
    layout = Layout(space, interior, exterior, lanes)
    assert len(np.unique(layout.place)) == space.n_owned <= layout.size
    assert np.array_equal(np.sort(layout.cells[layout.filled]), np.arange(space.n_owned_cells))
    # the points of both sides of a facet are the same point
    d, points = space.dimension, len(layout.facet_points)
    x = np.full((d, layout.sides), np.nan)
    for place, facets in ((layout.inside, interior), (layout.exits, exterior)):
        x[:, place] = facets.x.reshape(-1, d).T
    x[:, layout.outside] = interior.x.reshape(-1, d).T
    assert layout.own == layout.blocks * points * lanes
    sides = np.isfinite(x[0, : layout.own])
    assert sides.sum() == points * space.n_owned_cells
    inner = sides & (layout.behind < layout.own)
    assert inner.sum() == 2 * interior.weights.size
    np.testing.assert_array_equal(x[:, : layout.own][:, inner], x[:, layout.behind[inner]])


def test_memory_is_aligned() -> None:
    for shape in ((3,), (2, 5, 7), (0, 4)):
        memory = aligned(*shape)
        assert memory.shape == shape and not memory.any()
        assert memory.size == 0 or memory.ctypes.data % ALIGNMENT == 0


def test_kernels_are_made_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then no compiler is needed, on any processor of this kind."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compile_ahead(["interval"], [2]) == len(levels())
    monkeypatch.setattr("subprocess.run", None)
    j = functional("interval", "fused")
    assert np.isfinite(j.value(j.theta0))


def test_kernels_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And again where they are not whole, and in a place of their own without a cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = functional("interval", "fused")
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "mfresnet").iterdir()}
    assert made
    again = functional("interval", "fused")
    assert made == {path: path.stat().st_mtime_ns for path in (tmp_path / "mfresnet").iterdir()}
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    elsewhere = functional("interval", "fused")
    for j in (again, elsewhere):
        np.testing.assert_array_equal(j.derivative(j.theta0), first.derivative(first.theta0))


@pytest.mark.parametrize("cell", ["quadrilateral", "tetrahedron"])
def test_past_the_caches_is_the_same(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages that write past the caches find the same bits, forward and back."""
    inside = functional(cell, "fused")
    monkeypatch.setattr(kernels, "cache_size", lambda: 0)
    past = functional(cell, "fused")
    for j, expected in ((inside, 0), (past, 1)):
        transport = j.problem.transport
        assert isinstance(transport, FusedTransport)
        assert transport.kernels.operator.past == expected
    for one, other in zip(numbers(inside), numbers(past), strict=True):
        np.testing.assert_array_equal(one, other)
