# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The estimators among those of scikit-learn."""

from mpi4py import MPI

import pickle
import warnings
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_wine, make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.inspection import DecisionBoundaryDisplay, permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from helpers import make_data_case
from mfresnet import (
    MeanFieldClassifier,
    MeanFieldDensity,
    MeanFieldRegressor,
    ReducedFunctional,
    minimise,
)
from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.functional.handover import trained_network
from mfresnet.trained.exporters import export
from mfresnet.trained.loading import load_network

X, Y = make_moons(200, noise=0.2, random_state=0)
QUICK: dict[str, Any] = {"layers": 2, "cells": 8, "degree": 1, "max_iterations": 10}
PLAIN: dict[str, Any] = {"block": "square", "head": "linear", "tikhonov": 1e-2}

# scikit-learn's own checks fit tiny data dozens of times: on a coarse mesh, without convergence.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


COARSE = QUICK | {"cells": 6, "max_iterations": 5}
# scikit-learn hands pytest a generator, which is deprecated there
CHECKS = parametrize_with_checks(
    [MeanFieldClassifier(**QUICK), MeanFieldRegressor(**COARSE), MeanFieldDensity(**COARSE)]
).mark


COUNTED = "check_sample_weight_equivalence_on_dense_data"


@pytest.mark.parametrize(
    CHECKS.args[0],
    [(e, c) for e, c in CHECKS.args[1] if getattr(c, "func", c).__name__ != COUNTED],
    **CHECKS.kwargs,
)
def test_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    """None is expected to fail; one check, and one part of another, do not apply.

    The check is ``COUNTED``, which wants the bandwidth to count a sample of weight two as two
    samples: weights are ratios, and ``test_weights`` holds the rest of it. The part is the score on
    ten equal features of which the label depends on one: the tag ``poor_score`` of the regressor,
    as two principal components cannot tell which one it is.
    """
    check(estimator)


def quick(**parameters: Any) -> MeanFieldClassifier:
    return MeanFieldClassifier(**(QUICK | {"max_iterations": 30} | parameters))


@pytest.mark.smoke
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
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p, rtol=1e-12)
    np.testing.assert_allclose(model.decision_function(X), np.log(p[:, 1] / p[:, 0]))
    nearest = quick(loss="quadratic").fit(X, Y)
    assert not hasattr(nearest, "predict_proba") and not hasattr(nearest, "predict_log_proba")
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
    scaled = quick(bandwidth=0.5).fit(X, Y, sample_weight=times * 1e200)
    np.testing.assert_allclose(scaled.predict_proba(X), weighted.predict_proba(X), rtol=1e-9)


def test_constant_features_have_no_part_in_the_components() -> None:
    """Images of digits: pixels at the edge are always white, and are not when one predicts."""
    pixels, y = load_digits(return_X_y=True)
    model = quick().fit(pixels[:400], y[:400])
    edge = np.flatnonzero(np.ptp(pixels[:400], axis=0) == 0.0)
    assert edge.size and not model.network_.matrix[edge].any()
    used = np.setdiff1d(np.arange(64), edge)
    again = quick().fit(pixels[:400, used], y[:400])
    given = pixels[400:500].copy()
    given[:, edge] = 7.0
    np.testing.assert_allclose(
        model.predict_proba(given), again.predict_proba(given[:, used]), atol=1e-9
    )


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
    rare = np.array(["usual"] * 199 + ["rare"])
    with pytest.raises(InputError, match=r"^y: too few samples; got 1 of class rare, expected at"):
        quick().fit(X, rare)
    with pytest.raises(InputError, match=r"^n_samples: negative; got -1"):
        density().fit(X).sample(-1)


@pytest.mark.parametrize("estimator", [MeanFieldClassifier, MeanFieldRegressor, MeanFieldDensity])
@pytest.mark.parametrize("weights", [np.where(Y == 1, 1.0, -1.0), np.zeros(200)])
def test_weights_that_are_not_usable(estimator: Any, weights: Any) -> None:
    with pytest.raises(InputError, match=r"^sample_weight: not usable; got weights from -?\d to"):
        estimator(**QUICK).fit(X, Y, sample_weight=weights)


