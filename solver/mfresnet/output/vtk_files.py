# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""VTK's XML files: cells or lines with fields, compressed, with no library but the standard one."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from mfresnet.arrays import Array
from mfresnet.files import FileError, read_bytes

TYPES = {"f8": "Float64", "f4": "Float32", "i8": "Int64", "i4": "Int32", "u1": "UInt8"}
VERTEX, LINE = 1, 4
LINEAR = {"interval": 3, "triangle": 5, "quadrilateral": 9, "tetrahedron": 10, "hexahedron": 12}
LAGRANGE = {"interval": 68, "triangle": 69, "quadrilateral": 70, "tetrahedron": 71,
            "hexahedron": 72}  # fmt: skip
"""VTK's number of a cell, with straight edges and of any degree."""
LEVEL = 1
"""Of the compression: higher ones take longer and gain little."""
OPENING = (
    '<?xml version="1.0"?>\n<VTKFile type="{kind}" version="2.2" byte_order="LittleEndian" '
    'header_type="UInt64" compressor="vtkZLibDataCompressor">\n'
)
PARTS = ("FieldData", "PointData", "CellData", "Points", "Verts", "Lines", "Cells")


@dataclass(frozen=True)
class Column:
    """An array of a file, as the bytes that stand there.

    Attributes:
        name: its name.
        kind: NumPy's letters of its type, a key of ``TYPES``.
        width: numbers in a row.
        rows: number of rows.
        block: its bytes, compressed.
        unit: its unit, empty where there is none.
    """

    name: str
    kind: str
    width: int
    rows: int
    block: bytes
    unit: str = ""

    def element(self, offset: int | None = None) -> str:
        """Return the element for a file, where the bytes stand at ``offset``, or for a header."""
        tag = "PDataArray" if offset is None else "DataArray"
        place = "" if offset is None else f' format="appended" offset="{offset}"'
        tuples = f' NumberOfTuples="{self.rows}"' if offset is not None else ""
        unit = (
            f'<InformationKey name="UNITS_LABEL" location="vtkDataArray">{escape(self.unit)}'
            "</InformationKey>"
        )
        return (
            f'<{tag} type="{TYPES[self.kind]}" Name={quoteattr(self.name)} '
            f'NumberOfComponents="{self.width}"{tuples}{place}>{unit if self.unit else ""}</{tag}>'
        )


def column(name: str, values: Any, unit: str = "") -> Column:
    """Return an array as a column: its sizes, then its bytes, as one compressed block."""
    values = np.ascontiguousarray(values)
    kind = f"{values.dtype.kind}{values.dtype.itemsize}"
    plain = values.astype(f"<{kind}", copy=False).tobytes()
    packed = zlib.compress(plain, LEVEL) if plain else b""
    sizes = [1, len(plain), 0, len(packed)] if plain else [0, 0, 0]
    block = np.array(sizes, dtype="<u8").tobytes() + packed
    width = values.shape[1] if values.ndim > 1 else 1
    return Column(name, kind, width, len(values), block, unit)


