# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The density of a formula: on a box, divided by its integral over it, and zero outside.

The box is cut into cells with a Gauss rule in each, finer and finer until the integral stays the
same. The points of these rules also tell how large the formula is where, for random points.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.random import Generator
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from mfresnet.arrays import Array
from mfresnet.data.laws.formula import Formula, read_formula
from mfresnet.data.laws.kind import DensityKind, inverse
from mfresnet.errors import InputError
from mfresnet.schema import FiniteFloat, as_list

GRIDS = {1: (127, 251, 509, 1021), 2: (31, 61, 127, 251), 3: (11, 17, 31)}
"""Dimension -> cells a direction. They are prime, so that a kink that lies between two cells of one
grid does not lie so in the next."""
POINTS = 6
"""Points a direction of the rule in a cell."""
TOLERANCES = (1e-6, 1e-8)
"""Of a smooth formula: the relative changes of the integral from one grid to the next, twice. One
change may be small by chance."""
EDGE = 1e-6
"""Share of the largest value up to which one at the edge of the box is no jump."""
ROUNDING = 1e-12
"""Share of the largest value below which a negative one is rounding."""
MARGIN = 1.5
"""By how much a formula may be larger in a cell than at the points of the rule."""
BLOCK = 1 << 17
"""Points at a time."""


@dataclass(frozen=True)
class Tabulated:
    """A formula on the finest grid that its integral needs.

    Attributes:
        cells: cells a direction.
        mass: its integrals over the cells, (cells^d,).
        top: its largest values at the points in the cells, (cells^d,).
        smooth: whether it has no jumps and no kinks.
    """

    cells: int
    mass: Array
    top: Array
    smooth: bool

    @property
    def integral(self) -> float:
        """The integral over the box."""
        return float(self.mass.sum())


def _rule() -> tuple[Array, Array]:
    """Return points and weights of the Gauss rule on [0, 1]."""
    points, weights = np.polynomial.legendre.leggauss(POINTS)
    return 0.5 * (1.0 + points), 0.5 * weights


@lru_cache(maxsize=32)
def tabulate(text: str, lower: tuple[float, ...], upper: tuple[float, ...]) -> Tabulated:
    """Return a formula on a grid over the box [lower, upper].

    Raises:
        ValueError: it is no density there; the message starts with "expected".
    """
    formula, values, settled = read_formula(text), [0.0], False
    for cells in GRIDS[len(lower)]:
        mass, top, edge = _on_grid(formula, np.array(lower), np.array(upper), cells)
        values.append(float(mass.sum()))
        changes = np.abs(np.diff(values))[-2:]
        settled = values[-1] > 0.0 and bool(np.all(changes <= np.multiply(TOLERANCES, values[-1])))
        if settled:
            break
    if not 0.0 < values[-1] < np.inf:
        raise ValueError(
            f"expected a positive, finite integral from lower to upper, not {values[-1]}"
        )
    return Tabulated(cells, mass, top, settled and edge <= EDGE * float(top.max()))


