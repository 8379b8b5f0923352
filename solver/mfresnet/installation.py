# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What the solver needs and pip does not bring by itself: DOLFINx, PETSc, MPI."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module, util

PARTS = ("mpi4py", "petsc4py", "basix", "ufl", "ffcx", "dolfinx")
WAYS = (
    "Take one of four ways: pip install 'mfresnet[solver]' in a virtual environment of its own "
    "(Linux, Python 3.12 or later); docker/run of a checkout; conda install -c conda-forge "
    "fenics-dolfinx; apt install python3-dolfinx-real (Debian 13 or later)."
)


def find_mpi() -> None:
    """Import MPI before all that needs it, where DOLFINx comes as a wheel that asks for this.

    The package ``dolfinx_solver`` of ``dolfinx-solver-real`` finds the library of MPI that pip has
    installed; without it this does nothing.
    """
    with suppress(ModuleNotFoundError):
        import_module("dolfinx_solver")


def version() -> str:
    """Return the line of this version, and what is missing where something is."""
    part = next((name for name in PARTS if util.find_spec(name) is None), None)
    line = f"mfresnet {import_module('mfresnet').__version__}"
    return line if part is None else f"{line}\n{sentence(ModuleNotFoundError(name=part))}"


def sentence(error: BaseException) -> str | None:
    """Return what to say where an error comes from a missing part, None where it does not."""
    if isinstance(error, ModuleNotFoundError) and error.name in PARTS:
        return f"mfresnet: no {error.name}; got none, expected DOLFINx with real PETSc. {WAYS}"
    if isinstance(error, RuntimeError) and "cannot load MPI library" in str(error):
        return f"mfresnet: no MPI; got mpi4py without a library, expected one. {WAYS}"
    return None
