# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Training of residual neural networks in the limit of infinitely many data.

The density of the data is transported by the continuity equation, the adjoint equation runs
backward on the same mesh, and PETSc TAO minimises the objective, in parallel with MPI.
"""

import os

# Open MPI's default topology component hangs at random on three ranks; this must be set before
# MPI is imported.
os.environ.setdefault("OMPI_MCA_topo", "basic")

from mfresnet.case import Case, load
from mfresnet.control import Controls
from mfresnet.errors import InputError, SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import OptimiseResult, minimise

__version__ = "0.1.0"
__all__ = [
    "Case",
    "Controls",
    "InputError",
    "OptimiseResult",
    "ReducedFunctional",
    "SolveError",
    "load",
    "minimise",
]
