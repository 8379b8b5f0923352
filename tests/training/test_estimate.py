# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The error of J is what it is said to be, for every loss on every cell, or nobody can tell."""

from mpi4py import MPI

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import gaussian, make_data_case
from mfresnet.arrays import Array
from mfresnet.data import Samples
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.nodes import MEANS, smoothed
from mfresnet.losses.table import LOSSES
from mfresnet.mesh.boxes import CELLS
from mfresnet.mesh.kernel import kernel_rule
from mfresnet.training.estimate import ObjectiveError, error_on_mesh, objective_error
from mfresnet.verification.accuracy import LARGE, LossError, Way
from verification.test_loss_error import shifted

COARSE, FINE = {1: 16, 2: 14, 3: 7}, {1: (96, 4), 2: (32, 4), 3: (12, 3)}
"""Dimension -> cells a direction; and those of the truth, with their degree."""


def sections(kind: str, d: int) -> dict[str, Any]:
    """Return a case of a loss."""
    covariance = (0.12 * np.eye(d)).tolist()
    if kind == "quadratic":
        return {}
    if kind == "moments":
        return {"loss": {"kind": kind, "mean": [0.1] * d, "covariance": covariance}}
    if kind == "cross_entropy":
        head = {"H": [[-1.0] * d, [1.0] * d], "h": [0.1, -0.2]}
        start = {"W": (-0.8 * np.eye(d)).tolist(), "b": [0.3] * d}
        classes = [{"density": gaussian([m] * d, covariance)} for m in (-0.3, 0.3)]
        return {
            "loss": {"kind": kind},
            "classes": classes,
            "initial": {"kind": "values"} | start | head,
        }
    return {"loss": {"kind": kind, "target": gaussian([0.1] * d, covariance)}}


@pytest.mark.parametrize("kind", [k for k, row in LOSSES.items() if row.tasks != ("regression",)])
@pytest.mark.parametrize("cell", CELLS)
def test_effectivity(cell: str, kind: str) -> None:
    """Against a mesh whose error is far smaller."""
    d, (cells, degree) = CELLS[cell], FINE[CELLS[cell]]
    f = shifted(cell, COARSE[d], 2, **sections(kind, d))
    fine = shifted(cell, cells, degree, **sections(kind, d))
    found = error_on_mesh(f, f.theta0, 1e-4)
    truth = found.loss - fine.loss(fine.theta0)
    assert len(found.ways) == 2
    size = found.uncertainty
    if found.doubt:
        assert found.relative > LARGE or (not found.agree and size > 0.7 * abs(truth))
    else:
        assert 0.7 * abs(truth) < size < 1.4 * abs(truth)


def test_samples_with_their_kernels(tmp_path: Path) -> None:
    """J of a table on a coarse mesh is off from that of the kernels, not of the coarse density."""
    coarse, fine = (
        make_data_case(tmp_path, mesh={"cells": [n, n]}, space={"degree": p})
        for n, p in ((8, 2), (32, 3))
    )
    f, g = ReducedFunctional(coarse, MPI.COMM_SELF), ReducedFunctional(fine, MPI.COMM_SELF)
    found = objective_error(f, f.theta0, 1e-3, f.value(f.theta0), 0.0)
    truth = f.value(f.theta0) - g.value(f.theta0)
    assert 0.7 * abs(truth) < found.size < 1.4 * abs(truth), (found, truth)
    assert found.corrected == pytest.approx(g.value(f.theta0), abs=0.1 * abs(truth))


@pytest.mark.parametrize("d", [1, 2, 3])
def test_many_samples_in_bins_have_the_same_kernels(d: int) -> None:
    """Their mean of a function that bends within a bin is that by the kernels of all of them."""
    rng, n, widths = np.random.default_rng(4), 5 * MEANS, np.array([0.3, 0.2])
    samples = Samples(rng.standard_normal((d, n)), np.arange(n) % 2, rng.random(n))

    def mean(x: Array, mass: Array) -> float:
        return float(mass @ np.sin(1.5 * x.sum(axis=0) + 1.0) / mass.sum())

    for k, width in enumerate(widths):
        x, mass = smoothed(samples, widths, k, 2)
        own = samples.y == k
        r, share = kernel_rule(d, 5)
        all_of_them = (samples.x[:, own][:, :, None] + width * r[:, None, :]).reshape(d, -1)
        exact = mean(all_of_them, np.outer(samples.w[own], share).ravel())
        assert mass.sum() == pytest.approx(samples.w[own].sum(), rel=1e-12)
        assert mean(x, mass) == pytest.approx(exact, abs=2e-4)
        few, light = smoothed(samples, widths, k, 0)
        rule = kernel_rule(d, 2)[1].size
        assert few.shape[1] == light.size <= MEANS * rule < own.sum() * rule


def test_doubts_are_said() -> None:
    def sentence(*losses: float) -> str:
        ways = tuple(Way(f"way {w}", w) for w in losses)
        error = LossError(1.0, 0.0, ways, (), "Refine")
        return ObjectiveError(1e-3, 1.0, 1.0, None, error, {}).sentence()

    assert sentence(1.01, 1.012).endswith("by way 1.01 and by way 1.012.")
    assert sentence(1.01, 0.99).endswith(
        "The two do not agree, so that the error is at most about that."
    )
    assert sentence(1.3, 1.31).endswith("So large an error is known by its size alone.")
