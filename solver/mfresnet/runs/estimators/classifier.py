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
from typing import Any, ClassVar

import numpy as np
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from mfresnet.arrays import Array
from mfresnet.data import FEWEST
from mfresnet.errors import InputError
from mfresnet.losses import LOSSES
from mfresnet.network import probabilities
from mfresnet.runs.estimators.base import MeanFieldEstimator


def _probabilistic(estimator: MeanFieldEstimator) -> bool:
    """Return whether the loss of an estimator gives probabilities."""
    row = LOSSES.get(estimator.keys()["loss"])
    return row is not None and row.probabilistic


class MeanFieldClassifier(ClassifierMixin, MeanFieldEstimator):
    """A residual network trained on the densities of the classes.

    The parameters are those of ``MeanFieldEstimator``. By default a wide block moves the classes to
    prototypes, and the mesh is chosen; with ``cells`` given it is the plain network with a linear
    head, whose velocity is bounded. With a loss that has a head the class is the
    largest score and there are probabilities; with another one the class is the nearest target.

    Attributes:
        classes_: the classes, sorted.
        network_: the trained network, which ``mfresnet.trained.exporters.export`` writes to a file.
        objective_: J at the end.
        n_iter_: number of iterations.
        n_features_in_: number m of features.
    """

    defaults: ClassVar[dict[str, Any]] = MeanFieldEstimator.defaults | {
        "block": "wide",
        "width": 4,
        "layers": 3,
        "head": "prototypes",
        "head_share": 0.01,
        "tikhonov": 1e-3,
    }
    plain: ClassVar[dict[str, Any]] = MeanFieldEstimator.defaults
    accuracy: ClassVar[float | None] = 2e-2

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
        weights = self._weights(sample_weight, x)
        used = weights > 0.0
        self.classes_, numbers = np.unique(y[used], return_inverse=True)
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
        self._train(x[used].astype(float), weights[used], numbers)
        self.network_ = replace(self.network_, labels=tuple(map(str, self.classes_)))
        return self

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
