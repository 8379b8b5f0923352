# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a run should have had otherwise: mass near the boundary, densities that are too narrow."""

from __future__ import annotations

import numpy as np

from mfresnet.arrays import Array
from mfresnet.balance import Balance
from mfresnet.functional import ReducedFunctional
from mfresnet.parallel import total

NEAR = 0.1
"""Share of the tolerated outflow from which on it is worth a sentence."""
COARSE = 0.05
"""Share of the square of the L2 norm that the flux may take before it is worth a sentence."""


def damping(functional: ReducedFunctional, theta: Array) -> Array:
    """Return how much of each class the mesh does not resolve.

    int_0^T int_facets speed [f]^2 / ||f||^2 dt: the jumps between cells let the flux take this
    share of the square of the L2 norm, which the equation itself does not. It vanishes with the
    order 2 p + 1 and is of order one when a density is narrower than the cells.

    Args:
        functional: J.
        theta: the controls.

    Returns:
        The share, (classes,).

    Parallel: collective.
    """
    transport, sweep = functional.transport, functional.sweep
    network, mass = functional.network(theta), transport.space.mass
    a = transport.new_coefficients()
    lost: list[list[tuple[float, float]]] = []

    def see(n: int, f: Array, left: Array) -> None:
        v = network.velocity(transport.points, n // sweep.steps_per_layer - 1)
        transport.coefficients(v, a)
        lost.append([(transport.damping(y, a), float(np.dot(y * y, mass))) for y in f])

    ends = sweep.boundaries
    ends[0] = False
    functional.visit(theta, see, ends)
    taken, squared = np.moveaxis(
        total(functional.comm, np.ravel(lost)).reshape(np.shape(lost)), -1, 0
    )
    shares: Array = (taken / squared).sum(axis=0) * functional.controls.layer_time
    return shares


def warnings(functional: ReducedFunctional, balance: Balance, shares: Array) -> list[str]:
    """Return a sentence for everything that the user may want to change.

    Args:
        functional: J.
        balance: the mass balance of the controls.
        shares: what ``damping`` returns for them.
    """
    case, found = functional.case, []
    grow = "Enlarge mesh.lower and mesh.upper."
    if case.mesh.kind == "file":
        grow = "Use a larger mesh."
    rows = zip(functional.population.labels, balance.outflow, shares, strict=True)
    for label, outflow, share in rows:
        if NEAR * case.mesh.outflow_tolerance < outflow <= case.mesh.outflow_tolerance:
            found.append(
                f"mesh: class {label} reaches the boundary; got {outflow:.2e} of its mass over it, "
                f"expected below {NEAR * case.mesh.outflow_tolerance:.2e}. {grow}"
            )
        if share > COARSE:
            found.append(
                f"mesh: class {label} becomes narrower than the cells resolve; got {share:.2g} of "
                f"its squared L2 norm lost at jumps, expected below {COARSE}. Raise "
                f"{'mesh.cells' if case.mesh.kind == 'box' else 'the number of cells'} or "
                "space.degree."
            )
    return found
