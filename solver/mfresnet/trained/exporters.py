# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A trained network in a file that runs elsewhere: format -> how it is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mfresnet.errors import InputError, lookup
from mfresnet.files import check_writable, write_atomically
from mfresnet.trained.loading import save_network
from mfresnet.trained.network import TrainedNetwork
from mfresnet.trained.to_torch import write_torch


def _write_npz(network: TrainedNetwork, path: Path) -> list[Path]:
    save_network(network, path)
    return [path]


def _write_onnx(network: TrainedNetwork, path: Path) -> list[Path]:
    from mfresnet.trained.to_onnx import onnx_bytes

    try:
        content = onnx_bytes(network)
    except ImportError:
        raise InputError(
            "--to onnx: needs the package onnx; got none installed. Install it, or use npz."
        ) from None
    write_atomically(path, lambda stream: stream.write(content))
    return [path]


EXPORTERS: dict[str, Callable[[TrainedNetwork, Path], list[Path]]] = {
    "npz": _write_npz,
    "torch": write_torch,
    "onnx": _write_onnx,
}
"""Format -> (network, file) -> the files that were written, each whole or not at all.

``npz`` holds the arrays of ``TrainedNetwork`` by name, for NumPy and for ``mfresnet predict``;
``torch`` a state dictionary and a module; ``onnx`` a model. All hold scaling and reduction.

Of a classification they give class, probabilities and final position, of a regression label and
final position. Of a density ``torch`` and ``onnx`` give the map from standard normal numbers to new
samples, ``torch`` the log density as well; ``npz`` is for ``mfresnet sample``."""


def export(network: TrainedNetwork, to: str, path: str | Path) -> list[Path]:
    """Write a network in a format of ``EXPORTERS`` and return the files.

    Args:
        network: the network.
        to: a name in ``EXPORTERS``.
        path: the file to write; torch writes a module beside it.

    Raises:
        InputError: an unknown format, a missing package, or a file that cannot be written.
    """
    write = lookup(EXPORTERS, to, "--to")
    file = Path(path)
    check_writable(file, "FILE")
    return write(network, file)
