# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Sparse PETSc matrices of one rank, applied to NumPy arrays without copies."""

from __future__ import annotations

from petsc4py import PETSc

from typing import Any

import numpy as np
import scipy.sparse as sp

from mfresnet.arrays import Array


class Matrix:
    """A sparse PETSc matrix of this rank, applied to NumPy arrays.

    Attributes:
        x: the argument, to be filled by the caller.
        y: the result of ``apply``, overwritten by the next one.
    """

    def __init__(self, matrix: Any, x: Array | None = None) -> None:
        """Take a SciPy matrix; ``x`` is memory for the argument, made when not given."""
        matrix = _clean(matrix)
        csr = (
            matrix.indptr.astype(PETSc.IntType, copy=False),
            matrix.indices.astype(PETSc.IntType, copy=False),
            matrix.data,
        )
        # PETSc works on these arrays and keeps them alive
        self._matrix = PETSc.Mat().createAIJWithArrays(matrix.shape, csr, comm=PETSc.COMM_SELF)
        self.x = np.zeros(matrix.shape[1]) if x is None else x
        self.y = np.zeros(matrix.shape[0])
        self._x = PETSc.Vec().createWithArray(self.x, comm=PETSc.COMM_SELF)
        self._y = PETSc.Vec().createWithArray(self.y, comm=PETSc.COMM_SELF)

    @property
    def bytes(self) -> int:
        """Memory of the entries with their indices, and of argument and result."""
        index = np.dtype(PETSc.IntType).itemsize
        entries = int(self._matrix.getInfo()["nz_used"])
        rows = self._matrix.size[0] + 1
        return (8 + index) * entries + index * rows + self.x.nbytes + self.y.nbytes

    def apply(self) -> Array:
        """Return the matrix times ``x``."""
        self._matrix.mult(self._x, self._y)
        return self.y


def _clean(matrix: Any) -> sp.csr_matrix:
    """Return a CSR matrix with sorted indices and no stored zeros."""
    result = sp.csr_matrix(matrix)
    result.sum_duplicates()
    result.eliminate_zeros()
    result.sort_indices()
    return result
