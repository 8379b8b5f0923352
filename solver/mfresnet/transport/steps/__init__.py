# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""One time step: its transpose, its tangents, its limiter."""
