# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Analytic densities, and their projection onto the space.

Every kind is one model that carries its parameters, its density and the box that holds its mass,
see ``DensityKind``. In 1-D plain numbers are accepted for vectors and matrices. A new kind is one
class in ``KINDS``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field, create_model

from mfresnet.arrays import Array
from mfresnet.data.laws.closed_forms import (
    Covariance,
    Gaussian,
    TruncatedGaussian,
    UniformBall,
    UniformBox,
)
from mfresnet.data.laws.expression import Expression
from mfresnet.data.laws.kind import DensityKind, inverse
from mfresnet.data.laws.rules import Rule
from mfresnet.errors import InputError
from mfresnet.parallel import together, total
from mfresnet.schema import Chosen, Model, Name, PositiveFloat

if TYPE_CHECKING:
    from mfresnet.mesh import Space

__all__ = [
    "KINDS",
    "Covariance",
    "Density",
    "Expression",
    "Gaussian",
    "Mixture",
    "TruncatedGaussian",
    "UniformBall",
    "UniformBox",
    "boxed",
    "project",
]

SMOOTH_DEGREE, SUBDIVISIONS, LARGEST_LOSS = 8, 8, 0.05
"""Degree of the rule beyond 2p for smooth densities, parts a direction for those that jump, and
share of the mass that may lie outside of the mesh."""


class UnknownDensity(Model, extra="allow"):
    """A density whose kind is not in the table."""


def _model(value: Any, known: Mapping[str, type[Model]]) -> type[Model]:
    """Return the model of a density for its content; for an unknown kind, one that refuses it."""
    kind = value.get("kind") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind in known:
        return known[kind]
    name: Any = (Annotated[str, Name(known)], ...)
    return create_model("UnknownDensity", __base__=UnknownDensity, kind=name)


def _part(value: Any) -> type[Model]:
    """Return the model of a component of a mixture."""
    return _model(value, {name: kind for name, kind in KINDS.items() if kind.part})


class Component(Model):
    """One part of a mixture."""

    weight: PositiveFloat
    density: Annotated[Any, Chosen(_part)]


class Mixture(DensityKind):
    """The weighted mean of densities; the weights are divided by their sum."""

    part: ClassVar[bool] = False
    kind: Literal["mixture"] = "mixture"
    components: Annotated[list[Component], Field(min_length=1)]

    def density(self, x: Array) -> Array:
        """Return the density at points x, (d, n) -> (n,)."""
        return self._mean([c.density.density(x) for c in self.components])

    def sample(self, n: int, rng: Generator) -> Array:
        """Return n random points, (d, n), in random order."""
        weights = np.array([c.weight for c in self.components])
        counts = map(int, rng.multinomial(n, weights / weights.sum()))
        pairs = zip(self.components, counts, strict=True)
        points = np.concatenate([c.density.sample(m, rng) for c, m in pairs], axis=1)
        return points[:, rng.permutation(n)]

    def nodes(self, n: int) -> Rule:
        """Return about n points a direction, (d, m), with their masses, (m,)."""
        weights = np.array([c.weight for c in self.components])
        parts = [c.density.nodes(n) for c in self.components]
        mass = [w * m for w, (_, m) in zip(weights / weights.sum(), parts, strict=True)]
        return np.concatenate([x for x, _ in parts], axis=1), np.concatenate(mass)

    def extent(self) -> tuple[Array, Array]:
        """Return the corners of the box around all components."""
        lower, upper = zip(*(c.density.extent() for c in self.components), strict=True)
        return np.min(lower, axis=0), np.max(upper, axis=0)

    def dimensions(self) -> dict[str, int]:
        """Return the dimension that each parameter implies."""
        return {
            f"components.{i}.density.{name}": d
            for i, c in enumerate(self.components)
            for name, d in c.density.dimensions().items()
        }

    @property
    def jumps(self) -> bool:
        """Whether a component has."""
        return any(c.density.jumps for c in self.components)

    def below(self, x: Array) -> Array:
        """Return the mass below points of the line, (n,) -> (n,)."""
        return self._mean([c.density.below(x) for c in self.components])

    def quantile(self, s: Array) -> Array:
        """Return where on the line the mass s is below: between those of the components."""
        ends = np.array([c.density.quantile(s) for c in self.components])
        return inverse(self.below, s, ends.min(axis=0), ends.max(axis=0))

    def _mean(self, rows: list[Array]) -> Array:
        """Return the weighted mean of a row for each component."""
        weights = np.array([c.weight for c in self.components])
        mean: Array = weights / weights.sum() @ np.array(rows)
        return mean


KINDS: dict[str, type[DensityKind]] = {
    model.model_fields["kind"].default: model
    for model in (Gaussian, TruncatedGaussian, UniformBox, UniformBall, Expression, Mixture)
}
"""Kind -> model."""

Density = Annotated[Any, Chosen(lambda value: _model(value, KINDS))]
"""A density of a case file: a model of ``KINDS``, looked up when a case is read."""


def boxed(data: Any, mesh: Mapping[str, Any]) -> Any:
    """Return a part of a case file where densities that want it have the corners of the mesh.

    Args:
        data: the part.
        mesh: the section [mesh].
    """
    if isinstance(data, list):
        return [boxed(item, mesh) for item in data]
    if not isinstance(data, dict):
        return data
    found = {name: boxed(value, mesh) for name, value in data.items()}
    kind = KINDS.get(str(found.get("kind")))
    if kind is None or not kind.boxed:
        return found
    corners = {name: mesh[name] for name in ("lower", "upper") if mesh.get(name) is not None}
    return corners | found


def project(density: DensityKind, space: Space, where: str) -> tuple[Array, float]:
    """Return the L2 projection f_i = (1/M_i) int density phi_i, and its mass.

    A smooth density is integrated with a rule of degree 2p + 8 and keeps the mass that it has on
    the mesh. A density that jumps is integrated with a rule repeated in 8 parts per direction, and
    divided by its mass.

    Args:
        density: the density.
        space: the DG space.
        where: place of the density in the case file, for messages.

    Returns:
        f, (n_owned,), and the mass of the projection before any division.

    Raises:
        InputError: more than 5 % of the mass lies outside of the mesh, or a formula is no density.

    Parallel: collective.
    """
    jumping = density.jumps
    degree = 2 * space.degree + SMOOTH_DEGREE
    subdivisions = SUBDIVISIONS if jumping else 1
    with together(space.comm):
        try:
            f = space.integrate(density.density, degree, subdivisions) / space.mass
        except InputError as error:
            raise InputError(f"{where}.{error}") from None
    mass = float(total(space.comm, space.integral @ f)[0])
    if abs(1.0 - mass) > LARGEST_LOSS:
        raise InputError(
            f"{where}: the mesh does not hold or resolve the density; got mass {mass:.3g} on it, "
            "expected 1. Make the mesh larger or finer."
        )
    return (f / mass if jumping else f), mass
