# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Quadrilaterals with fields in VTK's XML format, with no library but the standard one."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from mfresnet.arrays import Array

TYPES = {"f8": "Float64", "i8": "Int64", "u1": "UInt8"}
QUAD = 9
"""VTK's number of a quadrilateral."""
FILE = """<?xml version="1.0"?>
<VTKFile type="UnstructuredGrid" version="1.0" byte_order="LittleEndian" header_type="UInt64" \
compressor="vtkZLibDataCompressor">
<UnstructuredGrid>
<Piece NumberOfPoints="{points}" NumberOfCells="{cells}">
<PointData>
{fields}
</PointData>
<Points>
{places}
</Points>
<Cells>
{lists}
</Cells>
</Piece>
</UnstructuredGrid>
</VTKFile>
"""


def quadrilaterals(points: Array, quads: Any, fields: Mapping[str, Array]) -> str:
    """Return the content of a .vtu file.

    Args:
        points: the vertices, (n, 3).
        quads: the numbers of the vertices of every quadrilateral, around it, (cells, 4).
        fields: name -> values at the vertices, (n,).
    """
    count = len(quads)
    lists = {
        "connectivity": np.asarray(quads, dtype=np.int64).ravel(),
        "offsets": 4 * np.arange(1, count + 1),
        "types": np.full(count, QUAD, dtype=np.uint8),
    }
    return FILE.format(
        points=len(points),
        cells=count,
        fields="\n".join(_array(name, values) for name, values in fields.items()),
        places=_array("Points", points),
        lists="\n".join(_array(name, values) for name, values in lists.items()),
    )


def _array(name: str, values: Any) -> str:
    """Return an array as one compressed block: its sizes, then its bytes, each in base 64."""
    kind = f"{values.dtype.kind}{values.dtype.itemsize}"
    plain = np.ascontiguousarray(values, dtype=f"<{kind}").tobytes()
    packed = zlib.compress(plain)
    sizes = np.array([1, len(plain), 0, len(packed)], dtype="<u8").tobytes()
    content = (base64.b64encode(sizes) + base64.b64encode(packed)).decode()
    columns = values.shape[1] if values.ndim > 1 else 1
    return (
        f'<DataArray type="{TYPES[kind]}" Name={quoteattr(name)} NumberOfComponents="{columns}" '
        f'format="binary">{content}</DataArray>'
    )
