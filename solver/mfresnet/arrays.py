# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The array types of signatures; shapes stand in the docstrings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""Numbers, float64 unless the docstring says otherwise."""
Indices = NDArray[np.int32]