# ---------------------------------------------------------------------- regression
def wave(n: int) -> tuple[Any, Any]:
    """Return a label that a monotone function of one of two features gives, with noise."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-2.0, 2.0, (n, 2)) * [1.0, 50.0] + [0.0, 700.0]
    return x, 1000.0 + 80.0 * np.tanh(3.0 * x[:, 0]) + 8.0 * rng.standard_normal(n)


def regressor(**parameters: Any) -> MeanFieldRegressor:
    usual = {"layers": 3, "bandwidth": 0.25, "max_iterations": 60, "tikhonov": 1e-4}
    return MeanFieldRegressor(**(usual | parameters))


def test_regressor_bends() -> None:
    """Beside a line on the same feature; new samples; the same samples in other units."""
    x, y = wave(400)
    model = regressor().fit(x[:300, :1], y[:300])
    line = LinearRegression().fit(x[:300, :1], y[:300])
    assert model.score(x[300:, :1], y[300:]) > 0.95 > line.score(x[300:, :1], y[300:]) + 0.05
    other = regressor().fit(1e3 * x[:300, :1], 1e-3 * y[:300])
    np.testing.assert_allclose(other.predict(1e3 * x[:, :1]), 1e-3 * model.predict(x[:, :1]))
    assert model.positions(x[:, :1]).shape == (400, 1)


def test_regressor_in_space_and_on_components() -> None:
    """Two features and the label are a mesh of hexahedra; ten features become one component."""
    x, y = wave(200)
    model = regressor(cells=8, degree=1, layers=2, bandwidth=0.5).fit(x, y)
    assert model.network_.matrix.shape == (2, 2)
    assert model.score(x, y) > 0.75
    features, target = load_diabetes(return_X_y=True, as_frame=True)
    reduced = regressor(dimension=1, layers=2).fit(features[["bmi", "bp", "s5"]], target)
    assert reduced.network_.matrix.shape == (3, 1) and reduced.network_.dimension == 1
    assert reduced.score(features[["bmi", "bp", "s5"]], target) > 0.4
    assert regressor(cells=5, degree=1).fit(features, target).network_.matrix.shape == (10, 2)
    with pytest.raises(InputError, match=r"^dimension: too many components; got 3"):
        regressor(dimension=3).fit(features, target)


def test_regressor_in_pipeline_search_and_pickle(tmp_path: Path) -> None:
    x, y = wave(120)
    pipeline = make_pipeline(MinMaxScaler(), regressor(cells=12, degree=1))
    search = GridSearchCV(pipeline, {"meanfieldregressor__layers": [1, 3]}, cv=2)
    search.fit(x[:, :1], y)
    assert search.best_score_ > 0.8
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(x[:, :1]), search.predict(x[:, :1]))
    model = search.best_estimator_[-1]
    scaled = search.best_estimator_[0].transform(x[:, :1])
    export(model.network_, "npz", tmp_path / "a.npz")
    np.testing.assert_array_equal(
        load_network(tmp_path / "a.npz").predict(scaled), model.predict(scaled)
    )
    assert not hasattr(clone(model), "network_")
    with pytest.raises(NotFittedError):
        clone(model).predict(scaled)


def test_regressor_by_default_is_not_monotone() -> None:
    """A label that rises and falls, which no flow on the line with a linear head can give."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-3.0, 3.0, (1200, 1))
    y = 3.0 * np.exp(-(x[:, 0] ** 2)) + 0.3 * rng.standard_normal(1200)
    model = MeanFieldRegressor().fit(x[:900], y[:900])
    best = 1.0 - 0.3**2 / np.var(y[900:])
    assert best - 0.02 < model.score(x[900:], y[900:]) < best + 0.02
    assert model.network_.scored == "units" and model.n_iter_ > 0
    far = model.predict([[-3.0], [0.0], [3.0]])
    assert far[1] > 2.5 > 0.5 > max(far[0], far[2])
    with pytest.raises(InputError, match=r"^loss\.head: tells classes apart; got prototypes"):
        MeanFieldRegressor(head="prototypes").fit(x[:50], y[:50])


