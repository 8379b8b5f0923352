# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The trained network on its own: from a run, as arrays, and what it says of samples."""

from mpi4py import MPI

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import balanced_accuracy_score

from helpers import make_case, make_data_case, random_network
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.handover import trained_network
from mfresnet.network.activations import ACTIVATIONS
from mfresnet.network.blocks import BLOCKS
from mfresnet.network.particles import flow
from mfresnet.network.schemes import SCHEMES
from mfresnet.runs.runner import run
from mfresnet.trained.loading import load_network
from mfresnet.trained.network import TrainedNetwork
from mfresnet.verification.measures.classification import calibration_error, quality
from mfresnet.verification.measures.table import measure

RNG = np.random.default_rng(12)


def same(a: TrainedNetwork, b: TrainedNetwork) -> None:
    """Hold all fields of two networks to each other."""
    ours, theirs = a.to_arrays(), b.to_arrays()
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_prediction_by_hand(block: str, activation: str) -> None:
    """One Euler step a layer, written out sample by sample."""
    network = random_network(block, activation, order=1, steps=1)
    samples, p = RNG.standard_normal((5, 4)), network.parameters
    sigma = ACTIVATIONS[activation].value
    for row, given, ended in zip(
        samples, network.predict(samples), network.positions(samples), strict=True
    ):
        x = network.matrix.T @ (row - network.shift)
        for layer in range(3):
            v = sigma(p["W"][layer] @ x + p["b"][layer])
            if block == "wide":
                v = p["V"][layer] @ v + p["c"][layer]
            x = x + network.final_time / 3 * v
        np.testing.assert_allclose(ended, x, rtol=1e-13, atol=1e-13)
        assert given == np.argmax(network.head["H"] @ x + network.head["h"])


def test_probabilities() -> None:
    network, samples = random_network("square", "tanh"), RNG.standard_normal((7, 4))
    p = network.probabilities(samples)
    z = network.positions(samples) @ network.head["H"].T + network.head["h"]
    np.testing.assert_allclose(p, softmax(z, axis=1), rtol=1e-13)
    np.testing.assert_array_equal(p.argmax(axis=1), network.predict(samples))
    with pytest.raises(InputError, match="gives no probabilities"):
        random_network("square", "tanh", probabilistic=False).probabilities(samples)


def test_arrays_and_pickle_keep_everything(tmp_path: Path) -> None:
    network = random_network("wide", "sin")
    same(network, pickle.loads(pickle.dumps(network)))
    np.savez(tmp_path / "a.npz", **network.to_arrays())
    again = load_network(tmp_path / "a.npz")
    same(network, again)
    samples = RNG.standard_normal((7, 4))
    np.testing.assert_array_equal(network.positions(samples), again.positions(samples))


@pytest.mark.parametrize(
    "sections",
    [
        {"loss": {"kind": "cross_entropy"}, "network": {"layers": 2, "inference": "euler"}},
        {"network": {"layers": 2, "block": "wide", "width": 3},
         "mesh": {"lower": [-9.0, -9.0], "upper": [9.0, 9.0]}, "initial": {"scale": 0.2}},
    ],
    ids=["head", "targets"],
)  # fmt: skip
def test_run_directory_holds_the_network(sections: dict[str, Any], tmp_path: Path) -> None:
    case = make_data_case(tmp_path, training={"max_iterations": 1}, **sections)
    theta = run(case, tmp_path / "run", comm=MPI.COMM_SELF).theta
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    network = trained_network(functional, theta)
    same(load_network(tmp_path / "run"), network)
    dataset = functional.population.dataset
    assert dataset is not None
    scheme = (1, 1) if case.network.inference == "euler" else (4, functional.particle_steps)
    assert (network.order, network.steps_per_layer) == scheme
    expected = flow(functional.network(theta), dataset.train.x, SCHEMES[scheme[0]], scheme[1])
    x = np.genfromtxt(tmp_path / "samples.csv", delimiter=",", skip_header=1)[:, :2]
    ends, order = network.positions(x), expected[-1].T
    distance = np.abs(ends[:, None] - order).max(axis=2).min(axis=0)
    assert distance.max() < 1e-13
    if case.loss.kind == "quadratic":
        squared = ((ends[:, None] - functional.population.targets) ** 2).sum(axis=2)
        np.testing.assert_array_equal(network.predict(x), squared.argmin(axis=1))


