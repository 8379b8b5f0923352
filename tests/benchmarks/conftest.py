# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The benchmarks are programs beside the package, found from the root of the checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
