# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The operator and its time step in one pass over the cells a stage, in C."""
