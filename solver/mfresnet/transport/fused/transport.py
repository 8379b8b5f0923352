# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The operator in one pass over the cells, in C: no matrix is read.

Velocities are kept as the contravariant fluxes |det J| J^-1 v of the reference cell, so that the
geometry costs nothing in the loops and cells that are not affine stay exact. Facet points are kept
as each cell sees its own facets: c = a+ as seen from inside, times the measure of the facet over
that of the reference facet. Then what leaves a cell is g = c f, the flux through a facet is g - g'
with g' of the cell behind it, and the transpose is c (psi' - psi).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.compiled import vectors
from mfresnet.mesh import Facets, Layout, facet_rule
from mfresnet.transport.fused.coefficients import BlockCoefficients
from mfresnet.transport.fused.kernels import Kernels
from mfresnet.transport.fused.scratch import Scratch
from mfresnet.transport.operator.transport import Transport


class FusedTransport(Transport):
    """The operator by ``kernels.c``, a ``Transport``.

    Attributes:
        layout: the blocks of cells.
        kernels: the compiled functions.
        exit_rule: weights of the boundary points on the reference facet, (n_exit,).
        constants: addresses of arrays that do not change, by name.
        scratch: memory to work on.
    """

    def _prepare(self, interior: Facets, exterior: Facets) -> Array:
        """Number everything in blocks and compile."""
        (lanes, _), d = vectors(), self.space.dimension
        self.layout = layout = Layout(self.space, interior, exterior, lanes)
        self.kernels = Kernels(layout)
        _, rule = facet_rule(self.space)
        weights, exits = interior.weights.ravel(), exterior.weights.ravel()
        # measure of the facets over that of the reference facet
        self._exit_measure = (exterior.weights / rule).ravel()
        self.exit_rule = exits / self._exit_measure
        sides = (place.astype(np.int32) for place in (layout.inside, layout.outside))
        self._sides = tuple(map(self.kernels.integers, sides))
        self.n_facet, self.n_exit = weights.size, exits.size
        self._flow, self._change = np.empty(self.n_facet), np.empty(self.n_facet)
        self.scratch = Scratch(self.kernels)
        # the basis at the boundary points, and the degrees of freedom there
        cells, local, order = exterior.cells[0], exterior.local[0], exterior.order[0]
        self._exit_basis = exterior.tables[local[:, None], order].reshape(
            self.n_exit, self.space.basis.dim
        )
        self._exit_dofs = np.repeat(self.space.dofs[cells], exterior.weights.shape[1], axis=0)
        self._applied = np.zeros(self.space.n_owned)
        # their addresses, which keep them alive
        arrays = {
            "normals": np.ascontiguousarray(interior.normals.reshape(-1, d).T),
            "measure": (interior.weights / rule).ravel(),
            "weights": weights,
            "volume": self.kernels.volume,
            "exit normals": np.ascontiguousarray(exterior.normals.reshape(-1, d).T),
            "exit measure": self._exit_measure,
            "exit weights": exits,
            "exit rule": self.exit_rule,
        }
        self.constants = {name: self.kernels.numbers(array) for name, array in arrays.items()}
        self._found = self.kernels.new("double[2]")
        points = layout.cell_points()
        self.n_cell = points.shape[1]
        return points

    @property
    def bytes(self) -> int:
        """Memory of the tables, the numbering, and what a sweep of two classes works on."""
        kernels = self.kernels
        own = (kernels.behind, kernels.inverse, kernels.adjugate)
        worked_on = 2 * (2 * self.layout.sides + self.layout.size)
        return sum(a.nbytes for a in own) + 8 * (self.n_facet + worked_on)

    def bytes_moved(self, classes: int) -> tuple[float, float]:
        """Return the bytes a degree of freedom that a stage and its transpose read and write.

        Where a cache holds the neighbours of a cell; a number that is written counts once, as in
        the triad. The transpose adds to sensitivities.
        """
        layout, d = self.layout, self.space.dimension
        dofs = len(layout.dofs)
        points, sides = d * len(layout.points) / dofs, len(layout.facet_points) / dofs
        shared = 8 * (points + sides) + 4 * sides + 8 * self.kernels.inverse.size / layout.size
        stage = 8 * (3 + 2 * sides) + shared / classes
        return stage, 8 * (5 + 2 * sides) + (shared + 16 * (points + sides)) / classes

    # ------------------------------------------------------------------ coefficients
    @property
    def n_coefficients(self) -> int:
        """Length of the coefficients on this rank."""
        return self.space.dimension * self.n_cell + self.layout.sides

    def new_coefficients(self) -> BlockCoefficients:
        """Return coefficients with zeros."""
        return BlockCoefficients(self.kernels)

    def _at(self, v: Array, first: int) -> tuple[Any, int]:
        """Return the address of the velocity from a point on, and its distance between rows."""
        assert v.strides[1] == 8 or v.size == 0
        return self.kernels.address(v) + first, v.strides[0] // 8

    def _normal_flow(self, v: Array, out: Array) -> Array:
        """Return v.n at the facet points, (n_facet,)."""
        k, at = self.kernels, self._at(v, self.n_cell)
        k.plain("normal_flow", self.n_facet, *at, self.constants["normals"], k.numbers(out))
        return out

    def _push_facets(self, vn: Array, speed: Array, out: BlockCoefficients) -> None:
        k, c = self.kernels, self.constants
        flow = k.numbers(vn), k.numbers(np.ascontiguousarray(speed))
        k.plain("push_facets", self.n_facet, *flow, c["measure"], *self._sides, out.c.out)

    def coefficients(self, v: Array, out: BlockCoefficients) -> BlockCoefficients:
        """Fill ``out`` from the velocity, see ``Transport.coefficients``."""
        self.kernels.call("push_cells", *self._at(v, 0), out.c.flow)
        vn = self._normal_flow(v, self._flow)
        self._push_facets(vn, self.flux.speed(vn, self.scale), out)
        c, at = self.constants, self._at(v, self._facets.stop)
        exits = c["exit normals"], c["exit measure"], self.kernels.operator.exit
        self.kernels.plain("push_exits", self.n_exit, *at, *exits, out.c.out)
        return out

    def _pull_facets(self, s: BlockCoefficients, slope: Array, g: Array, curved: bool) -> None:
        k, c = self.kernels, self.constants
        given = s.c.out, c["weights"], *self._sides, k.numbers(np.ascontiguousarray(slope))
        at = self._at(g, self.n_cell)
        k.plain("pull_facets", self.n_facet, *given, int(curved), c["normals"], *at)

    def coefficients_vjp(self, v: Array, sensitivity: BlockCoefficients) -> Array:
        """Return the pull-back to the velocity, see ``Transport.coefficients_vjp``."""
        g, k, c = np.empty_like(v), self.kernels, self.constants
        k.call("pull_cells", sensitivity.c.flow, *self._at(g, 0))
        slope = self.flux.slope(self._normal_flow(v, self._flow), self.scale)
        self._pull_facets(sensitivity, slope, g, False)
        first = self._facets.stop
        exits = c["exit normals"], c["exit weights"], k.operator.exit, sensitivity.c.out
        k.plain("pull_exits", self.n_exit, *self._at(v, first), *exits, self._at(g, first)[0])
        return g

    def coefficients_jvp(self, v: Array, dv: Array, out: BlockCoefficients) -> BlockCoefficients:
        """Fill ``out`` with the change along dv, see ``Transport.coefficients_jvp``."""
        self.kernels.call("push_cells", *self._at(dv, 0), out.c.flow)
        vn, dvn = self._normal_flow(v, self._flow), self._normal_flow(dv, self._change)
        self._push_facets(dvn, self.flux.slope(vn, self.scale) * dvn, out)
        kept = np.heaviside(self.exit_flow(v), 0.5) * self.exit_flow(dv)
        out.out[self.layout.exits] = self._exit_measure * kept
        return out

    def coefficients_vjp_tangent(
        self, v: Array, dv: Array, sensitivity: BlockCoefficients
    ) -> Array:
        """Return the change of the pull-back, see ``Transport.coefficients_vjp_tangent``."""
        g = np.zeros_like(v)
        bend = self.flux.curvature(self._normal_flow(v, self._flow), self.scale)
        self._pull_facets(sensitivity, bend * self._normal_flow(dv, self._change), g, True)
        return g

    def pairing(self, a: BlockCoefficients, sensitivity: BlockCoefficients) -> float:
        """Return sum a * sensitivity, see ``Transport.pairing``."""
        layout, d = self.layout, self.space.dimension
        shape = d, layout.blocks, len(layout.points), layout.lanes
        weights, on_facets = self._reference_weights()
        flows = (c.flow.reshape(shape) for c in (a, sensitivity))
        inside = np.einsum("ibql,ibql,q->", *flows, weights)
        sides = layout.blocks, len(layout.facet_points), layout.lanes
        outs = (c.out[: layout.own].reshape(sides) for c in (a, sensitivity))
        return float(inside + np.einsum("btl,btl,t->", *outs, on_facets))

    def _reference_weights(self) -> tuple[Array, Array]:
        """Return the weights of the points of the reference cell and of its facets."""
        layout, space = self.layout, self.space
        _, weights = space.reference_rule(space.cell_degree)
        _, facet = facet_rule(space)
        on_facets = np.tile(facet, len(layout.facet_points) // len(facet))
        return weights[layout.points], on_facets[layout.facet_points]

    def rates(self, a: BlockCoefficients) -> tuple[float, float]:
        """Return lambda and the compression, see ``Transport.rates``."""
        found = self._found
        self.kernels.call(
            "rates", a.c.out, self.constants["volume"], self.sums.excess, found, found + 1
        )
        return found[0], found[1]

    # ------------------------------------------------------------------ operator
    def apply(self, f: Array, a: BlockCoefficients) -> Array:
        """Return A f, see ``Transport.apply``."""
        kernels, x, y = (
            self.kernels,
            self.scratch.array("field x", 1),
            self.scratch.array("field y", 1),
        )
        self._applied[:] = f
        kernels.pack(self._applied[None], x)
        g = self.scratch.c("g", 1)
        kernels.call("apply", 1, a.c, kernels.field(x), kernels.field(y), g)
        return kernels.unpack(y, np.empty((1, self.space.n_owned)))[0]

    def apply_transpose(
        self,
        psi: Array,
        a: BlockCoefficients,
        source: Array | None = None,
        y: Array | None = None,
        weight: float = 1.0,
        sensitivity: BlockCoefficients | None = None,
    ) -> Array:
        """Return A* psi, see ``Transport.apply_transpose``."""
        kernels, x, out = (
            self.kernels,
            self.scratch.array("field x", 1),
            self.scratch.array("field y", 1),
        )
        kernels.pack(np.ascontiguousarray(psi)[None], x)
        value = None if source is None else np.ascontiguousarray(source / self.exit_weights)
        along = None
        if y is not None and sensitivity is not None:
            along = kernels.pack(np.ascontiguousarray(y)[None], self.scratch.array("field z", 1))
        s = (sensitivity or a).c
        weights, fields = (
            kernels.new("double[1]", [weight]),
            (kernels.field(out), kernels.field(along)),
        )
        g = self.scratch.c("g", 1)
        kernels.call(
            "apply_transpose",
            1,
            a.c,
            kernels.field(x),
            kernels.numbers(value),
            *fields,
            weights,
            s,
            g,
        )
        return kernels.unpack(out, np.empty((1, self.space.n_owned)))[0]

    @property
    def exit_traces(self) -> Array:
        """Values of f at the boundary points in the last ``apply``, (n_exit,)."""
        return np.einsum("ei,ei->e", self._exit_basis, self._applied[self._exit_dofs])

    def outflow(self, a: BlockCoefficients, traces: Array) -> Array:
        """Return [v.n]^+ f ds at the boundary points, see ``Transport.outflow``."""
        speed = a.out[self.layout.exits] / self._exit_measure
        return np.asarray(self.exit_weights * speed * traces)

    def damping(self, f: Array, a: BlockCoefficients) -> float:
        """Return int_facets speed [f]^2, see ``Transport.damping``."""
        kernels, layout, x = self.kernels, self.layout, self.scratch.array("field x", 1)
        kernels.pack(np.ascontiguousarray(f)[None], x)
        g = self.scratch.array("g", 1)
        kernels.call("all_traces", 1, kernels.field(x), kernels.numbers(g))
        speed = self._both_sides(a)[: layout.own]
        # each side of a facet has half of it, the boundary has none
        speed[layout.exits] = 0.0
        squared = speed * (g[0, layout.behind] - g[0, : layout.own]) ** 2
        shape = layout.blocks, len(layout.facet_points), layout.lanes
        _, on_facets = self._reference_weights()
        return 0.5 * float(np.einsum("btl,t->", squared.reshape(shape), on_facets))

    # ------------------------------------------------------------------ on facets
    def _both_sides(self, a: BlockCoefficients) -> Array:
        """Return c + c', (sides,)."""
        result = a.out.copy()
        result[: self.layout.own] += a.out[self.layout.behind]
        return result

    def leaving(self, a: BlockCoefficients) -> Array:
        """Return a+ as each side sees it, see ``Transport.leaving``."""
        return a.out

    def speeds(self, v: Array, a: BlockCoefficients) -> Array:
        """Return the speed of the flux, see ``Transport.speeds``."""
        result = self._both_sides(a)
        result[self.layout.exits] = self._exit_measure * np.abs(self.exit_flow(v))
        return result

    def trace_density(self, b: Array) -> Array:
        """Return g with (g, y) = int of b y over the facets, see ``Transport.trace_density``."""
        kernels, out = self.kernels, self.scratch.array("field y", 1)
        kernels.call("trace_density", kernels.numbers(b), kernels.numbers(out))
        return kernels.unpack(out, np.empty((1, self.space.n_owned)))[0]
