# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The heat equation d_s f = Laplace f with reflecting walls, as a kernel that smooths.

Over the time bandwidth^2 / 2 four implicit Euler steps add bandwidth^2 to every variance, exactly,
and keep mass and means.
"""

from __future__ import annotations

from petsc4py import PETSc

from typing import Any

import ufl
from dolfinx import fem
from dolfinx.fem import petsc

from mfresnet.arrays import Array
from mfresnet.errors import SolveError
from mfresnet.mesh.forms import create_form
from mfresnet.mesh.separable import SeparableHeat, box_axes
from mfresnet.mesh.space import Space

STEPS = 4
TOLERANCE = 1e-14
PENALTY = 4.0


class HeatEquation:
    """The smoothing on one space: symmetric interior penalty, implicit Euler.

    On boxes of cells along the axes by ``separable``, in a fraction of the time; else by CG.
    Mass dominates the matrix, so that an incomplete factorisation on each rank preconditions it
    10 to 30 times as fast as algebraic multigrid does, up to a bandwidth of some cells
    (``benchmarks/smoothing.py``). PETSc options of the solver have the prefix ``heat_``.
    """

    def __init__(self, space: Space) -> None:
        """Look at the mesh. Parallel: collective."""
        self.space = space
        axes = box_axes(space)
        self.separable = None if axes is None else SeparableHeat(space, axes, PENALTY)
        if self.separable is None:
            self._set_up()

    def _set_up(self) -> None:
        """Assemble the stiffness matrix."""
        space = self.space
        self._stiffness = _assemble(space)
        self._mass = self._stiffness.createVecLeft()
        self._mass.setArray(space.mass)
        self._f, self._rhs = self._mass.duplicate(), self._mass.duplicate()

    def smooth(self, f: Array, bandwidth: float) -> Array:
        """Return f, (n_owned,), smoothed by a kernel of standard deviation ``bandwidth``.

        Raises:
            SolveError: the linear solver does not converge.

        Parallel: collective.
        """
        if self.separable is not None:
            return self.separable.smooth(f, bandwidth, STEPS)
        matrix = self._stiffness.copy()
        matrix.scale(bandwidth**2 / (2 * STEPS))
        matrix.setDiagonal(matrix.getDiagonal() + self._mass)
        solver, options = PETSc.KSP().create(self.space.comm), PETSc.Options("heat_")
        try:
            solver.setOptionsPrefix("heat_")
            solver.setType("cg")
            solver.getPC().setType("bjacobi")
            if not options.hasName("sub_pc_type"):
                options["sub_pc_type"] = "icc"
            solver.setTolerances(rtol=TOLERANCE, max_it=2000)
            solver.setOperators(matrix)
            solver.setFromOptions()
            self._f.setArray(f)
            for _ in range(STEPS):
                self._rhs.pointwiseMult(self._mass, self._f)
                solver.solve(self._rhs, self._f)
                if solver.getConvergedReason() < 0:
                    raise SolveError(
                        "the smoothing of the samples does not converge. Try another solver by "
                        "-heat_pc_type hypre, or a smaller data.bandwidth."
                    )
            return self._f.array_r.copy()
        finally:
            solver.destroy()
            matrix.destroy()

    def destroy(self) -> None:
        """Free the matrix and the vectors. Parallel: collective."""
        if self.separable is not None:
            return
        for thing in (self._stiffness, self._mass, self._f, self._rhs):
            thing.destroy()


def _assemble(space: Space) -> Any:
    """Return the stiffness matrix of -Laplace with natural boundary conditions."""
    u, w = ufl.TrialFunction(space.function_space), ufl.TestFunction(space.function_space)
    n, mesh = ufl.FacetNormal(space.mesh), space.mesh
    middle = fem.Function(fem.functionspace(mesh, ("DG", 0, (space.dimension,))))
    middle.interpolate(lambda x: x[: space.dimension])
    middle.x.scatter_forward()
    distance = abs(ufl.dot(middle("+") - middle("-"), n("+")))
    # Degree 0 has no gradients: the jumps alone make the two-point flux.
    factor = PENALTY * (space.degree + 1) ** 2 if space.degree else 1.0
    form = ufl.dot(ufl.grad(u), ufl.grad(w)) * ufl.dx
    form += factor / distance * ufl.jump(u) * ufl.jump(w) * ufl.dS
    if space.degree:
        form -= ufl.dot(ufl.avg(ufl.grad(u)), ufl.jump(w, n)) * ufl.dS
        form -= ufl.dot(ufl.avg(ufl.grad(w)), ufl.jump(u, n)) * ufl.dS
    matrix = petsc.assemble_matrix(create_form(space.comm, form))
    matrix.assemble()
    return matrix
