# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Steps and sweeps: transpose, pairing, mass balance, the cost of outflow, the CFL check."""

from mpi4py import MPI

import numpy as np
import pytest
from scipy.stats import norm

from helpers import few, gaussian, inner, make_case, random_field, shaped_mesh
from mfresnet.errors import StepsError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory
from mfresnet.losses.loss import Parts
from mfresnet.mesh.boxes import CELLS
from mfresnet.mesh.space import Space
from mfresnet.network.schemes import SCHEMES
from mfresnet.transport.fused.transport import FusedTransport
from mfresnet.transport.operator.fluxes import FLUXES
from mfresnet.transport.steps.limiter import LIMITERS
from mfresnet.transport.steps.make import make_step
from mfresnet.transport.steps.step import Adjoint, Stages

STABLE = [(s, p) for s in SCHEMES for p in SCHEMES[s].cfl]


@pytest.mark.parametrize(("order", "degree"), STABLE)
@pytest.mark.parametrize("cell", CELLS)
def test_pairing_is_constant(cell: str, order: int, degree: int) -> None:
    """V10: (f, psi) is the same before and after every step."""
    space = Space(shaped_mesh(MPI.COMM_SELF, cell, few(cell, 5, 2), "rotated"), degree)
    transport, scheme = FusedTransport(space), SCHEMES[order]
    a = transport.coefficients(np.sin(2.0 * transport.points + 0.3), transport.new_coefficients())
    dt, steps = 0.5 * scheme.cfl[degree] / transport.rates(a)[0], 7
    step = make_step(transport, scheme, dt, LIMITERS["none"](space))
    made, end = np.zeros((steps, 1, order, space.n_owned)), random_field(space)[None].copy()
    left = np.zeros((1, transport.n_exit))
    for stages in made:
        stages[:, 0] = end
        step.forward(Stages(a, stages), end, left)
    psi = np.cos(random_field(space))
    size = np.sqrt(inner(space, made[0, 0, 0], made[0, 0, 0]) * inner(space, psi, psi))
    at, pairings = step.limiter.density(end), [inner(space, end[0], psi)]
    unused = transport.new_coefficients()
    adjoint = Adjoint(psi[None], np.zeros_like(left), np.ones(1), unused)
    for stages in made[::-1]:
        at = step.transpose(Stages(a, stages), adjoint, at)
        pairings.append(inner(space, at.f[0], psi))
    assert np.ptp(pairings) <= 1e-12 * size


@pytest.mark.smoke
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("cell", CELLS)
def test_mass_balance(cell: str, order: int) -> None:
    """Mass inside plus the outflow tallied at the boundary is the initial mass, to rounding."""
    d = CELLS[cell]
    degree = min(order - 1, 2)
    case = make_case(
        cell,
        mesh={"lower": [-1.5] * d, "upper": [1.2] * d},
        space={"degree": degree},
        time={"order": order},
        initial={"kind": "values", "W": np.diag([1.5] * d).tolist(), "b": [0.4] * d},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    balance = Trajectory(functional, functional.theta0).balance()
    assert balance.outflow.min() > 0.01
    assert balance.error < 1e-13


def shift_out(b: float, target: float, cells: int = 60) -> ReducedFunctional:
    case = make_case(
        "interval",
        mesh={"cells": [cells], "lower": [-2.0], "upper": [2.0]},
        network={"activation": "identity", "trainable": ["b"]},
        classes=[{"density": gaussian(-0.5, 0.01), "target": target}],
        initial={"kind": "values", "W": 0.0, "b": b},
        penalty={"tikhonov": 0.0},
    )
    return ReducedFunctional(case, MPI.COMM_SELF)


def test_outflow_is_the_tail_that_leaves() -> None:
    """N(-0.5, 0.01) shifted by -1.52: the part beyond -2 has left."""
    functional = shift_out(-1.52, 1.0, cells=160)
    expected = norm.cdf(-2.0 + 1.52, loc=-0.5, scale=0.1)
    assert Trajectory(functional, functional.theta0).balance().outflow[0] == pytest.approx(
        expected, abs=1e-5
    )


def test_outflow_is_charged() -> None:
    """Mass thrown out of the wrong side pays the loss of its exit point, so it must not pay off."""
    thrown, stayed = shift_out(-1.6, 1.0), shift_out(0.0, 1.0)
    j_thrown, j_stayed = thrown.value(thrown.theta0), stayed.value(stayed.theta0)
    left = Trajectory(thrown, thrown.theta0).balance().outflow[0]
    assert 0.5 < left < 0.9
    inside = Parts(thrown.sweep.final, np.zeros_like(thrown.sweep.left), {})
    uncharged = float(thrown.depth_loss.loss.value(inside)[0])
    assert uncharged < j_stayed < j_thrown
    # all that has left pays 1/2 |x - target|^2 at x = -2
    assert j_thrown - uncharged == pytest.approx(left * 0.5 * 3.0**2, rel=1e-12)


def test_too_few_steps_are_an_error() -> None:
    case = make_case("interval", time={"steps_per_layer": 1}, mesh={"cells": [40]})
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    with pytest.raises(
        StepsError, match=r"time\.steps_per_layer.*got 1, expected at least"
    ) as error:
        functional.value(functional.theta0)
    functional.set_steps(error.value.needed)
    assert functional.value(functional.theta0) > 0.0


@pytest.mark.parametrize("flux", FLUXES)
def test_bound_of_the_velocity_holds_for_constant_velocities(flux: str) -> None:
    space = Space(shaped_mesh(MPI.COMM_SELF, "triangle", 5, "rotated"), 1)
    transport = FusedTransport(space, flux)
    rates = []
    for angle in np.linspace(0.0, 2 * np.pi, 9):
        v = np.array([np.cos(angle), np.sin(angle)])
        v /= np.abs(v).max()
        field = np.tile(v[:, None], transport.points.shape[1])
        a = transport.coefficients(field, transport.new_coefficients())
        rates.append(transport.rates(a)[0])
    assert max(rates) <= 1.000001 * transport.rate_bound(1.0) < 1.5 * max(rates)
