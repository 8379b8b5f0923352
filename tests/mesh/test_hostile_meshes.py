# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Mesh files that are damaged or meant to harm: a mesh or a sentence."""

from mpi4py import MPI

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import damaged
from mfresnet.errors import InputError
from mfresnet.mesh import reader as mesh_reader
from mfresnet.mesh.file import read

MESHES = Path(__file__).parents[2] / "meshes"
COUNT = int(os.environ.get("MFRESNET_HOSTILE", "300")) // 60
"""Damaged files of each kind, a process for each."""


@pytest.mark.parametrize(
    ("name", "cell"), [("graded_interval.msh", "interval"), ("disk_triangles.xdmf", "triangle")]
)
def test_damaged_meshes(name: str, cell: str, tmp_path: Path) -> None:
    for other in MESHES.glob("disk_triangles.*"):
        shutil.copy(other, tmp_path)
    files = [MESHES / name, *MESHES.glob(Path(name).stem + ".h5")]
    for file in files:
        for seed in range(COUNT):
            path = tmp_path / file.name
            path.write_bytes(damaged(file.read_bytes(), np.random.default_rng(seed)))
            try:
                assert read(MPI.COMM_SELF, tmp_path / name, cell).topology.dim >= 1
            except InputError as error:
                assert "\n" not in str(error), seed
            except BaseException as error:
                raise AssertionError(f"{file} {seed}: {type(error).__name__}") from error
        shutil.copy(file, tmp_path)


def text(content: str) -> Callable[[Path], Any]:
    return lambda path: path.write_text(content)


HEADER = "$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$Nodes\n"
HOSTILE: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "pipe": ("a.msh", os.mkfifo, r"cannot be read \(No regular file\)"),
    "pipe of XDMF": ("a.xdmf", os.mkfifo, r"cannot be read \(No regular file\)"),
    "device": ("a.msh", lambda p: p.symlink_to("/dev/zero"), r"cannot be read \(No regular file"),
    "directory": ("a.msh", lambda p: p.mkdir(), r"cannot be read \(Is a directory\)"),
    "nothing": ("a.msh", text(""), "cannot be read|no cells"),
    "zero bytes": ("a.msh", text("\0" * 1000), "cannot be read|no cells"),
    "no XML": ("a.xdmf", text("<Xdmf>"), "cannot be read; got .*no element found"),
    "count of vertices": ("a.msh", text(HEADER + "999999999999999\n1 0 0 0\n"), "cannot be read"),
    "negative count": ("a.msh", text(HEADER + "-5\n1 0 0 0\n"), "cannot be read|no cells"),
    "points to a pipe": (
        "a.xdmf",
        lambda p: (os.mkfifo(p.parent / "b.h5"), p.write_text(
            '<Xdmf><Domain><Grid><Geometry><DataItem Format="HDF" Dimensions="3 2">b.h5:/x'
            "</DataItem></Geometry></Grid></Domain></Xdmf>")),
        r"cannot be read \(No regular file\); got '.*b\.h5'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_meshes(name: str, tmp_path: Path) -> None:
    file, write, pattern = HOSTILE[name]
    write(tmp_path / file)
    with pytest.raises(InputError, match=rf"^mesh\.file: ({pattern})") as caught:
        read(MPI.COMM_SELF, tmp_path / file, "triangle")
    assert "\n" not in str(caught.value)


def test_reader_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh_reader, "PATIENCE", 0.01)
    monkeypatch.setattr(mesh_reader, "BYTES_A_SECOND", 1e12)
    with pytest.raises(InputError, match=r"^mesh\.file: cannot be read; got .* \(no end\)"):
        read(MPI.COMM_SELF, MESHES / "disk.msh", "quadrilateral")
