# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Training on N samples for large N: the law of the trained controls, and of their losses.

Let theta* minimise J of the densities, H = J''(theta*), and let the derivative of J_N, with N
samples, have the covariance S / N at theta*. Then, to first order in 1/N,

    theta_N - theta* ~ N(0, H^-1 S H^-1 / N),
    E J(theta_N) - J(theta*) = E J_N(theta*) - J_N(theta_N) = tr(H^-1 S) / (2 N),           (23)

and the loss of the samples differs from that of the densities by sqrt(var(l) / N) in the mean
square, l the loss of one sample.
"""

from __future__ import annotations

from mpi4py import MPI

from dataclasses import dataclass

import numpy as np

from mfresnet.arrays import Array
from mfresnet.data import Samples
from mfresnet.functional import ParticleFunctional, ReducedFunctional, drawn
from mfresnet.optimise import OptimiseResult, minimise

STEPS = 2
"""Steps of the samples in a layer: their error is far below that of N samples."""


@dataclass(frozen=True)
class SampleLimit:
    """What (23) needs.

    Attributes:
        hessian: H, (size, size).
        covariance: S for equally many samples of each class, N of all, (size, size).
        variance: var(l) likewise.
        weights: those of the inner product of L2(0, T), (size,).
    """

    hessian: Array
    covariance: Array
    variance: float
    weights: Array

    def control_error(self, n: int) -> float:
        """Return the root mean square of the L2(0, T) norm of theta_N - theta*."""
        inverse = np.linalg.inv(self.hessian)
        spread = inverse @ self.covariance @ inverse
        return float(np.sqrt(np.sum(self.weights * np.diag(spread)) / n))

    def excess(self, n: int) -> float:
        """Return the mean of J(theta_N) - J(theta*)."""
        return float(np.trace(np.linalg.solve(self.hessian, self.covariance)) / (2.0 * n))

    def gap(self, n: int) -> float:
        """Return the root mean square of J(theta_N) - J_N(theta_N)."""
        return float(np.sqrt(self.variance / n))


def sample_limit(functional: ReducedFunctional, theta: Array, n: int, seed: int) -> SampleLimit:
    """Return H from the densities, and the covariances from n samples of each class.

    Args:
        functional: J, of a case with [[classes]].
        theta: theta*.
        n: number of samples of each class.
        seed: that they are drawn with.
    """
    h = np.array([functional.hessian_action(theta, row) for row in np.eye(theta.size)])
    samples, population = drawn(functional.case, n, seed), functional.population
    penalty = functional.penalty_derivative(theta)
    losses, slopes = np.empty(samples.y.size), np.empty((samples.y.size, theta.size))
    for i in range(samples.y.size):
        one = Samples(samples.x[:, i : i + 1], samples.y[i : i + 1], np.ones(1))
        single = ParticleFunctional(functional.case, one, MPI.COMM_SELF, population)
        single.set_steps(STEPS)
        slopes[i], losses[i] = single.derivative(theta) - penalty, single.loss(theta)
    weights = population.weights
    covariance, variance = np.zeros_like(h), 0.0
    for k, weight in enumerate(weights):
        mine = samples.y == k
        covariance += len(weights) * weight**2 * np.atleast_2d(np.cov(slopes[mine].T))
        variance += len(weights) * weight**2 * float(np.var(losses[mine]))
    return SampleLimit(0.5 * (h + h.T), covariance, variance, functional.controls.weights)


def train_on_samples(
    functional: ReducedFunctional, theta: Array, n: int, seed: int
) -> tuple[ParticleFunctional, OptimiseResult]:
    """Return J_N of n random samples of all classes together, and its minimiser from theta on."""
    per_class = n // len(functional.population.labels)
    samples = drawn(functional.case, per_class, seed)
    particles = ParticleFunctional(functional.case, samples, MPI.COMM_SELF, functional.population)
    particles.set_steps(STEPS)
    return particles, minimise(particles, theta)
