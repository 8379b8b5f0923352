# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The steps (7) of a layer in one compiled call, their exact transpose, and the tangents of both.

States and adjoints are kept in the order of ``Layout``. The loops, with the messages between ranks,
are in ``kernels.c``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.mesh import aligned
from mfresnet.network import Scheme
from mfresnet.transport.fused.coefficients import BlockCoefficients
from mfresnet.transport.fused.kernels import Kernels
from mfresnet.transport.fused.transport import FusedTransport
from mfresnet.transport.operator.coefficients import Coefficients
from mfresnet.transport.steps.cfl import stable_rate, stable_rate_bound
from mfresnet.transport.steps.march import Steps
from mfresnet.transport.steps.step import Adjoint
from mfresnet.transport.steps.unlimited import Density


class Blocks:
    """The ``Limiter`` that does nothing but to order the degrees of freedom."""

    smooth, positive = True, False

    def __init__(self, kernels: Kernels) -> None:
        """Keep the kernels."""
        self.kernels, self._n = kernels, kernels.layout.space.n_owned

    def packed(self, f: Array) -> Array:
        """Return fields (classes, n_owned) in blocks, (classes, size)."""
        return self.kernels.pack(f, aligned(len(f), self.kernels.layout.size))

    def unpacked(self, x: Array) -> Array:
        """Return fields in blocks, (classes, n_owned)."""
        return self.kernels.unpack(x, np.empty((len(x), self._n)))

    def densities(self, states: Array) -> Array:
        """Return the densities, (classes, n_owned)."""
        return self.unpacked(states)

    def density(self, states: Array) -> BlockDensity:
        """Return the densities, made when they are asked for."""
        return BlockDensity(self, states)

    def least(self, f: Array) -> float:
        """Return infinity: it acts nowhere."""
        return np.inf

    def start(self, f: Array) -> Array:
        """Return f."""
        return f


class BlockDensity:
    """``Density`` of states in blocks."""

    def __init__(self, blocks: Blocks, states: Array) -> None:
        """Keep the states, which are not copied."""
        self._blocks, self._states = blocks, states

    @property
    def f(self) -> Array:
        """The densities, (classes, n_owned)."""
        return self._blocks.densities(self._states)

    def tangent(self, dg: Array) -> Array:
        """Return the change of the densities."""
        return self._blocks.densities(dg)

    def transpose(self, psi: Array) -> None:
        """Leave psi as it is: the march orders it."""

    def transpose_tangent(self, dg: Array, psi: Array, dpsi: Array) -> None:
        """Leave psi and dpsi as they are."""

    def kept(self) -> BlockDensity:
        """Return it with a copy of the states."""
        return BlockDensity(self._blocks, self._states.copy())