@dataclass(frozen=True)
class Piece:
    """What one file holds: the parts of ``PARTS``, name -> columns, and which fields are active.

    Attributes:
        kind: UnstructuredGrid or PolyData.
        counts: name -> number, of points and of cells, verts or lines.
        parts: a name in ``PARTS`` -> its columns.
        active: a name in ``PARTS`` -> attributes that name its active fields.
    """

    kind: str
    counts: Mapping[str, int]
    parts: Mapping[str, Sequence[Column]]
    active: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def opened(self, part: str, prefix: str = "") -> str:
        """Return the tag that opens a part."""
        active = self.active.get(part, {})
        return f"<{prefix}{part}{''.join(f' {k}={quoteattr(v)}' for k, v in active.items())}>"

    def write(self, path: Path) -> None:
        """Write the file (.vtu or .vtp)."""
        lines, blocks, offset = {}, [], 0
        for part in PARTS:
            rows = [self.opened(part)]
            for one in self.parts.get(part, ()):
                rows.append(one.element(offset))
                blocks.append(one.block)
                offset += len(one.block)
            lines[part] = "\n".join([*rows, f"</{part}>"])
        counts = "".join(f' NumberOf{name}="{n}"' for name, n in self.counts.items())
        inside = [lines[part] for part in PARTS[1:] if part in self.parts]
        head = [f"<{self.kind}>", lines["FieldData"], f"<Piece{counts}>", *inside, "</Piece>"]
        text = OPENING.format(kind=self.kind) + "\n".join([*head, f"</{self.kind}>"])
        start = text.encode() + b'\n<AppendedData encoding="raw">\n_'
        write_sealed(path, [start, *blocks, b"\n</AppendedData>\n</VTKFile>\n"])

    def write_header(self, path: Path, pieces: Sequence[str]) -> None:
        """Write the parallel file (.pvtu) of files in its folder; it names the active fields."""
        rows = [f'<P{self.kind} GhostLevel="0">']
        for part in ("PointData", "CellData", "Points"):
            columns = [one.element() for one in self.parts.get(part, ())]
            rows += [self.opened(part, "P"), *columns, f"</P{part}>"]
        rows += [f"<Piece Source={quoteattr(name)}/>" for name in pieces]
        text = OPENING.format(kind=f"P{self.kind}")
        text += "\n".join([*rows, f"</P{self.kind}>", "</VTKFile>\n"])
        write_sealed(path, [text.encode()])


def cells_piece(
    points: Sequence[Column],
    connectivity: Array,
    kind: int,
    fields: Mapping[str, Sequence[Column]],
    active: Mapping[str, Mapping[str, str]],
) -> Piece:
    """Return cells of one kind, (cells, nodes), VTK's number ``kind``, with ``fields``."""
    count, nodes = connectivity.shape
    lists = [
        column("connectivity", connectivity.ravel().astype(np.int64)),
        column("offsets", nodes * np.arange(1, count + 1)),
        column("types", np.full(count, kind, dtype=np.uint8)),
    ]
    counts = {"Points": points[0].rows, "Cells": count}
    return Piece("UnstructuredGrid", counts, {**fields, "Points": points, "Cells": lists}, active)


def lines_piece(
    points: Array, nodes: int, fields: Mapping[str, Sequence[Column]], active: Mapping[str, str]
) -> Piece:
    """Return lines of so many points, one after the other; with one point each, dots."""
    count = len(points) // nodes
    lists = [
        column("connectivity", np.arange(len(points))),
        column("offsets", nodes * np.arange(1, count + 1)),
    ]
    part = "Lines" if nodes > 1 else "Verts"
    counts = {"Points": len(points), part: count}
    parts = {**fields, "Points": [column("Points", points)], part: lists}
    return Piece("PolyData", counts, parts, {"PointData": active})


def write_collection(path: Path, files: Sequence[tuple[float, str]]) -> None:
    """Write a .pvd: depths, which ParaView plays as time, and files in its folder."""
    rows = [f'<DataSet timestep="{t:.17g}" part="0" file={quoteattr(name)}/>' for t, name in files]
    text = '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n<Collection>\n'
    text += "\n".join(rows) + "\n</Collection>\n</VTKFile>\n"
    write_sealed(path, [text.encode()])


SEAL = "<!-- blake2b {} -->\n"
"""A comment behind the document: VTK's readers crash on files that are damaged."""


def write_sealed(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file with the digest of its content behind it."""
    seal = hashlib.blake2b(digest_size=16)
    with path.open("wb") as stream:
        for part in parts:
            seal.update(part)
            stream.write(part)
        stream.write(SEAL.format(seal.hexdigest()).encode())


def read_sealed(path: Path) -> bytes:
    """Return the content of a file of ``write_sealed``.

    Raises:
        FileError: it is not there or damaged.
    """
    content = read_bytes(path)
    size = len(content) - len(SEAL.format("0" * 32))
    digest = hashlib.blake2b(content[: max(size, 0)], digest_size=16).hexdigest()
    if content[max(size, 0) :] != SEAL.format(digest).encode():
        raise FileError(f"{path.name} is damaged, its digest does not fit")
    return content[:size]
