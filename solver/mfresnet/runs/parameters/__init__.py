# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Studies of parameters: a case for all combinations of some values."""
