# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The transport operator A(theta), factorised through quadrature points.

For all w in DG(p), zero inflow and free outflow,

    (A f, w) = (f v, grad w)_cells - < a+ f_in + a- f_out, w_in - w_out >_facets
               - < [v.n]^+ f, w >_boundary ,          a+, a- = (v.n +- speed(v.n)) / 2 .     (5)

All dependence on theta is in v at the quadrature points. With C from degrees of freedom to
values at points, B from degrees of freedom to weighted derivatives and jumps, M the diagonal mass,

    A f = M^-1 B^T (a * C f) ,      A* psi = M^-1 C^T (a * B psi)                            (6)

where the "coefficients" a are v in the cells, a+, a- on facets and [v.n]^+ on the boundary, and A*
is the adjoint of A in L2. ``weakform`` has it in UFL; ``petsc`` has B and C as sparse matrices,
``fused`` makes the same in one pass over the cells.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.mesh import Facets, Space, find_facets
from mfresnet.transport.operator.coefficients import Coefficients
from mfresnet.transport.operator.fluxes import FLUXES, Flux
from mfresnet.transport.operator.rates import FacetSums


class Transport(ABC):
    """The operator A(theta) on one space, its adjoint and its derivative in the velocity.

    Fields are arrays (n_owned,) of the degrees of freedom that this rank owns. Coefficients, and
    what stands on the facets, are of a class of the operator's own.

    Attributes:
        space: the space.
        flux: the numerical flux.
        scale: the scale of v.n at facet points for the flux, (n_facet,).
        points: all quadrature points as columns, (d, n): cells, then facets, then boundary.
        exit_points: the boundary points, (d, n_exit).
        exit_weights: their quadrature weights, (n_exit,).
        sums: sums over the facets of each cell.

    Parallel: what makes a field of a field is collective; coefficients are local.
    """

    n_cell: int
    n_facet: int
    n_exit: int

    def __init__(self, space: Space, flux: str = "smooth_upwind", scale: float = 1.0) -> None:
        """Set up the operator.

        Args:
            space: the DG space.
            flux: a name in ``FLUXES``.
            scale: the velocity scale of the flux; fixed, so that J is smooth.
        """
        self.space = space
        self.flux: Flux = FLUXES[flux]
        interior, exterior = find_facets(space)
        d = space.dimension
        parts = [self._prepare(interior, exterior)]
        parts += [facets.x.reshape(-1, d).T for facets in (interior, exterior)]
        self.points: Array = np.concatenate(parts, axis=1)
        self._facets = slice(self.n_cell, self.n_cell + self.n_facet)
        self.exit_points = self.points[:, self._facets.stop :]
        self.exit_weights = exterior.weights.ravel()
        self._normals = np.ascontiguousarray(interior.normals.reshape(-1, d).T)
        # the largest |v.n| of velocities with |v_i| <= scale
        self.scale = scale * np.abs(self._normals).sum(axis=0)
        self._exit_normals = np.ascontiguousarray(exterior.normals.reshape(-1, d).T)
        self.sums = FacetSums(space, self.flux, self.scale, interior, exterior)

    @abstractmethod
    def _prepare(self, interior: Facets, exterior: Facets) -> Array:
        """Set up what the operator needs; return the points of the cells, (d, n_cell)."""

    @property
    @abstractmethod
    def bytes(self) -> int:
        """Memory of the operator on this rank."""

    # ------------------------------------------------------------------ coefficients
    @property
    @abstractmethod
    def n_coefficients(self) -> int:
        """Length of the coefficients on this rank."""

    @abstractmethod
    def new_coefficients(self) -> Coefficients:
        """Return coefficients with zeros."""

    @abstractmethod
    def coefficients(self, v: Array, out: Any) -> Coefficients:
        """Fill ``out`` from the velocity.

        Args:
            v: the velocity at ``points``, (d, n).
            out: where the coefficients go.
        """

    @abstractmethod
    def coefficients_vjp(self, v: Array, sensitivity: Any) -> Array:
        """Return g with sum g dv = sum sensitivity d(coefficients), shape (d, n).

        Over all ranks: a facet between two of them may be counted by one, or in part by each.
        """

    def coefficients_of_layers(self, v: Array, out: Sequence[Any]) -> None:
        """Fill ``out`` from the velocities of several layers, (layers, d, n)."""
        for velocity, a in zip(v, out, strict=True):
            self.coefficients(velocity, a)

    def coefficients_vjp_of_layers(self, v: Array, sensitivities: Sequence[Any]) -> Array:
        """Return ``coefficients_vjp`` of several layers, (layers, d, n)."""
        pairs = zip(v, sensitivities, strict=True)
        return np.stack([self.coefficients_vjp(velocity, s) for velocity, s in pairs])

    @abstractmethod
    def coefficients_jvp(self, v: Array, dv: Array, out: Any) -> Coefficients:
        """Fill ``out`` with the change of the coefficients for a change dv of the velocity."""

    @abstractmethod
    def coefficients_vjp_tangent(self, v: Array, dv: Array, sensitivity: Any) -> Array:
        """Return the change of ``coefficients_vjp`` for a change dv of v, shape (d, n).

        The kink of [v.n]^+ on the boundary counts as none.
        """

    @abstractmethod
    def pairing(self, a: Any, sensitivity: Any) -> float:
        """Return sum a * sensitivity over the points that this rank counts."""

    @abstractmethod
    def rates(self, a: Any) -> tuple[float, float]:
        """Return two of the largest (1/|K|) int_dK g over the cells K of this rank.

        The first, lambda, has g = a+ + e/2 (speed - |v.n|): the damping beyond that of the upwind
        flux counts 1 + e times, see ``schemes.excess``. The second is the largest mean of -div v,
        g = -v.n; what flows in over the boundary of the domain does not count.
        """

    def rate_bound(self, velocity: float) -> float:
        """Return lambda of a velocity with |v_i| <= ``velocity`` that is constant in each cell.

        A velocity that changes sign inside a cell may have up to twice of it; ``rates`` tells.
        """
        return self.sums.bound(velocity)

    def exit_flow(self, v: Array) -> Array:
        """Return v.n at the boundary points, (n_exit,), of the velocity at ``points``."""
        return np.einsum("in,in->n", self._exit_normals, v[:, self._facets.stop :])

    # ------------------------------------------------------------------ operator
    @abstractmethod
    def apply(self, f: Array, a: Any) -> Array:
        """Return A f; the array is overwritten by the next call. Parallel: collective."""

    @abstractmethod
    def apply_transpose(
        self,
        psi: Array,
        a: Any,
        source: Array | None = None,
        y: Array | None = None,
        weight: float = 1.0,
        sensitivity: Any = None,
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

    @property
    @abstractmethod
    def exit_traces(self) -> Array:
        """Values of f at the boundary points in the last ``apply``, (n_exit,); overwritten."""

    @abstractmethod
    def outflow(self, a: Any, traces: Array) -> Array:
        """Return [v.n]^+ f ds at the boundary points from f there, (n_exit,)."""

    @abstractmethod
    def damping(self, f: Array, a: Any) -> float:
        """Return int_facets speed [f]^2: what the flux takes from the square of the L2 norm.

        In a unit of time, the part of the facets that this rank counts.

        Parallel: collective.
        """

    # ------------------------------------------------------------------ on facets
    @abstractmethod
    def leaving(self, a: Any) -> Any:
        """Return a+ on the facets of each cell as seen from inside."""

    @abstractmethod
    def speeds(self, v: Array, a: Any) -> Any:
        """Return the speed of the flux on the facets, |v.n| on the boundary."""

    @abstractmethod
    def trace_density(self, b: Any) -> Array:
        """Return g with (g, y) = int of b y over the facets; overwritten by the next call.

        Args:
            b: numbers at the facet points.

        Returns:
            The degrees of freedom of g on the cells of this rank, (n_owned,).
        """
