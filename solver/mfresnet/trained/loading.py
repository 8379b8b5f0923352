# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The trained network in a file: written once, read without case, mesh and training."""

from __future__ import annotations

from pathlib import Path

from mfresnet.archive import read_arrays, write_arrays
from mfresnet.errors import InputError
from mfresnet.files import FileError, check_digests
from mfresnet.trained.network import TrainedNetwork

NETWORK = "network.npz"
"""The file in a run directory."""


def save_network(network: TrainedNetwork, path: Path) -> None:
    """Write a network as the arrays of ``to_arrays``, whole or not at all."""
    write_arrays(path, network.to_arrays())


def load_network(path: str | Path) -> TrainedNetwork:
    """Return the network of a run directory, or of a file of ``mfresnet export --to npz``.

    Raises:
        InputError: neither is there, or the file is damaged, of another run, or holds something
            else.
    """
    path = Path(path)
    file = path / NETWORK if path.is_dir() else path
    try:
        network = TrainedNetwork.from_arrays(read_arrays(file))
    except FileError as error:
        raise InputError(
            f"{file}: not a trained network ({error}); expected the directory of a finished run "
            "or a file of mfresnet export --to npz. Check the path."
        ) from None
    if path.is_dir():
        check_digests(path, NETWORK)
    return network
