# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The case file: what is filled in, and a sentence for every mistake."""

from mpi4py import MPI

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import gaussian, make_case
from mfresnet.case.case import Case, load, parse
from mfresnet.case.completion import resolve
from mfresnet.case.population import populate
from mfresnet.errors import MOST, InputError, shortened
from mfresnet.mesh.file import read

CASES = sorted((Path(__file__).parents[2] / "cases").glob("*.toml"))
CLASS = {"density": gaussian([0.0, 0.0], [[0.1, 0.0], [0.0, 0.1]]), "target": [1.0, 0.0]}


def messages(data: dict[str, Any]) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse(data)
    return caught.value.messages


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_cases_of_the_project(path: Path) -> None:
    """Each has a comment on what it shows, a title, and survives writing and reading."""
    assert path.read_text().startswith("# ")
    case = load(path)
    assert case.title
    resolved = filled(case)
    assert parse_toml(resolved.to_toml()) == resolved == filled(resolved)


def filled(case: Case) -> Case:
    return resolve(case, populate(case, MPI.COMM_SELF))


def parse_toml(text: str) -> Case:
    import tomllib

    return parse(tomllib.loads(text))


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown section": ({"trainng": {}}, r"^trainng: unknown key; .* Did you mean 'training'\?"),
    "unknown key": (
        {"network": {"layer": 3}},
        r"^network\.layer: unknown key; got 'layer', expected one of .* Did you mean 'layers'\?",
    ),
    "unknown name": (
        {"network": {"activation": "rleu"}},
        r"^network\.activation: unknown name; got 'rleu', expected one of .*Did you mean 'relu'\?",
    ),
    "unknown cell": ({"mesh": {"cell": "pyramid"}}, r"^mesh\.cell: unknown name; got 'pyramid'"),
    "unknown method": (
        {"training": {"method": "adam"}},
        r"^training\.method: unknown name; got 'adam', expected one of blmvm, .*lmvm",
    ),
    "wrong type": (
        {"network": {"layers": "many"}},
        r"^network\.layers: wrong value; got 'many', expected a valid integer",
    ),
    "fraction": ({"network": {"layers": 2.5}}, r"^network\.layers: wrong value; got 2\.5"),
    "path": (
        {"data": {"file": 3, "label": "y"}, "classes": []},
        r"^data\.file: wrong value; got 3, expected a path in quotes\.",
    ),
    "list": (
        {"data": {"file": "a.csv", "label": "y", "features": "b"}, "classes": []},
        r"^data\.features: wrong value; got 'b', expected a list\.",
    ),
    "empty list": (
        {"data": {"file": "a.csv", "label": "y", "features": []}, "classes": []},
        r"got \[\], expected a longer list\.",
    ),
    "table": (
        {"data": {"file": "a.csv", "label": "y", "reduce": "pca"}, "classes": []},
        r"^data\.reduce: wrong value; got 'pca', expected a table\.",
    ),
    "zero": ({"network": {"layers": 0}}, r"^network\.layers: .*got 0, expected greater than 0"),
    "not finite": (
        {"network": {"final_time": float("nan")}},
        r"^network\.final_time: wrong value; got nan",
    ),
    "negative": (
        {"penalty": {"tikhonov": -1.0}},
        r"^penalty\.tikhonov\.weight: wrong value; got -1\.0",
    ),
    "degree": ({"space": {"degree": 7}}, r"^space\.degree: wrong value; got 7, expected less"),
    "no such scheme": (
        {"time": {"order": 3, "stages": 11}},
        r"^time\.stages: there is no scheme of order 3 for degree 2; got 11, expected one of 3, 4,",
    ),
    "limiter and stages": (
        {"time": {"limiter": "zhang_shu", "stages": 6}},
        r"^time\.stages: a limiter needs as many stages as the order; got 6 with order 3,",
    ),
    "unstable pair": (
        {"time": {"order": 2}},
        r"^time\.order: unstable with degree 2 .*one of 3, 4",
    ),
    "unknown flux": ({"space": {"flux": "central"}}, r"^space\.flux: unknown name; got 'central'"),
    "flux without a bound": (
        {"space": {"flux": "lax_friedrichs"}, "network": {"activation": "softplus"}},
        r"^space\.flux: needs a bounded velocity; got lax_friedrichs with activation softplus",
    ),
    "memory": (
        {"resources": {"memory": "plenty"}},
        r"^resources\.memory: wrong value; got 'plenty', expected a number and one of kB, MB",
    ),
    "two points": ({"resources": {"disk": "1..2 GB"}}, r"^resources\.disk: .*got '1\.\.2 GB'"),
    "length of cells": (
        {"mesh": {"cells": [3, 3, 3]}},
        r"^mesh\.cells: wrong length; got 3, expected 2 for mesh\.cell quadrilateral",
    ),
    "corners": (
        {"mesh": {"lower": [0.0, 0.0], "upper": [1.0, -1.0]}},
        r"^mesh\.upper: not above mesh\.lower",
    ),
    "no mesh": ({"mesh": {"kind": "file"}}, r"^mesh\.file: missing"),
    "file of a box": ({"mesh": {"file": "a.msh"}}, r"^mesh\.file: only for kind file"),
    "corners of a file": (
        {"mesh": {"kind": "file", "file": "a.msh", "lower": [0.0, 0.0]}},
        r"^mesh\.lower: only for kind box",
    ),
    "no box": (
        {"network": {"activation": "relu"}, "mesh": {"cells": [8, 8]}},
        r"^mesh\.lower: missing; .*activation relu is unbounded",
    ),
    "no classes": ({"classes": []}, r"^classes: missing"),
    "classes and data": (
        {"data": {"file": "x.csv", "label": "y"}},
        r"^classes: not together with \[data\]",
    ),
    "targets of classes": ({"loss": {"targets": {"a": [0.0, 0.0]}}}, r"^loss\.targets: only with"),
    "no label": ({"data": {"file": "x.csv"}}, r"^data\.label: missing"),
    "scale": (
        {"data": {"file": "x.csv", "label": "y", "scale": "standrd"}},
        r"^data\.scale: unknown name; got 'standrd'.*Did you mean 'standard'\?",
    ),
    "bandwidth": (
        {"data": {"file": "x.csv", "label": "y", "bandwidth": "scot"}},
        r"^data\.bandwidth: wrong value; got 'scot', expected scott, .*Change data\.bandwidth\.$",
    ),
    "no target": ({"classes": [{"density": CLASS["density"]}]}, r"^classes\.0\.target: missing"),
    "no density": ({"classes": [{"target": [0.0, 0.0]}]}, r"^classes\.0\.density: missing"),
    "unknown density": (
        {"classes": [CLASS | {"density": {"kind": "gausian"}}]},
        r"^classes\.0\.density\.kind: unknown name; got 'gausian'.*Did you mean 'gaussian'\?",
    ),
    "key of a density": (
        {"classes": [CLASS | {"density": gaussian([0, 0], [[1, 0], [0, 1]]) | {"std": 1}}]},
        r"^classes\.0\.density\.std: unknown key; .* covariance, kind, mean",
    ),
    "dimension of a density": (
        {"classes": [CLASS | {"density": gaussian([0.0], [[1.0]])}]},
        r"^classes\.0\.density\.mean: wrong length; got 1, expected 2",
    ),
    "covariance": (
        {"classes": [CLASS | {"density": gaussian([0, 0], [[1, 2], [2, 1]])}]},
        r"^classes\.0\.density\.covariance: .*positive eigenvalues",
    ),
    "weights": ({"classes": [CLASS | {"weight": 0.7}]}, r"^classes\.weight: wrong sum; got 0\.7"),
    "labels": (
        {"classes": [CLASS | {"label": "a"}, CLASS | {"label": "a"}]},
        r"^classes\.label: not unique",
    ),
    "trainable": (
        {"network": {"trainable": ["W", "V"]}},
        r"^network\.trainable: unknown name; got 'V', expected some of W, b",
    ),
    "trainable twice": (
        {"network": {"trainable": ["W", "W"]}},
        r"^network\.trainable: a name twice",
    ),
    "no values": ({"initial": {"kind": "values"}}, r"^initial\.W: missing"),
    "values without kind": ({"initial": {"b": [0, 0]}}, r"^initial\.b: only for kind values"),
    "shape of values": (
        {"initial": {"kind": "values", "W": [[1.0, 0.0]], "b": [0.0, 0.0]}},
        r"^initial\.W: wrong shape; .*expected shape \(2, 2\)",
    ),
    "bounds": (
        {"training": {"lower": 1.0, "upper": 0.0}},
        r"^training\.upper: not above training\.lower",
    ),
    "no width": (
        {"network": {"block": "wide"}, "mesh": {"lower": [-1, -1], "upper": [1, 1]}},
        r"^network\.width: missing; .* block wide",
    ),
    "width of a square block": (
        {"network": {"width": 3}},
        r"^network\.width: not for block square; got 3",
    ),
    "no box for a wide block": (
        {"network": {"block": "wide", "width": 3}, "mesh": {"cells": [8, 8]}},
        r"^mesh\.lower: missing; .*block wide with activation tanh is unbounded",
    ),
    "critical start": (
        {"network": {"block": "wide", "width": 3}, "initial": {"kind": "zero"}},
        r"^initial\.kind: not for block wide, .* got zero, expected random",
    ),
    "unknown parameter": (
        {"initial": {"kind": "values", "w": 1.0}},
        r"^initial\.w: unknown key; got 'w', expected one of W, b, file, kind",
    ),
    "file without kind": ({"initial": {"file": "x.npz"}}, r"^initial\.file: goes with kind file"),
    "penalty": (
        {"penalty": {"tikonov": 1.0}},
        r"^penalty\.tikonov: unknown key; .* Did you mean 'tikhonov'\?",
    ),
    "key of a penalty": (
        {"penalty": {"l1": {"weight": 1.0, "smothing": 1.0}}},
        r"^penalty\.l1\.smothing: unknown key; .*smoothing, weight",
    ),
    "one class to tell apart": (
        {"loss": {"kind": "cross_entropy"}},
        r"^loss\.kind: nothing to tell apart",
    ),
    "levels": (
        {"training": {"levels": [{"cells": [4, 4], "layers": 3}]}},
        r"^training\.levels\.0\.layers: .* got 3, expected a divisor of 10",
    ),
    "cells of a level": (
        {"training": {"levels": [{"cells": [4], "layers": 5}]}},
        r"^training\.levels\.0\.cells: wrong length; got 1, expected 2",
    ),
    "seeds": ({"training": {"seeds": [1, 2]}}, r"^training\.seeds: only for random starts"),
    "hamiltonian": (
        {"training": {"method": "maximum_principle"}, "penalty": {"tikhonov": 0.0}},
        r"^training\.method: the Hamiltonian has no least value",
    ),
    "method without bounds": (
        {"training": {"lower": 1.0, "method": "cg"}},
        r"^training\.method: cannot keep .*expected one of blmvm",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name: str) -> None:
    data, pattern = MISTAKES[name]
    found = messages({"classes": [CLASS]} | data)
    assert any(re.search(pattern, text) for text in found), found
    for text in found:
        assert "\n" not in text and text.endswith((".", "?")), text


