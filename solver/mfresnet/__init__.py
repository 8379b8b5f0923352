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
Converged: J = ...
results/iris/report.html
>>> (result.directory / "pictures" / "decision.png").exists()
True
>>> network = mfresnet.load_network("results/iris")
>>> network.labels[network.predict(iris.data.to_numpy())[0]]
'0'
"""

import os
from typing import Any

import lazy_loader

from mfresnet.installation import sentence as _sentence

# Open MPI's default topology component hangs at random on three ranks; this must be set before
# MPI is imported.
os.environ.setdefault("OMPI_MCA_topo", "basic")
# PT-Scotch with several threads cuts one mesh in about forty in another way than before.
os.environ.setdefault("SCOTCH_PTHREAD_NUMBER", "1")

__version__ = "0.1.0"
_attribute, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Return a public name, loaded when it is first used.

    Raises:
        ImportError: a part that it needs is not installed.
    """
    try:
        return _attribute(name)
    except (ImportError, RuntimeError) as error:
        said = _sentence(error)
        if said is None:
            raise
        raise ImportError(said) from None
