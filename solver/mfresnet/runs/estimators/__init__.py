# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Estimators of scikit-learn."""
