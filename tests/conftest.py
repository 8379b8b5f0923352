# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Environment of all tests: MPI is set up before anything imports it."""

import mfresnet  # noqa: F401
