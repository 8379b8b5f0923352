# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A training on a mesh on which undershoots pay stops before J on the next mesh rises."""

from __future__ import annotations

from mpi4py import MPI

import numpy as np
import pytest

from mfresnet.arrays import Array
from mfresnet.case import parse
from mfresnet.errors import SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import minimise
from mfresnet.training.points import PointSets
from mfresnet.training.watch import Watch

CELLS = 15


def functional(cells: int) -> ReducedFunctional:
    """Return J of two classes that the network presses below the cells."""
    classes = [
        {"density": {"kind": "gaussian", "mean": [s], "covariance": [[0.05]]}, "target": [2.0 * s]}
        for s in (-0.6, 0.6)
    ]
    mesh = {"cell": "interval", "cells": [cells], "lower": [-3.0], "upper": [3.0]}
    sections = {"mesh": mesh, "classes": classes, "space": {"degree": 2}}
    sections |= {"network": {"layers": 4, "final_time": 3.0}, "penalty": {"tikhonov": 1e-2}}
    return ReducedFunctional(parse(sections), MPI.COMM_SELF)


def test_the_controls_that_are_kept_are_better_on_a_fine_mesh() -> None:
    """Trained to the end on the coarse mesh they are worse there than those of a watched one."""
    coarse, fine = functional(CELLS), functional(60)
    watch = Watch(coarse.theta0, lambda value: 1e-3 * abs(value), sets_of(coarse).all())
    kept = watch.best_of(coarse, minimise(coarse, enough=watch))
    end = minimise(functional(CELLS))
    assert value(fine, kept.theta) < 0.9 * value(fine, end.theta)
    assert end.value < coarse.value(kept.theta), "and J on the coarse mesh says otherwise"


def sets_of(f: ReducedFunctional) -> PointSets:
    return PointSets(f.case, f.population, f.controls.initial, f.comm)


def test_a_rise_that_more_points_do_not_see_is_none() -> None:
    """A rough way that says anything is left for the next one."""
    f = functional(20)
    said = iter(np.arange(1.0, 1000.0))
    exact = sets_of(f).all()[1]
    watch = Watch(f.theta0, lambda value: 1e-3 * abs(value), (lambda theta: next(said), exact))
    found = minimise(f, enough=watch)
    assert watch.best_of(f, found) is found and watch.drawn == 0.0
    assert watch.value == pytest.approx(exact(found.theta)), "the exact way is used from then on"


def value(f: ReducedFunctional, theta: Array) -> float:
    f.make_room(f.steps_for(theta))
    return f.value(theta)


def test_without_another_way_it_looks_at_the_excess_alone() -> None:
    f = functional(20)
    watch = Watch(f.theta0, lambda value: 1e-2 * abs(value), ())
    found = minimise(f, enough=watch)
    assert watch.best_of(f, found) is found
    assert found.excess <= 1e-2 * found.value


def test_controls_without_an_objective_in_the_other_way_are_not_kept() -> None:
    coarse = functional(10)

    def refuse(theta: Array) -> float:
        raise SolveError("No.")

    watch = Watch(coarse.theta0, lambda value: 0.1 * abs(value), (refuse,))
    kept = watch.best_of(coarse, minimise(coarse, enough=watch))
    np.testing.assert_array_equal(kept.theta, coarse.theta0)
    assert kept.value == pytest.approx(coarse.value(coarse.theta0))
    assert not kept.converged and kept.excess == np.inf, "they are not those of its least value"