# ---------------------------------------------------------------------- density
def modes(n: int) -> Any:
    """Return samples with two modes at -2 and 2 in the first of two features."""
    rng = np.random.default_rng(4)
    return rng.standard_normal((n, 2)) * [0.5, 3.0] + np.outer(np.arange(n) % 2 * 4 - 2, [1, 0])


def density(**parameters: Any) -> MeanFieldDensity:
    usual = {"layers": 3, "bandwidth": 0.25, "max_iterations": 80, "gradient_tolerance": 5e-3}
    return MeanFieldDensity(**(usual | parameters))


def test_density_draws_and_scores() -> None:
    """Its score is between those of one Gaussian and of the right mixture; both modes are drawn."""
    x = modes(600)[:, :1]
    model = density().fit(x[:400])
    one, two = (GaussianMixture(n, random_state=0).fit(x[:400]) for n in (1, 2))
    assert one.score(x[400:]) + 0.3 < model.score(x[400:]) < two.score(x[400:]) + 0.02
    grid = np.linspace(-9.0, 9.0, 2000)[:, None]
    f = np.exp(model.score_samples(grid))
    assert f.sum() * (grid[1, 0] - grid[0, 0]) == pytest.approx(1.0, abs=1e-4)
    drawn = model.sample(2000, random_state=1)
    assert drawn.shape == (2000, 1) and np.mean(drawn > 0.0) == pytest.approx(0.5, abs=0.05)
    assert np.std(np.abs(drawn)) < 0.8
    np.testing.assert_array_equal(drawn, model.sample(2000, random_state=1))
    assert not np.array_equal(drawn, model.sample(2000, np.random.RandomState(2)))
    assert model.sample().shape == (1, 1)


def test_density_in_the_plane_search_clone_and_pickle() -> None:
    x = modes(160)
    search = GridSearchCV(density(cells=10, degree=1), {"bandwidth": [0.3, 3.0]}, cv=2).fit(x)
    assert search.best_params_ == {"bandwidth": 0.3}
    model = search.best_estimator_
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.sample(9, 0), model.sample(9, 0))
    np.testing.assert_array_equal(again.score_samples(x), model.score_samples(x))
    pipeline = make_pipeline(MinMaxScaler(), clone(model)).fit(x)
    # the same but for the volume of the new units
    shift = np.log(np.ptp(x, axis=0)).sum()
    np.testing.assert_allclose(pipeline.score_samples(x) - shift, model.score_samples(x), atol=1e-3)
    wide = density(cells=8, degree=1, max_iterations=5).fit(load_wine().data)
    assert wide.sample(3, 0).shape == (3, 13) and wide.score_samples(load_wine().data).shape == (
        178,
    )


def test_block_brings_its_width() -> None:
    """The default width goes with the default block alone."""
    assert MeanFieldDensity().keys()["width"] == 8
    assert "width" not in MeanFieldDensity(block="square").keys()
    keys = MeanFieldDensity(width=5).keys()
    assert keys | {"block": "wide", "width": 5, "loss": "kullback_leibler"} == keys
    assert keys["tikhonov"] == 1e-5 and "head" not in keys


