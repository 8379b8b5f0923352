# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Is it right, is it good, could it be better: certificate, measures, lower bounds."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
