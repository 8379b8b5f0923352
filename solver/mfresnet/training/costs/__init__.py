# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Time and memory of a training, predicted from figures of the machine."""
