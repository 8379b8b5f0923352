# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""How good a trained network is, beside baselines."""
