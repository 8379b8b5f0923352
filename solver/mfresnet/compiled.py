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
import os
import platform
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cffi

from mfresnet.errors import SolveError
from mfresnet.parallel import together

FLAGS = ["-O3", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math"]
"""Without the last two a choice between two values is a jump."""


CACHE = 32 * 2**20
VECTORS = {"avx512f avx512dq avx512bw avx512vl": (8, "x86-64-v4"), "avx2 fma": (4, "x86-64-v3")}
"""Features of a processor -> numbers in a vector register, and the -march that has them."""


def levels() -> list[tuple[int, list[str]]]:
    """Return ``vectors`` of every level of processors of this kind of machine, the best first."""
    known = VECTORS.values() if platform.machine() == "x86_64" else ()
    return [*((width, [f"-march={level}"]) for width, level in known), (2, [])]


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


def cache_size() -> int:
    """Return the size of the last cache in bytes, ``CACHE`` where the system does not say it."""
    name = "SC_LEVEL3_CACHE_SIZE"
    known = os.sysconf(name) if name in os.sysconf_names else 0
    return known if known > 0 else CACHE


class Library(NamedTuple):
    """Compiled functions.

    Attributes:
        lib: the functions.
        ffi: what makes their arguments.
    """

    lib: Any
    ffi: Any


def library(
    comm: MPI.Intracomm,
    source: Path,
    declarations: str,
    header: str = "",
    flags: Sequence[str] = (),
) -> Library:
    """Return the functions of a C file.

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
    command = [*_compiler(), *FLAGS, *flags]
    parts = text, *command, platform.machine(), sys.platform
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    name = f"mfresnet_{source.stem}_{digest}"
    path = cache_directory() / f"{name}.so"
    for turn in (comm.rank == 0, comm.rank > 0):
        with together(comm):
            if turn and not path.exists():
                path = _compile(name, text, command)
    ffi = _reader(declarations)
    return Library(ffi.dlopen(str(path)), ffi)


@functools.cache
def _reader(declarations: str) -> cffi.FFI:
    """Return what knows some types and functions; it takes long to read them."""
    ffi = cffi.FFI()
    ffi.cdef(declarations)
    return ffi


def _compiler() -> list[str]:
    """Return the compiler that Python extensions are made with, or CC where it is set."""
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")


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
        "a directory that can be written. Install a compiler, or set CC and XDG_CACHE_HOME."
    )


def _compile(name: str, source: str, command: list[str]) -> Path:
    """Compile in a place of its own and move the result, so that none is seen half written."""
    directory, file = cache_directory(), f"{name}.so"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(dir=directory)
    except OSError:
        directory = scratch()
        if (directory / file).exists():
            return directory / file
        place = tempfile.TemporaryDirectory(dir=directory)
    with place:
        text, made = Path(place.name) / f"{name}.c", Path(place.name) / file
        try:
            text.write_text(source)
            options = ["-shared", "-fPIC", str(text), "-o", str(made), "-lm"]
            subprocess.run(command + options, check=True, capture_output=True, text=True)
            # on the disk before it has its name: the loader crashes on a library that is cut
            with open(made, "rb") as stream:
                os.fsync(stream.fileno())
            os.replace(made, directory / file)
        except subprocess.CalledProcessError as error:
            said = (error.stderr.strip() or str(error)).splitlines()[0]
            raise cannot_compile(directory, name, RuntimeError(said)) from error
        except OSError as error:
            raise cannot_compile(directory, name, error) from error
    return directory / file
