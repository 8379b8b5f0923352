# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Ways to apply the operator: name -> its class.

``fused`` makes a stage in one pass over the cells in compiled code; ``petsc`` multiplies by sparse
matrices of PETSc, which is the reference and lets other types of matrices in.
"""

from __future__ import annotations

from collections.abc import Callable

from mfresnet.mesh import Space
from mfresnet.transport.fused.transport import FusedTransport
from mfresnet.transport.operator.petsc import PetscTransport
from mfresnet.transport.operator.transport import Transport

OPERATORS: dict[str, Callable[[Space, str, float], Transport]] = {
    "fused": FusedTransport,
    "petsc": PetscTransport,
}
"""Name -> (space, flux, velocity scale) -> the operator."""
