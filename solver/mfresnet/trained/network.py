# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a training leaves for prediction: scaling and reduction, layers, head. No mesh.

>>> import numpy as np
>>> from mfresnet.trained.network import TrainedNetwork
>>> network = TrainedNetwork(
...     features=("width", "height"), labels=("left", "right"),
...     shift=np.zeros(2), matrix=np.eye(2), back=np.eye(2), block="square", activation="tanh",
...     parameters={"W": np.array([2 * np.eye(2)]), "b": np.zeros((1, 2))},
...     final_time=1.0, order=1, steps_per_layer=1,
...     head={"H": np.array([[-1.0, 0.0], [1.0, 0.0]]), "h": np.zeros(2)},
...     probabilistic=True,
... )
>>> samples = np.array([[-0.1, 0.3], [0.8, -0.2]])
>>> network.predict(samples)
array([0, 1])
>>> network.probabilities(samples).round(3)
array([[0.644, 0.356],
       [0.031, 0.969]])
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from mfresnet.arrays import Array
from mfresnet.data import Density
from mfresnet.errors import InputError
from mfresnet.files import FileError
from mfresnet.network import (
    ACTIVATIONS,
    BLOCKS,
    HEADS,
    INFERENCES,
    LINEAR,
    SCHEMES,
    Controls,
    Network,
    decide,
    flow,
    probabilities,
    through,
)
from mfresnet.tasks import TASKS, of_task
from mfresnet.trained.readings import READINGS
from mfresnet.trained.words import in_words

