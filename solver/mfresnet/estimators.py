# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Estimators for scikit-learn: a case made from arrays, trained, kept as a ``TrainedNetwork``.

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

from mpi4py import MPI

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import validation
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from mfresnet import heads
from mfresnet.activations import ACTIVATIONS
from mfresnet.arrays import Array
from mfresnet.blocks import BLOCKS
from mfresnet.case import Case, parse
from mfresnet.data import load_data
from mfresnet.errors import InputError
from mfresnet.functional import ReducedFunctional
from mfresnet.losses import LOSSES
from mfresnet.nested import train
from mfresnet.population import from_samples
from mfresnet.scaling import LARGEST_DIMENSION
from mfresnet.schemes import SCHEMES
from mfresnet.tables import ArrayTable
from mfresnet.trained import TrainedNetwork, trained_network

MESHES = {1: ("interval", 64), 2: ("quadrilateral", 20), 3: ("hexahedron", 10)}
"""Dimension -> cell type and cells in each direction when ``cells`` is not given: small ones, for
seconds rather than digits. A box of 12 standard deviations in the plane has a node every fifth."""
SPEED = 2.0
"""Speed for which the box has room where the velocity has no bound of its own."""


class MeanFieldEstimator(BaseEstimator):
    """What the estimators share: their parameters, which are keys of a case, and the training.

    Args:
        layers: number of layers.
        activation: a name in ``ACTIVATIONS``.
        block: a name in ``BLOCKS``.
        width: hidden units of a wide block.
        final_time: T.
        cells: cells of the mesh in each direction, see ``MESHES``.
        degree: degree of the DG space; the time stepping has the next order.
        dimension: number of principal components, at most 3. When not given, features are kept as
            they are up to three of them, and more are reduced to two.
        scale: ``standard``, ``robust`` or ``none``: how features are scaled.
        bandwidth: a number, or ``scott``, ``silverman`` or ``likelihood``.
        loss: a name in ``LOSSES``.
        tikhonov: weight of the penalty on the controls.
        method: the optimiser, a name in ``METHODS``.
        max_iterations: most iterations.
        gradient_tolerance: on the L2(0, T) norm of the gradient.
        seed: of random initial controls.
    """

    def __init__(
        self,
        *,
        layers: int = 5,
        activation: str = "tanh",
        block: str = "square",
        width: int | None = None,
        final_time: float = 1.0,
        cells: int | None = None,
        degree: int = 2,
        dimension: int | None = None,
        scale: str = "standard",
        bandwidth: float | str = "scott",
        loss: str = "cross_entropy",
        tikhonov: float = 1e-2,
        method: str = "lmvm",
        max_iterations: int = 100,
        gradient_tolerance: float = 1e-3,
        seed: int = 0,
    ) -> None:
        """Keep the parameters; ``fit`` checks them."""
        self.layers = layers
        self.activation = activation
        self.block = block
        self.width = width
        self.final_time = final_time
        self.cells = cells
        self.degree = degree
        self.dimension = dimension
        self.scale = scale
        self.bandwidth = bandwidth
        self.loss = loss
        self.tikhonov = tikhonov
        self.method = method
        self.max_iterations = max_iterations
        self.gradient_tolerance = gradient_tolerance
        self.seed = seed

    def _case(self, n_features: int, extent: Array | None = None) -> Case:
        """Return the case; ``extent``, (2, d), are the corners of the box, any when not given."""
        reduced = 2 if n_features > LARGEST_DIMENSION else None
        dimension = reduced if self.dimension is None else self.dimension
        d = n_features if dimension is None else dimension
        cell, cells = MESHES.get(d, MESHES[2])
        lower, upper = np.array([[-1.0] * d, [1.0] * d]) if extent is None else extent
        network = {
            "layers": self.layers,
            "activation": self.activation,
            "block": self.block,
            "width": self.width,
            "final_time": self.final_time,
        }
        data = {
            "file": "samples",
            "label": "label",
            "weights": "weight",
            "scale": self.scale,
            "reduce": None if dimension is None else {"dimension": dimension},
            "bandwidth": self.bandwidth,
            "test_fraction": 0.0,
        }
        training = {
            "method": self.method,
            "max_iterations": self.max_iterations,
            "gradient_tolerance": self.gradient_tolerance,
        }
        return parse(
            {
                "mesh": {
                    "cell": cell,
                    "cells": [cells if self.cells is None else self.cells] * d,
                    "lower": lower.tolist(),
                    "upper": upper.tolist(),
                },
                "space": {"degree": self.degree},
                "time": {"order": min(self.degree + 1, max(SCHEMES))},
                "network": {name: value for name, value in network.items() if value is not None},
                "data": {name: value for name, value in data.items() if value is not None},
                "loss": {"kind": self.loss},
                "penalty": {"tikhonov": self.tikhonov},
                "initial": {"seed": self.seed},
                "training": training,
            }
        )

    def _train(self, x: Array, y: Array, weights: Array) -> None:
        """Train on samples x, (n, m), of the classes y, and keep the network.

        The box reaches beyond the densities by what the velocity can do; where it has no bound of
        its own by ``SPEED``, and what leaves the box pays where it leaves.
        """
        names = [f"x{i + 1}" for i in range(x.shape[1])]
        table = ArrayTable(dict(zip(names, x.T, strict=True)) | {"label": y, "weight": weights})
        case = self._case(len(names))
        assert case.data is not None
        population = from_samples(case, load_data(case.data, MPI.COMM_SELF, table))
        bound = BLOCKS[self.block].bound(ACTIVATIONS[self.activation])
        reach = self.final_time * (bound if np.isfinite(bound) else SPEED)
        box = population.extent + np.array([[-reach], [reach]])
        functional = ReducedFunctional(self._case(len(names), box), MPI.COMM_SELF, population)
        result, _ = train(functional)
        if not result.converged:
            warnings.warn(result.message, ConvergenceWarning, stacklevel=3)
        network = trained_network(functional, result.theta)
        given = getattr(self, "feature_names_in_", names)
        self.network_: TrainedNetwork = replace(network, features=tuple(given), label="")
        self.objective_, self.n_iter_ = result.value, result.iterations

    def _validated(self, *arrays: Any, **options: Any) -> Any:
        """Return arrays that scikit-learn has checked, as its version does it."""
        if hasattr(validation, "validate_data"):
            return validation.validate_data(self, *arrays, **options)
        return self._validate_data(*arrays, **options)


