# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The controls theta(t): one value per layer, their flat vector and their inner product."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from mfresnet.archive import read_arrays
from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.files import FileError
from mfresnet.network.torch_weights import ENDINGS, read_weights

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Controls:
    """All parameters by name: those of a layer (layers, ...), those of the head as they are.

    Attributes:
        values: name -> array, for the square block W (layers, d, d) and b (layers, d).
        head: the names that belong to the head of the loss and have no depth.
    """

    values: Mapping[str, Array]
    head: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Array:
        if name not in ("values", "head") and name in self.values:
            return self.values[name]
        raise AttributeError(f"controls have no '{name}'")

    @property
    def layers(self) -> int:
        """Number of layers L."""
        return next(len(v) for name, v in self.values.items() if name not in self.head)

    def layer(self, index: int) -> dict[str, Array]:
        """Return the parameters of one layer."""
        return {n: array[index] for n, array in self.values.items() if n not in self.head}

    def of_layers(self, first: int, stop: int) -> dict[str, Array]:
        """Return the parameters of some layers, (stop - first, ...) each."""
        return {n: array[first:stop] for n, array in self.values.items() if n not in self.head}

    def of_head(self) -> dict[str, Array]:
        """Return the parameters of the head."""
        return {name: self.values[name] for name in self.head}


