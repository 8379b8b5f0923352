# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Forms are compiled once, also after a compiler that was killed, on every number of ranks."""

from mpi4py import MPI

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import ufl
from dolfinx import fem

from mfresnet.errors import SolveError
from mfresnet.mesh.boxes import box
from mfresnet.mesh.forms import create_form
from mfresnet.parallel import total

COMM = MPI.COMM_WORLD


@contextmanager
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give all ranks one new cache directory."""
    with tempfile.TemporaryDirectory() as own:
        place = Path(COMM.bcast(own, root=0))
        monkeypatch.setenv("XDG_CACHE_HOME", str(place))
        yield place / "mfresnet/forms"
        COMM.Barrier()


def area() -> float:
    """Return the area of a box by a form that is compiled where it is missing."""
    mesh = box(COMM, "quadrilateral", [4, 4], np.zeros(2), np.ones(2))
    form = create_form(COMM, ufl.as_ufl(fem.Constant(mesh, 2.0)) * ufl.dx(domain=mesh))
    return float(total(COMM, fem.assemble_scalar(form))[0])


def clear(directory: Path, keep: str, content: bytes | None = None) -> None:
    """Leave what a killed process leaves: the files that a pattern names, perhaps cut."""
    COMM.Barrier()
    if COMM.rank == 0:
        for path in directory.iterdir():
            if path not in directory.glob(keep):
                path.unlink()
            elif content is not None:
                path.unlink()  # other processes have it in their memory
                path.write_bytes(content)
    COMM.Barrier()


def names(directory: Path) -> set[str]:
    return {path.suffix for path in directory.glob("libffcx_*")}


@pytest.mark.parametrize(
    ("keep", "content"),
    [("*.c", b""), ("*.[co]", None), ("*.so", b"cut"), ("*.cached", None), ("*.c.cached", b"")],
)
def test_form_after_a_killed_compiler(
    keep: str, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cache(monkeypatch) as directory:
        assert area() == pytest.approx(2.0)
        assert {".c", ".so", ".cached"} <= names(directory)
        whole = {path: path.stat().st_mtime_ns for path in directory.glob("*.so")}
        assert area() == pytest.approx(2.0)
        assert {path: path.stat().st_mtime_ns for path in directory.glob("*.so")} == whole
        clear(directory, keep, content)
        assert area() == pytest.approx(2.0)
        assert {".c", ".so", ".cached"} <= names(directory)


def test_form_where_the_cache_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    assert area() == pytest.approx(2.0)


def test_form_without_a_compiler_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with cache(monkeypatch):
        monkeypatch.setenv("CC", "false")
        with pytest.raises(SolveError, match=r"a form cannot be compiled.*set CC and XDG_CACHE"):
            area()
