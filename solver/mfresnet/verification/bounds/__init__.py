# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Lower bounds: what no network of the class can reach."""
