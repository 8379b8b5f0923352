# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The exported network elsewhere: PyTorch and onnxruntime give what ``predict`` gives."""

import ast
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from helpers import gaussian, imported, make_data_case, random_network, write_table
from mfresnet.case.case import parse
from mfresnet.errors import InputError
from mfresnet.network.activations import ACTIVATIONS, Activation
from mfresnet.network.blocks import BLOCKS
from mfresnet.trained.exporters import EXPORTERS, export
from mfresnet.trained.loading import load_network
from mfresnet.trained.network import TrainedNetwork
from mfresnet.trained.sampling import load_steered, log_density, sample, steered_by
from mfresnet.trained.to_onnx import OPSET

SAMPLES = np.random.default_rng(3).standard_normal((100_000, 4))
SAMPLES[:5000] *= 20.0  # where activations saturate
BOTH = [(b, a) for b in BLOCKS for a in ACTIVATIONS]


def by_npz(path: Path) -> dict[str, Any]:
    network = load_network(path)
    return {
        "positions": network.positions(SAMPLES),
        "probabilities": network.probabilities(SAMPLES),
        "class": network.predict(SAMPLES),
    }


def by_torch(path: Path) -> dict[str, Any]:
    module, features = imported(path.with_suffix(".py")), torch.from_numpy(SAMPLES)
    network = module.load()
    with torch.no_grad():
        positions = network(features)
    return {
        "positions": positions.numpy(),
        "probabilities": network.probabilities(features).numpy(),
        "class": network.predict(features).numpy(),
    }


def by_onnx(path: Path) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"features": SAMPLES}), strict=True))


READERS = {"npz": by_npz, "torch": by_torch, "onnx": by_onnx}


@pytest.fixture(scope="module")
def predicted() -> dict[tuple[str, str], dict[str, Any]]:
    return {}


@pytest.mark.parametrize("to", EXPORTERS)
@pytest.mark.parametrize(("block", "activation"), BOTH)
def test_agreement(
    to: str, block: str, activation: str, tmp_path: Path, predicted: dict[Any, Any]
) -> None:
    """To 1e-12 in float64 on 100,000 samples; the class as well but where two scores are equal."""
    network = random_network(block, activation)
    if (block, activation) not in predicted:
        predicted[block, activation] = {
            "positions": network.positions(SAMPLES),
            "probabilities": network.probabilities(SAMPLES),
            "class": network.predict(SAMPLES),
        }
    expected = predicted[block, activation]
    export(network, to, tmp_path / f"network.{to}")
    found = READERS[to](tmp_path / f"network.{to}")
    for name in ("positions", "probabilities"):
        assert found[name].dtype == np.float64
        scale = np.maximum(np.abs(expected[name]).max(axis=1, keepdims=True), 1.0)
        assert np.max(np.abs(found[name] - expected[name]) / scale) < 1e-12, name
    np.testing.assert_array_equal(found["class"], expected["class"])
    if to == "onnx":
        np.testing.assert_array_equal(found["label"], np.array(network.labels)[expected["class"]])


