# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Mesh files, read by meshio in a process of its own.

What a library does with a damaged file, from an error of any kind to a crash, ends that process
alone. It hands over plain arrays.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from mfresnet.arrays import Array
from mfresnet.child import KILLED, execute
from mfresnet.errors import InputError
from mfresnet.files import unreadable

FORMATS = {".msh": "gmsh", ".xdmf": "xdmf"}
"""Suffix of a mesh file -> its name in meshio."""
PATIENCE, BYTES_A_SECOND = 60.0, 1e5
"""Seconds that a file may take to be read, and more for its bytes."""


@dataclass(frozen=True)
class Cells:
    """Cells of one type.

    Attributes:
        kind: the type in meshio.
        dimension: of the cells.
        vertices: numbers of the vertices, (m, vertices of a cell).
    """

    kind: str
    dimension: int
    vertices: Array


def read_arrays(path: Path) -> tuple[Array, list[Cells]]:
    """Return the vertices of a mesh file, (n, k), and its cells by their types.

    Raises:
        InputError: the file, or one that it points to, cannot be read.
    """
    if path.suffix not in FORMATS:
        raise InputError(
            f"mesh.file: unknown format; got '{path.name}', expected a name that ends in "
            f"{' or '.join(FORMATS)}. Convert the file."
        )
    if util.find_spec("meshio") is None:
        raise InputError(
            "mesh.file: needs the package meshio; got none installed. Install mfresnet[meshes]."
        )
    for file in [path, *(_heavy(path) if path.suffix == ".xdmf" else [])]:
        if (why := unreadable(file)) is not None:
            raise InputError(
                f"mesh.file: cannot be read ({why}); got '{file}', expected a mesh. Check the path."
            )
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "mesh.npz"
        line = [sys.executable, "-m", "mfresnet.mesh.reader", str(path), str(arrays)]
        ended = execute(line, PATIENCE + path.stat().st_size / BYTES_A_SECOND)
        if ended.status != 0:
            raise _unusable(path, "no end" if ended.status == KILLED else ended.last)
        with np.load(arrays) as found:
            points: Array = found["points"]
            names = [name.split() for name in found.files if name != "points"]
            return points, [Cells(k, int(d), found[f"{i} {k} {d}"]) for i, k, d in names]


def _heavy(path: Path) -> list[Path]:
    """Return the files that hold the arrays of an XDMF file; a link must not lead out of one."""
    if unreadable(path) is not None:
        return []
    try:
        items = [item for item in ElementTree.parse(path).iter() if item.tag == "DataItem"]
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise _unusable(path, str(error)) from None
    names = [(item.get("Format"), (item.text or "").strip()) for item in items]
    return [path.parent / text.split(":")[0] for form, text in names if form in ("HDF", "Binary")]


def _unusable(path: Path, why: str) -> InputError:
    reason = "".join(c for c in why if c.isprintable())[:120].rstrip(". ")
    return InputError(
        f"mesh.file: cannot be read; got {path} ({reason}), expected the format of its ending, "
        f"{FORMATS[path.suffix]}. Write it again."
    )


def _write_arrays(source: Path, target: Path) -> None:
    """Read a mesh file and write its arrays; every error ends the process."""
    import meshio

    content = meshio.read(source, FORMATS[source.suffix])
    arrays: dict[str, Any] = {"points": np.asarray(content.points, dtype=float)}
    for i, block in enumerate(content.cells):
        arrays[f"{i} {block.type} {block.dim}"] = np.asarray(block.data, dtype=np.int64)
    if any(array.ndim != 2 for array in arrays.values()):
        raise ValueError("points or cells in no table")
    np.savez(target, **arrays)


if __name__ == "__main__":
    _write_arrays(Path(sys.argv[1]), Path(sys.argv[2]))
