# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Weights of PyTorch networks in files of state dictionaries, as arrays by our names."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from mfresnet.archive import members
from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.files import FileError, read_bytes

ENDINGS = (".pt", ".pth")


def torch_or_refuse(where: str) -> ModuleType:
    """Return the package torch.

    Raises:
        InputError: it is not installed.
    """
    try:
        import torch
    except ImportError:
        raise InputError(
            f"{where}: needs the package torch; got none installed. Install it, or use npz."
        ) from None
    return torch


def read_weights(
    path: Path, shapes: Mapping[str, tuple[int, ...]], head: Sequence[str]
) -> dict[str, Array]:
    """Return the parameters in a state dictionary: those of all layers (layers, ...), the head.

    A file of ``mfresnet export --to torch`` has our names. In any other one the linear modules
    are taken in their order: for the square block W, b of one layer after the other; for the wide
    block W, b, V, c; for a loss with a head H, h at the end. A network whose layers are
    x + v(x) has final_time = layers here, as a layer is x + final_time / layers * v(x).

    Args:
        path: the file, of torch.save.
        shapes: the shape of every parameter of a layer, and of the head, in that order.
        head: the names that belong to the head.

    Raises:
        FileError: the file cannot be read.
        InputError: torch is missing, or the file holds something else.
    """
    torch = torch_or_refuse("initial.file")
    content = read_bytes(path)
    if zipfile.is_zipfile(io.BytesIO(content)):
        members(content)  # torch does not look at the checksums
    try:
        stored = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
        arrays = {str(n): v.detach().numpy() for n, v in stored.items()}
    except Exception as error:  # torch raises many kinds for what it cannot read
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FileError(reason) from None
    if all(name in arrays for name in shapes if name not in head):
        return {name: arrays[name] for name in shapes if name in arrays}
    return _in_order(path, list(arrays.values()), shapes, head)


def _in_order(
    path: Path, arrays: list[Array], shapes: Mapping[str, tuple[int, ...]], head: Sequence[str]
) -> dict[str, Array]:
    """Return arrays by name: the parameters of the layers again and again, then the head."""
    of_layer = [name for name in shapes if name not in head]
    layers, rest = divmod(len(arrays) - len(head), len(of_layer))
    expected = [(n, shapes[n]) for n in of_layer * max(layers, 0)] + [(n, shapes[n]) for n in head]
    given: list[Any] = [array.shape for array in arrays]
    if layers < 1 or rest or given != [shape for _, shape in expected]:
        names = ", ".join(f"{name} {shapes[name]}" for name in of_layer)
        last = "".join(f", {name} {shapes[name]}" for name in head)
        raise InputError(
            f"initial.file: does not fit the network; got arrays of shape "
            f"{', '.join(map(str, given[:6]))}{', ...' * (len(given) > 6)} in {path}, expected "
            f"{names} for each layer{last and ', then' + last[1:]}. Change the network or the file."
        )
    found: dict[str, Array] = {
        name: np.stack(arrays[i : layers * len(of_layer) : len(of_layer)])
        for i, name in enumerate(of_layer)
    }
    return found | dict(zip(head, arrays[layers * len(of_layer) :], strict=True))