# ---------------------------------------------------------------------- what a model is worth
def test_classifier_says_what_it_is_worth() -> None:
    """The Bayes bound of its densities, and the same measures as baselines on held-out samples."""
    train, test = (make_moons(400, noise=0.3, random_state=seed) for seed in (1, 2))
    names = np.array(["a", "b"])
    model = quick(bandwidth=0.3, cells=16).fit(train[0], names[train[1]])
    assert 0.8 < model.bayes_accuracy_ < 1.0 and model.accuracy_gap_ >= 0.0
    assert 0.0 < model.bayes_log_loss_ < np.log(2.0) and model.log_loss_gap_ >= 0.0
    found = pickle.loads(pickle.dumps(model)).compare(test[0], names[test[1]])
    assert found["test"]["accuracy"] == model.score(test[0], names[test[1]])
    assert found["test"]["log_loss"] == pytest.approx(
        log_loss(test[1], model.predict_proba(test[0]))
    )
    line = LogisticRegression().fit(StandardScaler().fit_transform(train[0]), train[1])
    scaled = StandardScaler().fit(train[0]).transform(test[0])
    row = found["logistic_regression"]["test"]
    assert row["accuracy"] == line.score(scaled, test[1])
    # the densities are those of kernels, so that their rule is that of kernel density estimates
    kernels = [
        KernelDensity(bandwidth=0.3).fit(StandardScaler().fit_transform(train[0])[train[1] == k])
        for k in range(2)
    ]
    classes = np.argmax([k.score_samples(scaled) for k in kernels], axis=0)
    rule = found["kernel_density"]["test"]
    assert rule["accuracy"] == pytest.approx(np.mean(classes == test[1]), abs=0.015)
    assert rule["accuracy"] > found["test"]["accuracy"]
    assert "does not beat its baselines: accuracy" in found["sentence"]
    weights = (test[1] == 0).astype(float)
    alone = model.compare(test[0], names[test[1]], weights)["test"]["accuracy"]
    assert alone == pytest.approx(model.score(test[0][weights > 0], names[test[1]][weights > 0]))
    with pytest.raises(InputError, match=r"^y: an unknown class; got 'c', expected one of a, b"):
        model.compare(test[0], np.full(400, "c"))
    nearest = quick(loss="quadratic").fit(X, Y)
    assert nearest.log_loss_gap_ is None and nearest.compare(X, Y)["test"]["log_loss"] is None


def test_quantiles_of_the_regressor() -> None:
    """Nine labels of ten between the outer two, wherever the feature is."""
    x, y = wave(600)
    model = regressor(bandwidth=0.1, cells=32).fit(x[:400, :1], y[:400])
    again = pickle.loads(pickle.dumps(model))
    low, middle, high = again.predict_quantiles(x[400:, :1]).T
    assert (low < middle).all() and (middle < high).all()
    inside = np.mean((low <= y[400:]) & (y[400:] <= high))
    assert 0.85 < inside < 1.0
    assert model.predict_quantiles(x[:5, :1], [0.5]).shape == (5, 1)
    with pytest.raises(InputError, match=r"^levels: not probabilities; got \[1\.5\], expected"):
        model.predict_quantiles(x[:5, :1], [1.5])


# ---------------------------------------------------------------------- tables of a data scientist
def frame_of(features: Any) -> Any:
    return pd.DataFrame({"length": features[:, 0], "width (mm)": 1e3 * features[:, 1] + 5e4})


