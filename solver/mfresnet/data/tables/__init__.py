# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Tables of samples: formats, columns, splits, scaling."""
