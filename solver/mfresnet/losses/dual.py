# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The distance of densities in the dual of H1, which sees how far mass has to move.

1/2 <r, u> with r = f - g and u continuous, of the degree of f but of no less than 1,

    (u, v) + l^2 (grad u, grad v) = (r, v)  for all v ,                                     (17)

with natural boundary conditions: no null space, so that it is defined when mass was lost. With the
mixed mass matrix B (continuous test, DG trial) and K the matrix of the left side it is
1/2 r.B^T K^-1 B r.
"""

from __future__ import annotations

from petsc4py import PETSc

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc

from mfresnet.arrays import Array
from mfresnet.errors import SolveError
from mfresnet.losses.density import DensitySection, target_of
from mfresnet.losses.loss import Setting
from mfresnet.mesh import create_form
from mfresnet.parallel import total
from mfresnet.schema import PositiveFloat

TOLERANCE = 1e-13
"""Relative residual of CG: the derivative is exact to about this."""


class DualSection(DensitySection):
    """[loss] of kind density_dual_h1.

    Attributes:
        length: l, the distance over which a misplaced mass is noticed.
    """

    length: PositiveFloat = 0.5


class DualDistance:
    """1/2 <r, (1 - l^2 Laplace)^-1 r>, r = f - g. PETSc options have the prefix dual_h1_.

    Attributes:
        iterations: of CG in the last solve.

    Parallel: collective.
    """

    def __init__(self, setting: Setting) -> None:
        """Assemble B and K, and set up CG with algebraic multigrid."""
        self._space, self._g = setting.space, target_of(setting)
        space, squared = self._space, setting.section.length**2
        continuous = fem.functionspace(space.mesh, ("Lagrange", max(1, space.degree)))
        u, v = ufl.TrialFunction(continuous), ufl.TestFunction(continuous)
        f = ufl.TrialFunction(space.function_space)
        inner = (ufl.inner(u, v) + squared * ufl.inner(ufl.grad(u), ufl.grad(v))) * ufl.dx
        self._k = petsc.assemble_matrix(create_form(space.comm, inner))
        self._k.assemble()
        self._b = petsc.assemble_matrix(create_form(space.comm, ufl.inner(f, v) * ufl.dx))
        self._b.assemble()
        self._r, self._load = self._b.createVecs()
        self._u = self._load.duplicate()
        self._ksp = PETSc.KSP().create(space.comm)
        self._ksp.setOptionsPrefix("dual_h1_")
        self._ksp.setOperators(self._k)
        self._ksp.setType("cg")
        self._ksp.setTolerances(rtol=TOLERANCE, atol=0.0)
        self._ksp.getPC().setType("hypre")
        self._ksp.setFromOptions()
        self.iterations = 0
        self._known: Array | None = None

    def value(self, f: Array) -> Array:
        """Return the distance of each class, (classes,)."""
        r = f - self._g
        return 0.5 * total(self._space.comm, np.sum(r * self._duals(f), axis=1))

    def slope(self, f: Array) -> Array:
        """Return M^-1 B^T u."""
        return self._duals(f) / self._space.mass

    def curvature(self, f: Array, df: Array) -> Array:
        """Return the same of df: the distance is quadratic."""
        return np.array([self._solve(row) for row in df]) / self._space.mass

    def _duals(self, f: Array) -> Array:
        """Return B^T K^-1 B r of each class; kept, as value and slope both need it."""
        comm, known = self._space.comm, self._known
        same = known is not None and np.array_equal(known, f)
        if total(comm, float(same))[0] < comm.size:
            self._known = None  # until both are new: an interrupt may come in between
            self._kept = np.array([self._solve(row) for row in f - self._g])
            self._known = f.copy()
        return self._kept

    def _solve(self, r: Array) -> Array:
        self._r.setArray(r)
        self._b.mult(self._r, self._load)
        self._ksp.solve(self._load, self._u)
        self.iterations = self._ksp.getIterationNumber()
        # A right side at rounding level stops CG early; it is then as good as solved.
        if self._ksp.getConvergedReason() < 0 and self._load.norm() > 0.0:
            raise SolveError(
                f"loss.kind: the solver of density_dual_h1 did not converge in {self.iterations} "
                "iterations. Check the options -dual_h1_ksp_... and -dual_h1_pc_..."
            )
        self._b.multTranspose(self._u, self._r)
        return self._r.array_r.copy()