@pytest.mark.smoke
@pytest.mark.parametrize("to", ["torch", "onnx"])
@pytest.mark.parametrize("changes", [{"order": 1, "steps": 1}, {"order": 4, "steps": 3, "d": 3}])
def test_schemes_and_targets(to: str, changes: dict[str, int], tmp_path: Path) -> None:
    """A plain ResNet, the fourth order; classes without probabilities."""
    network = random_network("square", "tanh", probabilistic=False, **changes)  # type: ignore[arg-type]
    export(network, to, tmp_path / "a.net")
    if to == "torch":
        module = imported(tmp_path / "a.py")
        assert not hasattr(module.Network, "probabilities")
        given = module.load()(torch.from_numpy(SAMPLES)).detach().numpy()
    else:
        found = by_onnx(tmp_path / "a.net")
        assert "probabilities" not in found
        given = found["positions"]
    np.testing.assert_allclose(given, network.positions(SAMPLES), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("to", EXPORTERS)
def test_network_without_classes(to: str, tmp_path: Path) -> None:
    """The steering of one analytic density to another has positions only."""
    network = random_network("square", "sin")
    arrays = {n: v for n, v in network.to_arrays().items() if n not in ("H", "h")}
    network = TrainedNetwork.from_arrays(arrays | {"probabilistic": np.array(False)})
    export(network, to, tmp_path / "a.npz")
    if to == "onnx":
        assert set(by_onnx(tmp_path / "a.npz")) == {"positions"}
    elif to == "torch":
        assert not hasattr(imported(tmp_path / "a.py").Network, "predict")
    else:
        assert not load_network(tmp_path / "a.npz").head


def a_regression(block: str, activation: str) -> TrainedNetwork:
    network = random_network(block, activation, probabilistic=False)
    head = {"H": 40.0 * network.head["H"][:1], "h": np.array([900.0])}
    return replace(network, head=head, task="regression", labels=("samples",), label="price")


@pytest.mark.parametrize("to", ["torch", "onnx"])
@pytest.mark.parametrize(("block", "activation"), BOTH)
def test_regression(to: str, block: str, activation: str, tmp_path: Path) -> None:
    """The label in its own units, from the features."""
    network = a_regression(block, activation)
    expected = network.predict(SAMPLES)
    export(network, to, tmp_path / "a.net")
    if to == "torch":
        module = imported(tmp_path / "a.py")
        assert module.LABEL == "price"
        given = module.load().predict(torch.from_numpy(SAMPLES)).numpy()
    else:
        found = by_onnx(tmp_path / "a.net")
        assert set(found) == {"positions", "prediction"}
        given = found["prediction"]
    assert given.shape == (100_000,)
    assert np.max(np.abs(given - expected) / np.maximum(np.abs(expected), 1.0)) < 1e-12


def a_density(block: str, activation: str, start: dict[str, Any] | None = None) -> TrainedNetwork:
    """Return a steering network; order and steps are those of the density, not of samples."""
    network = random_network(block, activation, order=1, steps=1, probabilistic=False)
    given = gaussian([0.2, -0.1], [[0.3, 0.1], [0.1, 0.4]]) if start is None else start
    return replace(network, head={}, task="density", labels=("samples",), start=json.dumps(given))


@pytest.mark.parametrize("to", EXPORTERS)
@pytest.mark.parametrize(("block", "activation"), BOTH)
def test_density(to: str, block: str, activation: str, tmp_path: Path) -> None:
    """Normal numbers become the samples that the library draws from them; torch: their density."""
    network, n = a_density(block, activation), 20_000
    normal = np.random.default_rng(8).standard_normal((2, n))
    expected = sample(steered_by(network), n, seed=8)
    export(network, to, tmp_path / "a.npz")
    if to == "npz":
        given = sample(load_steered(tmp_path / "a.npz"), n, seed=8)
    elif to == "onnx":
        session = onnxruntime.InferenceSession(tmp_path / "a.npz")
        (given,) = session.run(["samples"], {"normal": np.ascontiguousarray(normal.T)})
    else:
        module = imported(tmp_path / "a.py").load()
        given = module(torch.from_numpy(normal.T.copy())).detach().numpy()
        at = torch.from_numpy(expected[:5000])
        found, ours = module.log_density(at), log_density(steered_by(network), expected[:5000])
        assert not found.requires_grad
        np.testing.assert_allclose(found.numpy(), ours, rtol=1e-11, atol=1e-11)
        drawn = [module.sample(7, torch.Generator().manual_seed(k)).numpy() for k in (1, 1, 2)]
        np.testing.assert_array_equal(drawn[0], drawn[1])
        assert drawn[2].shape == (7, 4) and not np.array_equal(drawn[1], drawn[2])
    scale = np.maximum(np.abs(expected), 1.0)
    assert np.max(np.abs(given - expected) / scale) < 1e-12


@pytest.mark.parametrize("to", ["torch", "onnx"])
def test_start_that_is_no_gaussian(to: str, tmp_path: Path) -> None:
    start = {"kind": "uniform_ball", "mean": [0.0, 0.0], "radius": 1.0}
    network = a_density("square", "tanh", start)
    with pytest.raises(InputError, match=r"^start\.kind: only a Gaussian .*; got uniform_ball"):
        export(network, to, tmp_path / "a.net")
    assert not list(tmp_path.iterdir())
    export(network, "npz", tmp_path / "a.npz")
    assert sample(load_steered(tmp_path / "a.npz"), 5).shape == (5, 4)


def test_torch_module_is_short_and_needs_torch_alone(tmp_path: Path) -> None:
    weights, module = export(random_network("wide", "softplus"), "torch", tmp_path / "net.pt")
    state = torch.load(weights, weights_only=True)
    assert set(state) == {"shift", "matrix", "W", "b", "V", "c", "H", "h"}
    tree = ast.parse(module.read_text())
    names = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    names |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert names == {"pathlib", "torch"}
    assert len(module.read_text().splitlines()) < 90
    assert imported(module).LABELS == ("left", "middle", "right")


def test_onnx_model_says_what_it_is(tmp_path: Path) -> None:
    (path,) = export(random_network("square", "relu"), "onnx", tmp_path / "net.onnx")
    model = onnx.load(path)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]
    properties = {p.key: json.loads(p.value) for p in model.metadata_props}
    assert properties == {"features": list("abcd"), "labels": ["left", "middle", "right"]}
    # the number of nodes does not grow with the steps
    many = onnx.load(export(random_network("square", "relu", steps=50), "onnx", path)[0])
    assert len(many.graph.node) == len(model.graph.node)