def test_all_mistakes_at_once() -> None:
    found = messages({
        "mesh": {"cel": "quadrilateral"},
        "space": {"degree": 9},
        "network": {"activation": "rleu"},
        "initial": {"seed": "x"},
        "classes": [CLASS],
    })  # fmt: skip
    places = [text.split(":")[0] for text in found]
    assert sorted(places) == ["initial.seed", "mesh.cel", "network.activation", "space.degree"]
    found = messages({
        "classes": [CLASS | {"weight": 0.5}], "time": {"order": 1}, "initial": {"kind": "values"}
    })  # fmt: skip
    assert len(found) == 4


def test_fields_that_this_dolfinx_cannot_write(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"classes": [CLASS], "output": {"bp": True}}
    assert parse(data).output.endings() == [".pvd", ".bp"]
    monkeypatch.setattr("dolfinx.has_adios2", False)
    assert messages(data)[0].startswith("output.bp: DOLFINx is built without ADIOS2; got true")


def test_plain_numbers_on_the_line() -> None:
    classes = [{"density": gaussian(0.5, 0.04), "target": 2}]
    case = make_case("interval", classes=classes, mesh={"cells": 7, "lower": -1, "upper": 3})
    assert case.cells() == [7]
    assert case.classes[0].target == [2.0]
    initial = make_case("interval", initial={"kind": "values", "W": 2.0, "b": [1.0]})
    assert initial.initial_controls(2).W.tolist() == [[[2.0]]] * 3


