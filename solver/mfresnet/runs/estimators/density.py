# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The density estimator for scikit-learn.

>>> import numpy as np
>>> from mfresnet import MeanFieldDensity
>>> rng = np.random.default_rng(0)
>>> X = np.concatenate([rng.normal(-2.0, 0.5, (200, 1)), rng.normal(2.0, 0.5, (200, 1))])
>>> model = MeanFieldDensity(bandwidth=0.2, gradient_tolerance=5e-3).fit(X)
>>> new = model.sample(1000, random_state=0)
>>> bool(np.mean(np.abs(np.abs(new) - 2.0) < 1.5) > 0.9)
True
>>> bool(np.exp(model.score_samples([[2.0]])) > 5.0 * np.exp(model.score_samples([[0.0]])))
True
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import DensityMixin
from sklearn.neighbors import KernelDensity
from sklearn.utils import check_random_state, validation

from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.functional import steered
from mfresnet.runs.estimators.base import MeanFieldEstimator
from mfresnet.runs.estimators.weights import usable_weights
from mfresnet.trained import SteeredDensity, log_density, log_density_at, sample

SCALES = (0.1, 0.01, 1.0)
"""``initial.scale`` of the first start, and of others where the network that it ends with is worse
than the kernels are: on its mesh J can be small there all the same."""
NEAR, SEEN = 0.05, 2000
"""Log density by which it may be worse, and most samples that are asked."""
FOUND = ("network_", "objective_", "n_iter_", "density_")
"""What ``fit`` leaves."""


def beside_kernels(density: SteeredDensity, x: Array, weights: Array, width: float) -> float:
    """Return the mean log density of half of the samples, less that by kernels at the others."""
    chosen = np.random.default_rng(0).permutation(len(x))[:SEEN]
    points, (asked, given) = density.network.reduce(x), (chosen[1::2], chosen[::2])
    kernels = KernelDensity(bandwidth=width).fit(points[:, given].T, sample_weight=weights[given])
    gain = log_density_at(density, points[:, asked]) - kernels.score_samples(points[:, asked].T)
    return float(np.average(gain, weights=weights[asked]))


class MeanFieldDensity(DensityMixin, MeanFieldEstimator):
    """A residual network that steers a Gaussian to the density of samples.

    The Gaussian has the mean and the covariance of the samples; the network draws new samples, and
    their density is known by the change of variables along its paths. More than three features are
    reduced to two principal components: then new samples lie in their plane, and a density is that
    of the projection.

    The parameters are those of ``MeanFieldEstimator``.

    Attributes:
        network_: the trained network, which ``mfresnet.trained.exporters.export`` writes to a file.
        density_: the network with its start density, for ``mfresnet.trained.sampling``.
        objective_: J at the end.
        n_iter_: number of iterations.
        n_features_in_: number m of features.
    """

    density_: SteeredDensity
    task: ClassVar[str] = "density"
    plain: ClassVar[dict[str, Any]] = MeanFieldEstimator.plain | {
        "block": "wide",
        "width": 8,
        "loss": "kullback_leibler",
        "tikhonov": 1e-5,
        "max_iterations": 300,
        "bandwidth": "likelihood",
    }
    grids: ClassVar[dict[int, tuple[str, int]]] = MeanFieldEstimator.grids | {
        2: ("quadrilateral", 32)
    }

    def fit(
        self,
        X: Any,  # noqa: N803
        y: Any = None,
        sample_weight: Any = None,
    ) -> MeanFieldDensity:
        """Train on samples X, (n, m), on this process alone.

        Args:
            X: the samples.
            y: not used.
            sample_weight: their weights, (n,), one each when not given.

        Returns:
            The estimator itself.

        Raises:
            ValueError: the samples or a parameter are not usable; or an ``InputError``, which is
                one, in the words of the case file.
            SolveError: the computation cannot go on.
        """
        x = self._validated(X, ensure_min_samples=2)
        weights = usable_weights(sample_weight, x)
        used = weights > 0.0
        x, weights = x[used].astype(float), weights[used]
        best, kept = -np.inf, dict[str, Any]()
        for scale in SCALES:
            functional, theta = self._train(x, weights, scale=scale)
            density, widths = steered(functional, theta), functional.population.bandwidths
            assert widths is not None
            gain = beside_kernels(density, x, weights, float(widths[0]))
            if gain > best or not kept:
                found = self.network_, self.objective_, self.n_iter_, density
                best, kept = gain, dict(zip(FOUND, found, strict=True))
            if gain >= -NEAR:
                break
        for name, value in kept.items():
            setattr(self, name, value)
        return self

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Array:
        """Return new samples, (n_samples, m).

        Args:
            n_samples: their number.
            random_state: a number, or a generator of scikit-learn's kind.
        """
        validation.check_is_fitted(self, "density_")
        if n_samples < 0:
            raise InputError(
                f"n_samples: negative; got {n_samples}, expected 0 or more. Ask for at least one."
            )
        seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
        return sample(self.density_, n_samples, seed)

    def score_samples(self, X: Any) -> Array:  # noqa: N803
        """Return the logarithm of the density of samples, (n, m) -> (n,)."""
        x = self._samples(X)
        return log_density(self.density_, x)

    def score(self, X: Any, y: Any = None) -> float:  # noqa: N803
        """Return the mean of the logarithm of the density of samples."""
        return float(np.mean(self.score_samples(X)))
