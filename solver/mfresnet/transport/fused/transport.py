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

from collections.abc import Sequence
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
        exit_rule_address: the same for C.
        scratch: memory to work on.
    """

    def _prepare(self, interior: Facets, exterior: Facets) -> Array:
        """Number everything in blocks and compile."""
        lanes, _ = vectors()
        self.layout = layout = Layout(self.space, interior, exterior, lanes)
        self.kernels = Kernels(layout)
        _, rule = facet_rule(self.space)
        # measure of the facets over that of the reference facet
        self._exit_measure = (exterior.weights / rule).ravel()
        self.exit_rule = exterior.weights.ravel() / self._exit_measure
        self.n_facet, self.n_exit = interior.weights.size, exterior.weights.size
        self.scratch = Scratch(self.kernels)
        # the basis at the boundary points, and the degrees of freedom there
        cells, local, order = exterior.cells[0], exterior.local[0], exterior.order[0]
        self._exit_basis = exterior.tables[local[:, None], order].reshape(
            self.n_exit, self.space.basis.dim
        )
        self._exit_dofs = np.repeat(self.space.dofs[cells], exterior.weights.shape[1], axis=0)
        self._applied = np.zeros(self.space.n_owned)
        self._tables = self._describe(interior, exterior, rule)
        self.exit_rule_address = self.kernels.numbers(self.exit_rule)
        self._volume = self.kernels.numbers(self.kernels.volume)
        self._found = self.kernels.new("double[2]")
        points = layout.cell_points()
        self.n_cell = points.shape[1]
        self._tables.cells, self._tables.n = self.n_cell, self.n_cell + self.n_facet + self.n_exit
        return points

    def _describe(self, interior: Facets, exterior: Facets, rule: Array) -> Any:
        """Return ``struct tables``."""
        k, layout, d = self.kernels, self.layout, self.space.dimension
        normals, exits = (
            np.ascontiguousarray(facets.normals.reshape(-1, d).T) for facets in (interior, exterior)
        )
        measure, weights = (interior.weights / rule).ravel(), interior.weights.ravel()
        inside, outside = (p.astype(np.int32) for p in (layout.inside, layout.outside))
        exit_weights = exterior.weights.ravel()
        t = k.new("struct tables *")
        t.facets = weights.size
        t.normals, t.measure, t.weights = map(k.numbers, (normals, measure, weights))
        t.inside, t.outside = k.integers(inside), k.integers(outside)
        t.exit_normals = k.numbers(exits)
        t.exit_measure, t.exit_weights = k.numbers(self._exit_measure), k.numbers(exit_weights)
        # C does not keep them alive
        self._kept = normals, measure, weights, inside, outside, exits, exit_weights
        return t

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

    def _normal_flow(self, v: Array) -> Array:
        """Return v.n at the facet points, (layers, n_facet)."""
        out = np.empty((len(v), self.n_facet))
        k = self.kernels
        k.plain("normal_flow", self._tables, len(v), k.numbers(v), k.numbers(out))
        return out

    def _structures(self, all_: Sequence[BlockCoefficients]) -> Any:
        return self.kernels.new("struct coefficients[]", [a.c for a in all_])

    def coefficients_of_layers(self, v: Array, out: Sequence[BlockCoefficients]) -> None:
        """Fill ``out``, see ``Transport.coefficients_of_layers``."""
        k, v = self.kernels, np.ascontiguousarray(v)
        vn = self._normal_flow(v)
        speed = np.ascontiguousarray(self.flux.speed(vn, self.scale))
        flow = k.numbers(v), k.numbers(vn), k.numbers(speed)
        k.call("push", self._tables, len(v), *flow, self._structures(out))

    def _pull(
        self,
        v: Array,
        slope: Array,
        sensitivities: Sequence[BlockCoefficients],
        g: Array | None = None,
    ) -> Array:
        """Pull back to the velocities, through the speed of the flux alone where g is given."""
        k, slope = self.kernels, np.ascontiguousarray(slope)
        curved, out = int(g is not None), np.empty_like(v) if g is None else g
        ends = self._structures(sensitivities), k.numbers(out)
        k.call("pull", self._tables, len(v), k.numbers(v), k.numbers(slope), curved, *ends)
        return out

    def coefficients_vjp_of_layers(
        self, v: Array, sensitivities: Sequence[BlockCoefficients]
    ) -> Array:
        """Return the pull-back, see ``Transport.coefficients_vjp_of_layers``."""
        v = np.ascontiguousarray(v)
        return self._pull(v, self.flux.slope(self._normal_flow(v), self.scale), sensitivities)

    def coefficients(self, v: Array, out: BlockCoefficients) -> BlockCoefficients:
        """Fill ``out`` from the velocity, see ``Transport.coefficients``."""
        self.coefficients_of_layers(v[None], [out])
        return out

    def coefficients_vjp(self, v: Array, sensitivity: BlockCoefficients) -> Array:
        """Return the pull-back to the velocity, see ``Transport.coefficients_vjp``."""
        return self.coefficients_vjp_of_layers(v[None], [sensitivity])[0]

    def coefficients_jvp(self, v: Array, dv: Array, out: BlockCoefficients) -> BlockCoefficients:
        """Fill ``out`` with the change along dv, see ``Transport.coefficients_jvp``."""
        k, (v, dv) = self.kernels, map(np.ascontiguousarray, (v, dv))
        k.call("push_cells", k.numbers(dv.ravel()), dv.shape[1], out.c.flow)
        vn, dvn = self._normal_flow(v[None]), self._normal_flow(dv[None])
        dspeed = np.ascontiguousarray(self.flux.slope(vn, self.scale) * dvn)
        k.plain("push_facets", self._tables, k.numbers(dvn), k.numbers(dspeed), out.c.out)
        kept = np.heaviside(self.exit_flow(v), 0.5) * self.exit_flow(dv)
        out.out[self.layout.exits] = self._exit_measure * kept
        return out

    def coefficients_vjp_tangent(
        self, v: Array, dv: Array, sensitivity: BlockCoefficients
    ) -> Array:
        """Return the change of the pull-back, see ``Transport.coefficients_vjp_tangent``."""
        (v, dv), g = map(np.ascontiguousarray, (v[None], dv[None])), np.zeros((1, *v.shape))
        bend = self.flux.curvature(self._normal_flow(v), self.scale)
        return self._pull(v, bend * self._normal_flow(dv), [sensitivity], g)[0]

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
        self.kernels.call("rates", a.c.out, self._volume, self.sums.excess, found, found + 1)
        return found[0], found[1]

    # ------------------------------------------------------------------ operator
    def apply(self, f: Array, a: BlockCoefficients) -> Array:
        """Return A f, see ``Transport.apply``."""
        kernels = self.kernels
        x, y = (self.scratch.array(f"field {name}", 1) for name in "xy")
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
        kernels = self.kernels
        x, out = (self.scratch.array(f"field {name}", 1) for name in "xy")
        kernels.pack(np.ascontiguousarray(psi)[None], x)
        value = None if source is None else np.ascontiguousarray(source / self.exit_weights)
        along = None
        if y is not None and sensitivity is not None:
            along = kernels.pack(np.ascontiguousarray(y)[None], self.scratch.array("field z", 1))
        s = (sensitivity or a).c
        given = a.c, kernels.field(x), kernels.numbers(value)
        fields = kernels.field(out), kernels.field(along)
        weights, g = kernels.new("double[1]", [weight]), self.scratch.c("g", 1)
        kernels.call("apply_transpose", 1, *given, *fields, weights, s, g)
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
