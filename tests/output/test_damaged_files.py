# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Files that are damaged or something else are refused in one sentence, and never misused."""

from mpi4py import MPI

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers import make_case, random_network
from mfresnet import archive
from mfresnet.archive import write_arrays
from mfresnet.arrays import Array
from mfresnet.case.case import load
from mfresnet.cli import app
from mfresnet.errors import InputError
from mfresnet.network.controls import Controls, ControlSpace, same_in_every_layer, stored_controls
from mfresnet.optimise.optimiser import Iteration
from mfresnet.output.run_directory import (
    COLUMNS,
    read_history,
    read_theta,
    write_controls,
    write_history,
)
from mfresnet.output.run_json import read_report
from mfresnet.runs.runner import run
from mfresnet.trained.exporters import export
from mfresnet.trained.loading import load_network, save_network
from mfresnet.trained.network import TrainedNetwork

NETWORK = random_network("wide", "tanh")
PARAMETERS = {"W": np.ones((2, 2)), "b": np.zeros(2)}
SPACE = ControlSpace(same_in_every_layer(PARAMETERS, 3), ("W", "b"), 1.0)
SHAPES = {"W": (2, 2), "b": (2,)}
HISTORY = [Iteration(k, 1.0 / (k + 1), 0.5**k, k, k, 0, 0.1 * k) for k in range(5)]


def write_weights(path: Path) -> None:
    torch.save({n: torch.from_numpy(SPACE.initial.values[n]) for n in SHAPES}, path)


def initial(path: Path) -> Controls:
    return stored_controls(path, SHAPES, (), 3)


FILES: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any]]] = {
    "network.npz": (lambda path: save_network(NETWORK, path), load_network),
    "controls.npz": (
        lambda path: write_controls(path, SPACE, np.arange(18.0)),
        lambda path: read_theta(path.parent, SPACE),
    ),
    "initial.npz": (lambda path: write_controls(path, SPACE, np.arange(18.0)), initial),
    "initial.pt": (write_weights, initial),
    "history.csv": (lambda path: write_history(path, HISTORY), read_history),
    "run.json": (lambda path: path.write_text("{}"), lambda path: read_report(path.parent)),
    "case.toml": (lambda path: path.write_text('title = "a"\n'), load),
}
"""Name -> how it is written, and how it is read."""


def same(a: Any, b: Any) -> bool:
    """Return whether two readings are equal."""
    if isinstance(a, TrainedNetwork):
        return same(a.to_arrays(), b.to_arrays())
    if isinstance(a, Controls):
        return same(dict(a.values), dict(b.values))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(v, b[n]) for n, v in a.items())
    return bool(np.array_equal(a, b))


def refused(read: Callable[[Path], Any], path: Path) -> str:
    """Return the sentence of a file that cannot be used."""
    with pytest.raises(InputError) as caught:
        read(path)
    text = str(caught.value)
    assert path.name in text and "\n" not in text and len(text) < 600, text
    return text


def damages(content: bytes, n: int, rng: np.random.Generator) -> list[bytes]:
    """Return n damages: bytes flipped, cut off, overwritten with zeros, doubled."""
    found = []
    for k in range(n):
        data, (a, b) = bytearray(content), sorted(rng.integers(len(content), size=2))
        if k % 4 == 0:
            data[a] ^= 1 << int(rng.integers(8))
        elif k % 4 == 1:
            data = data[:a]
        elif k % 4 == 2:
            data[a:b] = bytes(b - a)
        else:
            data[a:a] = data[a:b]
        found.append(bytes(data))
    return found


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".npz", ".pt"))])
def test_damage_is_found_or_changes_nothing(name: str, tmp_path: Path) -> None:
    (write, read), path = FILES[name], tmp_path / name
    write(path)
    content, whole, found = path.read_bytes(), read(path), 0
    for damaged in damages(content, 200, np.random.default_rng(3)):
        path.write_bytes(damaged)
        try:
            again = read(path)
        except InputError as error:
            found += 1
            assert "\n" not in str(error) and path.name in str(error)
        else:
            assert same(again, whole)
    assert found > 120


