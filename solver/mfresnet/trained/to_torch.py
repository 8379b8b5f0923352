# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A trained network for PyTorch: a state dictionary, and a short module that does not need us."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mfresnet.errors import InputError
from mfresnet.files import write_atomically, write_text
from mfresnet.network import HEADS, torch_or_refuse
from mfresnet.tasks import of_task
from mfresnet.trained.network import TrainedNetwork
from mfresnet.trained.sampling import steered_by
from mfresnet.trained.torch_source import (
    CLASSES,
    DENSITY,
    MARK,
    POSITIONS,
    PROBABILITIES,
    REGRESSION,
    Arrays,
    Part,
    module_source,
)


def write_torch(network: TrainedNetwork, path: Path) -> list[Path]:
    """Write a state dictionary, and beside it the module with the ending .py.

    Returns:
        Both files.

    Raises:
        InputError: torch is missing, a file of others stands where the module goes, or the start
            density of a density is no Gaussian.
    """
    torch = torch_or_refuse("--to torch")
    module = path.with_suffix(".py")
    if module == path:
        raise InputError(
            f"FILE: the name of the module; got {path}, expected the file of the weights. Choose "
            f"{path.with_suffix('.pt').name}."
        )
    if module.exists() and MARK not in module.read_text(encoding="utf-8", errors="replace"):
        raise InputError(
            f"FILE: the module would replace {module}, which is not of mfresnet export. Choose "
            "another name."
        )
    part, network, buffers, head = of_task(PARTS, network.task)(network)
    arrays = buffers | dict(network.parameters) | head
    state = {n: torch.from_numpy(np.array(v, dtype=np.float64)) for n, v in arrays.items()}
    text = module_source(part, network, buffers, head, path.name)
    write_atomically(path, lambda stream: torch.save(state, stream))
    write_text(module, text)
    return [path, module]


Parts = tuple[Part, TrainedNetwork, Arrays, Arrays]


def _plain(network: TrainedNetwork) -> tuple[Arrays, Arrays]:
    """Return the buffers of every network, and the parameters of its head."""
    names = HEADS[network.scored].names() if network.head else ()
    buffers = {"shift": network.shift, "matrix": network.matrix}
    return buffers, {name: network.head[name] for name in names}


def _classes(network: TrainedNetwork) -> Parts:
    buffers, head = _plain(network)
    if not head:
        return POSITIONS, network, buffers, {}
    return (PROBABILITIES if network.probabilistic else CLASSES), network, buffers, head


def _number(network: TrainedNetwork) -> Parts:
    buffers, head = _plain(network)
    # other names than those that a training starts from, in the units of the mesh
    return REGRESSION, network, buffers, {f"unit_{name}": v for name, v in head.items()}


def _density(network: TrainedNetwork) -> Parts:
    buffers, _ = _plain(network)
    model = steered_by(network)
    mean, factor = model.normal()
    more = {"back": network.back.T, "mean": mean, "factor": factor}
    return DENSITY, model.network, buffers | more, {}


PARTS: dict[str, Callable[[TrainedNetwork], Parts]] = {
    "classification": _classes,
    "regression": _number,
    "density": _density,
}
"""Task -> what it adds, the network as it is applied, buffers, and trained arrays."""