def test_without_samples_the_features_are_the_coordinates(tmp_path: Path) -> None:
    case = make_case("interval", training={"max_iterations": 1})
    theta = run(case, tmp_path / "run", comm=MPI.COMM_SELF).theta
    network = load_network(tmp_path / "run")
    same(network, trained_network(ReducedFunctional(case, MPI.COMM_SELF), theta))
    assert network.features == ("x1",) and network.labels == ("0", "1")
    assert network.predict(np.array([[-2.0], [2.0]])).tolist() == [0, 1]


def test_not_a_network(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no")
    np.savez(tmp_path / "other.npz", a=np.zeros(2))
    for name in (".", "none", "text.npz", "other.npz"):
        with pytest.raises(InputError, match=r"not a trained network \(.*finished run") as caught:
            load_network(tmp_path / name)
        assert len(caught.value.messages) == 1 and "\n" not in str(caught.value)


# ---------------------------------------------------------------------- measures
def test_quality_by_hand() -> None:
    y, given = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    p = 0.1 + 0.7 * np.eye(3)[given]
    row = quality(y, given, 3, p)
    assert row["confusion"] == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert row["accuracy"] == pytest.approx(4 / 6)
    assert row["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(y, given))
    assert row["log_loss"] == pytest.approx(-(4 * np.log(0.8) + 2 * np.log(0.1)) / 6)
    assert row["calibration_error"] == pytest.approx(0.8 - 4 / 6)
    assert quality(y, given, 3)["log_loss"] is None
    # a weight counts as so many samples
    times = np.array([1, 2, 1, 3, 1, 2])
    weighted = quality(y, given, 3, p, times.astype(float))
    repeated = quality(y.repeat(times), given.repeat(times), 3, p.repeat(times, axis=0))
    for name in ("accuracy", "balanced_accuracy", "log_loss", "calibration_error"):
        assert weighted[name] == pytest.approx(repeated[name]), name


def test_calibration_error() -> None:
    """Small where classes are drawn with the given probabilities, large where they are not."""
    p = RNG.dirichlet([1.0, 1.0, 1.0], size=40_000)
    y = (RNG.random(len(p))[:, None] > np.cumsum(p, axis=1)).sum(axis=1)
    assert calibration_error(y, p, np.ones(len(y))) < 0.01
    sure = np.eye(3)[p.argmax(axis=1)]
    assert calibration_error(y, sure, np.ones(len(y))) == pytest.approx(
        np.mean(p.argmax(axis=1) != y)
    )


def test_measures_of_a_run(tmp_path: Path) -> None:
    case = make_data_case(tmp_path, loss={"kind": "cross_entropy"})
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    metrics = measure(functional, functional.theta0)
    for rows in (metrics, metrics["logistic_regression"]):
        for part, size in (("train", 112), ("test", 48)):
            row = rows[part]
            assert row["samples"] == size == np.sum(row["confusion"])
            assert row["accuracy"] == rows[f"{part}_accuracy"]
            assert row["log_loss"] > 0 and 0 <= row["calibration_error"] <= 1
    assert metrics["test"]["accuracy"] == metrics["runge_kutta"]["test_accuracy"]
    bare = measure(*_untrained(tmp_path))
    assert bare["test"]["log_loss"] is None and bare["train"]["samples"] == 112


def _untrained(directory: Path) -> tuple[ReducedFunctional, Any]:
    functional = ReducedFunctional(make_data_case(directory), MPI.COMM_SELF)
    return functional, functional.theta0
