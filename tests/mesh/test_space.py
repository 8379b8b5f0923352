# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The space and the projection of densities."""

from mpi4py import MPI

import numpy as np
import pytest

from helpers import few, l2_error, moments, observed_orders, shaped_mesh
from mfresnet.data.laws.density import Density, project
from mfresnet.errors import InputError
from mfresnet.mesh.boxes import CELLS, box
from mfresnet.mesh.space import Space
from mfresnet.schema import Model

COMM = MPI.COMM_SELF


class Holder(Model):
    density: Density


def model(**keys: object) -> object:
    return Holder.model_validate({"density": keys}).density


DENSITIES = {
    "gaussian": {"mean": [0.2, -0.1], "covariance": [[0.05, 0.02], [0.02, 0.08]]},
    "truncated_gaussian": {"mean": [0.2, -0.1], "std": 0.4, "radius": 0.7},
    "uniform_box": {"lower": [-0.5, -0.3], "upper": [0.6, 0.7]},
    "uniform_ball": {"mean": [0.2, -0.1], "radius": 0.8},
    "expression": {
        "lower": [-1.5, -1.6], "upper": [1.5, 1.4],
        "expression": "exp(-(x[0]**2 + (2 * x[1] - x[0]**2)**2) / 0.15)",
    },
    "mixture": {
        "components": [
            {"weight": 1, "density": {"kind": "uniform_ball", "mean": [0.5, 0.5], "radius": 0.4}},
            {
                "weight": 3,
                "density": {
                    "kind": "gaussian", "mean": [-0.5, 0.0], "covariance": [[0.04, 0], [0, 0.04]]
                },
            },
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("shape", ["affine", "rotated"])
@pytest.mark.parametrize("degree", range(7))
@pytest.mark.parametrize("cell", CELLS)
def test_mass_matrix_is_diagonal(cell: str, degree: int, shape: str) -> None:
    """The diagonal is the whole mass matrix, also on cells that are not affine."""
    space = Space(shaped_mesh(COMM, cell, few(cell, 3, 2), shape), degree)
    rule = space.quadrature
    full = np.einsum("cq,qi,qj->cij", rule.weights, rule.basis, rule.basis)
    diagonal = np.einsum("cii->ci", full).copy()
    np.testing.assert_allclose(diagonal.ravel(), space.mass[space.dofs].ravel(), rtol=1e-13)
    off = full - np.einsum("ci,ij->cij", diagonal, np.eye(full.shape[1]))
    assert np.abs(off).max() < 1e-13 * diagonal.max()


@pytest.mark.parametrize(
    ("cell", "degree"), [(cell, p) for cell, d in CELLS.items() for p in range(5 if d < 3 else 3)]
)
def test_projection_converges(cell: str, degree: int) -> None:
    """Order p + 1 in L2."""
    d = CELLS[cell]
    variance, sizes = (0.09, [16, 24, 36]) if d < 3 else (0.2, [6, 8, 12])
    density = model(kind="gaussian", mean=[0.1] * d, covariance=(variance * np.eye(d)).tolist())
    errors = []
    for n in sizes:
        space = Space(box(COMM, cell, [n] * d, np.full(d, -2.0), np.full(d, 2.2)), degree)
        f, mass = project(density, space, "density")
        assert abs(mass - 1.0) < (1e-6 if d < 3 else 1e-4)
        errors.append(l2_error(space, f, density.density))
    orders = observed_orders(sizes, errors)
    assert abs(orders[-1] - (degree + 1)) < 0.4, (orders, errors)


@pytest.mark.parametrize("kind", DENSITIES)
def test_density_in_the_plane(kind: str) -> None:
    """Mass one, and the moments of an independent Monte-Carlo-free reference on a fine grid."""
    density = model(kind=kind, **DENSITIES[kind])
    space = Space(box(COMM, "quadrilateral", [40, 40], np.full(2, -2.4), np.full(2, 2.5)), 2)
    f, raw = project(density, space, "density")
    mass, mean, covariance = moments(space, f)
    assert abs(raw - 1.0) < 2e-3
    line = -2.5 + 5.0 * (np.arange(1500) + 0.5) / 1500
    grid = np.stack(np.meshgrid(line, line, indexing="ij")).reshape(2, -1)
    weights = density.density(grid)
    assert weights.sum() * (5.0 / 1500) ** 2 == pytest.approx(1.0, abs=2e-3)
    weights /= weights.sum()
    expected = grid @ weights
    spread = (grid * weights) @ grid.T - np.outer(expected, expected)
    np.testing.assert_allclose(mean, expected, atol=2e-3)
    np.testing.assert_allclose(covariance, spread, atol=2e-3)
    assert mass == pytest.approx(1.0, abs=1e-4 if kind == "mixture" else 1e-8)
    lower, upper = density.extent()
    inside = np.all((grid.T >= lower) & (grid.T <= upper), axis=1)
    assert weights[~inside].sum() < 1e-7


@pytest.mark.parametrize("kind", ["truncated_gaussian", "uniform_ball"])
def test_density_on_the_line(kind: str) -> None:
    keys = {"truncated_gaussian": {"std": 0.3, "radius": 0.5}, "uniform_ball": {"radius": 0.5}}
    density = model(kind=kind, mean=0.2, **keys[kind])
    line = np.linspace(-1.0, 1.0, 200_001)
    assert np.sum(density.density(line[None])) * 1e-5 == pytest.approx(1.0, abs=1e-4)


def test_density_outside_of_the_mesh_is_an_error() -> None:
    space = Space(box(COMM, "interval", [10], np.zeros(1), np.ones(1)), 1)
    density = model(kind="gaussian", mean=0.0, covariance=0.01)
    with pytest.raises(InputError, match=r"classes\.3\.density.*got mass 0\.5"):
        project(density, space, "classes.3.density")


@pytest.mark.parametrize("cell", CELLS)
def test_values_at_quadrature_and_the_box(cell: str) -> None:
    """Both against the geometry, for fields of any number."""
    d = CELLS[cell]
    lower, upper = np.linspace(-1.5, 0.0, d), np.linspace(1.0, 2.0, d)
    space = Space(box(COMM, cell, [3] * d, lower, upper), 2)
    np.testing.assert_allclose(space.bounds(), [lower, upper], atol=1e-14)
    rule = space.cell_quadrature(5)
    f = np.array([np.sin(np.arange(space.n_owned)), np.cos(np.arange(space.n_owned))])
    points = space.reference_rule(5)[0]
    for values, row in zip(space.at_quadrature(f, rule.basis), f, strict=True):
        np.testing.assert_array_equal(values, space.at_points(row, points)[1])
    linear = space.integrate(lambda x: x[0], 3) / space.mass
    np.testing.assert_allclose(space.at_quadrature(linear), space.quadrature.x[..., 0], atol=1e-13)
