# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The part of run.json that says how good the network is, beside baselines."""

from __future__ import annotations

from pydantic import Field

from mfresnet.output.run_parts import Part


class Quality(Part):
    """How good a classification is, see ``classification.quality``."""

    samples: int
    accuracy: float | None
    balanced_accuracy: float
    confusion: list[list[int]]
    log_loss: float | None
    calibration_error: float | None


class Errors(Part):
    """How good a regression is, in the units of the label."""

    samples: int
    r2: float
    rmse: float
    pinball_loss: dict[str, float] = {}
    """Of quantiles of the label, by their level."""
    coverage: float | None = None
    """Share of the labels between the outer quantiles, of level 0.05 and 0.95."""
    interval: float | None = None
    """Mean distance of these quantiles."""


class Classifier(Part):
    """A baseline on the same coordinates: logistic regression, or the density classifier."""

    train_accuracy: float | None
    test_accuracy: float | None
    train: Quality | None
    test: Quality | None


class Score(Part):
    """Of the network on the population of the smoothed classes."""

    accuracy: float
    log_loss: float | None


class Bayes(Part):
    """How near the network is to the Bayes rule of the smoothed classes, see ``measures.bayes``."""

    accuracy: float
    """The largest that any rule has on the population of the smoothed classes."""
    log_loss: float
    """The least."""
    network: Score
    accuracy_gap: float
    log_loss_gap: float | None


class Line(Part):
    """A baseline on the same coordinates: linear regression, or kernel regression."""

    train: Errors | None
    test: Errors | None


class Means(Part):
    """Mean of a class at T, by its density and by its training samples."""

    density: list[float]
    samples: list[float]


class Likelihood(Part):
    """Mean log density of samples, per volume of the features, see ``measures.density``."""

    network: float
    start: float
    gaussian: float
    gaussian_mixture: float | None = None
    """None for samples of different weights."""
    kernel: float | None


class Likelihoods(Part):
    """Of the samples for training and of those held out."""

    train: Likelihood | None
    test: Likelihood | None


class Spread(Part):
    """Mean and covariance."""

    mean: list[float]
    covariance: list[list[float]]


class Spreads(Part):
    """Of new samples, and of the density that was to be reached."""

    samples: Spread
    goal: Spread


class Metrics(Part, extra="allow"):
    """How good the network is, as far as the task and the loss tell; see ``measures``.

    Another number that a loss tells of every class, and the accuracies of another way to apply the
    network to samples, stand below their names.
    """

    __pydantic_extra__: dict[str, dict[str, float | None]] = Field(init=False)
    relative_l2_error: dict[str, float] = {}
    """Of the density of every class at T, by its label."""
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    runge_kutta: dict[str, float | None] = {}
    euler: dict[str, float | None] = {}
    logistic_regression: Classifier | None = None
    kernel_density: Classifier | None = None
    bayes: Bayes | None = None
    means: dict[str, Means] = {}
    log_likelihood: Likelihoods | None = None
    integral: float | None = None
    moments: Spreads | None = None
    linear_regression: Line | None = None
    kernel_regression: Line | None = None
    train: Quality | Errors | None = None
    test: Quality | Errors | None = None
