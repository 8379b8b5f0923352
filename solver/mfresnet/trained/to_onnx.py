# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A trained network as an ONNX model in float64.

The network is run once on a symbol in place of an array; every NumPy function that it meets becomes
a node. So the model is the same code that ``predict`` runs, for every activation and block. Points,
which are columns in that code, are rows in the model: a transposed symbol is a mark, not a node, as
onnxruntime fuses Transpose and MatMul into a node that it has not in float64.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.network import SCHEMES, advance
from mfresnet.tasks import of_task
from mfresnet.trained.network import TrainedNetwork
from mfresnet.trained.sampling import steered_by

OPSET, IR_VERSION = 17, 8
"""Operators that every onnxruntime since 1.12 knows."""


class Graph:
    """Nodes that are being collected, and the constants that they use.

    Args:
        outer: the graph that a loop body is in; it holds the constants.
    """

    def __init__(self, outer: Graph | None = None) -> None:
        """Start without nodes."""
        self.nodes: list[Any] = []
        self.constants: list[Any] = [] if outer is None else outer.constants
        self._count: list[int] = [0] if outer is None else outer._count

    def name(self) -> str:
        """Return a name that is not used yet."""
        self._count[0] += 1
        return f"v{self._count[0]}"

    def add(self, operator: str, inputs: Sequence[Any], **attributes: Any) -> Symbol:
        """Append a node; its inputs are names, or numbers that become constants."""
        from onnx import helper

        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        result = self.name()
        self.nodes.append(helper.make_node(operator, names, [result], **attributes))
        return Symbol(self, result)

    def constant(self, value: Any) -> str:
        """Return the name of a constant."""
        from onnx import numpy_helper

        name = self.name()
        self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def repeat(self, times: int, body: Callable[[Symbol], Symbol], x: Symbol, d: int) -> Symbol:
        """Return points x, (d, n), after ``times`` applications of ``body``, as one loop."""
        from onnx import TensorProto, helper

        inner = Graph(self)
        start, go, index = (inner.name() for _ in range(3))
        end = body(Symbol(inner, start).T)
        go_on = inner.add("Identity", [go])
        points = [
            helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, d])
            for name in (start, end.name)
        ]
        truth = [
            helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in (go, go_on.name)
        ]
        number = helper.make_tensor_value_info(index, TensorProto.INT64, [])
        graph = helper.make_graph(
            inner.nodes, inner.name(), [number, truth[0], points[0]], [truth[1], points[1]]
        )
        return self.add("Loop", [np.int64(times), np.bool_(True), x.name], body=graph).T


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """What stands for a matrix of float64 while the network is traced.

    Args:
        graph: where its node is.
        name: that of the result of the node, or of an input.
        turned: whether it stands for the transpose of that.
    """

    def __init__(self, graph: Graph, name: str, turned: bool = False) -> None:
        """Be the result of a node, or an input."""
        self.graph, self.name, self._turned = graph, name, turned

    @property
    def T(self) -> Symbol:  # noqa: N802  # NumPy's name
        """The transpose."""
        return Symbol(self.graph, self.name, not self._turned)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Symbol:
        if method != "__call__" or ufunc not in OPERATORS:
            raise InputError(
                f"--to onnx: no operator; got {getattr(ufunc, '__name__', ufunc)}, expected one of "
                f"{', '.join(u.__name__ for u in OPERATORS)}. Export to npz or torch."
            )
        rule = OPERATORS[ufunc]
        if not isinstance(rule, str):
            return rule(*inputs)
        names = [i._in(self._turned) if isinstance(i, Symbol) else self._number(i) for i in inputs]
        if self._turned and ufunc is np.matmul:
            names.reverse()  # (A x)^T = x^T A^T
        result = self.graph.add(rule, names)
        return result.T if self._turned else result

    def _in(self, turned: bool) -> str:
        if turned is not self._turned:
            raise ValueError("a matrix and the transpose of another one cannot meet in a node")
        return self.name

    def _number(self, value: Any) -> Array:
        array = np.asarray(value, dtype=float)
        return array.T if self._turned else array

    def __array_function__(self, function: Any, _: Any, args: Any, __: Any) -> Any:
        return 0.0 if function is np.zeros_like else NotImplemented


def _log_add_exp(a: Any, b: Any) -> Any:
    """Return log(exp a + exp b): ONNX's own Softplus is not available in float64."""
    return np.maximum(a, b) + np.log(1.0 + np.exp(-np.abs(a - b)))


OPERATORS: dict[Any, str | Callable[..., Any]] = {
    np.add: "Add",
    np.subtract: "Sub",
    np.multiply: "Mul",
    np.divide: "Div",
    np.matmul: "MatMul",
    np.negative: "Neg",
    np.positive: "Identity",
    np.absolute: "Abs",
    np.maximum: "Max",
    np.minimum: "Min",
    np.exp: "Exp",
    np.log: "Log",
    np.sqrt: "Sqrt",
    np.sin: "Sin",
    np.cos: "Cos",
    np.tanh: "Tanh",
    expit: "Sigmoid",
    np.logaddexp: _log_add_exp,
}
"""NumPy's function -> the operator of ONNX, or what it is made of."""