@dataclass(frozen=True)
class ControlSpace:
    """Piecewise constant controls on [0, T]: which of them are trained, and L2(0, T).

    The flat vector theta holds the trainable parameters, name by name, each (rows, ...) in C order
    with one row a layer, or a single row when it is constant in depth: in the head of the loss, and
    in every layer of a network whose layers share their weights. The others keep the value they
    have in ``initial``.

    Attributes:
        initial: the initial value of every parameter.
        trainable: the names that theta holds, in this order.
        final_time: T, the depth of the continuous network.
        shared: whether all layers have the same parameters.
    """

    initial: Controls
    trainable: tuple[str, ...]
    final_time: float
    shared: bool = False

    @property
    def layers(self) -> int:
        """Number of layers L."""
        return self.initial.layers

    @property
    def layer_time(self) -> float:
        """Depth T / L of one layer."""
        return self.final_time / self.layers

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> (rows, ...) of every trainable parameter in theta."""
        result = {}
        for name in self.trainable:
            shape = self.initial.values[name].shape
            if name in self.initial.head:
                result[name] = (1, *shape)
            else:
                result[name] = (1 if self.shared else self.layers, *shape[1:])
        return result

    @property
    def size(self) -> int:
        """Length of theta."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    @cached_property
    def weights(self) -> Array:
        """Weights of the L2(0, T) inner product: (theta, eta) = sum_j weights_j theta_j eta_j."""
        parts = [np.full(int(np.prod(s)), self.final_time / s[0]) for s in self.shapes.values()]
        return np.concatenate(parts)

    @cached_property
    def of_head(self) -> Array:
        """Return which entries of theta are those of the head, (size,)."""
        sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        return np.repeat([name in self.initial.head for name in self.shapes], sizes)

    def split(self, theta: Array) -> dict[str, Array]:
        """Return theta as name -> array (rows, ...), the trainable names only."""
        if theta.shape != (self.size,):
            raise ValueError(
                f"theta: wrong shape; got {theta.shape}, expected ({self.size},), the trainable "
                f"parameters {', '.join(self.trainable)} of {self.layers} layers."
            )
        cuts = np.cumsum([int(np.prod(shape)) for shape in self.shapes.values()])[:-1]
        parts = np.split(theta, cuts)
        return {n: p.reshape(s) for (n, s), p in zip(self.shapes.items(), parts, strict=True)}

    def join(self, parts: Mapping[str, Array]) -> Array:
        """Return the flat vector of the trainable parameters, each (rows, ...)."""
        return np.concatenate([np.ravel(parts[name]) for name in self.trainable])

    def to_vector(self, values: Mapping[str, Array]) -> Array:
        """Return the flat vector of all parameters; the mean over the layers where they share."""
        return self.join({n: v / self._copies(n) for n, v in self._rows(values).items()})

    def from_vector(self, theta: Array) -> Controls:
        """Return all parameters by name; those not trained have their initial value."""
        return self._fill(dict(self.initial.values), theta)

    def direction(self, h: Array) -> Controls:
        """Return the derivative of ``from_vector`` along h: parameters not trained are zero."""
        return self._fill({n: np.zeros_like(v) for n, v in self.initial.values.items()}, h)

    def pull_back(self, derivative: Mapping[str, Array]) -> Array:
        """Return the derivative in theta from that in all parameters: ``direction`` transposed."""
        return self.join(self._rows(derivative))

    def _fill(self, values: dict[str, Array], theta: Array) -> Controls:
        for name, part in self.split(theta).items():
            values[name] = np.broadcast_to(part, (self._copies(name) * len(part), *part.shape[1:]))
            if name in self.initial.head:
                values[name] = part[0]
        return Controls(values, self.initial.head)

    def _copies(self, name: str) -> int:
        return self.layers if self.shared and name not in self.initial.head else 1

    def _rows(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Return the trainable parameters as (rows, ...), summed over layers that share."""
        rows = {}
        for name, shape in self.shapes.items():
            one = self._copies(name) > 1
            rows[name] = values[name].sum(axis=0) if one else np.asarray(values[name])
            rows[name] = rows[name].reshape(shape)
        return rows

    def riesz(self, derivative: Array) -> Array:
        """Return the L2(0, T) gradient of a derivative (a dual vector)."""
        return derivative / self.weights

    def norm(self, theta: Array) -> float:
        """Return the L2(0, T) norm of theta."""
        return float(np.sqrt(np.sum(self.weights * theta**2)))


# ---------------------------------------------------------------------- initial controls
def _identity(shapes: Shapes, seed: int) -> dict[str, Array]:
    return {n: np.eye(*s) if len(s) == 2 else np.zeros(s) for n, s in shapes.items()}


def _zero(shapes: Shapes, seed: int) -> dict[str, Array]:
    return {name: np.zeros(shape) for name, shape in shapes.items()}


def _random(shapes: Shapes, seed: int) -> dict[str, Array]:
    """Return normal numbers: matrices over sqrt(columns), so that W x has the size of x."""
    rng, result = np.random.default_rng(seed), {}
    for name, shape in shapes.items():
        columns = shape[1] if len(shape) == 2 else 1
        result[name] = rng.standard_normal(shape) / np.sqrt(columns)
    return result


INITIALS: dict[str, Callable[[Shapes, int], dict[str, Array]]] = {
    "identity": _identity,
    "zero": _zero,
    "random": _random,
}
"""Kind of initial controls -> (shapes, seed) -> the parameters of every layer and of the head."""


def same_in_every_layer(
    parameters: Mapping[str, Array], layers: int, head: Sequence[str] = ()
) -> Controls:
    """Return controls whose ``layers`` layers all have the given parameters.

    Args:
        parameters: the parameters of one layer, and of the head.
        layers: number of layers.
        head: the names that belong to the head.
    """
    values = {
        n: np.asarray(p) if n in head else np.repeat(p[None], layers, axis=0)
        for n, p in parameters.items()
    }
    return Controls(values, tuple(head))


def prolong(controls: Controls, layers: int) -> Controls:
    """Return the same v(x, t) on ``layers`` layers, a multiple of those of ``controls``.

    Raises:
        InputError: ``layers`` is not a multiple, so that v would change.
    """
    if layers % controls.layers:
        raise InputError(
            f"network.layers: cannot take over controls of {controls.layers} layers; got {layers}, "
            f"expected a multiple of {controls.layers}. Choose a multiple."
        )
    values = {
        n: v if n in controls.head else np.repeat(v, layers // controls.layers, axis=0)
        for n, v in controls.values.items()
    }
    return Controls(values, controls.head)


def stored_controls(path: Path, shapes: Shapes, head: tuple[str, ...], layers: int) -> Controls:
    """Return the controls of another run or of a PyTorch network, prolonged in depth.

    Args:
        path: a controls.npz, or a state dictionary, see ``read_weights``.
        shapes: the shape of every parameter of a layer, and of the head.
        head: the names that belong to the head.
        layers: number of layers L.

    Raises:
        InputError: the file cannot be read, or holds other parameters.
    """
    try:
        read = partial(read_weights, shapes=shapes, head=head)
        arrays = (read if path.suffix in ENDINGS else read_arrays)(path)
    except FileError as error:
        raise InputError(
            f"initial.file: cannot be read; got {path} ({error}), expected a controls.npz or the "
            "state dictionary of a PyTorch network (.pt). Check the path."
        ) from None
    depth = next((arrays[n].shape[:1] for n in shapes if n in arrays and n not in head), ())
    for name, shape in shapes.items():
        given = arrays[name].shape if name in arrays else None
        if given != (shape if name in head else (*depth, *shape)) or depth == (0,):
            rows = "" if name in head else " in each layer"
            raise InputError(
                f"initial.file: does not fit the network; got {name} of shape {given} in {path}, "
                f"expected {shape}{rows}. Choose the file of a run with the same block and width."
            )
        if arrays[name].dtype.kind not in "fiu" or not np.isfinite(arrays[name]).all():
            raise InputError(
                f"initial.file: not usable; got {name} of type {arrays[name].dtype} in {path}, "
                "expected finite numbers. Choose another file."
            )
    stored = {name: arrays[name].astype(float) for name in shapes}
    return prolong(Controls(stored, head), layers)
