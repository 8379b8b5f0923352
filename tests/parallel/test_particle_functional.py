# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Training on samples: the world's ranks against one rank in one process."""

from mpi4py import MPI

import numpy as np
import pytest

from helpers import make_case
from mfresnet.functional.draw import drawn
from mfresnet.functional.samples import ParticleFunctional
from mfresnet.optimise.optimiser import minimise

COMM = MPI.COMM_WORLD


@pytest.mark.parametrize("n", [1, 25])
def test_value_and_derivatives(n: int) -> None:
    """Also where a rank has no sample."""
    case = make_case("quadrilateral", loss={"kind": "cross_entropy"})
    samples = drawn(case, n)
    alone = ParticleFunctional(case, samples, MPI.COMM_SELF)
    shared = ParticleFunctional(case, samples, COMM)
    assert COMM.allreduce(shared.samples.y.size) == 2 * n
    theta = alone.theta0 + 0.3 * np.sin(np.arange(alone.controls.size))
    h = np.cos(np.arange(theta.size))
    assert shared.value(theta) == pytest.approx(alone.value(theta), rel=1e-12)
    for one, two in (
        (alone.derivative(theta), shared.derivative(theta)),
        (alone.hessian_action(theta, h), shared.hessian_action(theta, h)),
    ):
        assert np.abs(one - two).max() <= 1e-12 * np.abs(one).max()


@pytest.mark.parametrize("method", ["lmvm", "ntr"])
def test_training(method: str) -> None:
    case = make_case(
        "quadrilateral",
        penalty={"tikhonov": 0.3},
        training={"gradient_tolerance": 1e-7, "method": method},
    )
    samples = drawn(case, 25)
    alone = minimise(ParticleFunctional(case, samples, MPI.COMM_SELF))
    shared = minimise(ParticleFunctional(case, samples, COMM))
    assert alone.converged and shared.converged
    assert shared.value == pytest.approx(alone.value, rel=1e-10)
    assert np.abs(shared.theta - alone.theta).max() <= 1e-6
    assert len({repr(v) for v in COMM.allgather(shared.theta.tobytes())}) == 1
