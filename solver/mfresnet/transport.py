# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The transport operator A(theta), factorised through quadrature points, and its UFL weak form.

For all w in DG(p), zero inflow and free outflow,

    (A f, w) = (f v, grad w)_cells - < a+ f_in + a- f_out, w_in - w_out >_facets
               - < [v.n]^+ f, w >_boundary ,          a+, a- = (v.n +- speed(v.n)) / 2 .     (5)

All dependence on theta is in v at the quadrature points. With C from degrees of freedom to
values at points, B from degrees of freedom to weighted derivatives and jumps, M the diagonal mass,

    A f = M^-1 B^T (a * C f) ,      A* psi = M^-1 C^T (a * B psi)                            (6)

where the "coefficients" a are v in the cells, a+, a- on facets and [v.n]^+ on the boundary, and A*
is the adjoint of A in L2. B, C are constant sparse matrices.
"""

from __future__ import annotations

from petsc4py import PETSc

from typing import Any

import numpy as np
import scipy.sparse as sp
import ufl
from dolfinx import fem, la
from numpy.typing import NDArray

from mfresnet.arrays import Array
from mfresnet.facets import Facets, find_facets
from mfresnet.fluxes import FLUXES, Flux
from mfresnet.space import Space


class Matrix:
    """A sparse PETSc matrix of this rank, applied to NumPy arrays.

    Attributes:
        x: the argument, to be filled by the caller.
        y: the result of ``apply``, overwritten by the next one.
    """

    def __init__(self, matrix: sp.csr_matrix, x: Array | None = None) -> None:
        """Copy a SciPy matrix; ``x`` is memory for the argument, made when not given."""
        csr = (
            matrix.indptr.astype(PETSc.IntType),
            matrix.indices.astype(PETSc.IntType),
            matrix.data,
        )
        self._matrix = PETSc.Mat().createAIJ(matrix.shape, csr=csr, comm=PETSc.COMM_SELF)
        self.x = np.zeros(matrix.shape[1]) if x is None else x
        self.y = np.zeros(matrix.shape[0])
        self._x = PETSc.Vec().createWithArray(self.x, comm=PETSc.COMM_SELF)
        self._y = PETSc.Vec().createWithArray(self.y, comm=PETSc.COMM_SELF)

    def apply(self) -> Array:
        """Return the matrix times ``x``."""
        self._matrix.mult(self._x, self._y)
        return self.y


class Coefficients:
    """The pointwise factors a of eq. (6), or the derivative of J in them: one flat array.

    Attributes:
        flat: all of them, (d n_cell + 2 n_facet + n_exit,).
        cell: v at cell points, (d, n_cell).
        plus: a+ at facet points, (n_facet,).
        minus: a- at facet points, (n_facet,).
        exit: [v.n]^+ at boundary points, (n_exit,).
    """

    def __init__(self, d: int, n_cell: int, n_facet: int, n_exit: int) -> None:
        """Allocate zeros."""
        self.flat = np.zeros(d * n_cell + 2 * n_facet + n_exit)
        cuts = np.cumsum([d * n_cell, n_facet, n_facet])
        cell, self.plus, self.minus, self.exit = np.split(self.flat, cuts)
        self.cell = cell.reshape(d, n_cell)


class Transport:
    """The operator A(theta) on one space, its adjoint and its derivative in the velocity.

    Fields are arrays (n_owned,) of the degrees of freedom that this rank owns.

    Attributes:
        space: the space.
        points: all quadrature points as columns, (d, n): cells, then facets, then boundary.
        exit_points: the boundary points, (d, n_exit).
        exit_weights: their quadrature weights, (n_exit,).

    Parallel: ``apply`` and ``apply_transpose`` are collective; coefficients are local.
    """

    def __init__(self, space: Space, flux: str = "smooth_upwind", scale: float = 1.0) -> None:
        """Assemble B and C.

        Args:
            space: the DG space.
            flux: a name in ``FLUXES``.
            scale: the velocity scale that the flux smooths with; fixed, so that J is smooth.
        """
        self.space, self.scale = space, scale
        self.flux: Flux = FLUXES[flux]
        interior, exterior = find_facets(space)
        d, rule = space.dimension, space.quadrature
        self.n_cell, self.n_facet = rule.weights.size, interior.weights.size
        self.n_exit = exterior.weights.size
        parts = (rule.x, interior.x, exterior.x)
        self.points: Array = np.ascontiguousarray(
            np.concatenate([p.reshape(-1, d) for p in parts]).T
        )
        self.exit_points = self.points[:, self.n_cell + self.n_facet :]
        self.exit_weights = exterior.weights.ravel()
        self._normals = np.ascontiguousarray(interior.normals.reshape(-1, d).T)
        self._exit_normals = np.ascontiguousarray(exterior.normals.reshape(-1, d).T)
        self._counted = np.repeat(interior.owned, interior.weights.shape[1])
        self._prepare_rates(interior, exterior)
        self._assemble(interior, exterior)

    # ------------------------------------------------------------------ assembly
    def _assemble(self, interior: Facets, exterior: Facets) -> None:
        space, rule = self.space, self.space.quadrature
        cells = np.arange(space.n_owned_cells)
        shape = (len(cells), *rule.basis.shape)
        values = self._rows(np.broadcast_to(rule.basis, shape), cells)
        traces = [self._rows(interior.basis[i], interior.cells[i]) for i in range(2)]
        exit_trace = self._rows(exterior.basis[0], exterior.cells[0])
        jump = sp.diags_array(-interior.weights.ravel()) @ (traces[0] - traces[1])
        exit_jump = sp.diags_array(-self.exit_weights) @ exit_trace
        slopes = [
            self._rows(
                np.einsum("cq,cqj,jqi->cqi", rule.weights, rule.inverse[..., i], rule.gradient),
                cells,
            )
            for i in range(space.dimension)
        ]
        c = sp.vstack([values, *traces, exit_trace], format="csr")
        b = sp.vstack([*slopes, jump, exit_jump], format="csr")
        self._state = la.vector(space.function_space.dofmap.index_map, 1)
        self._owned = self._state.array[: space.n_owned]
        inverse_mass = sp.diags_array(1.0 / space.mass)
        self._c = Matrix(_clean(c), self._state.array)
        self._b = Matrix(_clean(b), self._state.array)
        self._p = Matrix(_clean(inverse_mass @ b[:, : space.n_owned].T))
        self._q = Matrix(_clean(inverse_mass @ c[:, : space.n_owned].T))
        self._scratch = np.empty(max(self.n_cell, self.n_facet))
        self._product = np.empty(self.n_cell)

    def _rows(self, values: Array, cells: NDArray[Any]) -> sp.csr_array:
        """Return the matrix with ``values`` (cells, points, dofs), one row a point."""
        n, per_cell = values.shape[0] * values.shape[1], values.shape[2]
        columns = np.repeat(self.space.dofs[cells], values.shape[1], axis=0)
        pointer = np.arange(n + 1) * per_cell
        shape = (n, self.space.n_local)
        return sp.csr_array((values.ravel(), columns.ravel(), pointer), shape=shape)

    # ------------------------------------------------------------------ coefficients
    def new_coefficients(self) -> Coefficients:
        """Return coefficients with zeros."""
        return Coefficients(self.space.dimension, self.n_cell, self.n_facet, self.n_exit)

    def coefficients(self, v: Array, out: Coefficients) -> Coefficients:
        """Fill ``out`` from the velocity.

        Args:
            v: the velocity at ``points``, (d, n).
            out: where the coefficients go.
        """
        facets = slice(self.n_cell, self.n_cell + self.n_facet)
        out.cell[:] = v[:, : self.n_cell]
        vn = np.einsum("in,in->n", self._normals, v[:, facets])
        speed = self.flux.speed(vn, self.scale)
        out.plus[:] = 0.5 * (vn + speed)
        out.minus[:] = 0.5 * (vn - speed)
        vn = np.einsum("in,in->n", self._exit_normals, v[:, facets.stop :])
        np.maximum(vn, 0.0, out=out.exit)
        return out

    def coefficients_vjp(self, v: Array, sensitivity: Coefficients) -> Array:
        """Return g with sum g dv = sum sensitivity d(coefficients), shape (d, n).

        Points of facets that another rank counts have g = 0.
        """
        facets = slice(self.n_cell, self.n_cell + self.n_facet)
        g = np.empty_like(v)
        g[:, : self.n_cell] = sensitivity.cell
        vn = np.einsum("in,in->n", self._normals, v[:, facets])
        slope = self.flux.slope(vn, self.scale)
        both = 0.5 * ((1.0 + slope) * sensitivity.plus + (1.0 - slope) * sensitivity.minus)
        g[:, facets] = self._normals * (both * self._counted)
        vn = np.einsum("in,in->n", self._exit_normals, v[:, facets.stop :])
        g[:, facets.stop :] = self._exit_normals * (np.heaviside(vn, 0.5) * sensitivity.exit)
        return g

    # ------------------------------------------------------------------ operator
    def apply(self, f: Array, a: Coefficients) -> Array:
        """Return A f; the array is overwritten by the next call. Parallel: collective."""
        c = self._traces(f)
        n, m, h = self.n_cell, self.n_facet, self._p.x
        for i, v in enumerate(a.cell):
            np.multiply(v, c[:n], out=h[i * n : (i + 1) * n])
        jump = h[len(a.cell) * n :][:m]
        np.multiply(a.plus, c[n : n + m], out=jump)
        np.multiply(a.minus, c[n + m : n + 2 * m], out=self._scratch[:m])
        jump += self._scratch[:m]
        np.multiply(a.exit, c[n + 2 * m :], out=h[len(h) - self.n_exit :])
        return self._p.apply()

    def apply_transpose(
        self,
        psi: Array,
        a: Coefficients,
        source: Array | None = None,
        y: Array | None = None,
        weight: float = 1.0,
        sensitivity: Coefficients | None = None,
    ) -> Array:
        """Return A* psi, the adjoint in L2; overwritten by the next call. Parallel: collective.

        Args:
            psi: the adjoint field, (n_owned,).
            a: the coefficients.
            source: psi outside of the domain at boundary points, times the weights, (n_exit,).
            y: when given, ``weight`` times the derivative of (psi, A y) (and of the cost of the
                outflow of y) in the coefficients is added to ``sensitivity``.
            weight: see ``y``.
            sensitivity: see ``y``.
        """
        self._owned[:] = psi
        self._state.scatter_forward()
        b, z = self._b.apply(), self._q.x
        n, m, d = self.n_cell, self.n_facet, len(a.cell)
        jump, out = b[d * n : d * n + m], b[d * n + m :]
        if source is not None:
            out += source
        np.multiply(a.cell[0], b[:n], out=z[:n])
        for i in range(1, d):
            np.multiply(a.cell[i], b[i * n : (i + 1) * n], out=self._scratch[:n])
            z[:n] += self._scratch[:n]
        np.multiply(a.plus, jump, out=z[n : n + m])
        np.multiply(a.minus, jump, out=z[n + m : n + 2 * m])
        np.multiply(a.exit, out, out=z[n + 2 * m :])
        if y is not None and sensitivity is not None:
            c = self._traces(y)
            c *= weight
            for i in range(d):
                sensitivity.cell[i] += np.multiply(b[i * n :][:n], c[:n], out=self._product)
            sensitivity.plus += jump * c[n : n + m]
            sensitivity.minus += jump * c[n + m : n + 2 * m]
            sensitivity.exit += out * c[n + 2 * m :]
        return self._q.apply()

    def outflow(self, f: Array, a: Coefficients, factor: Array | float = 1.0) -> float:
        """Return int_boundary [v.n]^+ f factor ds of this rank, from the traces of f."""
        exits = self._traces(f)[self.n_cell + 2 * self.n_facet :]
        return float(np.sum(self.exit_weights * a.exit * exits * factor))

    def last_outflow(self, a: Coefficients) -> Array:
        """Return [v.n]^+ f ds at the boundary points of the last ``apply``, (n_exit,)."""
        exits = self._c.y[self.n_cell + 2 * self.n_facet :]
        return self.exit_weights * a.exit * exits

    def _traces(self, f: Array) -> Array:
        self._owned[:] = f
        self._state.scatter_forward()
        return self._c.apply()

    # ------------------------------------------------------------------ CFL
    def _prepare_rates(self, interior: Facets, exterior: Facets) -> None:
        n = interior.weights.shape[1]
        sides = [np.repeat(side, n) for side in interior.cells]
        outside = np.repeat(exterior.cells[0], exterior.weights.shape[1])
        self._rate_cells = np.concatenate([*sides, outside])
        facet = interior.weights.ravel()
        self._rate_weights = np.concatenate([facet, facet, self.exit_weights])

    def _largest_rate(self, flow: Array) -> float:
        sums = np.bincount(
            self._rate_cells, self._rate_weights * flow, minlength=self.space.n_owned_cells
        )
        rates = sums[: self.space.n_owned_cells] / self.space.cell_volume
        return float(rates.max(initial=0.0))

    def rate(self, a: Coefficients) -> float:
        """Return lambda = max_K (1/|K|) int_dK a+ over the cells of this rank."""
        return self._largest_rate(np.concatenate([a.plus, -a.minus, a.exit]))

    def rate_bound(self, bound: float) -> float:
        """Return lambda of a velocity with |v_i| <= bound that is constant in each cell.

        The maximum over the cells of this rank. A velocity that changes sign inside a cell may
        have up to twice of it; ``rate`` tells.
        """
        reach = np.abs(np.concatenate([self._normals] * 2 + [self._exit_normals], axis=1))
        return self._largest_rate(0.5 * (bound * reach.sum(axis=0) + self.flux.excess * self.scale))


def _clean(matrix: Any) -> sp.csr_matrix:
    """Return a CSR matrix with sorted indices and no stored zeros."""
    result = sp.csr_matrix(matrix)
    result.sum_duplicates()
    result.eliminate_zeros()
    result.sort_indices()
    return result


def weak_form(space: Space, v: Any, f: fem.Function, flux: str, scale: float) -> ufl.Form:
    """Return the linear form w -> (A f, w) of eq. (5), the definition of the operator.

    Args:
        space: the DG space.
        v: the velocity, a UFL vector of length d.
        f: the density.
        flux: a name in ``FLUXES``.
        scale: the velocity scale of the flux.
    """
    w, n = ufl.TestFunction(space.function_space), ufl.FacetNormal(space.mesh)
    facet = {"quadrature_degree": space.facet_degree}
    dx = ufl.Measure("dx", space.mesh, metadata={"quadrature_degree": space.cell_degree})
    dS = ufl.Measure("dS", space.mesh, metadata=facet)  # noqa: N806
    ds = ufl.Measure("ds", space.mesh, metadata=facet)
    vn, out = ufl.dot(v, n("+")), ufl.dot(v, n)
    speed = FLUXES[flux].speed(vn, scale)
    phi = 0.5 * (vn + speed) * f("+") + 0.5 * (vn - speed) * f("-")
    return (
        f * ufl.dot(v, ufl.grad(w)) * dx
        - phi * (w("+") - w("-")) * dS
        - 0.5 * (out + abs(out)) * f * w * ds
    )
