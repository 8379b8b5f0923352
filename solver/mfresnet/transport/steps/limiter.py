# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Limiters: name -> what makes a density with positive cell means positive at its points.

The scaling limiter of Zhang and Shu (J. Comput. Phys. 229, 2010), in every cell K

    L(u) = m + theta (u - m) ,   theta = c m / (m + E) ,   theta = 1 where E = 0 ,          (11)

with the mean m of u in K and a deficit E >= max(0, -u_i) for the values u_i at the points, which
are the cell points and the facet points of the transport operator. L keeps the mass of every cell
and is homogeneous, as E is: L(a u) = a L(u) for a > 0. So L'(u) u = L(u) by Euler's identity, and
an adjoint that is carried back by the transpose of L' has the same pairing with the density at
every step, as without a limiter. The kinds are

    zhang_shu          E = max(0, -u_1, -u_2, ...)
    smooth_zhang_shu   E = m (sum_i e(1 - u_i / m)^8)^(1/8) ,                                (25)
                       e(r) = 0 for r <= 1 - w, r - 1 for r >= 1 + w, e'' = 15 (1 - z^2)^2 / 16 w
                       between them with z = (r - 1) / w, w = ``WIDTH``.

The first has kinks where the least value is zero or is attained at two points. The second has
three continuous derivatives where m > 0: e is convex and above its two lines, and the norm, in
place of the maximum, is smooth but at zero, where e vanishes as the fourth power. It limits a
cell a little already while its least value is below w m, and not at all above.

    L'(u) du = dm + theta (du - dm) + dtheta (u - m) ,
    dtheta = (c dm - theta (dm + dE)) / (m + E) .

The transpose and the derivatives of both are in ``limiter.c``: in NumPy the passes over small
cells cost more than the operator itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mfresnet.arrays import Array
from mfresnet.compiled import library
from mfresnet.errors import SolveError
from mfresnet.mesh import Space, reference_points
from mfresnet.parallel import together, total
from mfresnet.transport.steps.unlimited import Limiter, Unlimited

KEPT = 1.0 - 1e-13
"""c of the limiter with kinks, so that rounding does not make the lowest value negative."""
OVER = 1.0 + 1e-12
"""Factor on the smooth deficit for the same end: c is one, so that theta does not jump."""
WIDTH = 0.125
"""Half the width of the bend of e, in cell means."""
EMPTY = 1e-250
"""Mean up to which a cell counts as empty: theta is zero where it has negative values."""
CTYPES = {"d": "double", "i": "int"}
DECLARATIONS = """
typedef struct {
  int cells, n, points;
  const int *start, *column;
  const double *entry, *one, *weight;
  double kept, empty, over, width, narrow;
} space;
int limit(const space *, const double *, double *, double *, double *);
void tangent(const space *, const double *, const double *, const double *, const double *,
             double *);
void transpose(const space *, const double *, const double *, const double *, double *,
               const double *, double *);
"""
"""What Python calls in ``limiter.c``, in the words of C; with the ``CTYPES`` of arrays."""


@dataclass(frozen=True)
class Limited:
    """L at one u, with its first and second derivatives there.

    Attributes:
        limiter: the limiter.
        u: where, (n_owned,).
        y: L(u), (n_owned,); u itself when nothing is limited.
        theta: theta of every cell, 1 if and only if nothing is limited in it, (cells,).
        slope: dE = (slope, du) in L2 over |K|, (n_owned,), in the cells where theta is not 1.
    """

    limiter: ZhangShu
    u: Array
    y: Array
    theta: Array
    slope: Array

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
        dy = du.copy()
        self.limiter.run("tangent", *self._place, du, dy)
        return dy

    def transpose(self, psi: Array) -> None:
        """Replace psi by the transpose of L'(u) in L2, (n_owned,)."""
        if self.active:
            self.limiter.run("transpose", *self._place, psi, None, None)

    def transpose_tangent(self, du: Array, psi: Array, dpsi: Array) -> None:
        """Replace psi as ``transpose`` does, and dpsi by its change along du and dpsi."""
        if self.active:
            self.limiter.run("transpose", *self._place, psi, du, dpsi)

    @property
    def _place(self) -> tuple[Array, Array, Array]:
        return self.u, self.theta, self.slope


class LimitedDensity:
    """L at the states of all classes, a ``Density``."""

    def __init__(self, parts: Sequence[Limited]) -> None:
        """Keep what L does to each class."""
        self.parts = parts

    @property
    def f(self) -> Array:
        """The densities, (classes, n_owned)."""
        return np.array([at.y for at in self.parts])

    def tangent(self, dg: Array) -> Array:
        """Return L'(g) dg, (classes, n_owned)."""
        return np.array([at.tangent(row) for at, row in zip(self.parts, dg, strict=True)])

    def transpose(self, psi: Array) -> None:
        """Replace psi by the transpose of L'(g) in L2, (classes, n_owned)."""
        for at, row in zip(self.parts, psi, strict=True):
            at.transpose(row)

    def transpose_tangent(self, dg: Array, psi: Array, dpsi: Array) -> None:
        """Replace psi as ``transpose`` does, and dpsi by its change along dg and dpsi."""
        for at, *rows in zip(self.parts, dg, psi, dpsi, strict=True):
            at.transpose_tangent(*rows)

    def kept(self) -> LimitedDensity:
        """Return the same with memory of its own."""
        return LimitedDensity([at.kept() for at in self.parts])


