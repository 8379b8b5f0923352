# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The operator against the assembled UFL form, on however many ranks the tests run."""

from mpi4py import MPI

import itertools
from typing import Any

import numpy as np
import pytest
import ufl
from dolfinx import fem, la
from dolfinx import mesh as dmesh

from helpers import few, inner, inner_rank, random_field, shaped_mesh
from mfresnet.arrays import Array
from mfresnet.errors import SolveError
from mfresnet.mesh.boxes import CELLS, box
from mfresnet.mesh.forms import create_form
from mfresnet.mesh.space import Space
from mfresnet.parallel import maximum
from mfresnet.transport.operator.coefficients import Coefficients
from mfresnet.transport.operator.fluxes import FLUXES
from mfresnet.transport.operator.transport import Transport
from mfresnet.transport.operator.weakform import weak_form
from mfresnet.transport.operators import OPERATORS

COMM = MPI.COMM_WORLD
W = np.array([[0.7, -0.4, 0.3], [0.9, 0.3, -0.5], [0.2, 0.6, 0.4]])
B = np.array([0.2, -0.1, 0.3])
SHAPES = ("affine", "perturbed", "rotated")
DEGREES = range(7)
EXACT = {"table_atol": 1e-15, "table_rtol": 1e-15}
"""The form compiler rounds values of the basis near -1, 0 and 1 by up to 1e-9 unless told not to,
which shows on tetrahedra of degree 5."""


BOTH = pytest.mark.parametrize("operator", OPERATORS)


def coefficients(transport: Transport) -> Coefficients:
    d = transport.space.dimension
    v = np.tanh(W[:d, :d] @ transport.points + B[:d, None])
    return transport.coefficients(v, transport.new_coefficients())


def assembled(space: Space, f: Array, flux: str) -> Array:
    """Return M A f by DOLFINx."""
    d, x = space.dimension, ufl.SpatialCoordinate(space.mesh)
    v = [ufl.tanh(sum(W[i, j] * x[j] for j in range(d)) + B[i]) for i in range(d)]
    form = weak_form(space, ufl.as_vector(v), space.to_function(f), flux, 1.0)
    vector = fem.assemble_vector(create_form(space.comm, form, EXACT))
    vector.scatter_reverse(la.InsertMode.add)
    return vector.array[: space.n_owned]


def compare(space: Space, flux: str) -> None:
    """Compare every operator with the form, and them with each other."""
    f, found = random_field(space), [assembled(space, random_field(space), flux)]
    for make in OPERATORS.values():
        transport = make(space, flux, 1.0)
        found.append(transport.apply(f, coefficients(transport)) * space.mass)
    size = maximum(COMM, np.abs(found[0]).max(initial=0.0))[0]
    for one, other in itertools.combinations(found, 2):
        assert maximum(COMM, np.abs(one - other).max(initial=0.0))[0] <= 1e-13 * size


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("cell", CELLS)
def test_operator_is_the_ufl_form(cell: str, degree: int, shape: str) -> None:
    compare(Space(shaped_mesh(COMM, cell, few(cell, 6, 2), shape), degree), "smooth_upwind")


@pytest.mark.parametrize("degree", [1, 2])
def test_operator_on_cells_with_a_constant_determinant(degree: int) -> None:
    """det J is 1 everywhere, J is not constant in a cell."""
    mesh = box(COMM, "hexahedron", [3] * 3, np.full(3, -1.0), np.full(3, 1.2))
    x = mesh.geometry.x
    x[:, 0] += 0.4 * x[:, 1] * x[:, 2]
    compare(Space(mesh, degree), "smooth_upwind")


@pytest.mark.parametrize("flux", FLUXES)
@pytest.mark.parametrize("cell", CELLS)
def test_every_flux_is_the_ufl_form(cell: str, flux: str) -> None:
    compare(Space(shaped_mesh(COMM, cell, few(cell, 5), "rotated"), 2), flux)


@pytest.mark.smoke
@pytest.mark.parametrize("degree", [0, 1, 3])
def test_rank_without_boundary_facets(degree: int) -> None:
    mesh = shaped_mesh(COMM, "quadrilateral", 8, "rotated", inner_rank(8))
    space = Space(mesh, degree)
    transport = OPERATORS["fused"](space, "smooth_upwind", 1.0)
    if COMM.size > 1 and COMM.rank == COMM.size - 1:
        assert transport.n_exit == 0
    compare(space, "smooth_upwind")


@pytest.mark.parametrize("cell", CELLS)
def test_more_ranks_than_cells(cell: str) -> None:
    """On three ranks some have no cells and no interior facet."""
    d = CELLS[cell]
    cells = [2 if cell == "interval" else 1] * d
    space = Space(box(COMM, cell, cells, np.full(d, -1.0), np.full(d, 1.2)), 2)
    if COMM.size == 3 and cell in ("interval", "triangle", "quadrilateral", "hexahedron"):
        assert min(COMM.allgather(space.n_owned_cells)) == 0
    compare(space, "smooth_upwind")
    f, psi = random_field(space), np.cos(random_field(space))
    for make in OPERATORS.values():
        transport = make(space, "smooth_upwind", 1.0)
        a = coefficients(transport)
        forward = inner(space, psi, transport.apply(f, a))
        back = inner(space, f, transport.apply_transpose(psi, a))
        assert forward == pytest.approx(back, rel=1e-11)


