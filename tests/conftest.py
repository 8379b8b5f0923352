# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Environment of all tests: MPI is set up before anything imports it."""

import os

import mfresnet  # noqa: F401

# Ranks that wait give way: where other programs run too, they would keep the ranks that compute
# from their cores.
os.environ.setdefault("OMPI_MCA_mpi_yield_when_idle", "1")