def onnx_model(network: TrainedNetwork) -> Any:
    """Return the ONNX model of a network.

    Its input is ``features``, (n, m) in float64. Its outputs are ``positions``, (n, d); where there
    are classes ``class``, their numbers, ``label``, their names, and ``probabilities``,
    (n, classes), where the loss gives them; in a regression ``prediction``, (n,). The names of the
    features are in the metadata.

    Of a density the input is ``normal``, (n, d), standard normal numbers, and the output
    ``samples``, (n, m).

    Raises:
        InputError: the network uses a function that ONNX has not, or its start density is no
            Gaussian.
    """
    from onnx import TensorProto, checker, helper

    from mfresnet import __version__

    graph, rows = Graph(), "samples"
    form = of_task(FORMS, network.task)
    name, columns = form.given, form.columns(network)
    found = form.outputs(network, Symbol(graph, name), graph)
    for output, (result, _, _) in found.items():
        graph.nodes.append(helper.make_node("Identity", [result], [output]))
    given = helper.make_tensor_value_info(name, TensorProto.DOUBLE, [rows, columns])
    outputs = [
        helper.make_tensor_value_info(output, kind, [rows, *shape])
        for output, (_, kind, shape) in found.items()
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "network", [given], outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="mfresnet",
        producer_version=__version__,
    )
    names = {"features": network.features, "labels": form.labels(network)}
    helper.set_model_props(model, {key: json.dumps(value) for key, value in names.items()})
    checker.check_model(model)
    return model


Outputs = dict[str, tuple[str, Any, list[Any]]]
"""Name of an output -> that of the node, its type, its shape behind the rows."""


def _points(network: TrainedNetwork, features: Any, graph: Graph) -> tuple[Outputs, str]:
    """Return the positions that features get at T, and the name of the scores, "" without head."""
    from onnx import TensorProto

    x = _at_end(network, network.reduce(features), graph)
    found: Outputs = {"positions": (x.T.name, TensorProto.DOUBLE, [network.dimension])}
    scores: Any = network.scores(x) if network.head else None
    return found, "" if scores is None else scores.T.name


def _number(network: TrainedNetwork, features: Any, graph: Graph) -> Outputs:
    """Return the label of features, a number, and positions."""
    from onnx import TensorProto

    found, z = _points(network, features, graph)
    if z:
        label = graph.add("Squeeze", [z, np.array([1])]).name
        found["prediction"] = label, TensorProto.DOUBLE, []
    return found


def _classes(network: TrainedNetwork, features: Any, graph: Graph) -> Outputs:
    """Return the classes of features, their probabilities where there are some, and positions."""
    from onnx import TensorProto

    found, z = _points(network, features, graph)
    if not z:
        return found
    number = graph.add("ArgMax", [z], axis=1, keepdims=0).name
    label = graph.add("Gather", [np.array(network.labels, dtype=object), number]).name
    found["class"] = number, TensorProto.INT64, []
    found["label"] = label, TensorProto.STRING, []
    if network.probabilistic:
        p = graph.add("Softmax", [z], axis=1).name
        found["probabilities"] = p, TensorProto.DOUBLE, [len(network.labels)]
    return found


def _drawn(network: TrainedNetwork, normal: Any, graph: Graph) -> Outputs:
    """Return the samples that standard normal numbers become."""
    from onnx import TensorProto

    model = steered_by(network)
    mean, factor = model.normal()
    x = _at_end(model.network, mean[:, None] + factor @ normal.T, graph)
    samples: Any = network.shift[:, None] + network.back @ x
    return {"samples": (samples.T.name, TensorProto.DOUBLE, [len(network.features)])}


@dataclass(frozen=True)
class Form:
    """What goes into the model of a network, and what comes out.

    Attributes:
        outputs: (network, symbol of the input, graph) -> the outputs.
        given: name of the input.
        columns: network -> number of its columns.
        labels: network -> the labels in the metadata.
    """

    outputs: Callable[[TrainedNetwork, Any, Graph], Outputs]
    given: str = "features"
    columns: Callable[[TrainedNetwork], int] = lambda network: len(network.features)
    labels: Callable[[TrainedNetwork], Sequence[str]] = lambda network: network.labels


FORMS: dict[str, Form] = {
    "classification": Form(_classes),
    "regression": Form(_number, labels=lambda network: [network.label]),
    "density": Form(_drawn, "normal", lambda network: network.dimension),
}
"""Task -> what goes into the model, and what comes out."""


def _at_end(network: TrainedNetwork, x: Any, graph: Graph) -> Any:
    """Return the points at T: every layer a loop over its steps."""
    residual, scheme, steps = network.residual, SCHEMES[network.order], network.steps_per_layer
    dt = network.final_time / residual.layers / steps
    for layer in range(residual.layers):

        def step(at: Any, layer: int = layer) -> Any:
            return advance(residual, layer, at, dt, scheme)

        x = step(x) if steps == 1 else graph.repeat(steps, step, x, network.dimension)
    return x


def onnx_bytes(network: TrainedNetwork) -> bytes:
    """Return the content of the file."""
    return bytes(onnx_model(network).SerializeToString())
