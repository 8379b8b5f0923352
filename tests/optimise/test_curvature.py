# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How far J is from its least value, as the derivatives on the way say; and pairs that are kept."""

from __future__ import annotations

from mpi4py import MPI

import numpy as np
import pytest

from mfresnet.arrays import Array
from mfresnet.case import parse
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import Memory, OptimiseResult, Search, minimise

CURVATURES = np.array([0.5, 2.0, 40.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])


def functional(cells: int, **training: float) -> ReducedFunctional:
    """Return J of two Gaussian classes on the line."""
    classes = [
        {"density": {"kind": "gaussian", "mean": [s], "covariance": [[0.1]]}, "target": [1.5 * s]}
        for s in (-0.7, 0.7)
    ]
    mesh = {"cell": "interval", "cells": [cells], "lower": [-3.0], "upper": [3.0]}
    sections = {"mesh": mesh, "classes": classes, "space": {"degree": 2}, "training": training}
    return ReducedFunctional(parse(sections | {"network": {"layers": 4}}), MPI.COMM_SELF)


def excess(f: ReducedFunctional, memory: Memory | None, share: float) -> OptimiseResult:
    """Minimise until the excess is a share of J."""
    return minimise(f, enough=lambda s: s.excess <= share * s.best, memory=memory)


def test_a_quadratic_function() -> None:
    """Steps along the axes: each direction is known; the others are as flat as the flattest."""
    memory, eye = Memory(), np.eye(9)
    assert memory.excess(np.zeros(9)) == 0.0
    for axis in range(1, 9):
        assert memory.excess(np.ones(9)) == np.inf, "little is known yet"
        memory.cut()
        memory.see(np.zeros(9), np.zeros(9))
        memory.see(eye[axis], CURVATURES * eye[axis])
    assert memory.excess(eye[1] + eye[2]) == pytest.approx(0.5 * (1 / 2 + 1 / 40))
    assert memory.excess(eye[0]) == pytest.approx(0.5 / 2.0)
    memory.forget()
    assert memory.excess(eye[0]) == np.inf


def test_derivatives_of_different_objectives_are_not_subtracted() -> None:
    memory = Memory()
    memory.see(np.zeros(1), np.zeros(1))
    memory.cut()
    memory.see(np.ones(1), np.array([50.0]))
    assert memory.excess(np.ones(1)) == np.inf


@pytest.mark.parametrize("share", [1e-2, 1e-4, 1e-6])
def test_the_excess_of_a_training_is_what_it_says(share: float) -> None:
    """Or more: it is not below the last gain, and the iterations gain faster and faster."""
    least = minimise(functional(20, gradient_tolerance=1e-9)).value
    found = excess(functional(20), None, share)
    assert 0.5 <= found.excess / (found.value - least) <= 100.0


def test_bounds_hold_what_they_hold() -> None:
    """The derivative in a control at its bound does not count."""
    bounds = {"lower": -0.3, "upper": 0.3}
    found = minimise(functional(20, gradient_tolerance=1e-7, **bounds))
    assert np.abs(found.theta).max() == pytest.approx(0.3)
    assert found.excess <= 1e-10


def test_pairs_of_one_mesh_help_on_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """From controls near the least J the minimisation needs fewer iterations."""
    memory = Memory()
    try:
        start = excess(functional(20), memory, 1e-4).theta
        counts = {}
        for name, known in (("new", None), ("kept", memory)):
            f = functional(33)
            f.start_from(f.controls.from_vector(start + perturbation(start)))
            counts[name] = excess(f, known, 1e-8).iterations
    finally:
        memory.forget()
    assert counts["kept"] < 0.8 * counts["new"], counts


def perturbation(theta: Array) -> Array:
    """Return a small change of the controls."""
    return 1e-2 * np.cos(np.arange(theta.size))


def test_a_search_without_an_evaluation_knows_nothing() -> None:
    f = functional(20)
    assert Search(f, None, None, None).excess == np.inf  # type: ignore[arg-type]
