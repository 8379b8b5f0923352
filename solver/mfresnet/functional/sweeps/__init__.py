# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Sweeps over depth, forward and back, within a given memory."""
