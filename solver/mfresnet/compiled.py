# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""C files of this package, compiled at their first use and kept in the user's cache directory.

By cffi and the compiler that DOLFINx needs for its forms. The name in the cache is a digest of all
that the result depends on, so that a changed file is compiled again.
"""

from __future__ import annotations

from mpi4py import MPI

import functools
import hashlib
import importlib.util
import os
import platform
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cffi

from mfresnet.errors import SolveError
from mfresnet.parallel import together

FLAGS = ["-O3", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math"]
"""Without the last two a choice between two values is a jump."""


VECTORS = {"avx512f avx512dq avx512bw avx512vl": (8, "x86-64-v4"), "avx2 fma": (4, "x86-64-v3")}
"""Features of a processor -> numbers in a vector register, and the -march that has them."""


@functools.cache
def vectors() -> tuple[int, list[str]]:
    """Return how many numbers a vector register of this machine holds, and the flags for them.

    The flags name a level of processors and not this one, so that all machines of a kind share
    what is compiled, and have the same bits.
    """
    try:
        found = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        found = set()
    for features, (width, level) in VECTORS.items():
        if platform.machine() == "x86_64" and set(features.split()) <= found:
            return width, [f"-march={level}"]
    return 2, []


def library(
    comm: MPI.Intracomm,
    source: Path,
    declarations: str,
    header: str = "",
    flags: Sequence[str] = (),
) -> Any:
    """Return a C file as a module with ``lib`` and ``ffi``.

    Args:
        comm: who calls.
        source: the file.
        declarations: the types and functions that are called from Python.
        header: text that stands before the file.
        flags: flags of the compiler, besides ``FLAGS``.

    Raises:
        SolveError: it cannot be compiled or the cache cannot be written.

    Parallel: collective; rank 0 compiles, the others where they do not see its cache.
    """
    text = header + source.read_text()
    parts = text, declarations, *FLAGS, *flags, cffi.__version__, platform.machine()
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    module = f"mfresnet_{source.stem}_{digest}"
    file = module + str(sysconfig.get_config_var("EXT_SUFFIX"))
    path = cache_directory() / file
    for turn in (comm.rank == 0, comm.rank > 0):
        with together(comm):
            if turn and not path.exists():
                path = _compile(module, text, declarations, file, flags)
    return _load(module, path)


def cache_directory() -> Path:
    """Return where compiled code is kept; it may be missing."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mfresnet"


def scratch() -> Path:
    """Return a directory that goes with this process, for a cache that cannot be written."""
    return Path(_scratch().name)


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="mfresnet-")


def cannot_compile(directory: Path, what: str, error: Exception) -> SolveError:
    """Return the error of a compiler that fails."""
    return SolveError(
        f"{directory}: {what} cannot be compiled; got '{error}', expected a C compiler and "
        "a directory that can be written. Set CC and XDG_CACHE_HOME."
    )


def _load(module: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(module, path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def _compile(
    module: str, source: str, declarations: str, file: str, flags: Sequence[str]
) -> Path:
    """Compile in a place of its own and move the result, so that none is seen half written."""
    builder = cffi.FFI()
    builder.cdef(declarations)
    builder.set_source(module, source, extra_compile_args=[*FLAGS, *flags])
    directory = cache_directory()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(dir=directory)
    except OSError:
        directory = scratch()
        if (directory / file).exists():
            return directory / file
        place = tempfile.TemporaryDirectory(dir=directory)
    with place:
        try:
            made = builder.compile(tmpdir=place.name)
            # on the disk before it has its name: the loader crashes on a library that is cut
            with open(made, "rb") as stream:
                os.fsync(stream.fileno())
            os.replace(made, directory / file)
        except (OSError, cffi.VerificationError) as error:
            raise cannot_compile(directory, module, error) from error
    return directory / file
