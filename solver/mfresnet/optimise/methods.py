# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The optimisers: name -> how it runs, what it can do and needs. A new one is one row."""

from __future__ import annotations

from mfresnet.optimise.descent import forward_backward, maximum_principle
from mfresnet.optimise.search import Method
from mfresnet.optimise.tao import TYPES

METHODS: dict[str, Method] = TYPES | {
    "forward_backward": Method(forward_backward, bounds=True),
    "maximum_principle": Method(maximum_principle, bounds=True, frozen=True),
}
"""Name -> the method: those of PETSc TAO, and our own."""
