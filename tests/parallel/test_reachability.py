# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Lower bounds are those of one rank, on every rank."""

from mpi4py import MPI

from typing import Any

import pytest

from helpers import gaussian, make_case
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.verification.bounds.table import lower_bounds

COMM = MPI.COMM_WORLD
LOSSES: dict[str, dict[str, Any]] = {
    "quadratic": {},
    "cross_entropy": {},
    "moments": {"mean": 3.0, "covariance": 2.0},
    "squared_error": {},
    "density_l2": {"target": gaussian(2.2, 0.05)},
    "density_dual_h1": {"target": gaussian(2.2, 0.05)},
    "kullback_leibler": {"target": gaussian(2.2, 0.05)},
}


def bounds(case: Any, comm: MPI.Intracomm) -> dict[str, float]:
    f = ReducedFunctional(case, comm)
    return lower_bounds(f.problem, f.controls.initial)


@pytest.mark.parametrize("kind", LOSSES)
def test_lower_bounds(kind: str) -> None:
    loss = {"kind": kind} | LOSSES[kind]
    if kind == "squared_error":
        density = gaussian([0.0, 0.3], [[0.08, -0.05], [-0.05, 0.09]])
        case = make_case(
            "quadrilateral",
            task="regression",
            loss=loss,
            network={"activation": "identity"},
            classes=[{"density": density}],
        )
    else:
        case = make_case("interval", loss=loss, network={"activation": "identity"})
        data = case.model_dump(exclude_none=True)
        data["training"] |= {"lower": -0.2, "upper": 0.2}
        case = type(case).model_validate(data)
    alone, shared = bounds(case, MPI.COMM_SELF), bounds(case, COMM)
    assert any(value > 0.0 for value in alone.values())
    assert shared == {n: pytest.approx(v, rel=1e-10, abs=1e-14) for n, v in alone.items()}
    assert len({repr(v) for v in COMM.allgather(shared)}) == 1