FIELDS: dict[str, tuple[type, int]] = {
    "features": (str, 1),
    "labels": (str, 1),
    "shift": (float, 1),
    "matrix": (float, 2),
    "back": (float, 2),
    "block": (str, 0),
    "activation": (str, 0),
    "final_time": (float, 0),
    "order": (int, 0),
    "steps_per_layer": (int, 0),
    "probabilistic": (bool, 0),
    "label": (str, 0),
    "task": (str, 0),
    "start": (str, 0),
    "missing": (str, 0),
    "scored": (str, 0),
}
"""Name -> type and number of axes of the fields that a file holds beside layers and head."""
LETTERS = {str: "U", float: "f", int: "iu", bool: "b"}
"""Type -> letters of NumPy's kinds of arrays of it."""


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A trained network with all that it takes to apply it to samples.

    Samples are rows, (n, m), of the m features in their order; inside, points are columns, (d, n),
    with x = matrix^T (features - shift).

    Attributes:
        features: names of the features, (m,).
        labels: names of the classes.
        shift: see above, (m,).
        matrix: see above, (m, d).
        back: points to features, features = shift + back x, (m, d), see ``scaling.Coordinates``.
        block: a name in ``BLOCKS``.
        activation: a name in ``ACTIVATIONS``.
        parameters: name -> the parameters of all layers, (layers, ...).
        final_time: T.
        order: that of the Runge-Kutta scheme, a number in ``SCHEMES``.
        steps_per_layer: steps inside each layer; with order 1 and one step a plain ResNet.
        head: the parameters of the head, see ``heads``; empty when there are no classes to tell
            apart, as in the steering of one density to another.
        probabilistic: whether the softmax of the scores is the probability of a class.
        label: name of the column with the true classes, empty where there is none.
        task: a name in ``TASKS``; in a regression the head has one row, and its score is the
            predicted label in its own units.
        start: for task density the start density of the points at 0, a model of ``density`` as
            JSON; samples are at T, see ``sampling``.
        missing: data.missing: whether a row with a missing value is refused or gets no prediction.
        scored: the kind of head, a name in ``HEADS``.
    """

    features: tuple[str, ...]
    labels: tuple[str, ...]
    shift: Array
    matrix: Array
    back: Array
    block: str
    activation: str
    parameters: Mapping[str, Array]
    final_time: float
    order: int
    steps_per_layer: int
    head: Mapping[str, Array] = field(default_factory=dict)
    probabilistic: bool = False
    label: str = ""
    task: str = "classification"
    start: str = ""
    missing: str = "refuse"
    scored: str = LINEAR

    # ------------------------------------------------------------------ samples as rows
    def predict(self, features: Array) -> Array:
        """Return the number of the class of samples, or the label of a regression, (n, m) -> (n,).

        See ``read``.
        """
        return self.read(self.carry(self.reduce(features)))

    def read(self, x: Array) -> Array:
        """Return what the head makes of points at T, (d, n) -> (n,)."""
        return of_task(READINGS, self.task).read(self.scores(x))

    def scores(self, x: Array) -> Array:
        """Return the scores of points at T, (d, n) -> (classes, n)."""
        return HEADS[self.scored].scores(x, self.head)

    def probabilities(self, features: Array) -> Array:
        """Return the probability of every class, (n, m) -> (n, classes).

        Raises:
            InputError: the loss that the network was trained with gives none.
        """
        if not self.probabilistic:
            raise InputError(
                "loss.kind: gives no probabilities; expected cross_entropy. Use the classes."
            )
        return probabilities(self.scores(self.carry(self.reduce(features)))).T

    def positions(self, features: Array) -> Array:
        """Return where samples are at T, (n, m) -> (n, d)."""
        return self.carry(self.reduce(features)).T

    def reduce(self, features: Array) -> Array:
        """Return the points of samples at 0, x = matrix^T (features - shift), (n, m) -> (d, n)."""
        return ((features - self.shift) @ self.matrix).T

    def restore(self, x: Array) -> Array:
        """Return the samples that points stand for, shift + back x, (d, n) -> (n, m)."""
        return self.shift + x.T @ self.back.T

    # ------------------------------------------------------------------ points as columns
    @property
    def dimension(self) -> int:
        """Number d of coordinates."""
        return self.matrix.shape[1]

    @property
    def residual(self) -> Network:
        """The residual network between the reduction and the head."""
        block, activation = BLOCKS[self.block], ACTIVATIONS[self.activation]
        return Network(block, activation, Controls(self.parameters), self.final_time)

    def path(self, x: Array) -> Array:
        """Return points at the start of every layer and at T, (d, n) -> (layers + 1, d, n)."""
        return flow(self.residual, x, SCHEMES[self.order], self.steps_per_layer)

    def carry(self, x: Array) -> Array:
        """Return points at T, (d, n) -> (d, n)."""
        network, scheme = self.residual, SCHEMES[self.order]
        for layer in range(network.layers):
            x = through(network, layer, x, scheme, self.steps_per_layer)
        return x

    def classify(self, x: Array) -> Array:
        """Return the number of the class of points at 0, (d, n) -> (n,)."""
        return decide(self.scores(self.carry(x)))

    def applied_by(self, inference: str, order: int, steps_per_layer: int) -> TrainedNetwork:
        """Return the same network, applied to samples in another way.

        Args:
            inference: a name in ``INFERENCES``.
            order: that of the time stepping of the density.
            steps_per_layer: steps of the density in a layer.
        """
        scheme, steps = INFERENCES[inference](order, steps_per_layer)
        return replace(self, order=scheme.order, steps_per_layer=steps)

    def start_density(self) -> Any:
        """Return the start density, a model of ``density``."""
        return TypeAdapter(Density).validate_json(self.start)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from mfresnet.pages import card

        return card("Trained network", "It needs neither case nor mesh.", in_words(self))

    # ------------------------------------------------------------------ as arrays
    def to_arrays(self) -> dict[str, Array]:
        """Return all fields as arrays by name; those of the layers and of the head by theirs."""
        arrays: dict[str, Array] = {
            name: np.asarray(getattr(self, name), kind) for name, (kind, _) in FIELDS.items()
        }
        return arrays | dict(self.parameters) | dict(self.head)

    @staticmethod
    def from_arrays(arrays: Mapping[str, Array]) -> TrainedNetwork:
        """Return the network of ``to_arrays``.

        Raises:
            FileError: the arrays are those of something else.
        """
        found: dict[str, Any] = {}
        for name, (kind, axes) in FIELDS.items():
            array = arrays.get(name)
            if array is None or array.dtype.kind not in LETTERS[kind] or array.ndim != axes:
                given = "nothing" if array is None else f"{array.dtype}, shape {array.shape}"
                raise FileError(f"its {name}: {given}")
            found[name] = array if kind is float and axes else array.tolist()
            found[name] = tuple(found[name]) if kind is str and axes else found[name]
        if found["scored"] not in HEADS:
            raise FileError("its scored: no kind of head")
        if found["task"] not in TASKS:
            raise FileError("its task: none that is known")
        rest = {n: v for n, v in arrays.items() if n not in FIELDS}
        head = {n: rest.pop(n) for n in HEADS[found["scored"]].names() if n in rest}
        network = TrainedNetwork(**found, parameters=rest, head=head)
        if wrong := next((name for name, fits in _rules(network) if not fits), ""):
            raise FileError(f"its {wrong} does not fit")
        return network


def _rules(network: TrainedNetwork) -> Iterator[tuple[str, bool]]:
    """Yield names of fields, and whether they are those of a network."""
    (m, d), head = network.matrix.shape, network.head
    yield "matrix", 1 <= d <= m
    yield "back", network.back.shape == (m, d)
    yield "shift", network.shift.shape == (m,)
    yield "features", len(network.features) == m
    yield "block", network.block in BLOCKS
    yield "activation", network.activation in ACTIVATIONS
    yield "order", network.order in SCHEMES
    yield "steps_per_layer", network.steps_per_layer > 0
    yield "final_time", 0.0 < network.final_time < np.inf
    yield from (("layers", fits) for fits in _layers(network, d))
    reading = of_task(READINGS, network.task)
    rows = 1 if reading.number else len(network.labels)
    row = HEADS[network.scored]
    shapes = row.shapes(d, rows, row.size(head))
    yield "head", not head or {n: v.shape for n, v in head.items()} == shapes
    yield "task", bool(head) or not (network.probabilistic or reading.number)
    yield "start", _starts(network, d)
    arrays = {n: getattr(network, n) for n in ("shift", "matrix", "back")}
    for name, array in {**arrays, **network.parameters, **head}.items():
        yield name, array.dtype.kind == "f" and bool(np.isfinite(array).all())


def _layers(network: TrainedNetwork, d: int) -> Iterator[bool]:
    """Yield whether the parameters are those of a number of layers of the block, of some width."""
    shapes = [v.shape for v in network.parameters.values()]
    yield len({shape[:1] for shape in shapes}) == 1 and all(shapes) and shapes[0][0] > 0
    given = {n: v.shape[1:] for n, v in network.parameters.items()}
    widths = {width for shape in shapes for width in shape}
    yield any(BLOCKS[network.block].shapes(d, width) == given for width in widths)


def _starts(network: TrainedNetwork, d: int) -> bool:
    """Return whether the start density is there where one is steered, and one on R^d."""
    if not network.start:
        return not of_task(READINGS, network.task).steered
    try:
        return set(network.start_density().dimensions().values()) == {d}
    except ValueError:
        return False
