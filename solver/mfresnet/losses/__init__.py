# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What densities cost: one row a loss, with value, derivative and curvature."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
