"""The operator by constant sparse matrices of PETSc: the reference, and for other hardware.

Eq. (6) as it stands: B and C are assembled once, the coefficients are applied at all points.
"""

from __future__ import annotations

import numpy as np
from dolfinx import la

from mfresnet.arrays import Array
from mfresnet.mesh import Facets
from mfresnet.transport.operator.assembly import assemble, transposed
from mfresnet.transport.operator.coefficients import PointCoefficients
from mfresnet.transport.operator.matrices import Matrix
from mfresnet.transport.operator.transport import Transport


class PetscTransport(Transport):
    """The operator with B and C as matrices, a ``Transport``."""

    def _prepare(self, interior: Facets, exterior: Facets) -> Array:
        """Put the cell points in the order of the degrees of freedom where they are collocated.

        So the values of f at them are f itself.
        """
        space, rule = self.space, self.space.quadrature
        collocation = space.collocation
        self._collocated = collocation is not None
        order = np.arange(rule.weights.size) if collocation is None else collocation
        self._facet_weights = interior.weights.ravel()
        self._counted = np.repeat(interior.owned, interior.weights.shape[1])
        self.n_cell, self.n_facet = rule.weights.size, interior.weights.size
        self.n_exit = exterior.weights.size
        self._assemble(interior, exterior, order)
        return np.asarray(rule.x.reshape(-1, space.dimension)[order].T)

    # ------------------------------------------------------------------ matrices
    def _assemble(self, interior: Facets, exterior: Facets, order: Array) -> None:
        space = self.space
        b, c = assemble(space, interior, exterior, order, values=not self._collocated)
        self._state = la.vector(space.function_space.dofmap.index_map, 1)
        self._owned = self._state.array[: space.n_owned]
        self._inverse_mass = 1.0 / space.mass
        self._c = Matrix(c, self._state.array)
        self._b = Matrix(b, self._state.array)
        self._p = Matrix(transposed(b, self._inverse_mass))
        self._q = Matrix(transposed(c, self._inverse_mass))
        self._make_views()

    def _make_views(self) -> None:
        """Name the parts of the vectors between the matrices; none is copied."""
        n, m, d = self.n_cell, self.n_facet, self.space.dimension
        inside = 0 if self._collocated else n
        cuts = [inside, inside + m, inside + 2 * m]
        values, self._in, self._out, self._exit = np.split(self._c.y, cuts)
        self._values = self._owned if self._collocated else values
        # c, b: results of C and B; h, z: arguments of P and Q
        self._h_cell, self._h_jump, self._h_exit = np.split(self._p.x, [d * n, d * n + m])
        self._h_cell = self._h_cell.reshape(d, n)
        z_cell, self._z_in, self._z_out, self._z_exit = np.split(self._q.x, cuts)
        self._z_cell = np.empty(n) if self._collocated else z_cell
        b_cell, self._b_jump, self._b_exit = np.split(self._b.y, [d * n, d * n + m])
        self._b_cell = b_cell.reshape(d, n)
        self._cell_scratch, self._facet_scratch = np.empty(n), np.empty(m)

    @property
    def bytes(self) -> int:
        """Memory of the matrices with their vectors on this rank."""
        return sum(m.bytes for m in (self._b, self._c, self._p, self._q))

    # ------------------------------------------------------------------ coefficients
    @property
    def n_coefficients(self) -> int:
        """Length of the coefficients on this rank."""
        return self.space.dimension * self.n_cell + 2 * self.n_facet + self.n_exit

    def new_coefficients(self) -> PointCoefficients:
        """Return coefficients with zeros."""
        return PointCoefficients(self.space.dimension, self.n_cell, self.n_facet, self.n_exit)

    def coefficients(self, v: Array, out: PointCoefficients) -> PointCoefficients:
        """Fill ``out`` from the velocity.

        Args:
            v: the velocity at ``points``, (d, n).
            out: where the coefficients go.
        """
        facets = self._facets
        out.cell[:] = v[:, : self.n_cell]
        vn = np.einsum("in,in->n", self._normals, v[:, facets])
        speed = self.flux.speed(vn, self.scale)
        out.plus[:] = 0.5 * (vn + speed)
        out.minus[:] = 0.5 * (vn - speed)
        np.maximum(self.exit_flow(v), 0.0, out=out.exit)
        return out

    def coefficients_vjp(self, v: Array, sensitivity: PointCoefficients) -> Array:
        """Return g with sum g dv = sum sensitivity d(coefficients), shape (d, n).

        Points of facets that another rank counts have g = 0.
        """
        facets = self._facets
        g = np.empty_like(v)
        g[:, : self.n_cell] = sensitivity.cell
        vn = np.einsum("in,in->n", self._normals, v[:, facets])
        slope = self.flux.slope(vn, self.scale)
        both = 0.5 * ((1.0 + slope) * sensitivity.plus + (1.0 - slope) * sensitivity.minus)
        g[:, facets] = self._normals * (both * self._counted)
        kept = np.heaviside(self.exit_flow(v), 0.5) * sensitivity.exit
        g[:, facets.stop :] = self._exit_normals * kept
        return g

    def coefficients_jvp(self, v: Array, dv: Array, out: PointCoefficients) -> PointCoefficients:
        """Fill ``out`` with the change of the coefficients for a change dv of the velocity."""
        facets = self._facets
        out.cell[:] = dv[:, : self.n_cell]
        vn, dvn = (np.einsum("in,in->n", self._normals, u[:, facets]) for u in (v, dv))
        dspeed = self.flux.slope(vn, self.scale) * dvn
        out.plus[:] = 0.5 * (dvn + dspeed)
        out.minus[:] = 0.5 * (dvn - dspeed)
        out.exit[:] = np.heaviside(self.exit_flow(v), 0.5) * self.exit_flow(dv)
        return out

    def coefficients_vjp_tangent(
        self, v: Array, dv: Array, sensitivity: PointCoefficients
    ) -> Array:
        """Return the change of ``coefficients_vjp`` for a change dv of v, shape (d, n).

        The kink of [v.n]^+ on the boundary counts as none.
        """
        facets = self._facets
        g = np.zeros_like(v)
        vn, dvn = (np.einsum("in,in->n", self._normals, u[:, facets]) for u in (v, dv))
        both = 0.5 * (sensitivity.plus - sensitivity.minus)
        both *= self.flux.curvature(vn, self.scale) * dvn * self._counted
        g[:, facets] = self._normals * both
        return g

    def pairing(self, a: PointCoefficients, sensitivity: PointCoefficients) -> float:
        """Return sum a * sensitivity over the points that this rank counts."""
        facets = a.plus * sensitivity.plus + a.minus * sensitivity.minus
        inside = float(np.vdot(a.cell, sensitivity.cell)) + float(facets @ self._counted)
        return inside + float(a.exit @ sensitivity.exit)

    # ------------------------------------------------------------------ operator
    def apply(self, f: Array, a: PointCoefficients) -> Array:
        """Return A f; the array is overwritten by the next call. Parallel: collective."""
        self._traces(f)
        for v, h in zip(a.cell, self._h_cell, strict=True):
            np.multiply(v, self._values, out=h)
        np.multiply(a.plus, self._in, out=self._h_jump)
        np.multiply(a.minus, self._out, out=self._facet_scratch)
        self._h_jump += self._facet_scratch
        np.multiply(a.exit, self._exit, out=self._h_exit)
        return self._p.apply()

    def apply_transpose(
        self,
        psi: Array,
        a: PointCoefficients,
        source: Array | None = None,
        y: Array | None = None,
        weight: float = 1.0,
        sensitivity: PointCoefficients | None = None,
    ) -> Array:
        """Return A* psi, see ``Transport.apply_transpose``."""
        self._owned[:] = psi
        self._state.scatter_forward()
        self._b.apply()
        if source is not None:
            self._b_exit += source
        if y is not None and sensitivity is not None:
            self._add_sensitivity(y, weight, sensitivity)
        np.multiply(a.cell[0], self._b_cell[0], out=self._z_cell)
        for v, b in zip(a.cell[1:], self._b_cell[1:], strict=True):
            self._z_cell += np.multiply(v, b, out=self._cell_scratch)
        np.multiply(a.plus, self._b_jump, out=self._z_in)
        np.multiply(a.minus, self._b_jump, out=self._z_out)
        np.multiply(a.exit, self._b_exit, out=self._z_exit)
        result = self._q.apply()
        if self._collocated:
            self._z_cell *= self._inverse_mass
            result += self._z_cell
        return result

    def _add_sensitivity(self, y: Array, weight: float, sensitivity: PointCoefficients) -> None:
        """Add weight * (B psi) * (C y), with B psi in place."""
        self._traces(y)
        values = np.multiply(self._values, weight, out=self._z_cell)
        for s, b in zip(sensitivity.cell, self._b_cell, strict=True):
            s += np.multiply(b, values, out=self._cell_scratch)
        jump = np.multiply(self._b_jump, weight, out=self._z_in)
        sensitivity.plus += np.multiply(jump, self._in, out=self._facet_scratch)
        sensitivity.minus += np.multiply(jump, self._out, out=self._facet_scratch)
        sensitivity.exit += weight * self._b_exit * self._exit

    def rates(self, a: PointCoefficients) -> tuple[float, float]:
        """Return lambda and the compression, see ``Transport.rates``."""
        extra = (a.plus - a.minus) - np.abs(a.plus + a.minus)
        extra *= 0.5 * self.sums.excess
        rate = self.sums.largest(a.plus + extra, extra - a.minus, a.exit)
        vn = a.plus + a.minus
        return rate, self.sums.largest(-vn, vn, -a.exit)

    def leaving(self, a: PointCoefficients) -> tuple[Array, Array, Array]:
        """Return a+ as each side sees it, see ``Transport.leaving``."""
        return a.plus, -a.minus, a.exit

    def speeds(self, v: Array, a: PointCoefficients) -> tuple[Array, Array, Array]:
        """Return the speed of the flux on both sides, see ``Transport.speeds``."""
        speed = a.plus - a.minus
        return speed, speed, np.abs(self.exit_flow(v))

    def trace_density(self, b: tuple[Array, Array, Array]) -> Array:
        """Return g with (g, y) = int of b y over the facets, see ``Transport.trace_density``."""
        inside, outside, leaving = b
        self._q.x[:] = 0.0
        np.multiply(inside, self._facet_weights, out=self._z_in)
        np.multiply(outside, self._facet_weights, out=self._z_out)
        np.multiply(leaving, self.exit_weights, out=self._z_exit)
        return self._q.apply()

    @property
    def exit_traces(self) -> Array:
        """Values of f at the boundary points in the last ``apply``, (n_exit,); overwritten."""
        return self._exit

    def outflow(self, a: PointCoefficients, traces: Array) -> Array:
        """Return [v.n]^+ f ds at the boundary points from f there, (n_exit,)."""
        return self.exit_weights * a.exit * traces

    def damping(self, f: Array, a: PointCoefficients) -> float:
        """Return int_facets speed [f]^2: what the flux takes from the square of the L2 norm.

        In a unit of time, the part of the facets that this rank counts.

        Parallel: collective.
        """
        self._traces(f)
        jump = (self._in - self._out) ** 2 * (a.plus - a.minus) * self._counted
        return float(jump @ self._facet_weights)

    def _traces(self, f: Array) -> None:
        self._owned[:] = f
        self._state.scatter_forward()
        self._c.apply()
