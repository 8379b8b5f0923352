# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Limiters: name -> what makes a density with positive cell means positive at its points.

The scaling limiter of Zhang and Shu (J. Comput. Phys. 229, 2010), in every cell K

    L(u) = m + theta (u - m) ,   m = mean of u in K ,   mu = least u at the points of K,
    theta = min(1, m / (m - mu)) ,                                                          (11)

where the points are the cell points and the facet points of the transport operator. L keeps the
mass of every cell, is the identity where u is positive, and is homogeneous: L(c u) = c L(u) for
c > 0. So L'(u) u = L(u) by Euler's identity, and an adjoint that is carried back by the transpose
of L' has the same pairing with the density at every step, as without a limiter.

L is differentiable where no mu is zero and every mu is attained at one point only. There

    L'(u) du = dm + theta (du - dm) + dtheta (u - m) ,
    dtheta = ((c - theta) dm + theta dmu) / (m - mu) ,

with c = ``KEPT``. Its transpose and the derivatives of both
stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from mfresnet.arrays import Array
from mfresnet.errors import SolveError
from mfresnet.facets import reference_points
from mfresnet.matrices import Matrix
from mfresnet.parallel import total
from mfresnet.space import Space

KEPT = 1.0 - 1e-13
"""Factor on theta, so that rounding does not make the lowest value negative."""
EMPTY = 1e-250
"""Mean up to which a cell counts as empty: theta is zero where it has negative values."""


@dataclass(frozen=True)
class Limited:
    """L at one u, with its first and second derivatives there.

    Attributes:
        limiter: the limiter.
        u: where, (n_owned,).
        y: L(u), (n_owned,); u itself when nothing is limited.
        mean: m of every cell, (cells,).
        theta: theta of every cell, (cells,).
        over_gap: 1 / (m - mu) of every cell, zero where L is linear: where nothing is limited, and
            where the cell is empty and theta is zero, (cells,).
        lowest: the basis at the lowest point of every cell, (cells, dofs).
    """

    limiter: ZhangShu
    u: Array
    y: Array
    mean: Array
    theta: Array
    over_gap: Array
    lowest: Array

    @property
    def active(self) -> bool:
        """Whether any cell of this rank is limited."""
        return self.y is not self.u

    def kept(self) -> Limited:
        """Return the same with memory of its own, for when that of u is used again."""
        return replace(self, u=self.u.copy()) if self.active else self

    def tangent(self, du: Array) -> Array:
        """Return L'(u) du, (n_owned,)."""
        if not self.active:
            return du
        limiter, change = self.limiter, self._changes(du)
        return limiter.combine(
            (self.theta, du),
            (change.theta, self.u),
            mean=(1.0 - self.theta) * change.mean - change.theta * self.mean,
        )

    def transpose(self, psi: Array) -> None:
        """Replace psi by the transpose of L'(u) in L2, (n_owned,)."""
        if not self.active:
            return
        pair = self._pair(psi, self.u, self.mean)
        psi[:] = self.limiter.combine(
            (self.theta, psi), mean=pair.on_mean, lowest=(pair.on_lowest, self.lowest)
        )

    def transpose_tangent(self, du: Array, psi: Array, dpsi: Array) -> None:
        """Replace psi as ``transpose`` does, and dpsi by its change along du and dpsi."""
        if not self.active:
            return
        limiter, theta, change = self.limiter, self.theta, self._changes(du)
        pair, along = self._pair(psi, self.u, self.mean), self._pair(psi, du, change.mean)
        varied = self._pair(dpsi, self.u, self.mean)
        share = varied.share + along.share - pair.share * self.over_gap * change.gap
        on_mean = (1.0 - theta) * varied.mean + (KEPT - theta) * share
        on_mean -= change.theta * (pair.mean + pair.share)
        dpsi[:] = limiter.combine(
            (theta, dpsi),
            (change.theta, psi),
            mean=on_mean,
            lowest=(change.theta * pair.share + theta * share, self.lowest),
        )
        self.transpose(psi)

    def _changes(self, du: Array) -> _Changes:
        mean = self.limiter.mean(du)
        gap = mean - np.einsum("cn,cn->c", self.lowest, self.limiter.by_cell(du))
        return _Changes(mean, gap, (KEPT * mean - self.theta * gap) * self.over_gap)

    def _pair(self, psi: Array, field: Array, mean: Array) -> _Pairings:
        """Return the products of psi with 1 and with field - mean in every cell."""
        limiter = self.limiter
        weighted = limiter.relative_mass * limiter.by_cell(psi)
        one = weighted @ limiter.one
        weighted *= limiter.by_cell(field)
        share = (weighted @ limiter.ones - mean * one) * self.over_gap
        return _Pairings(self.theta, one, share)