def test_what_is_filled_in() -> None:
    case = parse({"classes": [CLASS, CLASS | {"label": "other"}], "training": {"upper": 1.0}})
    resolved = filled(case)
    assert resolved.training.method == "blmvm"
    assert resolved.mesh.cells == [32, 32]
    np.testing.assert_allclose(resolved.mesh.upper, 6 * np.sqrt(0.1) + 1.0)
    assert [c.weight for c in resolved.classes] == [0.5, 0.5]
    assert [c.label for c in resolved.classes] == ["0", "other"]


def test_overrides(tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(parse({"classes": [CLASS]}).to_toml())
    settings = ["network.layers=4", "network.activation=relu", "mesh.lower=[-4, -4]"]
    settings += ["mesh.upper=[4.0, 4.0]", "classes.0.target=[0.5, 0.5]", 'title="a = b"']
    case = load(path, settings)
    assert case.network.layers == 4
    assert case.network.activation == "relu"
    assert case.mesh.lower == [-4.0, -4.0]
    assert case.classes[0].target == [0.5, 0.5]
    assert case.title == "a = b"
    for wrong in ("network.layers", "classes.7.weight=1", "title.x=1", "=3"):
        with pytest.raises(InputError, match="--set"):
            load(path, [wrong])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml: cannot be read"):
        load(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)
    broken = tmp_path / "broken.toml"
    broken.write_text("[mesh\ncells = 3")
    with pytest.raises(InputError, match=r"not a TOML file; .*line 1"):
        load(broken)
    broken.write_bytes(b"title = '\xff'")
    with pytest.raises(InputError, match="not a TOML file"):
        load(broken)


LONG = {"letters": "x" * 100_000, "words": "nine " * 20_000 + "end"}
ENDLESS: dict[str, Callable[[str], dict[str, Any]]] = {
    "section": lambda name: {name: {}},
    "key": lambda name: {"mesh": {name: 1}},
    "name": lambda name: {"network": {"activation": name}},
    "value": lambda name: {"space": {"degree": name}},
    "kind": lambda name: {"loss": {"kind": name}},
    "labels": lambda name: {"classes": [CLASS | {"label": name}] * 2},
    "formula": lambda name: {"classes": [CLASS | {"density": {"kind": "expression",
        "lower": [0, 0], "upper": [1, 1], "expression": name}}]},
}  # fmt: skip


@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize("place", ENDLESS)
def test_a_name_that_is_too_long_is_not_shown_whole(place: str, kind: str, tmp_path: Path) -> None:
    """The place at the start and the advice at the end of the sentence are."""
    found = messages({"classes": [CLASS]} | ENDLESS[place](LONG[kind]))
    assert found
    for text in found:
        assert len(text) <= MOST and text.endswith((".", "?")), text[-100:]
        if place not in ("section", "key"):
            assert re.match(r"[a-z.0-9]+: ", text), text
    path = tmp_path / "case.toml"
    path.write_text(parse({"classes": [CLASS]}).to_toml())
    for wrong in (LONG[kind], f"{LONG[kind]}=1", f"title.{LONG[kind]}=1", f"mesh={LONG[kind]}"):
        with pytest.raises(InputError) as caught:
            load(path, [wrong])
        assert all(len(text) <= MOST for text in caught.value.messages)
    for fails in (load, lambda path: read(MPI.COMM_SELF, path.with_suffix(".msh"), "triangle")):
        with pytest.raises(InputError) as caught:
            fails(tmp_path / LONG[kind])
        assert len(str(caught.value)) <= MOST


def test_mistakes_of_odd_keys_are_a_line_each() -> None:
    with pytest.raises(InputError) as caught:
        parse({"\n": 1, "a\x1b[31m": 2})
    assert [m for m in caught.value.messages if not m.isprintable()] == []
    assert len(str(caught.value).splitlines()) == len(caught.value.messages) == 2


def test_what_is_short_is_shown_whole() -> None:
    text = "data.file: no such file; got /a/" + "b" * 150 + "/c.csv, expected a table."
    assert shortened(text) == text
    assert shortened("a\nb\x1b[31m \u202ec\udcff") == r"a\nb\x1b[31m \u202ec\udcff"
    cut = shortened("a: got " + "b" * 150_000 + ", expected c. Do d.")
    assert len(cut) < 300 and cut.startswith("a: got bbb") and cut.endswith("b, expected c. Do d.")
    assert "(150001 letters)" in cut
    assert shortened(cut) == cut


def test_constructor_says_a_sentence_too() -> None:
    """In Python a case that is wrong is refused as a file is."""
    density = {"kind": "gaussian", "mean": [0.0], "covariance": [[1.0]]}
    right = {"mesh": {"cell": "interval"}, "classes": [{"density": density, "target": [0.0]}]}
    assert Case(**right) == parse(right)
    with pytest.raises(InputError, match=r"network\.activation: unknown name; got 'linear'"):
        Case(**right, network={"activation": "linear"})
    with pytest.raises(InputError, match="classes: missing; got none"):
        Case()
    with pytest.raises(InputError, match="1: unknown key"):
        parse({1: 2})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("n", "what"),
    [
        (1, "Set mesh.cell to interval, or take"),
        (3, "Set mesh.cell to tetrahedron or hexahedron, or take"),
    ],
)
def test_columns_that_no_cell_fits(n: int, what: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [",".join(map(repr, x.tolist())) + f",{k % 2}" for k, x in
            enumerate(rng.standard_normal((20, n)))]  # fmt: skip
    names = [*"abcd"[:n], "label"]
    (tmp_path / "a.csv").write_text("\n".join([",".join(names), *rows]) + "\n")
    case = parse({"mesh": {"cells": [8, 8]}, "data": {"file": "a.csv", "label": "label"}}, tmp_path)
    with pytest.raises(InputError, match=f"got quadrilateral for {n} coordinates") as caught:
        populate(case, MPI.COMM_SELF)
    assert what in str(caught.value)