def _on_grid(
    formula: Formula, lower: Array, upper: Array, cells: int
) -> tuple[Array, Array, float]:
    """Return integrals and largest values in the cells, and the largest value near the edge."""
    d, (points, weights) = len(lower), _rule()
    step = (upper - lower) / cells
    inside = np.stack(np.meshgrid(*[points] * d, indexing="ij"), axis=-1).reshape(-1, d)
    rule = np.prod(np.meshgrid(*[weights] * d, indexing="ij"), axis=0).ravel()
    corners = np.stack(np.unravel_index(np.arange(cells**d), (cells,) * d), axis=-1)
    near = 1.01 * points[0] * step
    mass, top, edge = np.empty(cells**d), np.empty(cells**d), 0.0
    worst: tuple[float, Array] = np.inf, lower
    block = max(1, BLOCK // len(rule))
    for start in range(0, cells**d, block):
        part = slice(start, start + block)
        x = (lower + step * (corners[part, None] + inside)).reshape(-1, d).T
        values = formula(x)
        _refuse(values, x, np.inf)
        least = int(values.argmin())
        if values[least] < worst[0]:
            worst = float(values[least]), x[:, least]
        outermost = np.any((x.T < lower + near) | (x.T > upper - near), axis=1)
        edge = max(edge, float(values[outermost].max(initial=0.0)))
        values = np.maximum(values, 0.0).reshape(-1, len(rule))
        mass[part], top[part] = values @ rule * np.prod(step), values.max(axis=1)
    _refuse(np.array(worst[:1]), worst[1][:, None], float(top.max()))
    return mass, top, edge


def _refuse(values: Array, x: Array, largest: float) -> None:
    """Raise ValueError for a value that is not finite, or negative beside the largest one."""
    finite = np.isfinite(values)
    good = finite & (values >= -ROUNDING * largest)
    if good.all():
        return
    i = int(np.argmin(good))
    place = ", ".join(f"{coordinate:.3g}" for coordinate in x[:, i])
    rule = "values of at least 0" if finite[i] else "finite real values"
    raise ValueError(f"expected {rule}, not {values[i]:.3g} at x = ({place})")


def _corner(name: str) -> BeforeValidator:
    """Return the pydantic check that a corner of the box is there."""

    def check(value: Any) -> Any:
        if value == []:
            expected = f"where its mass ends, here or as mesh.{name}"
            raise PydanticCustomError("missing", "", {"expected": expected})
        return as_list(value)

    return BeforeValidator(check)


class Expression(DensityKind):
    """A formula in x[0], x[1], x[2] on the box [lower, upper], divided by its integral over it.

    A case takes corners that are left out from its mesh, see ``boxed``.
    """

    boxed: ClassVar[bool] = True
    kind: Literal["expression"] = "expression"
    lower: Annotated[list[FiniteFloat], _corner("lower")] = Field(
        [], validate_default=True, max_length=3
    )
    upper: Annotated[list[FiniteFloat], _corner("upper")] = Field(
        [], validate_default=True, max_length=3
    )
    expression: str

    @field_validator("upper")
    @classmethod
    def _above(cls, upper: list[float], info: ValidationInfo) -> list[float]:
        lower = info.data.get("lower", upper)
        if len(lower) != len(upper):
            raise ValueError(f"expected as many numbers as lower has, {len(lower)}")
        if "lower" in info.data and any(a >= b for a, b in zip(lower, upper, strict=True)):
            raise ValueError(f"expected more than lower, {lower}")
        return upper

    @field_validator("expression")
    @classmethod
    def _density(cls, text: str, info: ValidationInfo) -> str:
        formula = read_formula(text)
        if "lower" in info.data and "upper" in info.data:
            lower, upper = info.data["lower"], info.data["upper"]
            if formula.dimension > len(lower):
                given = "x[0]" if len(lower) == 1 else f"x[0] to x[{len(lower) - 1}]"
                raise ValueError(f"expected {given} only, not x[{formula.dimension - 1}]")
            tabulate(text, tuple(lower), tuple(upper))
        return text

    @property
    def _table(self) -> Tabulated:
        return tabulate(self.expression, tuple(self.lower), tuple(self.upper))

    @property
    def jumps(self) -> bool:
        """Whether it has jumps or kinks."""
        return not self._table.smooth

    def density(self, x: Array) -> Array:
        """Return the density at points x, (d, n) -> (n,).

        Raises:
            InputError: a value is negative or not finite.
        """
        table, f = self._table, np.zeros(x.shape[1])
        lower, upper = np.array(self.lower)[:, None], np.array(self.upper)[:, None]
        inside = np.all((x >= lower) & (x <= upper), axis=0)
        values = read_formula(self.expression)(x[:, inside])
        try:
            _refuse(values, x[:, inside], float(table.top.max()))
        except ValueError as error:
            raise InputError(
                f"expression: wrong value; got '{self.expression}', {error}. Change expression."
            ) from None
        f[inside] = np.maximum(values, 0.0) / table.integral
        return f

    def sample(self, n: int, rng: Generator) -> Array:
        """Return n random points, (d, n), by rejection in the cells of the grid."""
        table, d, parts, count = self._table, len(self.lower), [np.empty((len(self.lower), 0))], 0
        lower, formula = np.array(self.lower)[:, None], read_formula(self.expression)
        step = (np.array(self.upper)[:, None] - lower) / table.cells
        envelope = MARGIN * table.top
        share = envelope / envelope.sum()
        while count < n:
            cell = rng.choice(len(share), size=2 * (n - count), p=share)
            corner = np.array(np.unravel_index(cell, (table.cells,) * d))
            x = lower + step * (corner + rng.random(corner.shape))
            parts.append(x[:, rng.random(len(cell)) * envelope[cell] < formula(x)])
            count += parts[-1].shape[1]
        return np.concatenate(parts, axis=1)[:, :n]

    def below(self, x: Array) -> Array:
        """Return the mass below points of the line, (n,) -> (n,)."""
        table, (points, weights) = self._table, _rule()
        step = (self.upper[0] - self.lower[0]) / table.cells
        u = np.clip((x - self.lower[0]) / step, 0.0, table.cells)
        cell = np.minimum(u.astype(int), table.cells - 1)
        within = (cell + (u - cell) * points[:, None]).ravel()
        values = self.density(self.lower[0] + step * within[None]).reshape(POINTS, -1)
        before = np.concatenate([[0.0], np.cumsum(table.mass)])[cell] / table.integral
        return before + step * (u - cell) * (weights @ values)

    def quantile(self, s: Array) -> Array:
        """Return where on the line the mass s is below, 0 < s < 1, (n,) -> (n,)."""
        low, high = (np.full_like(s, end) for end in self.extent())
        return inverse(self.below, s, low, high)

    def extent(self) -> tuple[Array, Array]:
        """Return the corners."""
        return np.array(self.lower), np.array(self.upper)

    def dimensions(self) -> dict[str, int]:
        """Return the dimension that each parameter implies."""
        return {"lower": len(self.lower), "upper": len(self.upper)}