class FusedMarch:
    """Eq. (7), a ``March``."""

    def __init__(self, transport: FusedTransport, scheme: Scheme, dt: float) -> None:
        """Keep the operator, the scheme with s stages and dt."""
        self.transport, self.scheme, self.dt = transport, scheme, dt
        self.kernels = transport.kernels
        self.stages, self.size = scheme.stages, transport.layout.size
        self.limiter = Blocks(transport.kernels)
        self._shares = np.array(scheme.coefficients)
        self._factors = dt * self._shares
        self._numbers = self.kernels.numbers(self._factors), self.kernels.numbers(self._shares)

    # ------------------------------------------------------------------ arguments for C
    def _steps(self, steps: Steps) -> Any:
        """Return ``struct steps``, made once."""
        if steps.made is None:
            steps.made = self._made(steps)
        return steps.made

    def _made(self, steps: Steps) -> Any:
        k, y, left = self.kernels, steps.y, steps.left
        assert y.size == 0 or y.strides[1:] == tuple(
            8 * n for n in (self.stages * self.size, self.size, 1)
        )
        numbers = [*self._numbers, self.dt]
        memory = [k.address(y), y.strides[0] // 8, k.address(left), left.strides[0] // 8]
        return k.new("struct steps *", [len(y), self.stages, *numbers, *memory])

    def _sides(self, classes: int, *names: str) -> list[Any]:
        return [self.transport.scratch.c(name, classes) for name in names]

    def _fields(self, classes: int, *names: str) -> list[Any]:
        return [self.transport.scratch.c(f"field {name}", classes) for name in names]

    def _source(self, adjoint: Adjoint) -> Array:
        return np.ascontiguousarray(adjoint.source / self.transport.exit_weights)

    # ------------------------------------------------------------------ the march
    def forward(self, at: Steps, states: Array, left: Array) -> Array:
        """Make the steps, see ``March.forward``."""
        k, classes, norms = self.kernels, len(states), np.empty((len(at.y), len(states)))
        rule = self.transport.exit_rule_address
        memory = k.numbers(states), k.numbers(left), rule, k.numbers(norms)
        sides = self._sides(classes, "g", "next")
        k.call("layer_forward", classes, _c(at), self._steps(at), *memory, *sides)
        return norms

    def tangent(self, at: Steps, along: Steps, states: Array, left: Array) -> None:
        """Make the tangents, see ``March.tangent``."""
        k, classes = self.kernels, len(states)
        memory = k.numbers(states), k.numbers(left), self.transport.exit_rule_address
        steps = self._steps(at), self._steps(along)
        sides = self._sides(classes, "g")
        k.call("layer_tangent", classes, _c(at), _c(along), *steps, *memory, *sides)

    def transpose(self, at: Steps, adjoint: Adjoint, after: Density) -> BlockDensity:
        """Carry mu_s = psi, mu_{j-1} = dt c_j A* mu_j: psi before is their sum.

        See ``March.transpose``.
        """
        k, classes, source = self.kernels, len(adjoint.psi), self._source(adjoint)
        weights = np.ascontiguousarray(adjoint.weights)
        numbers = k.numbers(source), k.numbers(weights)
        sides, s = self._sides(classes, "g", "next"), _sensitivity(adjoint)
        fields = k.field(adjoint.psi), *self._fields(classes, "mu")
        k.call("layer_transpose", classes, _c(at), self._steps(at), *fields, *numbers, s, *sides)
        return self.limiter.density(at.y[0, :, 0])

    def transpose_tangent(
        self,
        at: Steps,
        along: Steps,
        adjoint: Adjoint,
        change: Adjoint,
        after: Density,
        dafter: Array,
    ) -> BlockDensity:
        """Carry dmu too, see ``March.transpose_tangent``."""
        k, classes = self.kernels, len(adjoint.psi)
        sources, weights = [self._source(a) for a in (adjoint, change)], adjoint.weights
        weights = np.ascontiguousarray(weights)
        steps = self._steps(at), self._steps(along)
        fields = [k.field(adjoint.psi), k.field(change.psi), *self._fields(classes, "mu", "dmu")]
        numbers = [k.numbers(a) for a in (*sources, weights)]
        s = _sensitivity(adjoint), _sensitivity(change)
        sides = self._sides(classes, "g", "next", "dg", "dnext")
        layer = classes, _c(at), _c(along), *steps
        k.call("layer_transpose_tangent", *layer, *fields, *numbers, *s, *sides)
        return self.limiter.density(at.y[0, :, 0])

    def squares(self, states: Array) -> Array:
        """Return (g, g), see ``March.squares``."""
        found = np.empty(len(states))
        k = self.kernels
        k.call("squares", len(states), k.field(states), k.numbers(found))
        return found

    def rate(self, velocity: Array, a: Coefficients) -> float:
        """Return lambda / c, see ``Step.rate``."""
        return stable_rate(self.transport, self.scheme, a)

    def rate_bound(self, velocity: float) -> float:
        """Return the bound of lambda / c, see ``Step.rate_bound``."""
        return stable_rate_bound(self.transport, self.scheme, velocity)


def _c(steps: Steps) -> Any:
    assert isinstance(steps.a, BlockCoefficients)
    return steps.a.c


def _sensitivity(adjoint: Adjoint) -> Any:
    assert isinstance(adjoint.sensitivity, BlockCoefficients)
    return adjoint.sensitivity.c
