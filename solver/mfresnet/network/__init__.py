# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The residual network as plain NumPy, without mesh and MPI."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