def _probabilistic(estimator: MeanFieldEstimator) -> bool:
    """Return whether the loss of an estimator gives probabilities."""
    row = LOSSES.get(estimator.loss)
    return row is not None and row.probabilistic


class MeanFieldClassifier(ClassifierMixin, MeanFieldEstimator):
    """A residual network trained on the densities of the classes.

    The parameters are those of ``MeanFieldEstimator``. With a loss that has a head the class is the
    largest score and there are probabilities; with another one the class is the nearest target.

    Attributes:
        classes_: the classes, sorted.
        network_: the trained network, which ``mfresnet.exporters.export`` writes to a file.
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
        weights = validation._check_sample_weight(sample_weight, x, dtype=float)
        used = weights > 0.0
        self.classes_, numbers = np.unique(y[used], return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(
                f"y: too few classes; got one class in {int(used.sum())} samples, expected at "
                "least two. Add samples of another class."
            )
        self._train(x[used].astype(float), numbers, weights[used])
        self.network_ = replace(self.network_, labels=tuple(map(str, self.classes_)))
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """Return the classes of samples, (n, m) -> (n,)."""
        numbers = heads.decide(self._carried(X), self.network_.head)
        return self.classes_[numbers]

    @available_if(_probabilistic)  # type: ignore[misc]
    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """Return the probability of every class, (n, m) -> (n, classes)."""
        return heads.probabilities(self._carried(X), self.network_.head).T

    def decision_function(self, X: Any) -> Array:  # noqa: N803
        """Return the scores, (n, m) -> (n, classes), their difference (n,) for two classes."""
        scores = heads.scores(self._carried(X), self.network_.head)
        return scores[1] - scores[0] if len(scores) == 2 else scores.T

    def positions(self, X: Any) -> Array:  # noqa: N803
        """Return where samples are at T, (n, m) -> (n, d)."""
        return self._carried(X).T

    def _carried(self, samples: Any) -> Array:
        """Return the points of samples at T, (n, m) -> (d, n)."""
        validation.check_is_fitted(self, "network_")
        x = self._validated(samples, reset=False)
        return self.network_.carry(self.network_.reduce(x.astype(float)))
