# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Training over levels, those of the case or those that an accuracy asks for, and what it takes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
