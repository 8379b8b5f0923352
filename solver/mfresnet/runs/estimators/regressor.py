# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The regressor for scikit-learn.

>>> import numpy as np
>>> from mfresnet import MeanFieldRegressor
>>> rng = np.random.default_rng(0)
>>> X = rng.uniform(-2.0, 2.0, (400, 1))
>>> y = np.tanh(2.0 * X[:, 0]) + 0.1 * rng.standard_normal(400)
>>> model = MeanFieldRegressor(tikhonov=1e-4, bandwidth=0.2, cells=40).fit(X, y)
>>> bool(model.score(X, y) > 0.95)
True
>>> model.predict([[-1.0], [0.0], [1.0]]).shape
(3,)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin

from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.runs.estimators.base import MeanFieldEstimator
from mfresnet.runs.estimators.weights import usable_weights
from mfresnet.verification import PredictiveLaw, predictive_law


class MeanFieldRegressor(RegressorMixin, MeanFieldEstimator):
    """A residual network trained on the joint density of the features and a numeric label.

    The label is a coordinate of the mesh that is not transported, so that there is room for two
    features or principal components. The kernels that smooth the samples flatten the prediction: a
    line gets the slope Cov / (Var + bandwidth^2), so that a smaller ``bandwidth`` on more ``cells``
    is closer to the samples. The components are those of the features alone: where the label
    depends on a direction of small variance, select features first.

    The parameters are those of ``MeanFieldEstimator``; ``score`` is R2. By default a wide block
    moves the features to hidden units, which begin where they fit best, and the mesh is chosen;
    with ``cells`` given it is the plain network, with a linear head, which on the line is monotone.

    Attributes:
        network_: the trained network, which ``mfresnet.trained.exporters.export`` writes to a file.
        law_: the distribution of the error of a prediction, see ``predict_quantiles``.
        objective_: J at the end.
        n_iter_: number of iterations.
        n_features_in_: number m of features.
    """

    task: ClassVar[str] = "regression"
    plain: ClassVar[dict[str, Any]] = MeanFieldEstimator.plain | {
        "loss": "squared_error",
        "tikhonov": 1e-3,
    }

    def fit(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any = None,
    ) -> MeanFieldRegressor:
        """Train on samples X, (n, m), with labels y, (n,), on this process alone.

        Args:
            X: the samples.
            y: their labels, numbers.
            sample_weight: their weights, (n,), one each when not given.

        Returns:
            The estimator itself.

        Raises:
            ValueError: the samples or a parameter are not usable; or an ``InputError``, which is
                one, in the words of the case file.
            SolveError: the computation cannot go on.
        """
        x, y = self._validated(X, y, y_numeric=True, ensure_min_samples=2)
        weights = usable_weights(sample_weight, x)
        used = weights > 0.0
        labels = np.asarray(y[used], dtype=float)
        functional, _ = self._train(x[used].astype(float), weights[used], labels)
        self.law_: PredictiveLaw = predictive_law(functional, self.network_)
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """Return the labels of samples, (n, m) -> (n,)."""
        x = self._carried(X)
        return self.network_.read(x)

    def predict_quantiles(
        self,
        X: Any,  # noqa: N803
        levels: Sequence[float] = (0.05, 0.5, 0.95),
    ) -> Array:
        """Return quantiles of the labels of samples, (n, m) -> (n, levels).

        They are those of the error of the prediction under the smoothed joint density of features
        and label, given the prediction: the outer two of the default enclose nine labels of ten,
        and rather more, as the kernels widen the density.

        Args:
            X: the samples.
            levels: the probabilities of a label below each quantile, in (0, 1).

        Raises:
            InputError: a level is no probability.
        """
        if not all(0.0 < level < 1.0 for level in levels):
            raise InputError(
                f"levels: not probabilities; got {list(levels)}, expected numbers above 0 and "
                "below 1. Give quantiles such as 0.05 and 0.95."
            )
        return self.law_.quantiles(self.predict(X), levels)

    def positions(self, X: Any) -> Array:  # noqa: N803
        """Return where samples are at T, (n, m) -> (n, d)."""
        return self._carried(X).T

    def _more_tags(self) -> dict[str, Any]:
        """Tell scikit-learn before 1.6 what ``__sklearn_tags__`` tells the later ones."""
        return {"poor_score": True}

    def __sklearn_tags__(self) -> Any:
        """Tell that R2 may be small where the label depends on one of ten equal features."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags
