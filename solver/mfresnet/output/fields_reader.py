# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Fields of a finished run for PyVista."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from mfresnet.errors import InputError
from mfresnet.files import FileError, unreadable
from mfresnet.output.vtk_files import read_sealed

FIELDS, SAMPLES = "fields.pvd", "samples.pvd"
SINGLE = ("trajectories", "targets")


def read_fields(run: str | Path) -> Any:
    """Return the fields of a run directory, all that a run has left for ParaView.

    Args:
        run: the run directory, of a run with output.fields.

    Returns:
        A ``pyvista.MultiBlock`` with the blocks ``fields`` and, where there are samples,
        ``samples``, each a MultiBlock with a block a depth, named ``t=0.5``; ``trajectories``,
        lines with the class and depth as point data; ``targets`` where the loss has them. Fields
        are discontinuous between cells, without ghost cells from however many ranks: points
        have ``density_LABEL``, ``adjoint_LABEL``, ``mass_share_LABEL`` (the share of the mass that
        lies where the density is larger) and ``velocity``, cells the means
        ``density_LABEL_mean``. On the line there is one block, the plane of place and depth.

    Raises:
        InputError: the run has no fields, they are damaged, or PyVista is missing.
    """
    directory = Path(run) / "fields"
    try:
        import pyvista
    except ImportError:
        raise InputError(
            "read_fields: PyVista is missing, expected the package pyvista. Install it by "
            "mfresnet[space]."
        ) from None
    blocks = pyvista.MultiBlock()
    for name in (FIELDS, SAMPLES):
        if (directory / name).exists() or name == FIELDS:
            blocks.append(_series(pyvista, directory / name), name.removesuffix(".pvd"))
    for name in SINGLE:
        if (directory / f"{name}.vtp").exists():
            blocks.append(_read(pyvista, directory / f"{name}.vtp"), name)
    return blocks


def entries(path: Path) -> list[tuple[float, Path]]:
    """Return depths and files of a collection (.pvd).

    Raises:
        InputError: it is missing or damaged, or one of its files is missing.
    """
    try:
        rows = ElementTree.fromstring(read_sealed(path)).iter("DataSet")
        found = [(float(row.attrib["timestep"]), path.parent / row.attrib["file"]) for row in rows]
        missing = [(file.name, why) for _, file in found if (why := unreadable(file))]
        reason = ": ".join(missing[0]) if missing else ""
    except (FileError, ElementTree.ParseError, KeyError, ValueError) as error:
        found, reason = [], str(error)
    if not found:
        reason = reason or "it lists no file"
    if reason:
        raise _unusable(path, reason)
    return found


def _unusable(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path}: the fields cannot be read ({reason}), expected those of a run with "
        "output.fields = true. Run the case with it, or go on with the run by --resume."
    )


def _read(pyvista: Any, path: Path) -> Any:
    """Return what a file of VTK holds, once its digest and those of its pieces are found to fit."""
    try:
        content = read_sealed(path)
        if path.suffix == ".pvtu":
            for piece in ElementTree.fromstring(content).iter("Piece"):
                read_sealed(path.parent / piece.attrib["Source"])
    except FileError as error:
        raise _unusable(path, str(error)) from None
    return pyvista.read(path)


def _series(pyvista: Any, path: Path) -> Any:
    series = pyvista.MultiBlock()
    for t, file in entries(path):
        series.append(_read(pyvista, file), f"t={t:g}")
    return series