def test_function_that_onnx_has_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Activation(np.arctan, np.cos, np.sin, 2.0, "torch.arctan(u)")
    monkeypatch.setitem(ACTIVATIONS, "arctan", row)
    with pytest.raises(InputError, match=r"^--to onnx: no operator; got arctan, expected one of"):
        export(random_network("square", "arctan"), "onnx", tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("to", ["torch", "onnx"])
def test_missing_package(to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, to, None)
    with pytest.raises(InputError, match=rf"^--to {to}: needs the package {to}; got none inst"):
        export(random_network("square", "tanh"), to, tmp_path / "net.pt")
    assert not list(tmp_path.iterdir())


def test_refusals(tmp_path: Path) -> None:
    network = random_network("square", "tanh")
    (tmp_path / "train.py").write_text("mine = 1\n")
    for to, name, text in (
        ("onyx", "a.onnx", r"^--to: unknown name; got 'onyx'.*Did you mean 'onnx'"),
        ("npz", "none/a.npz", r"^FILE: cannot be written"),
        ("torch", "train.pt", r"^FILE: the module would replace"),
        ("torch", "a.py", r"^FILE: the name of the module"),
    ):
        with pytest.raises(InputError, match=text):
            export(network, to, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]


# ---------------------------------------------------------------------- the way back
@pytest.mark.parametrize("block", BLOCKS)
def test_exported_weights_are_initial_controls(block: str, tmp_path: Path) -> None:
    network = random_network(block, "tanh")
    export(network, "torch", tmp_path / "net.pt")
    case = make_data_case(
        tmp_path,
        network={"layers": 6, "block": block} | ({"width": 5} if block == "wide" else {}),
        mesh={"lower": [-9.0, -9.0], "upper": [9.0, 9.0]},
        loss={"kind": "cross_entropy"},
        initial={"kind": "file", "file": str(tmp_path / "net.pt")},
    )
    controls = case.initial_controls(3)
    for name, array in network.parameters.items():
        np.testing.assert_array_equal(controls.values[name], np.repeat(array, 2, axis=0))
    np.testing.assert_array_equal(controls.values["H"], network.head["H"])


def test_head_of_a_regression_is_no_initial_head(tmp_path: Path) -> None:
    """It is in the units of the label, where a training starts in those of the mesh."""
    export(a_regression("square", "tanh"), "torch", tmp_path / "net.pt")
    write_table(tmp_path / "a.csv", {n: np.arange(9.0) ** k for k, n in enumerate("abcy", 1)})
    case = parse(
        {
            "task": "regression",
            "mesh": {"cell": "hexahedron"},
            "data": {"file": "a.csv", "label": "y", "features": ["a", "b"]},
            "initial": {"kind": "file", "file": "net.pt"},
        },
        tmp_path,
    )
    with pytest.raises(InputError, match=r"^initial\.file: does not fit the network; got H of"):
        case.initial_controls(1)


@pytest.mark.parametrize("block", BLOCKS)
def test_weights_of_a_torch_network(block: str, tmp_path: Path) -> None:
    """A residual network of linear modules, layers of step one, in float32."""
    torch.manual_seed(1)
    linear = torch.nn.Linear
    modules = [linear(2, 2)] * 0
    for _ in range(3):
        modules += [linear(2, 2)] if block == "square" else [linear(2, 5), linear(5, 2)]
    modules.append(linear(2, 2))
    torch.save(torch.nn.ModuleList(modules).state_dict(), tmp_path / "net.pth")
    case = make_data_case(
        tmp_path,
        network={"layers": 3, "final_time": 3.0, "inference": "euler", "block": block}
        | ({"width": 5} if block == "wide" else {}),
        mesh={"lower": [-9.0, -9.0], "upper": [9.0, 9.0]},
        loss={"kind": "cross_entropy"},
        initial={"kind": "file", "file": str(tmp_path / "net.pth")},
    )
    controls = case.initial_controls(2)
    network = TrainedNetwork(
        ("a", "b"), ("0", "1"), np.zeros(2), np.eye(2), np.eye(2), block, "tanh",
        {n: v for n, v in controls.values.items() if n not in controls.head}, 3.0, 1, 1,
        controls.of_head(), True,
    )  # fmt: skip
    x = torch.from_numpy(SAMPLES[:50, :2])
    with torch.no_grad():
        for module in modules:
            module.double()
        for i in range(3):
            hidden = torch.tanh(modules[i if block == "square" else 2 * i](x))
            x = x + (hidden if block == "square" else modules[2 * i + 1](hidden))
        p = modules[-1](x).softmax(dim=1)
    np.testing.assert_allclose(network.probabilities(SAMPLES[:50, :2]), p.numpy(), rtol=1e-12)


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(3, 2).state_dict(), tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("no")
    for name, text in (
        ("other.pt", r"^initial\.file: does not fit the network; got arrays of shape \(2, 3\)"),
        ("text.pt", r"^initial\.file: cannot be read; got .*state dictionary"),
    ):
        case = make_data_case(tmp_path, initial={"kind": "file", "file": str(tmp_path / name)})
        with pytest.raises(InputError, match=text) as caught:
            case.initial_controls(2)
        assert "\n" not in str(caught.value)