ESTIMATORS: dict[str, tuple[Any, Any]] = {
    "classifier": (quick, np.array(["no", "yes"])[Y]),
    "regressor": (lambda: MeanFieldRegressor(**COARSE), X[:, 0] + X[:, 1]),
    "density": (lambda: MeanFieldDensity(**COARSE, bandwidth="scott"), None),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_frames_in_pipelines_with_their_names(name: str) -> None:
    """The names come through a scaler that gives frames, and are held to those of fit."""
    make, y = ESTIMATORS[name]
    table = frame_of(X)
    pipeline = make_pipeline(StandardScaler(), make()).set_output(transform="pandas")
    pipeline.fit(table, y)
    model = pipeline[-1]
    assert list(model.feature_names_in_) == list(table.columns) and model.n_features_in_ == 2
    assert model.network_.features == tuple(table.columns)
    assert np.isfinite(cross_val_score(make(), table, y, cv=2)).all()
    scores = permutation_importance(pipeline, table, y, n_repeats=2, random_state=0)
    assert scores.importances.shape == (2, 2) and scores.importances_mean.max() > 0.0
    with pytest.raises(ValueError, match="feature names should match"):
        model.fit(table, y).score(table[table.columns[::-1]], y)


def test_importance_of_a_feature_without_meaning() -> None:
    """It is that of the feature on which the class depends, in the units of the table."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"noise": rng.normal(0.0, 1e-3, 300), "size": rng.normal(1e4, 50.0, 300)})
    y = table["size"] > 1e4
    model = quick().fit(table, y)
    noise, size = permutation_importance(model, table, y, random_state=0).importances_mean
    assert size > 0.3 and abs(noise) < 0.05


def test_decision_in_the_units_of_the_table() -> None:
    table = frame_of(X)
    model = quick().fit(table, ESTIMATORS["classifier"][1])
    display = DecisionBoundaryDisplay.from_estimator(
        model, table, response_method="predict_proba", grid_resolution=20, eps=0.0
    )
    low, high = table.min().to_numpy(), table.max().to_numpy()
    for values, ends in ((display.xx0, (low[0], high[0])), (display.xx1, (low[1], high[1]))):
        assert (values.min(), values.max()) == pytest.approx(ends)
    points = pd.DataFrame(
        np.stack([display.xx0.ravel(), display.xx1.ravel()], axis=1), columns=table.columns
    )
    np.testing.assert_allclose(display.response.ravel(), model.predict_proba(points)[:, 1])
    assert np.ptp(display.response) > 0.8
    assert display.ax_.get_xlabel() == "length" and display.ax_.get_ylabel() == "width (mm)"
    plt.close("all")


COLUMNS: dict[str, tuple[Any, str]] = {
    "words": (
        np.array(["red", "blue"])[Y],
        r"^X: row \d, column 'new': not a finite.* most rows",
    ),
    "category": (
        pd.Categorical(np.array(["red", "blue"])[Y]),
        r"column 'new': not a finite",
    ),
    "days": (
        pd.date_range("2026-01-01", periods=200),
        r"^X: row 0, column 'new': dates; got",
    ),
    "missing": (np.where(Y, np.nan, 1.0), r"Input X contains NaN"),
}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", COLUMNS)
def test_columns_that_are_no_numbers(name: str, estimator: str) -> None:
    column, message = COLUMNS[name]
    make, y = ESTIMATORS[estimator]
    table = frame_of(X)
    with pytest.raises(ValueError, match=message):
        make().fit(table.assign(new=column), y)
    model = make().fit(table.assign(new=X[:, 0] * X[:, 1]), y)
    with pytest.raises(ValueError, match=message):
        model.score(table.assign(new=column), y)


def test_missing_values_are_imputed_before() -> None:
    """By a step of a pipeline, as scikit-learn's users do it; inside cross-validation too."""
    table = frame_of(X).mask(np.random.default_rng(0).random((200, 2)) < 0.05)
    assert table.isna().to_numpy().any()
    for make, y in ESTIMATORS.values():
        pipeline = make_pipeline(SimpleImputer(), make()).set_output(transform="pandas")
        assert np.isfinite(cross_val_score(pipeline, table, y, cv=2)).all()
        assert list(pipeline.fit(table, y)[-1].feature_names_in_) == list(table.columns)


def test_a_class_that_was_not_there_counts_as_wrong() -> None:
    model = quick().fit(X, Y)
    strange = np.where(np.arange(len(Y)) < 50, 7, Y)
    right = np.mean((model.predict(X) == Y) & (strange != 7))
    assert model.score(X, strange) == pytest.approx(right)
    assert set(model.predict(X)) <= {0, 1}


def test_columns_that_are_numbers_in_another_form() -> None:
    table = frame_of(X)
    expected = quick().fit(table, Y).predict(table)
    for kind in ("Float64", object, "string"):
        other = table.astype(kind)
        np.testing.assert_array_equal(quick().fit(other, Y).predict(other), expected)


def test_few_rows_of_classes_that_surround_each_other() -> None:
    """By the defaults, which a linear head or one prototype a class cannot do."""
    rng = np.random.default_rng(0)

    def rings(n: int) -> tuple[Array, Array]:
        y, angle = rng.integers(0, 3, n), 2.0 * np.pi * rng.random(n)
        x = y * np.stack([np.cos(angle), np.sin(angle)])
        return x.T + 0.15 * rng.standard_normal((n, 2)), y

    (x, y), (new, truth) = rings(400), rings(4000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MeanFieldClassifier().fit(x, y)
    assert model.network_.head["P"].shape[1] > 1
    assert model.score(new, truth) > 0.96
    alone = quick(prototypes=1, head="prototypes", block="wide", width=4, cells=16).fit(x, y)
    assert alone.network_.head["P"].shape[1] == 1
