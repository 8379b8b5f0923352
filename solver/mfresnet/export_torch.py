# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A trained network for PyTorch: a state dictionary, and a short module that does not need us."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mfresnet.activations import ACTIVATIONS
from mfresnet.blocks import BLOCKS
from mfresnet.errors import InputError
from mfresnet.export import write_atomically, write_text
from mfresnet.schemes import SCHEMES
from mfresnet.torch_weights import torch_or_refuse
from mfresnet.trained import TrainedNetwork

MARK = "Written by mfresnet export."
MODULE = '''"""A trained residual network for PyTorch, in float64. {mark}

    network = load()
    x = network(features)               # where samples, (n, {m}), are at the end, (n, {d})
{usage}
The features are FEATURES in this order.
"""

from pathlib import Path

import torch
from torch import nn

FEATURES = {features}
LABELS = {labels}
LAYERS, STEPS, DT = {layers}, {steps}, {dt!r}  # steps of size DT in each layer
NODES, WEIGHTS = {nodes}, {weights}  # of the Runge-Kutta scheme


def sigma(u):
    return {sigma}


def velocity(x, {names}):
    """Return v at points x, (n, {d}), with the parameters of one layer."""
    return {velocity}


class Network(nn.Module):
    """The flow x' = v(x; theta(t)) from the scaled features at 0 to T."""

    def __init__(self):
        super().__init__()
        self.register_buffer("shift", torch.zeros({shift}, dtype=torch.float64))
        self.register_buffer("matrix", torch.zeros({matrix}, dtype=torch.float64))
{parameters}

    def forward(self, features):
        x = (features - self.shift) @ self.matrix
        for layer in range(LAYERS):
            theta = {theta}
            for _ in range(STEPS):
                k, increment = torch.zeros_like(x), torch.zeros_like(x)
                for node, weight in zip(NODES, WEIGHTS):
                    k = velocity(x + DT * node * k, *theta)
                    increment = increment + weight * k
                x = x + DT * increment
        return x
{methods}

def load(path=Path(__file__).with_name({file!r})):
    """Return the network with the weights of a file."""
    network = Network()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()
'''
SCORES = '''
    def scores(self, features):
        return self(features) @ self.H.T + self.h

    @torch.no_grad()
    def predict(self, features):
        """Return the numbers of the classes, see LABELS."""
        return self.scores(features).argmax(dim=1)
'''
PROBABILITIES = '''
    @torch.no_grad()
    def probabilities(self, features):
        """Return the probability of every class, (n, classes)."""
        return self.scores(features).softmax(dim=1)
'''


def write_torch(network: TrainedNetwork, path: Path) -> list[Path]:
    """Write a state dictionary, and beside it the module with the ending .py.

    Returns:
        Both files.

    Raises:
        InputError: torch is missing, or a file of others stands where the module goes.
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
    arrays = {"shift": network.shift, "matrix": network.matrix}
    arrays |= dict(network.parameters) | dict(network.head)
    state = {n: torch.from_numpy(np.array(v, dtype=np.float64)) for n, v in arrays.items()}
    write_atomically(path, lambda stream: torch.save(state, stream))
    write_text(module, module_text(network, path.name))
    return [path, module]


def module_text(network: TrainedNetwork, file: str) -> str:
    """Return the source of the module; ``file`` is the name of the state dictionary."""
    scheme, names = SCHEMES[network.order], list(network.parameters)
    shapes = {n: v.shape for n, v in (dict(network.parameters) | dict(network.head)).items()}
    usage, methods = "", ""
    if network.head:
        usage += "    network.predict(features)           # numbers of the classes, see LABELS\n"
        methods += SCORES
    if network.head and network.probabilistic:
        usage += "    network.probabilities(features)     # (n, classes)\n"
        methods += PROBABILITIES
    layers = network.layers.layers
    return MODULE.format(
        mark=MARK,
        usage=usage,
        m=len(network.features),
        d=network.dimension,
        features=_tuple(network.features),
        labels=_tuple(network.labels),
        layers=layers,
        steps=network.steps_per_layer,
        dt=network.final_time / layers / network.steps_per_layer,
        nodes=_tuple(scheme.nodes),
        weights=_tuple(scheme.weights),
        sigma=ACTIVATIONS[network.activation].torch,
        velocity=BLOCKS[network.block].torch,
        names=", ".join(names),
        theta=", ".join(f"self.{n}[layer]" for n in names),
        shift=network.shift.shape,
        matrix=network.matrix.shape,
        parameters="\n".join(
            f"        self.{n} = nn.Parameter(torch.zeros({shape}, dtype=torch.float64))"
            for n, shape in shapes.items()
        ),
        methods=methods,
        file=file,
    )


def _tuple(values: Sequence[Any]) -> str:
    return repr(tuple(values))
