# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The certificate passes for the cases of the project, and each of its lines can fail."""

from mpi4py import MPI

from pathlib import Path

import numpy as np
import pytest

from helpers import gaussian, make_case
from mfresnet.arrays import Array
from mfresnet.case.case import load
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.mesh.boxes import CELLS
from mfresnet.transport.fused.march import FusedMarch
from mfresnet.transport.operator.petsc import PetscTransport
from mfresnet.transport.steps.march import Steps
from mfresnet.transport.steps.step import Adjoint
from mfresnet.transport.steps.unlimited import Density
from mfresnet.verification.certificate import certify
from mfresnet.verification.findings import Check, as_data, check_table, passed
from mfresnet.verification.pathwise import pathwise_loss

ROOT = Path(__file__).parents[2]
LINES = [
    "transpose identity",
    "pairing drift",
    "Taylor remainder 0: rate",
    "Taylor remainder 1: rate",
    "Taylor remainder 2: rate",
    "mass balance",
    "time step over its limit",
    "outflow",
    "initial mass: distance from 1",
    "undershoot over the largest density",
    "loss against half the time step",
    "loss below its lower bound",
    "loss: relative error",
]


def failures(checks: list[Check]) -> set[str]:
    """Return the names of the checks that fail; every one says what is wrong."""
    found = {check.name for check in checks if not check.passed}
    assert all(check.sentence.endswith(".") for check in checks if not check.passed)
    assert passed(checks) == (not found) == as_data(checks)["passed"]
    assert check_table(checks).count("FAIL") == len(found)
    return found


@pytest.mark.parametrize("name", ["shift_1d", "scale_1d", "two_classes_2d", "disk_2d"])
def test_cases_of_the_project(name: str) -> None:
    case = load(ROOT / f"cases/{name}.toml")
    checks = certify(ReducedFunctional(case, MPI.COMM_SELF))
    assert not failures(checks), check_table(checks)


def small(**sections: object) -> ReducedFunctional:
    """Return J of a shifted Gaussian, with a certificate that passes."""
    data = {
        "mesh": {"cells": [40], "lower": [-3.0], "upper": [3.5]},
        "classes": [{"density": gaussian(-0.3, 0.09), "target": 1.0}],
        "initial": {"kind": "values", "W": 0.4, "b": 0.3},
    }
    return ReducedFunctional(make_case("interval", **(data | sections)), MPI.COMM_SELF)


def test_every_line_is_there() -> None:
    checks = certify(small())
    assert [check.name for check in checks] == LINES
    assert not failures(checks)


ADJOINT = {"pairing drift", "Taylor remainder 1: rate", "Taylor remainder 2: rate"}


def test_defects_of_the_adjoint_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = PetscTransport.apply_transpose

    def wrong(self: PetscTransport, *arguments: object, **keys: object) -> Array:
        return 1.01 * original(self, *arguments, **keys)  # type: ignore[arg-type]

    monkeypatch.setattr(PetscTransport, "apply_transpose", wrong)
    found = failures(certify(small(resources={"operator": "petsc"})))
    assert found == ADJOINT | {"transpose identity"}


def test_defects_of_the_compiled_adjoint_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = FusedMarch.transpose

    def wrong(self: FusedMarch, at: Steps, adjoint: Adjoint, after: Density) -> Density:
        adjoint.psi[:] *= 1.01
        return original(self, at, adjoint, after)

    monkeypatch.setattr(FusedMarch, "transpose", wrong)
    assert failures(certify(small())) == ADJOINT


def test_lost_mass_is_found() -> None:
    found = failures(certify(small(mesh={"cells": [40], "lower": [-1.2], "upper": [1.0]})))
    assert {"outflow", "initial mass: distance from 1", "loss: relative error"} <= found


def test_coarse_mesh_and_step_are_found() -> None:
    coarse = small(
        mesh={"cells": [5], "lower": [-3.0], "upper": [3.5]},
        space={"degree": 0},
        time={"order": 1},
        classes=[{"density": gaussian(-0.3, 0.4), "target": 0.0}],
    )
    found = failures(certify(coarse))
    assert {"loss: relative error", "loss against half the time step"} <= found


def test_kinks_are_said() -> None:
    """Plain upwind at theta = 0 has no second order; it is no defect."""
    checks = certify(small(space={"flux": "upwind"}, initial={"kind": "zero"}))
    assert not failures(checks)


def test_comparisons_that_the_memory_does_not_hold_are_left_out() -> None:
    plan = small().plan
    memory = {"memory": f"{(plan.layer_bytes + plan.state_bytes + 1) / 1e3} kB"}
    functional = small(resources=memory)
    steps, value = functional.steps_per_layer, functional.value(functional.theta0)
    checks = certify(functional)
    assert not failures(checks)
    left_out = [check.name for check in checks if check.value is None]
    assert left_out == ["loss against half the time step"]
    for check in checks:
        if check.name in ("loss against half the time step", "loss: relative error"):
            assert "Not compared: resources.memory: too little for one layer; got" in check.sentence
    assert functional.steps_per_layer == steps
    assert functional.value(functional.theta0) == value


def test_steps_are_raised_for_the_controls() -> None:
    functional = small(network={"activation": "identity"})
    before = functional.steps_per_layer
    checks = certify(functional, 4.0 * functional.theta0)
    assert functional.steps_per_layer > before
    assert next(c for c in checks if c.name == "time step over its limit").passed


@pytest.mark.parametrize("cell", CELLS)
def test_particles_know_the_closed_form(cell: str) -> None:
    """V3 by particles alone: E 1/2 |x + b - y|^2 = 1/2 (tr C + |m + b - y|^2)."""
    d = CELLS[cell]
    case = make_case(
        cell,
        mesh={"cells": [{1: 30, 2: 14, 3: 7}[d]] * d},
        network={"activation": "identity", "trainable": ["b"]},
        classes=[{"density": gaussian([0.1] * d, (0.1 * np.eye(d)).tolist()), "target": [1.0] * d}],
        initial={"kind": "values", "W": np.zeros((d, d)).tolist(), "b": [0.3] * d},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    value = pathwise_loss(functional, functional.theta0).loss
    assert value == pytest.approx(0.5 * d * (0.1 + 0.6**2), rel=1e-6)
