# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Forms of UFL, compiled by DOLFINx at their first use and kept in the user's cache directory.

FFCx takes a C file in its cache for the word of another process that it will compile it, and waits;
where that process was killed it waits in vain, in every later run. So our forms have a directory of
their own and a lock: who holds it knows that nobody compiles, and removes what is half made.
"""

from __future__ import annotations

from mpi4py import MPI

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cffi
import ufl
from dolfinx import fem

from mfresnet.compiled import cache_directory, cannot_compile, scratch
from mfresnet.errors import InputError
from mfresnet.files import alone
from mfresnet.parallel import together

FLAGS = ["-O2", "-g0", "-w"]
"""DOLFINx's own flags, without the warnings about the generated code."""
PATIENCE = 300
"""Seconds that a rank with a cache of its own waits for another rank that compiles there."""


def create_form(
    comm: MPI.Intracomm, form: ufl.Form, compiler_options: dict[str, Any] | None = None
) -> fem.Form:
    """Return a compiled form.

    Args:
        comm: that of its mesh.
        form: what to compile.
        compiler_options: of FFCx.

    Raises:
        SolveError: it cannot be compiled.

    Parallel: collective; rank 0 compiles, the others where they do not see its cache.
    """
    with ExitStack() as held:
        with together(comm):
            directory = _directory(held, comm.rank)
        options = {
            "cache_dir": str(directory),
            "cffi_extra_compile_args": FLAGS,
            "timeout": PATIENCE,
        }
        try:
            return fem.form(form, form_compiler_options=compiler_options, jit_options=options)
        except (OSError, cffi.VerificationError) as error:
            raise cannot_compile(directory, "a form", error) from error
        except RuntimeError as error:
            # what DOLFINx makes of an error in the compilation, on more than one rank
            if "just-in-time" not in str(error):
                raise
            raise cannot_compile(directory, "a form", error) from error


def _directory(held: ExitStack, rank: int) -> Path:
    """Return the cache of this rank with nothing half made in it; rank 0 keeps its lock."""
    directory = cache_directory() / "forms"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if rank == 0:
            if not held.enter_context(alone(directory / "lock")):
                return scratch()
            _remove_halves(directory)
        else:
            with alone(directory / "lock", "another rank or run compiles") as locked:
                if not locked:
                    return scratch()
                _remove_halves(directory)
    except InputError:
        pass  # it removes the halves too
    except OSError:
        return scratch()
    return directory


def _remove_halves(directory: Path) -> None:
    """Remove the files of every form that lacks one of source, library and mark of the end."""
    found: dict[str, list[str]] = {}
    for name in os.listdir(directory):
        if name.startswith("libffcx_"):
            found.setdefault(name.partition(".")[0], []).append(name)
    for names in found.values():
        if not {".c", ".so", ".cached"} <= {os.path.splitext(name)[1] for name in names}:
            for name in names:
                (directory / name).unlink(missing_ok=True)
