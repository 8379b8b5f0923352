# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Compile the kernels of common spaces before they are needed: for an image, or a cache of a site.

Run: python3 -m mfresnet.transport.fused.ahead
"""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Iterable

import numpy as np

from mfresnet.compiled import levels
from mfresnet.elementary import elementary_functions
from mfresnet.mesh import CELLS, SIMPLICES, Layout, Space, box, find_facets
from mfresnet.transport.fused.kernels import made

DEGREES = (0, 1, 2, 3)


def compile_ahead(cells: Iterable[str] = CELLS, degrees: Iterable[int] = DEGREES) -> int:
    """Compile for every level of processors of this kind of machine, into the cache directory.

    Args:
        cells: names in ``CELLS``; each with and, where that matters, without a constant Jacobian.
        degrees: degrees of the space.

    Returns:
        How many libraries of kernels there are then.
    """
    count, comm, every = 0, MPI.COMM_SELF, tuple(degrees)
    for lanes, flags in levels():
        elementary_functions(comm, lanes, flags)
        for cell in cells:
            d = CELLS[cell]
            bends = (False,) if cell in SIMPLICES or d == 1 else (False, True)
            for bent in bends:
                mesh = box(comm, cell, [1] * d, np.zeros(d), np.ones(d))
                mesh.geometry.x[0, :d] -= 0.1 * bent
                for degree in every:
                    space = Space(mesh, degree)
                    made(Layout(space, *find_facets(space), lanes), flags)
                    count += 1
    return count


if __name__ == "__main__":
    print(f"{compile_ahead()} libraries of kernels are compiled.")
