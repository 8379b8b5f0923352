# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Studies of the questions of the paper, and the gallery of all cases and studies."""
