# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The heat equation one axis at a time against the assembled matrices."""

from __future__ import annotations

from mpi4py import MPI

import numpy as np
import pytest

from mfresnet.mesh.boxes import CELLS, box
from mfresnet.mesh.heat import HeatEquation
from mfresnet.mesh.space import Space


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("cell", ["interval", "quadrilateral", "hexahedron"])
def test_same_as_the_matrices(cell: str, degree: int) -> None:
    """On cells of unequal widths along the axes."""
    d = CELLS[cell]
    mesh = box(MPI.COMM_SELF, cell, [4, 3, 2][:d], np.zeros(d), np.array([4.0, 3.0, 5.0])[:d])
    mesh.geometry.x[:, :d] += 0.02 * mesh.geometry.x[:, :d] ** 2
    heat = HeatEquation(Space(mesh, degree))
    assert heat.separable is not None
    f = np.random.default_rng(0).random(heat.space.n_owned)
    found = heat.smooth(f, 0.4)
    heat.separable = None
    heat._set_up()
    np.testing.assert_allclose(found, heat.smooth(f, 0.4), rtol=0.0, atol=1e-12)
    assert found @ heat.space.integral == pytest.approx(f @ heat.space.integral, rel=1e-12)
    heat.destroy()


def test_other_meshes_have_the_matrices() -> None:
    triangles = box(MPI.COMM_SELF, "triangle", [3, 3], np.zeros(2), np.ones(2))
    turned = box(MPI.COMM_SELF, "quadrilateral", [3, 3], np.zeros(2), np.ones(2))
    turned.geometry.x[:, :2] = turned.geometry.x[:, :2] @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    for mesh in (triangles, turned):
        assert HeatEquation(Space(mesh, 1)).separable is None
