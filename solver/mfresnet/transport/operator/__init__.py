# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The operator A(theta), factorised through quadrature points."""
