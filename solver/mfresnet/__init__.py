# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Training of residual neural networks in the limit of infinitely many data.

The density of the data is transported by the continuity equation, the adjoint equation runs
backward on the same mesh, and PETSc TAO minimises the objective, in parallel with MPI.

From a table to pictures and predictions (``MeanFieldClassifier``, ``MeanFieldRegressor`` and
``MeanFieldDensity`` do it with arrays):

>>> import mfresnet
>>> from sklearn.datasets import load_iris
>>> iris = load_iris(as_frame=True)
>>> iris.frame.to_csv("iris.csv", index=False)
>>> case = mfresnet.Case(
...     data={"file": "iris.csv", "label": "target", "reduce": {"dimension": 2}},
...     loss={"kind": "cross_entropy"}, network={"layers": 2}, mesh={"cells": [20, 20]},
...     training={"gradient_tolerance": 1e-2}, output={"fields": False},
... )
>>> result = mfresnet.run(case, "results/iris")
Numbers: results/iris/run.json
...
The gradient norm is below the tolerance.
>>> (result.directory / "pictures" / "decision.png").exists()
True
>>> network = mfresnet.load_network("results/iris")
>>> network.labels[network.predict(iris.data.to_numpy())[0]]
'0'
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mfresnet.affine import affine_control, gaussian_control, polar_control
    from mfresnet.case import Case, load
    from mfresnet.classifier import MeanFieldClassifier
    from mfresnet.control import Controls
    from mfresnet.density_estimator import MeanFieldDensity
    from mfresnet.errors import InputError, SolveError
    from mfresnet.functional import ReducedFunctional
    from mfresnet.loading import load_network
    from mfresnet.optimise import OptimiseResult, minimise
    from mfresnet.particle_functional import ParticleFunctional
    from mfresnet.regressor import MeanFieldRegressor
    from mfresnet.runner import RunResult, run
    from mfresnet.steering import as_initial, mean_control, mean_steering
    from mfresnet.trained import TrainedNetwork

# Open MPI's default topology component hangs at random on three ranks; this must be set before
# MPI is imported.
os.environ.setdefault("OMPI_MCA_topo", "basic")
# PT-Scotch with several threads cuts one mesh in about forty in another way than before.
os.environ.setdefault("SCOTCH_PTHREAD_NUMBER", "1")

__version__ = "0.1.0"
__all__ = [
    "Case",
    "Controls",
    "InputError",
    "MeanFieldClassifier",
    "MeanFieldDensity",
    "MeanFieldRegressor",
    "OptimiseResult",
    "ParticleFunctional",
    "ReducedFunctional",
    "RunResult",
    "SolveError",
    "TrainedNetwork",
    "affine_control",
    "as_initial",
    "gaussian_control",
    "load",
    "load_network",
    "mean_control",
    "mean_steering",
    "minimise",
    "polar_control",
    "run",
]

_HOMES = {
    "Case": "case",
    "Controls": "control",
    "InputError": "errors",
    "MeanFieldClassifier": "classifier",
    "MeanFieldDensity": "density_estimator",
    "MeanFieldRegressor": "regressor",
    "OptimiseResult": "optimise",
    "ParticleFunctional": "particle_functional",
    "ReducedFunctional": "functional",
    "RunResult": "runner",
    "SolveError": "errors",
    "TrainedNetwork": "trained",
    "affine_control": "affine",
    "as_initial": "steering",
    "gaussian_control": "affine",
    "load": "case",
    "load_network": "loading",
    "mean_control": "steering",
    "mean_steering": "steering",
    "minimise": "optimise",
    "polar_control": "affine",
    "run": "runner",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that PETSc can be given options before."""
    if name in _HOMES:
        value = getattr(importlib.import_module(f"mfresnet.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'mfresnet' has no attribute '{name}'")
