# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The classifier for scikit-learn.

From data to picture:

>>> from sklearn.datasets import make_moons
>>> from sklearn.inspection import DecisionBoundaryDisplay
>>> from mfresnet import MeanFieldClassifier
>>> X, y = make_moons(300, noise=0.2, random_state=0)
>>> model = MeanFieldClassifier(layers=4, cells=16).fit(X, y)
>>> bool(model.score(X, y) > 0.9)
True
>>> display = DecisionBoundaryDisplay.from_estimator(model, X, response_method="predict_proba")
>>> points = display.ax_.scatter(*X.T, c=y, edgecolor="black")
>>> display.figure_.savefig("moons.png")
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from mfresnet.arrays import Array
from mfresnet.data import FEWEST
from mfresnet.errors import InputError
from mfresnet.losses import LOSSES
from mfresnet.network import decide, probabilities
from mfresnet.runs.estimators.base import MeanFieldEstimator
from mfresnet.runs.estimators.weights import usable_weights
from mfresnet.verification import GridDensities, bayes_measures, quality, shares, verdict


def _probabilistic(estimator: MeanFieldEstimator) -> bool:
    """Return whether the loss of an estimator gives probabilities."""
    row = LOSSES.get(estimator.loss_name)
    return row is not None and row.probabilistic


class MeanFieldClassifier(ClassifierMixin, MeanFieldEstimator):
    """A residual network trained on the densities of the classes.

    The parameters are those of ``MeanFieldEstimator``. By default a wide block moves the classes to
    prototypes, and the mesh is chosen; with ``cells`` or another loss given it is the plain network
    with a linear head, whose velocity is bounded. With a loss that has a head the class is the
    largest score and there are probabilities; with another one the class is the nearest target.

    Attributes:
        classes_: the classes, sorted.
        network_: the trained network, which ``mfresnet.trained.exporters.export`` writes to a file.
        bayes_accuracy_: the largest accuracy that any rule has on the population of the smoothed
            classes, that of the Bayes rule.
        bayes_log_loss_: the least log loss, likewise.
        accuracy_gap_: how far the network is below the former on that population, at least 0.
        log_loss_gap_: how far it is above the latter; None without probabilities.
        densities_: the densities of the classes, points (d, n) -> (classes, n).
        priors_: pi_k, the weights of the classes, (classes,).
        logistic_regression_: logistic regression on the same coordinates.
        objective_: J at the end.
        n_iter_: number of iterations.
        n_features_in_: number m of features.
    """

    def fit(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any = None,
    ) -> MeanFieldClassifier:
        """Train on samples X, (n, m), of the classes y, (n,), on this process alone.

        Args:
            X: the samples.
            y: their classes, numbers or texts.
            sample_weight: their weights, (n,), one each when not given.

        Returns:
            The estimator itself.

        Raises:
            ValueError: the samples or a parameter are not usable; or an ``InputError``, which is
                one, in the words of the case file.
            SolveError: the computation cannot go on.
        """
        x, y = self._validated(X, y)
        check_classification_targets(y)
        weights = usable_weights(sample_weight, x)
        used = weights > 0.0
        numbers, self.classes_ = pd.factorize(y[used], sort=True)
        if len(self.classes_) < 2:
            raise InputError(
                f"y: too few classes; got one class in {int(used.sum())} samples, expected at "
                "least two. Add samples of another class."
            )
        counts = np.bincount(numbers)
        if counts.min() < FEWEST:
            raise InputError(
                f"y: too few samples; got {counts.min()} of class "
                f"{self.classes_[counts.argmin()]}, expected at least {FEWEST}. Add samples or "
                "leave the class out."
            )
        functional, _ = self._train(x[used].astype(float), weights[used], numbers)
        self.network_ = replace(self.network_, labels=tuple(map(str, self.classes_)))
        found = bayes_measures(functional.problem, self.network_)
        self.bayes_accuracy_, self.bayes_log_loss_ = found["accuracy"], found["log_loss"]
        self.accuracy_gap_, self.log_loss_gap_ = found["accuracy_gap"], found["log_loss_gap"]
        self.densities_ = GridDensities.of(functional.problem)
        self.priors_ = functional.problem.class_weights
        dataset = functional.population.dataset
        assert dataset is not None
        part = dataset.train
        self.logistic_regression_ = LogisticRegression().fit(part.x.T, part.y, part.w)
        return self

    def compare(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any = None,
    ) -> dict[str, Any]:
        """Return how good the network is on samples that were held out, beside baselines.

        Args:
            X: the samples, (n, m).
            y: their classes, (n,), of those of ``fit``.
            sample_weight: their weights, (n,), one each when not given.

        Returns:
            ``test`` with the measures of the network: samples, accuracy, balanced accuracy,
            confusion, log loss and calibration error; ``logistic_regression`` and
            ``kernel_density``, the class with the largest pi_k f_k(0, x), with the same below
            ``test``; ``sentence``, which says where the network does not beat them, else empty.

        Raises:
            InputError: a class was not there in ``fit``, or a weight is not usable.
        """
        points = self.network_.reduce(self._samples(X)).T
        known = {name: k for k, name in enumerate(self.classes_.tolist())}
        given = np.asarray(y).tolist()
        if strange := [name for name in given if name not in known]:
            raise InputError(
                f"y: an unknown class; got {strange[0]!r}, expected one of "
                f"{', '.join(self.network_.labels)}. Leave its samples out."
            )
        numbers: Array = np.array([known[name] for name in given], dtype=int)
        weights, n = usable_weights(sample_weight, points), len(self.classes_)
        scores = self.network_.scores(self.network_.carry(points.T))
        p = probabilities(scores).T if self.network_.probabilistic else None
        found: dict[str, Any] = {"test": quality(numbers, decide(scores), n, p, weights)}
        for name, p in (
            ("logistic_regression", self.logistic_regression_.predict_proba(points)),
            ("kernel_density", shares(self.densities_(points.T), self.priors_)),
        ):
            found[name] = {"test": quality(numbers, p.argmax(axis=1), n, p, weights)}
        return found | {"sentence": " ".join(verdict(self.task, found))}

    def predict(self, X: Any) -> Array:  # noqa: N803
        """Return the classes of samples, (n, m) -> (n,)."""
        x = self._carried(X)
        numbers = self.network_.read(x)
        return self.classes_[numbers]

    @available_if(_probabilistic)  # type: ignore[misc]
    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """Return the probability of every class, (n, m) -> (n, classes)."""
        return probabilities(self._scores(X)).T

    @available_if(_probabilistic)  # type: ignore[misc]
    def predict_log_proba(self, X: Any) -> Array:  # noqa: N803
        """Return the logarithm of the probability of every class, (n, m) -> (n, classes)."""
        return log_softmax(self._scores(X).T, axis=1)

    def decision_function(self, X: Any) -> Array:  # noqa: N803
        """Return the scores, (n, m) -> (n, classes), their difference (n,) for two classes."""
        scores = self._scores(X)
        return scores[1] - scores[0] if len(scores) == 2 else scores.T

    def positions(self, X: Any) -> Array:  # noqa: N803
        """Return where samples are at T, (n, m) -> (n, d)."""
        return self._carried(X).T
