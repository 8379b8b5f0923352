# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The network on samples: orders, the plain ResNet, agreement with the density."""

from mpi4py import MPI

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from helpers import make_data_case, observed_orders
from mfresnet.case.population import default_targets, simplex
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.network.activations import ACTIVATIONS
from mfresnet.network.blocks import BLOCKS
from mfresnet.network.controls import Controls
from mfresnet.network.particles import INFERENCES, Network, flow
from mfresnet.network.schemes import SCHEMES
from mfresnet.verification.measures.table import measure

RNG = np.random.default_rng(4)
X = RNG.standard_normal((2, 30))


def network(activation: str = "tanh", layers: int = 3) -> Network:
    values = {"W": RNG.standard_normal((layers, 2, 2)), "b": RNG.standard_normal((layers, 2))}
    return Network(BLOCKS["square"], ACTIVATIONS[activation], Controls(values), 1.5)


@pytest.mark.parametrize("order", SCHEMES)
def test_order(order: int) -> None:
    """Against an adaptive integration, layer by layer, of a nonlinear network."""
    net = network("sin")
    x = X.ravel()
    for layer in range(net.layers):
        x = solve_ivp(
            lambda _, y, layer=layer: net.velocity(y.reshape(2, -1), layer).ravel(),
            (0.0, net.final_time / net.layers), x, method="DOP853", rtol=1e-12, atol=1e-12,
        ).y[:, -1]  # fmt: skip
    steps = [8, 16, 32]
    errors = [np.abs(flow(net, X, SCHEMES[order], n)[-1].ravel() - x).max() for n in steps]
    orders = observed_orders(steps, errors)
    assert abs(orders[-1] - order) < 0.2, (errors, orders)


def test_euler_is_the_plain_network() -> None:
    net, x = network("relu"), X
    path = flow(net, X, *INFERENCES["euler"](3, 7))
    for layer in range(net.layers):
        np.testing.assert_array_equal(path[layer], x)
        x = x + 0.5 * np.maximum(net.controls.W[layer] @ x + net.controls.b[layer][:, None], 0.0)
    np.testing.assert_allclose(path[-1], x, rtol=1e-14)


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_means_of_density_and_samples_agree(activation: str, tmp_path: Path) -> None:
    """Exactly for a linear network; within the effect of the smoothing for tanh."""
    case = make_data_case(
        tmp_path,
        network={"activation": activation, "layers": 4},
        mesh={"lower": [-9.0, -9.0], "upper": [9.0, 9.0]} if activation == "identity" else {},
        initial={"kind": "values", "W": [[-0.5, 0.2], [0.1, -0.4]], "b": [0.2, 0.1]},
        time={"order": 4},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    means = measure(functional, functional.theta0)["means"]
    for row in means.values():
        tolerance = 1e-7 if activation == "identity" else 0.05
        np.testing.assert_allclose(row["density"], row["samples"], atol=tolerance)


def test_measures(tmp_path: Path) -> None:
    """A network that does not move sorts the samples by the nearest target."""
    case = make_data_case(tmp_path, initial={"kind": "zero"}, network={"inference": "euler"})
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    metrics = measure(functional, functional.theta0)
    dataset, targets = functional.population.dataset, functional.population.targets
    assert dataset is not None
    for part, samples in (("train", dataset.train), ("test", dataset.test)):
        distances = np.linalg.norm(samples.x[:, :, None] - targets.T[:, None], axis=0)
        right = float(np.mean(distances.argmin(axis=1) == samples.y))
        for name in INFERENCES:
            assert metrics[name][f"{part}_accuracy"] == pytest.approx(right)
        assert metrics[f"{part}_accuracy"] == metrics["euler"][f"{part}_accuracy"]
        assert 0.5 < metrics["logistic_regression"][f"{part}_accuracy"] <= 1.0


@pytest.mark.parametrize("n", [2, 3, 4])
def test_simplex_is_regular(n: int) -> None:
    corners = simplex(n)
    distances = np.linalg.norm(corners[:, None] - corners[None], axis=-1)[~np.eye(n, dtype=bool)]
    np.testing.assert_allclose(np.linalg.norm(corners, axis=1), 1.0)
    np.testing.assert_allclose(distances, distances[0])


@pytest.mark.parametrize(
    ("n", "d"), [(2, 1), (4, 1), (2, 2), (3, 2), (5, 2), (2, 3), (4, 3), (6, 3)]
)
def test_default_targets(n: int, d: int) -> None:
    """They lie around the centre, apart from each other, and each on the side of its class."""
    centre = RNG.standard_normal(d)
    for _ in range(5):
        means = centre + RNG.standard_normal((n, d))
        targets = default_targets(means, centre, radius=1.5)
        assert np.linalg.norm(targets - centre, axis=1).max() == pytest.approx(1.5)
        distances = np.linalg.norm(targets[:, None] - targets[None], axis=-1) + 9 * np.eye(n)
        assert distances.min() > 0.9
        assert np.sum((targets - centre) * (means - centre)) > 0.0
    if n == 2:
        axis = means[1] - means[0]
        turned = targets[1] - targets[0]
        if d > 1:
            middle = means - means.mean(axis=0) + centre
            turned = np.diff(default_targets(middle, centre), axis=0)[0]
        cosine = axis @ turned / np.linalg.norm(axis) / np.linalg.norm(turned)
        assert cosine == pytest.approx(1.0)
