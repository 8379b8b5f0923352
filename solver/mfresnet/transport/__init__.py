# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The continuity equation: the operator, its kernels, its time steps."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
