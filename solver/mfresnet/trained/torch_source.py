# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The source of the module that runs a trained network with PyTorch: a template, its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.network import ACTIVATIONS, BLOCKS, HEADS, SCHEMES
from mfresnet.trained.network import TrainedNetwork

MARK = "Written by mfresnet export."
MODULE = '''"""A trained residual network for PyTorch, in float64. {mark}

    network = load()
{usage}
{last}
"""

from pathlib import Path

import torch
from torch import nn

FEATURES = {features}{constants}
LAYERS, STEPS, DT = {layers}, {steps}, {dt!r}  # steps of size DT in each layer
NODES, WEIGHTS = {nodes}, {weights}  # of the Runge-Kutta scheme


def sigma(u):
    return {sigma}


def velocity(x, {names}):
    """Return v at points x, (n, {d}), with the parameters of one layer."""
    return {velocity}

{scores}
class Network(nn.Module):
    """The flow x' = v(x; theta(t)) from 0 to T."""

    def __init__(self):
        super().__init__()
{buffers}
{parameters}

    def forward(self, {given}):
        x = {begin}
        for layer in range(LAYERS):
            theta = {theta}
            for _ in range(STEPS):
                k, increment = torch.zeros_like(x), torch.zeros_like(x)
                for node, weight in zip(NODES, WEIGHTS):
                    k = velocity(x + DT * node * k, *theta)
                    increment = increment + weight * k
                x = x + DT * increment
        return {end}
{methods}

def load(path=Path(__file__).with_name({file!r})):
    """Return the network with the weights of a file."""
    network = Network()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()
'''


SCORES = '''
def scores(x, {names}):
    """Return the scores of points x, (n, {d}), with the parameters of the head."""
    return {scores}

'''


@dataclass(frozen=True)
class Part:
    """What a kind of network adds to the module.

    Attributes:
        usage: lines of the docstring that show how it is used.
        methods: of the class.
        constants: lines that name what the methods give.
        given: the argument of ``forward``.
        begin: the points at 0 of it.
        end: what is returned of the points x at T.
        last: the last line of the docstring.
    """

    usage: str
    methods: str = ""
    constants: str = "\nLABELS = {labels}"
    given: str = "features"
    begin: str = "(features - self.shift) @ self.matrix"
    end: str = "x"
    last: str = "The features are FEATURES in this order."


POSITIONS = Part(
    "    x = network(features)               # where samples, (n, {m}), are at the end, (n, {d})"
)
CLASSES = Part(
    POSITIONS.usage
    + "\n    network.predict(features)           # numbers of the classes, see LABELS",
    '''
    def scores(self, features):
        return scores(self(features), {head})

    @torch.no_grad()
    def predict(self, features):
        """Return the numbers of the classes, see LABELS."""
        return self.scores(features).argmax(dim=1)
''',
)
PROBABILITIES = Part(
    CLASSES.usage + "\n    network.probabilities(features)     # (n, classes)",
    CLASSES.methods
    + '''
    @torch.no_grad()
    def probabilities(self, features):
        """Return the probability of every class, (n, classes)."""
        return self.scores(features).softmax(dim=1)
''',
)
REGRESSION = Part(
    POSITIONS.usage + "\n    network.predict(features)           # (n,), see LABEL",
    '''
    @torch.no_grad()
    def predict(self, features):
        """Return the label of samples, in its own units, (n,)."""
        return scores(self(features), {head})[:, 0]
''',
    constants="\nLABEL = {label!r}",
)
DENSITY = Part(
    """    samples = network(normal)           # (n, {m}), from standard normal numbers, (n, {d})
    network.sample(n)                   # new samples, (n, {m})
    network.log_density(samples)        # (n,)""",
    '''
    @torch.no_grad()
    def sample(self, n, generator=None):
        """Return n new samples, (n, {m})."""
        return self(torch.randn(n, {d}, dtype=torch.float64, generator=generator))

    def log_density(self, samples):
        """Return the logarithm of the density of samples, (n,), by the change of variables."""
        x = (samples - self.shift) @ self.matrix
        total = x.new_zeros(len(x))
        for layer in reversed(range(LAYERS)):
            theta = {theta}
            for _ in range(STEPS):
                k, increment = torch.zeros_like(x), torch.zeros_like(x)
                for node, weight in zip(NODES, WEIGHTS):
                    k, divergence = backward(x + DT * node * k, *theta)
                    increment = increment + weight * k
                    total = total - DT * weight * divergence
                x = x + DT * increment
        z = torch.linalg.solve_triangular(self.factor, (x - self.mean).T, upper=False)
        constant = torch.logdet(2.0 * torch.pi * self.factor @ self.factor.T)
        volume = torch.logdet(self.back @ self.back.T)
        return total - 0.5 * (z * z).sum(dim=0) - 0.5 * (volume + constant)


def backward(x, {names}):
    """Return -v at points x, (n, {d}), and div v."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        v = velocity(x, {names})
        rows = [torch.autograd.grad(v[:, i].sum(), x, retain_graph=True)[0] for i in range({d})]
    return -v.detach(), sum(row[:, i] for i, row in enumerate(rows))
''',
    constants="",
    given="normal",
    begin="normal @ self.factor.T + self.mean",
    end="x @ self.back + self.shift",
    last="The columns of samples are FEATURES in this order.",
)


Arrays = dict[str, Array]


def module_source(
    part: Part, network: TrainedNetwork, buffers: Arrays, head: Arrays, file: str
) -> str:
    """Return the source of the module; ``file`` is the name of the state dictionary."""
    scheme, names = SCHEMES[network.order], list(network.parameters)
    layers = network.residual.layers
    shapes = {n: np.shape(v) for n, v in (dict(network.parameters) | head).items()}
    known = {
        "m": len(network.shift),
        "d": network.dimension,
        "names": ", ".join(names),
        "theta": ", ".join(f"self.{n}[layer]" for n in names),
        "head": ", ".join(f"self.{n}" for n in head),
        "labels": _tuple(network.labels),
        "label": network.label,
    }
    return MODULE.format(
        mark=MARK,
        usage=part.usage.format(**known),
        last=part.last,
        features=_tuple(network.features),
        constants=part.constants.format(**known),
        given=part.given,
        begin=part.begin,
        end=part.end,
        layers=layers,
        steps=network.steps_per_layer,
        dt=network.final_time / layers / network.steps_per_layer,
        nodes=_tuple(scheme.nodes),
        weights=_tuple(scheme.weights),
        sigma=ACTIVATIONS[network.activation].torch,
        velocity=BLOCKS[network.block].torch,
        scores=_scores(network) if head else "",
        buffers="\n".join(
            f'        self.register_buffer("{n}", torch.zeros({v.shape}, dtype=torch.float64))'
            for n, v in buffers.items()
        ),
        parameters="\n".join(
            f"        self.{n} = nn.Parameter(torch.zeros({shape}, dtype=torch.float64))"
            for n, shape in shapes.items()
        ),
        methods=part.methods.format(**known),
        file=file,
        **{name: known[name] for name in ("d", "names", "theta")},
    )


def _scores(network: TrainedNetwork) -> str:
    """Return the function of the scores."""
    row = HEADS[network.scored]
    return SCORES.format(names=", ".join(row.names()), d=network.dimension, scores=row.torch)


def _tuple(values: Sequence[Any]) -> str:
    return repr(tuple(values))
