# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A training to an accuracy on several ranks: the same meshes as on one, and J.

The first ten iterates agree to rounding; then the line search makes more of what rounding has left,
so that J at the end agrees far within the accuracy, not to rounding.
"""

from __future__ import annotations

from mpi4py import MPI

import pytest

from mfresnet.case import parse, populate
from mfresnet.training.of_case import train_case


@pytest.mark.smoke
def test_same_meshes_and_objective() -> None:
    classes = [
        {
            "density": {
                "kind": "gaussian",
                "mean": [s, 0.0],
                "covariance": [[0.12, 0.0], [0.0, 0.12]],
            },
            "target": [1.5 * s, 0.2],
        }
        for s in (-0.7, 0.7)
    ]
    mesh = {"cell": "quadrilateral", "lower": [-3.0, -2.5], "upper": [3.0, 2.5]}
    sections = {"mesh": mesh, "classes": classes, "network": {"layers": 3}, "accuracy": 5e-3}
    case = parse(sections | {"penalty": {"tikhonov": 1e-2}})
    found = [train_case(case, populate(case, c), c) for c in (MPI.COMM_WORLD, MPI.COMM_SELF)]
    together, alone = (
        [(s.cells, s.degree, s.iterations, s.status) for s in f.stages] for f in found
    )
    assert together == alone
    assert found[0].error is not None and found[1].error is not None and found[0].error.reached
    histories = (f.result.history[:10] for f in found)
    for one, other in zip(*histories, strict=True):
        assert one.objective == pytest.approx(other.objective, rel=1e-12)
    assert found[0].error.value == pytest.approx(found[1].error.value, rel=1e-4)