@pytest.mark.smoke
@pytest.mark.parametrize("flux", FLUXES)
@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("cell", CELLS)
@BOTH
def test_transpose(operator: str, cell: str, degree: int, flux: str) -> None:
    """(psi, A f) = (A* psi, f) in L2."""
    space = Space(shaped_mesh(COMM, cell, few(cell, 6, 2), "rotated"), degree)
    transport = OPERATORS[operator](space, flux, 1.0)
    a, f = coefficients(transport), random_field(space)
    psi = random_field(space)[::-1].copy()
    forward = inner(space, psi, transport.apply(f, a))
    backward = inner(space, f, transport.apply_transpose(psi, a))
    size = np.sqrt(inner(space, psi, psi)) * np.sqrt(
        inner(space, transport.apply(f, a), transport.apply(f, a))
    )
    assert abs(forward - backward) <= 1e-12 * size


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("degree", DEGREES[1:])
@pytest.mark.parametrize("cell", CELLS)
@BOTH
def test_constant_state_is_kept(operator: str, cell: str, degree: int, shape: str) -> None:
    """With a constant velocity only the boundary cells see the zero inflow."""
    space = Space(shaped_mesh(COMM, cell, few(cell, 6), shape), degree)
    transport = OPERATORS[operator](space, "smooth_upwind", 1.0)
    v = np.tile(B[: space.dimension, None], transport.points.shape[1])
    a = transport.coefficients(v, transport.new_coefficients())
    one = space.integral / space.mass
    change = transport.apply(one, a)[space.dofs[: space.n_owned_cells]]
    inside = ~np.isin(np.arange(space.n_owned_cells), boundary_cells(space))
    assert maximum(COMM, np.abs(change[inside]).max(initial=0.0))[0] < 2e-12
    assert maximum(COMM, np.abs(change[~inside]).max(initial=0.0))[0] > 1e-2


def boundary_cells(space: Space) -> Array:
    d, topology = space.dimension, space.mesh.topology
    facets = dmesh.exterior_facet_indices(topology)
    cells: Any = topology.connectivity(d - 1, d)
    return np.array([cells.links(f)[0] for f in facets], dtype=np.int32)


@pytest.mark.parametrize("size", [1.0, 0.0])
@pytest.mark.parametrize("cell", CELLS)
@BOTH
def test_derivative_in_the_velocity(operator: str, cell: str, size: float) -> None:
    """The sensitivities give the central difference quotient of (psi, A f) in v, also at v = 0."""
    space = Space(shaped_mesh(COMM, cell, few(cell, 5), "rotated"), 2)
    transport = OPERATORS[operator](space, "smooth_upwind", 1.0)
    d = space.dimension
    f, psi = random_field(space), np.cos(random_field(space))
    x = transport.points
    v, h = size * np.tanh(W[:d, :d] @ x + B[:d, None]), np.cos(3.0 * x)

    def pairing(e: float) -> float:
        a = transport.coefficients(v + e * h, transport.new_coefficients())
        return inner(space, psi, transport.apply(f, a))

    a, s = transport.coefficients(v, transport.new_coefficients()), transport.new_coefficients()
    transport.apply_transpose(psi, a, y=f, sensitivity=s)
    slope = COMM.allreduce(float(np.sum(transport.coefficients_vjp(v, s) * h)))
    assert slope == pytest.approx((pairing(1e-5) - pairing(-1e-5)) / 2e-5, rel=1e-7)


def test_missing_ghost_cells_are_an_error() -> None:
    if COMM.size == 1:
        return
    mesh = dmesh.create_interval(COMM, 12, [0.0, 1.0], ghost_mode=dmesh.GhostMode.none)
    with pytest.raises(SolveError, match="GhostMode.shared_facet"):
        OPERATORS["fused"](Space(mesh, 1), "smooth_upwind", 1.0)


@pytest.mark.parametrize("cell", CELLS)
def test_operators_agree_in_all_that_is_made_of_them(cell: str) -> None:
    """Rates, damping, pairing, second derivatives, and what stands on the facets alone."""
    space = Space(shaped_mesh(COMM, cell, few(cell, 5), "rotated"), 2)
    f, psi = random_field(space), np.cos(random_field(space))
    numbers, fields = [], []
    for make in OPERATORS.values():
        t = make(space, "smooth_upwind", 1.0)
        d, x = space.dimension, t.points
        v, h = np.tanh(W[:d, :d] @ x + B[:d, None]), np.cos(3.0 * x)
        a, s = t.coefficients(v, t.new_coefficients()), t.new_coefficients()
        source = np.cos(7.0 * t.exit_points.sum(axis=0)) * t.exit_weights
        fields.append([t.apply_transpose(psi, a, source, f, 0.7, s).copy()])
        fields[-1].append(t.apply(f, t.coefficients_jvp(v, h, t.new_coefficients())).copy())
        fields[-1] += [t.trace_density(b).copy() for b in (t.leaving(a), t.speeds(v, a))]
        sums = [t.pairing(a, s), t.damping(f, a), np.sum(t.coefficients_vjp(v, s) * h)]
        sums.append(np.sum(t.coefficients_vjp_tangent(v, h, s) * h))
        t.apply(f, a)
        sums.append(t.outflow(a, t.exit_traces).sum())
        numbers.append([*COMM.allreduce(np.array(sums)), *maximum(COMM, t.rates(a))])
    np.testing.assert_allclose(*numbers, rtol=1e-12)
    for one, other in zip(*fields, strict=True):
        size = maximum(COMM, np.abs(other).max(initial=0.0))[0]
        assert maximum(COMM, np.abs(one - other).max(initial=0.0))[0] <= 1e-13 * size
