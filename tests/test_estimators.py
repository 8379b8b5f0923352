# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The estimators among those of scikit-learn."""

from mpi4py import MPI

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine, make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from helpers import make_data_case
from mfresnet import MeanFieldClassifier, ReducedFunctional, minimise
from mfresnet.errors import InputError
from mfresnet.exporters import export
from mfresnet.trained import load_network, trained_network

X, Y = make_moons(200, noise=0.2, random_state=0)
QUICK: dict[str, Any] = {"layers": 2, "cells": 8, "degree": 1, "max_iterations": 10}

# scikit-learn's own checks fit tiny data dozens of times: on a coarse mesh, without convergence.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@parametrize_with_checks([MeanFieldClassifier(**QUICK)])
def test_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    """All of them apply: none is expected to fail."""
    check(estimator)


def quick(**parameters: Any) -> MeanFieldClassifier:
    return MeanFieldClassifier(**(QUICK | {"max_iterations": 30} | parameters))


def test_same_network_as_the_case(tmp_path: Path) -> None:
    """The estimator is the case of its parameters, on the same samples."""
    case = make_data_case(
        tmp_path,
        mesh={"cells": [12, 12]},
        data={"test_fraction": 0.0, "bandwidth": 0.5},
        loss={"kind": "cross_entropy"},
        penalty={"tikhonov": 1e-2},
        training={"gradient_tolerance": 1e-3},
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    theta = minimise(functional).theta
    frame = pd.read_csv(tmp_path / "samples.csv")
    model = MeanFieldClassifier(layers=4, cells=12, bandwidth=0.5)
    model.fit(frame[["width", "height"]], frame["answer"])
    ours, theirs = model.network_, trained_network(functional, theta)
    assert ours.features == theirs.features and ours.labels == theirs.labels
    for name, array in theirs.to_arrays().items():
        if array.dtype == float:
            np.testing.assert_allclose(ours.to_arrays()[name], array, atol=1e-5, err_msg=name)


def test_more_than_three_features_are_reduced() -> None:
    features, y = load_wine(return_X_y=True, as_frame=True)
    model = quick().fit(features, y)
    assert model.network_.matrix.shape == (13, 2)
    assert model.network_.features == tuple(features.columns)
    assert model.score(features, y) > 0.93
    assert quick(dimension=1).fit(features, y).positions(features).shape == (178, 1)
    assert quick().fit(features.iloc[:, :1], y).network_.matrix.shape == (1, 1)


def test_probabilities_and_scores() -> None:
    model = quick().fit(X, Y)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    np.testing.assert_array_equal(p.argmax(axis=1), model.predict(X))
    np.testing.assert_allclose(model.decision_function(X), np.log(p[:, 1] / p[:, 0]))
    nearest = quick(loss="quadratic").fit(X, Y)
    assert not hasattr(nearest, "predict_proba")
    assert nearest.score(X, Y) > 0.8
    assert not hasattr(MeanFieldClassifier(loss="unknown"), "predict_proba")


def test_pipeline_search_clone_and_pickle() -> None:
    names = np.array(["below", "above"])[Y]
    pipeline = make_pipeline(MinMaxScaler(), quick())
    search = GridSearchCV(pipeline, {"meanfieldclassifier__layers": [1, 2]}, cv=2)
    search.fit(X, names)
    assert search.best_score_ > 0.8
    model = search.best_estimator_[-1]
    assert set(model.classes_) == {"below", "above"}
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict_proba(X), search.predict_proba(X))
    assert not hasattr(clone(model), "network_")


def test_weights() -> None:
    """A weight counts as so many samples, but for the bandwidth."""
    times = np.random.default_rng(0).integers(0, 4, len(X))
    weighted = quick(bandwidth=0.5).fit(X, Y, sample_weight=times)
    repeated = quick(bandwidth=0.5).fit(X.repeat(times, axis=0), Y.repeat(times))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-3)


def test_unbounded_velocity() -> None:
    blobs, y = make_blobs(100, centers=2, random_state=1)
    model = quick(block="wide", width=3, activation="relu").fit(blobs, y)
    assert model.score(blobs, y) > 0.95


def test_trained_network_is_exported(tmp_path: Path) -> None:
    model = quick().fit(X, np.array(["no", "yes"])[Y])
    export(model.network_, "npz", tmp_path / "net.npz")
    network = load_network(tmp_path / "net.npz")
    assert network.labels == ("no", "yes")
    np.testing.assert_array_equal(network.probabilities(X), model.predict_proba(X))


def test_what_is_said() -> None:
    with pytest.warns(ConvergenceWarning, match="iteration limit"):
        quick(max_iterations=1).fit(X, Y)
    with pytest.raises(InputError, match=r"^network\.activation: .*Did you mean 'relu'"):
        quick(activation="rleu").fit(X, Y)
    with pytest.raises(InputError, match=r"^network\.width: missing"):
        quick(block="wide").fit(X, Y)
    with pytest.raises(InputError, match=r"^y: too few classes; got one"):
        quick().fit(X, Y, sample_weight=(Y == 1).astype(float))