@dataclass(frozen=True)
class _Changes:
    """dm, d(m - mu) and dtheta of every cell, (cells,)."""

    mean: Array
    gap: Array
    theta: Array


@dataclass(frozen=True)
class _Pairings:
    """(psi, 1) / |K| and (psi, u - m) / |K| / (m - mu) of every cell, beside theta, (cells,)."""

    theta: Array
    mean: Array
    share: Array

    @property
    def on_mean(self) -> Array:
        """Factor of the Riesz representative of m."""
        return (1.0 - self.theta) * self.mean + (KEPT - self.theta) * self.share

    @property
    def on_lowest(self) -> Array:
        """Factor of the Riesz representative of mu."""
        return self.theta * self.share


class ZhangShu:
    """The scaling limiter (11) on one space.

    Attributes:
        one: degrees of freedom of the constant one in a cell, (dofs,).
        ones: ones, (dofs,).
        relative_mass: diagonal of the mass matrix over |K|, (cells, dofs).

    Parallel: all but ``start`` is local; a limiter knows owned cells only.
    """

    def __init__(self, space: Space) -> None:
        """Tabulate the basis at all cell and facet points."""
        n = space.basis.dim
        dofs = space.dofs[: space.n_owned_cells]
        firsts = np.arange(0, space.n_owned, n)
        if (np.diff(dofs, axis=1) != 1).any() or (np.sort(dofs[:, 0]) != firsts).any():
            raise SolveError(
                "time.limiter: the degrees of freedom of a cell are not numbered one after the "
                "other by this version of DOLFINx. Set time.limiter = 'none'."
            )
        self._shape, self._comm = (space.n_owned_cells, n), space.comm
        self.ones = np.ones(n)
        # the basis of simplices is orthonormal, its first function is constant
        constant = space.tabulate(np.full((1, space.dimension), 0.25))[0, 0, 0]
        self._simplex = space.collocation is None
        self.one = np.where(np.arange(n) == 0, 1.0 / constant, 0.0) if self._simplex else self.ones
        mass = self.by_cell(space.mass)
        self._volume = mass @ self.one**2
        self.relative_mass = mass / self._volume[:, None]
        points = [space.reference_rule(space.cell_degree)[0], *reference_points(space)]
        self._table = space.tabulate(np.concatenate(points))[0]
        self._values = np.zeros((len(self._table) + 1, self._shape[0]))
        self._matrix = None if self._simplex else self._assemble()

    def _assemble(self) -> Matrix:
        """Return values at points and means as a matrix, rows over points, then cells."""
        cells, n = self._shape
        same = sp.eye_array(cells)
        blocks = [sp.kron(same, sp.csr_array(row[None])) for row in self._table]
        means = self.relative_mass.ravel(), np.arange(cells * n), n * np.arange(cells + 1)
        return Matrix(sp.vstack([*blocks, sp.csr_array(means, shape=(cells, cells * n))]))

    def by_cell(self, field: Array) -> Array:
        """Return a view of a field over cells and their degrees of freedom, (cells, dofs)."""
        return field.reshape(self._shape)

    def mean(self, u: Array) -> Array:
        """Return the mean of u in every cell, (cells,)."""
        return (self.relative_mass * self.by_cell(u)) @ self.one

    def values(self, u: Array) -> Array:
        """Return u at all points and, last, its mean, (points + 1, cells); overwritten."""
        if self._matrix is not None:
            self._matrix.x[:] = u
            return self._matrix.apply().reshape(self._values.shape)
        rows = self.by_cell(u).T
        np.matmul(self._table, rows, out=self._values[:-1])
        np.divide(rows[0], self.one[0], out=self._values[-1])
        return self._values

    def least(self, u: Array) -> float:
        """Return the least value of u at the points of this rank."""
        return float(self.values(u)[:-1].min(initial=np.inf))

    def limit(self, u: Array) -> Array:
        """Return L(u), (n_owned,); u itself when nothing is limited."""
        values = self.values(u)
        return self._limit(u, values[-1], values[:-1].min(axis=0))[0]

    def linearise(self, u: Array) -> Limited:
        """Return L(u) with its derivatives; the same L(u) as ``limit``, bit for bit."""
        values = self.values(u)
        mean, least = values[-1].copy(), values[:-1].min(axis=0)
        y, theta, over_gap = self._limit(u, mean, least)
        if y is u:
            return Limited(self, u, u, mean, theta, over_gap, self._table[:0])
        point, cell = np.divmod(np.flatnonzero(values[:-1] == least), len(least))
        # of several lowest points the last one
        last = np.zeros(len(least), dtype=np.int64)
        last[cell] = point
        return Limited(self, u, y, mean, theta, over_gap, self._table[last])

    def start(self, f: Array) -> Array:
        """Return an initial density f made positive, (n_owned,), its mass being kept.

        Cells whose mean is negative, which no scaling in the cell mends, become empty; the others
        give the mass that this adds, in proportion to theirs. Collective.
        """
        mass = self.mean(f) * self._volume
        positive, kept = np.maximum(mass, 0.0), np.array(f)
        sums = total(self._comm, np.array([mass.sum(), positive.sum()]))
        self.by_cell(kept)[mass < 0.0] = 0.0
        if sums[1] > sums[0] > 0.0:
            kept *= sums[0] / sums[1]
        return np.array(self.limit(kept))

    def combine(
        self,
        *scaled: tuple[Array, Array],
        mean: Array,
        lowest: tuple[Array, Array] | None = None,
    ) -> Array:
        """Return sum factor * field + mean * 1 + factor * (Riesz of the lowest value), (n_owned,).

        Args:
            scaled: factors (cells,) and fields (n_owned,).
            mean: factor of the constant one, (cells,).
            lowest: factor (cells,) and the basis at the lowest points, (cells, dofs).
        """
        result = np.empty(self._shape)
        factor, field = scaled[0]
        np.multiply(factor[:, None], self.by_cell(field), out=result)
        for factor, field in scaled[1:]:
            result += factor[:, None] * self.by_cell(field)
        if self._simplex:
            result[:, 0] += mean * self.one[0]
        else:
            result += mean[:, None]
        if lowest is not None:
            factor, basis = lowest
            basis = factor[:, None] * basis
            basis /= self.relative_mass
            result += basis
        return result.ravel()

    def _limit(self, u: Array, mean: Array, least: Array) -> tuple[Array, Array, Array]:
        """Return L(u), theta and 1 / (m - mu), see ``Limited``."""
        negative = least < 0.0
        over_gap = np.zeros(len(mean))
        np.divide(1.0, mean - least, out=over_gap, where=negative & (mean > EMPTY))
        theta = np.where(negative, KEPT * mean * over_gap, 1.0)
        if not negative.any():
            return u, theta, over_gap
        return self.combine((theta, u), mean=(1.0 - theta) * mean), theta, over_gap


LIMITERS: dict[str, Callable[[Space], ZhangShu] | None] = {"none": None, "zhang_shu": ZhangShu}
"""Name -> what makes the limiter of a space, None for no limiter."""
