# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""From samples to a density on the mesh: deposition and smoothing.

The empirical measure of N samples has the L2 projection f with

    (f, phi_i) = 1/N sum_n phi_i(x_n) .                                                     (16)

It is smoothed by the heat equation d_s f = Laplace f over the time bandwidth^2 / 2 with reflecting
walls: kernel density estimation as a PDE. Four implicit Euler steps add bandwidth^2 to every
variance, exactly, and keep mass and means.
"""

from __future__ import annotations

from petsc4py import PETSc

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KernelDensity

from mfresnet.arrays import Array
from mfresnet.data.tables.dataset import Dataset, Samples
from mfresnet.errors import InputError, SolveError
from mfresnet.mesh import Locator, Space, create_form

CHUNK, TRIED = 100_000, 2000
STEPS = 4
TOLERANCE = 1e-14
PENALTY = 4.0


def scott(n: float, d: int) -> float:
    """Return n^(-1/(d+4)), Scott's factor of the standard deviation."""
    return float(n ** (-1.0 / (d + 4)))


def silverman(n: float, d: int) -> float:
    """Return (n (d + 2) / 4)^(-1/(d+4)), Silverman's factor of the standard deviation."""
    return float((n * (d + 2) / 4.0) ** (-1.0 / (d + 4)))


BANDWIDTHS: dict[str, Callable[[float, int], float]] = {"scott": scott, "silverman": silverman}
"""Rule -> (number of samples, d) -> bandwidth over the standard deviation."""


def bandwidth(rule: str | float, dataset: Dataset, k: int) -> float:
    """Return the bandwidth for class k: one number for all directions.

    A rule is applied to the root mean square of the standard deviations of the d coordinates, with
    Kish's effective number of samples; ``likelihood`` takes the bandwidth with the largest
    likelihood of samples left out in turn, of at most ``TRIED`` samples.
    """
    if not isinstance(rule, str):
        return float(rule)
    d, inside = dataset.dimension, dataset.moments
    variances = np.diagonal(inside.covariance(bias=False)[k])
    n = float(inside.effective_count()[k])
    width = BANDWIDTHS.get(rule, scott)(n, d) * float(np.sqrt(np.mean(variances)))
    return width if rule in BANDWIDTHS else _likeliest(dataset.train.of_class(k), width)


def _likeliest(x: Array, scale: float) -> float:
    """Return the bandwidth near ``scale`` with the largest cross-validated likelihood."""
    chosen = np.random.default_rng(0).permutation(x.shape[1])[:TRIED]
    search = GridSearchCV(
        KernelDensity(),
        {"bandwidth": scale * np.geomspace(0.2, 3.0, 28)},
        cv=KFold(min(5, len(chosen)), shuffle=True, random_state=0),
    )
    return float(search.fit(x[:, chosen].T).best_params_["bandwidth"])


def deposit(space: Space, rounds: Iterable[Samples], labels: Sequence[str]) -> Array:
    """Return the L2 projection of the empirical measure of every class, eq. (16).

    Args:
        space: the DG space.
        rounds: the samples, in parts that are the same on all ranks.
        labels: names of the classes.

    Returns:
        Densities of mass one, (classes, n_owned).

    Raises:
        InputError: samples lie outside of the mesh.

    Parallel: collective.
    """
    locator, n = Locator(space), space.n_local
    moments, weight = np.zeros((len(labels), n)), np.zeros(len(labels))
    for part in rounds:
        for start in range(0, part.x.shape[1], CHUNK):
            piece = slice(start, start + CHUNK)
            x, y, w = part.x[:, piece], part.y[piece], part.w[piece]
            cells, reference, found = locator.find(x)
            if not found.all():
                _outside(x, y, found, labels)
            mine = np.flatnonzero(cells >= 0)
            values = space.tabulate(reference[mine])[0] * w[mine, None]
            places = space.dofs[cells[mine]] + n * y[mine, None].astype(np.int64)
            moments += np.bincount(places.ravel(), values.ravel(), minlength=moments.size).reshape(
                moments.shape
            )
            weight += np.bincount(y, w, minlength=len(labels))
    return moments[:, : space.n_owned] / (weight[:, None] * space.mass)


def _outside(x: Array, y: Array, found: Array, labels: Sequence[str]) -> None:
    first = int(np.argmin(found))
    raise InputError(
        f"mesh: samples outside of it; got one of class {labels[int(y[first])]} at "
        f"({', '.join(f'{v:.4g}' for v in x[:, first])}), expected all of them inside. Omit "
        "mesh.lower and mesh.upper, or enlarge them."
    )


class HeatEquation:
    """The smoothing on one space: symmetric interior penalty, implicit Euler, CG.

    Mass dominates the matrix, so that an incomplete factorisation on each rank preconditions it
    10 to 30 times as fast as algebraic multigrid does, up to a bandwidth of some cells
    (``benchmarks/smoothing.py``). PETSc options of the solver have the prefix ``heat_``.
    """

    def __init__(self, space: Space) -> None:
        """Assemble the stiffness matrix. Parallel: collective."""
        self.space = space
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
