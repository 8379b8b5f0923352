# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The tables of a cell and degree as the header of ``kernels.c``.

Everything is on the reference cell, and the kernels divide by |det J| at the end. Points and
degrees of freedom are numbered as in ``Layout``.
"""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.mesh.facets import facet_rule, reference_points
from mfresnet.mesh.layout import Layout
from mfresnet.mesh.space import SIMPLICES, Space

SPREAD = 1e-12
"""Relative change of J^-1 inside a cell that counts as none."""
ROUNDING = 1e-14


def header(layout: Layout) -> str:
    """Return the header for a space in blocks."""
    space = layout.space
    simplex = space.cell in SIMPLICES
    sizes = {
        "W": layout.lanes,
        "D": space.dimension,
        "ND": len(layout.dofs),
        "NQ": len(layout.points),
        "NT": len(layout.facet_points),
        "N1": space.degree + 1,
        "NM": inverse_mass(layout).shape[-1],
        "TENSOR": int(not simplex),
    }
    _, weights = space.reference_rule(space.cell_degree)
    _, facet = facet_rule(space)
    on_facets = np.tile(facet, len(layout.facet_points) // len(facet))[layout.facet_points]
    weights = weights[layout.points]
    tables = {"MASS": np.ones(len(layout.dofs)) if simplex else weights, "WEIGHT": weights}
    tables["FACET_WEIGHT"] = on_facets
    tables |= _simplex(space, weights, on_facets) if simplex else _line(space)
    lines = [f"#define {name} {size}" for name, size in sizes.items()]
    return "\n".join(lines + [_table(name, table) for name, table in tables.items()]) + "\n"


def inverse_mass(layout: Layout) -> Array:
    """Return 1 / |det J|, (cells, points), or (cells, 1) where J is constant in every cell."""
    space = layout.space
    _, weights = space.reference_rule(space.cell_degree)
    sizes = (space.quadrature.weights / weights)[:, layout.points]
    jacobian = space.quadrature.inverse
    # a cell may be sheared so that det J is constant and J is not
    change = np.abs(jacobian - jacobian[:, :1]).max(axis=(1, 2, 3), initial=0.0)
    same = change <= SPREAD * np.abs(jacobian).max(axis=(1, 2, 3), initial=0.0)
    constant = all(space.comm.allgather(bool(np.all(same))))
    return 1.0 / (sizes[:, :1] if constant else sizes)


def _simplex(space: Space, weights: Array, on_facets: Array) -> dict[str, Array]:
    """Return dense tables: the mass matrix on the reference cell is the identity."""
    rule = space.quadrature
    trace = space.tabulate(np.concatenate(reference_points(space)))[0]
    return {
        "VALUE": rule.basis,
        "SLOPE": rule.gradient,
        "COLLECT": (weights[:, None] * rule.basis).T,
        "WEAK": np.swapaxes(weights[:, None] * rule.gradient, 1, 2),
        "TRACE": trace,
        "LIFT": (on_facets[:, None] * trace).T,
    }


def _line(space: Space) -> dict[str, Array]:
    """Return the tables on a line of points, from which those of a product are made."""
    points, masses = np.polynomial.legendre.leggauss(space.degree + 1)
    nodes, weights = 0.5 * (np.asarray(points) + 1.0), 0.5 * np.asarray(masses)
    value, slope = _lagrange(nodes, np.array([0.0, 1.0])), _slopes(nodes)
    return {
        "END": value,
        "LIFT": value / weights,
        "SLOPE": slope,
        "WEAK": (weights[:, None] * slope).T / weights[:, None],
    }


def _lagrange(nodes: Array, points: Array) -> Array:
    """Return the Lagrange basis of nodes at points, (points, nodes)."""
    gaps = points[:, None] - nodes
    return np.array(
        [
            [np.prod(np.delete(gap, i) / np.delete(nodes[i] - nodes, i)) for i in range(len(nodes))]
            for gap in gaps
        ]
    )


def _slopes(nodes: Array) -> Array:
    """Return the derivatives of the Lagrange basis at its nodes, (nodes, basis)."""
    n = len(nodes)
    gaps = nodes[:, None] - nodes + np.eye(n)
    weights = 1.0 / gaps.prod(axis=1)
    result = weights / weights[:, None] / gaps
    np.fill_diagonal(result, 0.0)
    np.fill_diagonal(result, -result.sum(axis=1))
    return result


def _table(name: str, table: Array) -> str:
    kept: Array = np.where(np.abs(table) < ROUNDING * np.abs(table).max(), 0.0, table)
    shape = "".join(f"[{n}]" for n in table.shape)
    return f"static const double {name}{shape} = {_nested(kept)};"


def _nested(table: Array) -> str:
    inner = (float(x).hex() if np.ndim(x) == 0 else _nested(x) for x in table)
    return "{" + ", ".join(inner) + "}"