def test_every_bit_of_the_numbers_is_under_the_digest(tmp_path: Path) -> None:
    """Also where the checksum of the archive was made to fit again."""
    path, arrays = tmp_path / "network.npz", NETWORK.to_arrays()
    stored = np.asarray(archive.digest(arrays))
    np.savez(path, **arrays | {"W": np.nextafter(arrays["W"], 9.0), archive.DIGEST: stored})
    assert "digest" in refused(load_network, path)


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_file_of_this_kind(name: str, tmp_path: Path) -> None:
    """Nothing, a directory, a named pipe, no bytes, other bytes, another archive, a pickle."""
    read, path = FILES[name][1], tmp_path / name
    refused(read, path)
    if name != "network.npz":  # a directory may be that of a run
        path.mkdir()
        refused(read, path)
        path.rmdir()
    os.mkfifo(path)
    refused(read, path)
    path.unlink()
    others: list[Callable[[Path], Any]] = [
        lambda p: p.write_bytes(b"\x00\xff" * 50),
        lambda p: save_stream(p, {"a": np.array([{}, None], dtype=object)}),
        lambda p: save_stream(p, {"theta": np.array(["a", "b"]), "W": np.zeros(3)}),
        lambda p: torch.save(torch.nn.Linear(2, 3), p),
        lambda p: export(NETWORK, "onnx", p),
    ]
    for write in others if name.endswith("toml") else [lambda p: p.write_bytes(b""), *others]:
        write(path)
        refused(read, path)


def save_stream(path: Path, arrays: dict[str, Array]) -> None:
    """Write npz with whatever ending."""
    with path.open("wb") as stream:
        np.savez(stream, **arrays)


