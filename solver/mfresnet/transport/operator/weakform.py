# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The weak form of the transport operator in UFL: the definition that ``transport`` is held to."""

from __future__ import annotations

from typing import Any

import ufl
from dolfinx import fem

from mfresnet.mesh import Space
from mfresnet.transport.operator.fluxes import FLUXES


def weak_form(space: Space, v: Any, f: fem.Function, flux: str, scale: float) -> ufl.Form:
    """Return the linear form w -> (A f, w) of eq. (5), the definition of the operator.

    Args:
        space: the DG space.
        v: the velocity, a UFL vector of length d.
        f: the density.
        flux: a name in ``FLUXES``.
        scale: the velocity scale of the flux.
    """
    w, n = ufl.TestFunction(space.function_space), ufl.FacetNormal(space.mesh)
    facet = {"quadrature_degree": space.facet_degree}
    dx = ufl.Measure("dx", space.mesh, metadata={"quadrature_degree": space.cell_degree})
    dS = ufl.Measure("dS", space.mesh, metadata=facet)  # noqa: N806
    ds = ufl.Measure("ds", space.mesh, metadata=facet)
    vn, out = ufl.dot(v, n("+")), ufl.dot(v, n)
    reach = sum(abs(n("+")[i]) for i in range(space.dimension))
    speed = FLUXES[flux].speed(vn, scale * reach)
    phi = 0.5 * (vn + speed) * f("+") + 0.5 * (vn - speed) * f("-")
    return (
        f * ufl.dot(v, ufl.grad(w)) * dx
        - phi * (w("+") - w("-")) * dS
        - 0.5 * (out + abs(out)) * f * w * ds
    )