class ZhangShu:
    """A scaling limiter (11) on one space, a ``Limiter``.

    Attributes:
        smooth: whether L is twice continuously differentiable.
        one: degrees of freedom of the constant one in a cell, (dofs,).
        relative_mass: diagonal of the mass matrix over |K|, (cells, dofs).
        table: the basis at all cell and facet points, (points, dofs).

    Parallel: ``start`` is collective, all else local; a limiter knows owned cells only.
    """

    positive = True

    def __init__(self, space: Space, width: float = 0.0) -> None:
        """Tabulate the basis at all cell and facet points.

        Args:
            space: the space.
            width: w of the smooth deficit (25), below one; zero for that with kinks.

        Parallel: collective.
        """
        self.smooth = width > 0.0
        n = space.basis.dim
        dofs = space.dofs[: space.n_owned_cells]
        firsts = np.arange(0, space.n_owned, n)
        with together(space.comm):
            if (np.diff(dofs, axis=1) != 1).any() or (np.sort(dofs[:, 0]) != firsts).any():
                raise SolveError(
                    "time.limiter: the degrees of freedom of a cell are not numbered one after the "
                    "other by this version of DOLFINx. Set time.limiter = 'none'."
                )
        self._shape, self._comm = (space.n_owned_cells, n), space.comm
        # the basis of simplices is orthonormal, its first function is constant
        constant = space.tabulate(np.full((1, space.dimension), 0.25))[0, 0, 0]
        first = np.where(np.arange(n) == 0, 1.0 / constant, 0.0)
        self.one = first if space.collocation is None else np.ones(n)
        mass = self.by_cell(space.mass)
        self._volume = mass @ self.one**2
        self.relative_mass = mass / self._volume[:, None]
        points = [space.reference_rule(space.cell_degree)[0], *reference_points(space)]
        self.table = space.tabulate(np.concatenate(points))[0]
        compiled = library(space.comm, Path(__file__).with_name("limiter.c"), DECLARATIONS)
        self._lib, self._ffi = compiled.lib, compiled.ffi
        self._types = {char: compiled.ffi.typeof(f"{name}[]") for char, name in CTYPES.items()}
        rows = sp.csr_array(self.table)
        indices = (a.astype(np.intc) for a in (rows.indptr, rows.indices))
        arrays = *indices, rows.data, self.one, self.relative_mass
        # C has their addresses only
        self._arrays = [self._pointer(a) for a in arrays]
        sizes = *self._shape, len(self.table)
        numbers = 1.0 if width else KEPT, EMPTY, OVER, width, 1.0 / width if width else 0.0
        self._space = compiled.ffi.new("space *", [*sizes, *self._arrays, *numbers])

    def _pointer(self, array: NDArray[Any] | None) -> Any:
        """Return an array for C, kept alive by what is returned; NULL for None."""
        if array is None:
            return self._ffi.NULL
        return self._ffi.from_buffer(self._types[array.dtype.char], array)

    def run(self, name: str, *arrays: NDArray[Any] | None) -> Any:
        """Call a function of ``limiter.c``."""
        return getattr(self._lib, name)(self._space, *map(self._pointer, arrays))

    def by_cell(self, field: Array) -> Array:
        """Return a view of a field over cells and their degrees of freedom, (cells, dofs)."""
        return field.reshape(self._shape)

    def mean(self, u: Array) -> Array:
        """Return the mean of u in every cell, (cells,)."""
        return (self.relative_mass * self.by_cell(u)) @ self.one

    def values(self, u: Array) -> Array:
        """Return u at all points, (points, cells)."""
        return self.table @ self.by_cell(u).T

    def least(self, u: Array) -> float:
        """Return the least value of u at the points of this rank."""
        return float(self.values(u).min(initial=np.inf))

    def limit(self, u: Array) -> Array:
        """Return L(u), (n_owned,); u itself when nothing is limited."""
        y = np.empty_like(u)
        return y if self.run("limit", u, y, None, None) else u

    def linearise(self, u: Array) -> Limited:
        """Return L(u) with what its derivatives need."""
        y, theta, slope = np.empty_like(u), np.empty(self._shape[0]), np.empty_like(u)
        count = self.run("limit", u, y, theta, slope)
        return Limited(self, u, y if count else u, theta, slope)

    def packed(self, f: Array) -> Array:
        """Return f: what is limited already may be limited again, a little."""
        return f

    def unpacked(self, x: Array) -> Array:
        """Return x."""
        return x

    def densities(self, states: Array) -> Array:
        """Return L of the states of all classes, (classes, n_owned)."""
        return np.array([self.limit(g) for g in states])

    def density(self, states: Array) -> LimitedDensity:
        """Return the same with what its derivatives need."""
        return LimitedDensity([self.linearise(g) for g in states])

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


LIMITERS: dict[str, Callable[[Space], Limiter]] = {
    "none": Unlimited,
    "zhang_shu": ZhangShu,
    "smooth_zhang_shu": partial(ZhangShu, width=WIDTH),
}
"""Name -> what makes the limiter of a space."""
