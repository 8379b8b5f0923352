# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a training leaves for prediction: scaling and reduction, layers, head. NumPy only.

>>> import numpy as np
>>> from mfresnet.trained import TrainedNetwork
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

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mfresnet import heads
from mfresnet.activations import ACTIVATIONS
from mfresnet.arrays import Array
from mfresnet.blocks import BLOCKS
from mfresnet.control import Controls
from mfresnet.errors import InputError
from mfresnet.particles import INFERENCES, Network, flow, through
from mfresnet.schemes import SCHEMES

if TYPE_CHECKING:
    from mfresnet.case import Case
    from mfresnet.functional import ReducedFunctional

ARRAYS = ("features", "labels", "shift", "matrix", "back")
SCALARS: dict[str, type] = {
    "block": str,
    "activation": str,
    "final_time": float,
    "order": int,
    "steps_per_layer": int,
    "probabilistic": bool,
    "label": str,
    "task": str,
    "start": str,
    "missing": str,
    "scored": str,
}
"""Fields that a file holds as a number or a text."""


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
    scored: str = heads.LINEAR

    # ------------------------------------------------------------------ samples as rows
    def predict(self, features: Array) -> Array:
        """Return the number of the class of samples, or the label of a regression, (n, m) -> (n,).

        See ``read``.
        """
        return self.read(self.carry(self.reduce(features)))

    def read(self, x: Array) -> Array:
        """Return what the head makes of points at T, (d, n) -> (n,)."""
        if self.task == "regression":
            return self.scores(x)[0]
        return heads.decide(self.scores(x))

    def scores(self, x: Array) -> Array:
        """Return the scores of points at T, (d, n) -> (classes, n)."""
        return heads.HEADS[self.scored].scores(x, self.head)

    def probabilities(self, features: Array) -> Array:
        """Return the probability of every class, (n, m) -> (n, classes).

        Raises:
            InputError: the loss that the network was trained with gives none.
        """
        if not self.probabilistic:
            raise InputError(
                "loss.kind: gives no probabilities; expected cross_entropy. Use the classes."
            )
        return heads.probabilities(self.scores(self.carry(self.reduce(features)))).T

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
    def layers(self) -> Network:
        """The residual network between the reduction and the head."""
        block, activation = BLOCKS[self.block], ACTIVATIONS[self.activation]
        return Network(block, activation, Controls(self.parameters), self.final_time)

    def path(self, x: Array) -> Array:
        """Return points at the start of every layer and at T, (d, n) -> (layers + 1, d, n)."""
        return flow(self.layers, x, SCHEMES[self.order], self.steps_per_layer)

    def carry(self, x: Array) -> Array:
        """Return points at T, (d, n) -> (d, n)."""
        network, scheme = self.layers, SCHEMES[self.order]
        for layer in range(network.layers):
            x = through(network, layer, x, scheme, self.steps_per_layer)
        return x

    def classify(self, x: Array) -> Array:
        """Return the number of the class of points at 0, (d, n) -> (n,)."""
        return heads.decide(self.scores(self.carry(x)))

    def applied_by(self, inference: str, order: int, steps_per_layer: int) -> TrainedNetwork:
        """Return the same network, applied to samples in another way.

        Args:
            inference: a name in ``INFERENCES``.
            order: that of the time stepping of the density.
            steps_per_layer: steps of the density in a layer.
        """
        scheme, steps = INFERENCES[inference](order, steps_per_layer)
        return replace(self, order=scheme.order, steps_per_layer=steps)

    # ------------------------------------------------------------------ as arrays
    def to_arrays(self) -> dict[str, Array]:
        """Return all fields as arrays by name; those of the layers and of the head by theirs."""
        fields = {name: np.asarray(getattr(self, name)) for name in (*ARRAYS, *SCALARS)}
        return fields | dict(self.parameters) | dict(self.head)

    @staticmethod
    def from_arrays(arrays: Mapping[str, Array]) -> TrainedNetwork:
        """Return the network of ``to_arrays``."""
        scalars: dict[str, Any] = {n: kind(arrays[n].item()) for n, kind in SCALARS.items()}
        rest = {n: v for n, v in arrays.items() if n not in (*ARRAYS, *SCALARS)}
        of_head = heads.HEADS[scalars["scored"]].names()
        return TrainedNetwork(
            features=tuple(map(str, arrays["features"])),
            labels=tuple(map(str, arrays["labels"])),
            shift=arrays["shift"],
            matrix=arrays["matrix"],
            back=arrays["back"],
            parameters={n: v for n, v in rest.items() if n not in of_head},
            head={n: v for n, v in rest.items() if n in of_head},
            **scalars,
        )


def trained_network(
    functional: ReducedFunctional, theta: Array, inference: str | None = None
) -> TrainedNetwork:
    """Return the network with controls theta.

    Args:
        functional: J.
        theta: the controls.
        inference: how it is applied to samples, ``network.inference`` when not given.
    """
    population, dataset = functional.population, functional.population.dataset
    data = None
    if dataset is not None:
        data = {name: getattr(dataset, name) for name in ARRAYS}
    controls = functional.controls.from_vector(theta)
    network = assemble(
        functional.case,
        population.labels,
        population.targets,
        data,
        controls,
        functional.steps_per_layer,
    )
    if inference is None:
        return network
    return network.applied_by(inference, functional.case.time.order, functional.steps_per_layer)


def assemble(
    case: Case,
    labels: tuple[str, ...],
    targets: Array,
    data: Mapping[str, Any] | None,
    controls: Controls,
    steps_per_layer: int,
) -> TrainedNetwork:
    """Return the network of a case; without samples the features are the coordinates.

    Args:
        case: the case.
        labels: names of the classes.
        targets: the points that they should reach, (classes, d), any other shape without.
        data: features, shift, matrix and back of ``Dataset``, None without samples.
        controls: the trained controls.
        steps_per_layer: steps of the density in a layer.
    """
    from mfresnet.losses import LOSSES

    d, head, regression = case.moving, controls.of_head(), case.task == "regression"
    scored = LOSSES[case.loss.kind].scores or heads.LINEAR
    label = None if case.data is None else case.data.label
    if data is None:
        names = [f"x{i + 1}" for i in range(d)]
        data = {"features": names, "shift": np.zeros(d), "matrix": np.eye(d), "back": np.eye(d)}
    shift, matrix, back = (np.asarray(data[n], dtype=float) for n in ("shift", "matrix", "back"))
    if regression and len(shift) > len(data["features"]):
        # the last row and column are those of the label
        size, middle = back[-1, -1], shift[-1]
        head = heads.HEADS[scored].scaled(head, size, middle)
        shift, matrix, back = shift[:-1], matrix[:-1, :-1], back[:-1, :-1]
    if not head and len(labels) > 1 and targets.shape == (len(labels), d):
        head = heads.of_targets(targets)
    network = TrainedNetwork(
        features=tuple(data["features"]),
        labels=tuple(labels),
        shift=shift,
        matrix=matrix,
        back=back,
        block=case.network.block,
        activation=case.network.activation,
        parameters={n: np.array(v) for n, v in controls.values.items() if n not in controls.head},
        final_time=case.network.final_time,
        order=case.time.order,
        steps_per_layer=steps_per_layer,
        head={n: np.array(v) for n, v in head.items()},
        probabilistic=LOSSES[case.loss.kind].probabilistic,
        scored=scored,
        label=label if isinstance(label, str) else "",
        task=case.task,
        missing="refuse" if case.data is None else case.data.missing,
        start="" if case.start is None else case.start.model_dump_json(),
    )
    return network.applied_by(case.network.inference, case.time.order, steps_per_layer)