CHANGES: dict[str, Any] = {
    "block": np.asarray("wider"),
    "activation": np.asarray(3),
    "order": np.asarray(99),
    "steps_per_layer": np.asarray(0),
    "final_time": np.asarray(np.nan),
    "probabilistic": np.asarray("yes"),
    "features": np.array(["a", "b"]),
    "labels": np.array(["left"]),
    "matrix": np.zeros((4, 9)),
    "back": np.zeros((2, 4)),
    "shift": np.array([1.0, 2.0, np.inf, 0.0]),
    "task": np.asarray("density"),
    "start": np.asarray('{"kind": "gaussian", "mean": [0.0], "covariance": [[-1.0]]}'),
    "W": np.zeros((3, 5, 3)),
    "b": np.zeros((2, 5)),
    "V": np.zeros((3, 2, 5), dtype=complex),
    "c": np.full((3, 2), np.nan),
    "H": np.zeros((2, 2)),
    "U": np.zeros((3, 2)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_network_of_other_types_or_shapes(name: str, tmp_path: Path) -> None:
    """With a digest that fits: what is in the file is looked at as well."""
    path = tmp_path / "network.npz"
    write_arrays(path, NETWORK.to_arrays() | {name: CHANGES[name]})
    refused(load_network, path)
    arrays = NETWORK.to_arrays()
    if name in arrays:
        del arrays[name]
        write_arrays(path, arrays)
        refused(load_network, path)


def test_every_field_of_a_network_is_in_the_file() -> None:
    stored = set(NETWORK.to_arrays()) - set(NETWORK.parameters) - set(NETWORK.head)
    assert stored == {f.name for f in fields(TrainedNetwork)} - {"parameters", "head"}


@pytest.mark.parametrize(
    "arrays",
    [
        {"W": np.ones((0, 2, 2)), "b": np.ones((0, 2))},
        {"W": np.ones((3, 2, 2)), "b": np.ones((2, 2))},
        {"W": np.full((3, 2, 2), np.nan), "b": np.ones((3, 2))},
        {"W": np.full((3, 2, 2), "a"), "b": np.ones((3, 2))},
        {"W": np.ones((3, 2, 2), dtype=complex), "b": np.ones((3, 2))},
        {"W": np.asarray(1.0), "b": np.asarray(1.0)},
    ],
    ids=["no layers", "different depths", "not finite", "texts", "complex", "numbers"],
)
@pytest.mark.parametrize("ending", ["npz", "pt"])
def test_initial_controls_of_other_types_or_shapes(
    arrays: dict[str, Array], ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"initial.{ending}"
    if ending == "npz":
        np.savez(path, **arrays)
    elif arrays["W"].dtype.kind == "U":
        torch.save({"W": "a", "b": "b"}, path)
    else:
        torch.save({n: torch.from_numpy(np.array(v)) for n, v in arrays.items()}, path)
    assert refused(initial, path).startswith("initial.file: ")


@pytest.mark.parametrize("name", ["network.npz", "controls.npz", "initial.pt"])
def test_archive_that_expands(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that says that it is large; and one with an array larger than its bytes."""
    path, read = tmp_path / name, FILES[name][1]
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f8", "fortran_order": False, "shape": (2**45,)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("theta.npy", stream.getvalue() + bytes(10**6))
    refused(read, path)
    monkeypatch.setattr(archive, "MOST", 10**5)
    assert "expands" in refused(read, path)


HEAD = ",".join(COLUMNS)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "\n",
        HEAD + "\n0,1.0,,1,1,0,0.1\n",
        HEAD + "\n0,1.0,0.5,1,1,0\n",
        HEAD + "\n0,1.0,0.5,1,1,0,0.1,7\n",
        HEAD + "\n0.5,1.0,0.5,1,1,0,0.1\n",
        HEAD + "\n0,1.0,0.5,1,1,0,a\n",
        HEAD + "\n0,1.0,0.5,1,1,0,\0\n",
        HEAD + "\n0,1.0,0.5,1,1,0," + "1" * 200_000 + "\n",
        HEAD.replace("objective,", "") + "\n0,0.5,1,1,0,0.1\n",
    ],
    ids=["no rows", "an empty field", "a field too few", "a field too many", "half an iteration",
         "a word", "a zero byte", "a long field", "a column too few"],
)  # fmt: skip
def test_history_that_is_another_table(text: str, tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text(text)
    assert "history of a finished run" in refused(read_history, path)


def test_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", HISTORY)
    assert read_history(tmp_path / "history.csv") == HISTORY


BLOCKED = """
import importlib.abc, pathlib, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"dolfinx", "petsc4py", "basix", "ufl", "ffcx"}:
            raise ModuleNotFoundError(f"{name} is not here")

sys.meta_path.insert(0, Blocker())
import mfresnet
from mfresnet.__main__ import _start_petsc
from mfresnet.cli import app

_start_petsc([])
folder = pathlib.Path(sys.argv[1])
network = mfresnet.load_network(folder)
assert network.labels == ("left", "middle", "right")
lines = [
    ["predict", folder, folder / "table.csv", "--out", folder / "predicted.csv"],
    ["sample", folder / "density.npz", "5", "--out", folder / "new.csv"],
    *(["export", folder, folder / f"a.{to}", "--to", to] for to in ("npz", "torch", "onnx")),
]
for line in lines:
    assert app(list(map(str, line)), standalone_mode=False)() is None
bad = folder / "bad.npz"
bad.write_bytes((folder / "network.npz").read_bytes()[:-100])
for line in lines[:3]:
    try:
        app([str(word) for word in (line[0], bad, *line[2:])], standalone_mode=False)()
        assert False, line
    except mfresnet.InputError as error:
        text = str(error)
    assert "bad.npz: not a trained network" in text and "\\n" not in text, text
assert "mfresnet.case.case" not in sys.modules
"""


def test_a_trained_network_needs_no_mesh_and_no_case(tmp_path: Path) -> None:
    """Where DOLFINx, PETSc, Basix and UFL are not there."""
    save_network(NETWORK, tmp_path / "network.npz")
    start = '{"kind": "gaussian", "mean": [0.0, 0.0], "covariance": [[1.0, 0.0], [0.0, 1.0]]}'
    density = replace(NETWORK, head={}, probabilistic=False, task="density", start=start)
    save_network(density, tmp_path / "density.npz")
    rows = "\n".join(",".join(map(str, row)) for row in np.eye(4))
    (tmp_path / "table.csv").write_text(f"a,b,c,d\n{rows}\n")
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "network.npz").read_bytes()
    assert len((tmp_path / "predicted.csv").read_text().splitlines()) == 5


def test_run_directory_without_a_network(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text("")
    sentence = r"network\.npz: not a trained network \(No such file.*finished run"
    with pytest.raises(InputError, match=sentence):
        load_network(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run directory."""
    case = make_case("interval", training={"max_iterations": 1})
    return run(case, tmp_path_factory.mktemp("run") / "out", comm=MPI.COMM_SELF).directory


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("plot", ("case.toml", "controls.npz", "history.csv")),
        ("verify", ("case.toml", "controls.npz", "run.json")),
    ],
)
def test_commands_say_which_file_is_damaged(
    command: str, files: tuple[str, ...], finished: Path, tmp_path: Path
) -> None:
    """At once: before anything is drawn or verified."""
    for name in files:
        directory = tmp_path / name
        shutil.copytree(finished, directory)
        content = (directory / name).read_bytes()
        (directory / name).write_bytes(content[: len(content) // 2] + b"\0")
        work = app([command, str(directory)], standalone_mode=False)
        with pytest.raises(InputError, match=rf"{re.escape(name)}[^\n]*\Z"):
            work()
        (directory / name).unlink()
        os.mkfifo(directory / name)
        with pytest.raises(InputError, match=re.escape(name)):
            work()
