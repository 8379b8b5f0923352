# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The discontinuous Galerkin space DG(p) with a diagonal mass matrix, and its quadrature.

Intervals, quadrilaterals and hexahedra have the Lagrange basis in the Gauss points, collocated
with the (p+1)^d Gauss rule: the mass matrix is diagonal on every cell, distorted ones too.
Triangles and tetrahedra have the orthonormal Legendre basis: diagonal on straight cells.
"""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable
from typing import Any

import basix
import basix.ufl
import numpy as np
from dolfinx import fem
from dolfinx import mesh as dmesh

from mfresnet.arrays import Array, Indices, determinants
from mfresnet.errors import InputError
from mfresnet.mesh import compat
from mfresnet.mesh.quadrature import CellQuadrature, mapped
from mfresnet.parallel import maximum

SIMPLICES = ("triangle", "tetrahedron")
"""Cells with the orthonormal Legendre basis; the others have that of the Gauss points."""
CHOP = 1e-13
FLAT = 1e-10
"""Least |det J| over the product of the lengths of the columns of J, the sine of an angle."""


def chop(table: Array) -> Array:
    """Return ``table`` with rounding noise set to zero, so that sparsity shows."""
    return np.where(np.abs(table) < CHOP, 0.0, table)


def table_of(element: Any, points: Array, derivatives: int) -> Array:
    """Return values (and derivatives) of a scalar basis at reference points, also at none."""
    if len(points):
        return element.tabulate(derivatives, points)[..., 0]
    rows = 1 + points.shape[1] * derivatives
    return np.zeros((rows, 0, element.dim))


def refuse_places(comm: MPI.Intracomm, middles: Array, what: str) -> None:
    """Raise InputError on all ranks where there are any ``middles`` (n, d). Collective."""
    places = [middle for part in comm.allgather(middles) for middle in part]
    if places:
        near = ", ".join(f"{x:.4g}" for x in places[0])
        raise InputError(
            f"mesh: {what}; got {len(places)}, one around ({near}), expected none. Mend the mesh "
            "there."
        )


BLOCK = 1 << 17
"""Quadrature points at a time where a function is integrated."""


class Space:
    """DG(p) on a mesh: degrees of freedom, quadrature, diagonal mass.

    Arrays of owned degrees of freedom have length ``n_owned``; with the ghosts behind them,
    ``n_local``.

    Attributes:
        mesh: the mesh, with ghost cells across facets.
        degree: p.
        dimension: d, of the mesh and of the space around it.
        function_space: the DOLFINx function space.
        dofs: local degrees of freedom of every local cell, (cells with ghosts, dofs per cell).
        n_owned_cells: number of cells that this rank owns; they come first.
        collocation: where the basis is that of the points of ``quadrature``: for every owned degree
            of freedom the number of its point; None otherwise.
        mass: diagonal of the mass matrix, (n_owned,).
        integral: integrals of the basis functions, (n_owned,).
        cell_volume: |K|, (n_owned_cells,).
    """

    def __init__(self, mesh: dmesh.Mesh, degree: int) -> None:
        """Tabulate the basis on ``mesh``. Parallel: collective."""
        self.mesh, self.degree = mesh, degree
        self.comm = mesh.comm
        self.cell = mesh.topology.cell_name()
        self.dimension = mesh.topology.dim
        self._map = compat.coordinate_element(mesh)
        if mesh.geometry.dim != self.dimension:
            raise InputError(
                f"mesh: cells of dimension {self.dimension} lie in a space of dimension "
                f"{mesh.geometry.dim}, expected the same. Remove the extra coordinate."
            )
        simplex = self.cell in SIMPLICES
        if simplex and self._map.degree > 1:
            raise InputError(
                f"mesh: curved {self.cell} cells; got geometry of degree {self._map.degree}, "
                "expected straight cells. Mesh with straight cells or quadrilaterals."
            )
        variant = basix.LagrangeVariant.legendre if simplex else basix.LagrangeVariant.gl_isaac
        element = basix.ufl.element(
            "Lagrange", self.cell, degree, lagrange_variant=variant, discontinuous=True
        )
        self.function_space = fem.functionspace(mesh, element)
        self.basis = element.basix_element
        self.dofs: Indices = self.function_space.dofmap.list
        index_map = self.function_space.dofmap.index_map
        self.n_owned, self.n_ghosts = index_map.size_local, index_map.num_ghosts
        self.n_local = self.n_owned + self.n_ghosts
        self.n_global = index_map.size_global
        self.n_owned_cells = mesh.topology.index_map(self.dimension).size_local
        self.cell_degree = max(2 * degree, 1) if simplex else 2 * degree + 1
        self.facet_degree = 2 * degree + 1
        self._nodes = mesh.geometry.x[:, : self.dimension][compat.geometry_dofmap(mesh)]
        self._refuse_folded_cells()

        self.quadrature = self.cell_quadrature(self.cell_degree)
        self.cell_volume = self.quadrature.weights.sum(axis=1)
        self.integral = self._to_dofs(self.quadrature.weights @ self.quadrature.basis)
        self.collocation = self._collocation()
        squared = np.einsum("cq,qi->ci", self.quadrature.weights, self.quadrature.basis**2)
        self.mass = self._to_dofs(squared)

    def _refuse_folded_cells(self) -> None:
        """Raise where det J vanishes or changes its sign inside a cell: no map x -> X is there."""
        corners = basix.geometry(self.basis.cell_type)
        points = np.concatenate([corners, self.reference_rule(self.cell_degree)[0]])
        step = max(1, BLOCK // len(points))
        bad: list[Array] = [np.empty(0, dtype=np.int64)]
        for start in range(0, self.n_owned_cells, step):
            cells = slice(start, min(start + step, self.n_owned_cells))
            _, jacobian = self.map_points(cells, points)
            lengths = np.linalg.norm(jacobian, axis=-2)
            rounding = CHOP * np.abs(self._nodes[cells]).max(axis=(1, 2))
            long = lengths.min(axis=(1, 2)) > rounding
            sine = determinants(jacobian) / np.where(long[:, None], lengths.prod(axis=-1), np.inf)
            one_sided = np.abs(np.sign(sine).sum(axis=1)) == len(points)
            good = one_sided & (np.abs(sine).min(axis=1) > FLAT)
            bad.append(start + np.flatnonzero(~good))
        middles = self._nodes[np.concatenate(bad)].mean(axis=1)
        refuse_places(self.comm, middles, f"folded or flat {self.cell} cells")

    def _collocation(self) -> Array | None:
        basis = self.quadrature.basis
        if self.cell in SIMPLICES:
            return None
        own = np.argmax(basis, axis=0)
        numbers = own + len(basis) * np.arange(self.n_owned_cells)[:, None]
        result = np.empty(self.n_owned, dtype=np.int64)
        result[self.dofs[: self.n_owned_cells]] = numbers
        return result

    def reference_rule(self, degree: int, subdivisions: int = 1) -> tuple[Array, Array]:
        """Return points and weights of a rule on the reference cell, exact for ``degree``.

        Args:
            degree: polynomial degree that is integrated exactly.
            subdivisions: the rule is repeated in this many parts per direction, for integrands
                with jumps; on simplices the degree is raised instead.
        """
        kind = self.basis.cell_type
        if subdivisions > 1 and self.cell in SIMPLICES:
            degree, subdivisions = min(degree * subdivisions, 28), 1
        points, weights = basix.make_quadrature(kind, degree)
        if subdivisions == 1:
            return points, weights
        steps = np.arange(subdivisions)
        corners = np.stack(np.meshgrid(*[steps] * self.dimension), -1).reshape(-1, self.dimension)
        points = ((corners[:, None] + points) / subdivisions).reshape(-1, self.dimension)
        return points, np.tile(weights / subdivisions**self.dimension, len(corners))

    def cell_quadrature(self, degree: int, subdivisions: int = 1) -> CellQuadrature:
        """Return a quadrature rule on the owned cells, see ``reference_rule``."""
        points, weights = self.reference_rule(degree, subdivisions)
        geometry, nodes = table_of(self._map, points, 1), self.cell_nodes()
        x, volume = np.empty((len(nodes), *points.shape)), np.empty((len(nodes), len(points)))
        for part in np.array_split(np.arange(len(nodes)), len(nodes) * len(points) // BLOCK + 1):
            x[part], jacobian = mapped(geometry, nodes[part])
            volume[part] = np.abs(determinants(jacobian))
        table = self.tabulate(points, derivatives=1)
        return CellQuadrature(x, volume * weights, table[0], table[1:], geometry, nodes)

    def tabulate(self, points: Array, derivatives: int = 0) -> Array:
        """Return the basis (and reference derivatives) at reference points: (1 + d, n, dofs)."""
        return chop(table_of(self.basis, points, derivatives))

    def map_points(self, cells: slice | Indices, points: Array) -> tuple[Array, Array]:
        """Return x (cells, points, d) and J = dx/dX (cells, points, d, d) of reference points."""
        return mapped(table_of(self._map, points, 1), self._nodes[cells])

    def map_each(self, cells: Indices, points: Array) -> tuple[Array, Array]:
        """Return x (n, d) and J (n, d, d) of one reference point (n, d) in each given cell."""
        table = table_of(self._map, points, 1)
        nodes = self._nodes[cells]
        x = np.einsum("qn,qni->qi", table[0], nodes)
        return x, np.einsum("jqn,qni->qij", table[1:], nodes)

    def cell_nodes(self) -> Array:
        """Return the geometry nodes of the owned cells, (cells, nodes, d)."""
        return self._nodes[: self.n_owned_cells]

    def integrate(
        self, function: Callable[[Array], Array], degree: int, subdivisions: int = 1
    ) -> Array:
        """Return int g phi_i dx for all owned i; a block of cells at a time, to save memory.

        Args:
            function: g, called with x of shape (d, n), returning (n,).
            degree: see ``reference_rule``.
            subdivisions: see ``reference_rule``.
        """
        points, weights = self.reference_rule(degree, subdivisions)
        table, block = self.tabulate(points)[0], max(1, BLOCK // len(weights))
        result = np.empty(self.n_owned)
        for start in range(0, self.n_owned_cells, block):
            cells = slice(start, min(start + block, self.n_owned_cells))
            x, jacobian = self.map_points(cells, points)
            g = function(x.reshape(-1, self.dimension).T).reshape(x.shape[:2])
            g = g * (np.abs(determinants(jacobian)) * weights)
            result[self.dofs[cells]] = g @ table
        return result

    def _to_dofs(self, cellwise: Array) -> Array:
        values = np.empty(self.n_owned)
        values[self.dofs[: self.n_owned_cells]] = cellwise
        return values

    def at_points(self, f: Array, points: Array) -> tuple[Array, Array]:
        """Return where and what f is at reference points of all owned cells.

        Args:
            f: degrees of freedom, (n_owned,).
            points: reference points, (n, d).

        Returns:
            x of shape (cells, n, d) and values of shape (cells, n).
        """
        x, _ = self.map_points(slice(0, self.n_owned_cells), points)
        return x, f[self.dofs[: self.n_owned_cells]] @ self.tabulate(points)[0].T

    def at_quadrature(self, f: Array, basis: Array | None = None) -> Array:
        """Return f at the points of a rule on all owned cells.

        Args:
            f: degrees of freedom, (..., n_owned).
            basis: that of the rule, (points, dofs per cell), of ``quadrature`` when not given.

        Returns:
            The values, (..., cells, points).
        """
        table = self.quadrature.basis if basis is None else basis
        return f[..., self.dofs[: self.n_owned_cells]] @ table.T

    def bounds(self) -> tuple[Array, Array]:
        """Return the corners of the smallest box around the mesh. Parallel: collective."""
        nodes = self.cell_nodes().reshape(-1, self.dimension)
        low, high = nodes.min(axis=0, initial=np.inf), nodes.max(axis=0, initial=-np.inf)
        ends = maximum(self.comm, [-low, high])
        return -ends[0], ends[1]

    def to_function(self, f: Array, name: str = "f") -> fem.Function:
        """Return a DOLFINx function with the owned degrees of freedom ``f``, ghosts updated.

        Parallel: collective.
        """
        function = fem.Function(self.function_space, name=name)
        function.x.array[: self.n_owned] = f
        function.x.scatter_forward()
        return function
