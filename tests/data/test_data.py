# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Samples from a file: what is read, how it is split and scaled, a sentence for every mistake."""

from mpi4py import MPI

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import RobustScaler, StandardScaler

from helpers import write_table
from mfresnet.data.section import DataSection
from mfresnet.data.tables import dataset as data
from mfresnet.data.tables import formats as tables
from mfresnet.data.tables import splits, survey
from mfresnet.data.tables import text as text_table
from mfresnet.data.tables.dataset import Dataset, load_data
from mfresnet.errors import InputError

RNG = np.random.default_rng(8)
N = 60


def good() -> dict[str, Any]:
    """Return 60 samples of two classes with four features."""
    y = np.arange(N) % 3 == 0
    x = RNG.standard_normal((N, 4)) * [1.0, 20.0, 0.3, 5.0] + np.outer(y, [2.0, 10.0, 0.0, 1.0])
    columns: dict[str, Any] = {f"x{i}": x[:, i] for i in range(4)}
    return columns | {"kind": np.where(y, "pear", "apple")}


def read(path: Path, **keys: Any) -> Dataset:
    reduce = {"kind": "pca", "dimension": 2}
    section = DataSection.model_validate({"file": path, "label": "kind", "reduce": reduce} | keys)
    return load_data(section, MPI.COMM_SELF)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.CSV", "a.npz", "a.parquet", "a.h5"])
def test_reading(name: str, tmp_path: Path) -> None:
    dataset = read(write_table(tmp_path / name, good()))
    assert dataset.labels == ("apple", "pear")
    assert sorted(dataset.features) == ["x0", "x1", "x2", "x3"]
    assert dataset.train.x.shape == (2, 42) and dataset.test.x.shape == (2, 18)
    assert np.bincount(dataset.train.y).tolist() == [28, 14]
    assert np.bincount(dataset.test.y).tolist() == [12, 6]


def test_numbers_as_labels_and_columns_by_name(tmp_path: Path) -> None:
    columns = good() | {"kind": np.arange(N) % 2}
    path = write_table(tmp_path / "a.csv", columns)
    dataset = read(path, features=["x2", "x0"], reduce=None, scale="none", test_fraction=0.0)
    assert dataset.labels == ("0", "1")
    assert dataset.test.y.size == 0
    np.testing.assert_array_equal(dataset.train.x, np.array([columns["x2"], columns["x0"]]))


@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize(
    ("scale", "maker"), [("standard", StandardScaler), ("robust", RobustScaler), ("none", None)]
)
def test_scaling_and_reduction(scale: str, maker: Any, whiten: bool, tmp_path: Path) -> None:
    """They are scikit-learn's, made from the training part alone, and the matrix repeats them."""
    columns = good()
    reduce = {"kind": "pca", "dimension": 3, "whiten": whiten}
    dataset = read(write_table(tmp_path / "a.csv", columns), scale=scale, reduce=reduce)
    x = np.stack([columns[f"x{i}"] for i in range(4)], axis=1)
    train = read(
        tmp_path / "a.csv", scale="none", reduce=None, features=["x0", "x1", "x2"]
    ).train.x[0]
    rows = np.flatnonzero(np.isin(x[:, 0], train))
    scaled = x if maker is None else maker().fit(x[rows]).transform(x)
    expected = PCA(3, whiten=whiten, svd_solver="full").fit(scaled[rows]).transform(scaled)
    expected *= np.sign(np.sum(expected[rows] * dataset.train.x.T, axis=0))
    np.testing.assert_allclose(dataset.train.x.T, expected[rows], atol=1e-11)
    others = np.setdiff1d(np.arange(N), rows)
    np.testing.assert_allclose(dataset.test.x.T, expected[others], atol=1e-11)
    pca = PCA(3, whiten=whiten, svd_solver="full").fit(scaled[rows])
    given = pca.inverse_transform(pca.transform(scaled[others]))
    given = given if maker is None else maker().fit(x[rows]).inverse_transform(given)
    restored = dataset.shift + dataset.test.x.T @ dataset.back.T
    np.testing.assert_allclose(restored, given, rtol=1e-10, atol=1e-10)
    # of scaled features a component has its largest entry positive
    size = np.ones(4) if maker is None else maker().fit(x[rows]).scale_
    components = dataset.matrix * size[:, None]
    assert (components[np.argmax(np.abs(components), axis=0), np.arange(3)] > 0.0).all()
    if whiten:
        np.testing.assert_allclose(np.cov(dataset.train.x), np.eye(3), atol=1e-10)


def test_splits_follow_the_seed(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", good())
    a, b, c = (read(path, seed=seed).train.x for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert a.shape == c.shape and not np.array_equal(a, c)


def test_wisconsin_data_is_whole() -> None:
    path = Path(__file__).parents[2] / "cases/wdbc.csv"
    dataset = read(path, label="diagnosis")
    assert len(dataset.features) == 30
    counts = np.bincount(np.concatenate([dataset.train.y, dataset.test.y]))
    assert dict(zip(dataset.labels, counts, strict=True)) == {"benign": 357, "malignant": 212}


def with_text(text: str) -> Any:
    return lambda path: path.write_text(text)


def changed(**columns: Any) -> Any:
    return lambda path: write_table(path, good() | columns)


def put(value: Any, row: int = 4) -> list[Any]:
    column = [str(v) for v in good()["x1"]]
    column[row] = value
    return column


MISTAKES: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no file": (lambda path: None, {}, r"^data\.file: cannot be read \(No such file.*relative"),
    "format": (lambda path: None, {"file": "a.xls"}, r"^data\.file: unknown format; got 'a.xls'"),
    "no label column": (
        changed(), {"label": "kid"},
        r"^data\.label: no such column; got 'kid', expected one of x0, .*Did you mean 'kind'\?",
    ),
    "no feature column": (
        changed(), {"features": ["x0", "x9"]}, r"^data\.features: no such column; got 'x9'"
    ),
    "label among the features": (
        changed(), {"features": ["x0", "kind"]}, r"^data\.features: holds the label"
    ),
    "feature twice": (changed(), {"features": ["x0", "x0"]}, r"^data\.features: a name twice"),
    "label alone": (
        lambda path: write_table(path, {"kind": ["a", "b"]}), {}, r"^data\.features: no columns"
    ),
    "missing value": (
        changed(x1=put("")), {},
        r"^data\.file: a\.csv, line 6, column 'x1': missing value, expected",
    ),
    "infinite value": (
        changed(x1=put("inf", 0)), {}, r"line 2, column 'x1': not a finite number; got inf"
    ),
    "nan": (changed(x1=put("nan")), {}, r"line 6, column 'x1': missing value, expected"),
    "text": (changed(x1=put("tall")), {}, r"line 6, column 'x1': not a finite .* got 'tall'"),
    "missing label": (
        changed(kind=["", *good()["kind"][1:]]), {}, r"line 2, column 'kind': missing label"
    ),
    "one class": (changed(kind=["a"] * N), {}, r"^data\.label: one class only; got 'a'"),
    "few samples": (
        changed(kind=["b"] * 3 + ["a"] * (N - 3)), {},
        r"^data\.file: too few samples; got 3 of class 'b', expected at least 4",
    ),
    "constant column": (
        changed(x2=[7.0] * N), {"features": ["x0", "x2"], "reduce": None},
        r"^data\.features: a constant column; got 7 .* of 'x2'",
    ),
    "too many features": (
        changed(), {"reduce": None}, r"^data\.reduce: missing; got 4 features, expected at most 3"
    ),
    "too large a reduction": (
        changed(), {"features": ["x0"]}, r"^data\.reduce\.dimension: too large; got 2 for 1"
    ),
    "test fraction": (
        changed(), {"test_fraction": 0.01}, r"^data\.test_fraction: cannot split; got 0\.01"
    ),
    "empty file": (with_text(""), {}, r"^data\.file: not a table"),
    "header only": (with_text("x0,kind\n"), {}, r"^data\.file: no rows"),
    "ragged": (with_text("x0,kind\n1,a\n2,b,c\n"), {}, r"^data\.file: not a table.*line 3"),
    "wide rows": (with_text("x0,kind\n1,2,a\n2,3,b\n"), {}, r"^data\.file: not a table"),
    "name twice": (with_text("x0,x0,kind\n1,2,a\n"), {}, r"^data\.file: a column name twice; .*x0"),
    "encoding": (
        lambda path: path.write_bytes(b"x0,kind\n1,caf\xe9\n"), {},
        r"^data\.file: not UTF-8 text; got byte 0xe9",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name: str, tmp_path: Path) -> None:
    make, keys, pattern = MISTAKES[name]
    path = tmp_path / "a.csv"
    make(path)
    with pytest.raises(InputError) as caught:
        read(path, **keys)
    (text,) = caught.value.messages
    assert re.search(pattern, text), text
    assert "\n" not in text and text.endswith((".", "?")), text


def test_missing_values_are_dropped_on_request(tmp_path: Path) -> None:
    columns = good() | {"x1": put("?"), "kind": ["", *good()["kind"][1:]]}
    columns["x2"] = [*good()["x2"][:-1], np.inf]
    dataset = read(write_table(tmp_path / "a.csv", columns), missing="drop", test_fraction=0.0)
    assert dataset.dropped == 3 and dataset.counts == (N - 3, 0)


@pytest.mark.parametrize("name", ["a.parquet", "a.h5", "a.npz"])
def test_missing_values_in_binary_files(name: str, tmp_path: Path) -> None:
    columns = good()
    columns["x1"][4] = np.nan
    path = write_table(tmp_path / name, columns)
    with pytest.raises(InputError, match=f"{name}, row 5, column 'x1': missing value"):
        read(path)
    assert read(path, missing="drop").dropped == 1


def test_columns_by_number_and_matrices(tmp_path: Path) -> None:
    x = RNG.standard_normal((N, 3))
    np.savez(tmp_path / "a.npz", x=x, kind=np.arange(N) % 2)
    keys = {"reduce": None, "scale": "none", "test_fraction": 0.0}
    dataset = read(tmp_path / "a.npz", features=[2, 0], label=3, **keys)
    assert dataset.features == ("x[2]", "x[0]")
    np.testing.assert_array_equal(dataset.train.x, x[:, [2, 0]].T)
    with pytest.raises(InputError, match=r"data\.label: no such column; got number 4"):
        read(tmp_path / "a.npz", label=4)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (np.arange(N) % 2 == 0, ("False", "True")),
        (np.arange(N) % 3 + 9, ("9", "10", "11")),
        ((np.arange(N) % 2).astype(float) - 1.0, ("-1", "0")),
    ],
)
def test_labels_of_any_type(values: Any, labels: tuple[str, ...], tmp_path: Path) -> None:
    """Sorted as numbers where they are; the same from a text and a binary file."""
    for name in ("a.parquet", "a.csv"):
        columns = good() | {"kind": values}
        if name == "a.csv" and values.dtype == float:
            columns["kind"] = values.astype(int)
        assert read(write_table(tmp_path / name, columns)).labels == labels


def test_weights_count_as_repeated_rows(tmp_path: Path) -> None:
    columns = good() | {"w": 1 + np.arange(N) % 3}
    path = write_table(tmp_path / "a.csv", columns)
    repeated = pd.DataFrame(columns).loc[np.repeat(np.arange(N), columns["w"])]
    repeated.drop(columns="w").to_csv(tmp_path / "b.csv", index=False)
    keys = {"test_fraction": 0.0, "features": ["x0", "x1"], "reduce": None, "scale": "standard"}
    a, b = read(path, weights="w", **keys), read(tmp_path / "b.csv", **keys)
    np.testing.assert_allclose(a.matrix, b.matrix, rtol=1e-12)
    np.testing.assert_allclose(a.moments.mean, b.moments.mean, atol=1e-12)
    np.testing.assert_allclose(a.moments.spread, b.moments.spread, atol=1e-10)
    with pytest.raises(InputError, match=r"line 2, column 'w': negative weight; got -1"):
        read(write_table(path, columns | {"w": [-1.0, *columns["w"][1:]]}), weights="w")


def test_blocks_of_a_text_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut anywhere, also inside a line, the table is the same, and so is the place of an error."""
    path = write_table(tmp_path / "a.csv", good())
    whole = read(path, test_fraction=0.0)
    for size in (40, 97, 1000):
        monkeypatch.setattr(text_table, "BYTES", size)
        cut = read(path, test_fraction=0.0)
        np.testing.assert_array_equal(cut.train.y, whole.train.y)
        np.testing.assert_allclose(cut.train.x, whole.train.x, rtol=1e-9, atol=1e-12)
        with pytest.raises(InputError, match="line 6, column 'x1': missing value"):
            read(write_table(tmp_path / "b.csv", good() | {"x1": put("")}))


def test_large_tables_are_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the cache and in small blocks: the same numbers; large parts are thinned out."""
    path = write_table(tmp_path / "a.parquet", good())
    whole = read(path)
    monkeypatch.setattr(survey, "CACHE", 0.0)
    monkeypatch.setattr(tables, "ROWS", 7)
    streamed = read(path)
    np.testing.assert_allclose(streamed.matrix, whole.matrix, rtol=1e-10)
    np.testing.assert_allclose(streamed.extent, whole.extent, rtol=1e-10)
    parts = list(streamed.rounds())
    assert len(parts) > 3
    together = np.concatenate([p.x for p in parts], axis=1)
    np.testing.assert_allclose(together, whole.train.x, rtol=1e-9, atol=1e-12)
    monkeypatch.setattr(data, "KEPT", 20)
    monkeypatch.setattr(splits, "EXACT", 30)
    thinned = read(path)
    assert 5 < thinned.train.y.size < 36 and sum(thinned.counts) == N
    assert 4 < thinned.counts[1] < 34


def test_large_split_does_not_repeat_the_numbers_of_the_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples of default_rng(0), split with data.seed = 0: those held out are like the others."""
    x = np.random.default_rng(0).random(20_000)
    path = write_table(tmp_path / "a.npz", {"x": x, "kind": np.arange(20_000) % 2})
    monkeypatch.setattr(splits, "EXACT", 30)
    monkeypatch.setattr(data, "KEPT", 2_000)
    section = DataSection(file=path, label="kind", scale="none", test_fraction=0.3)
    dataset = load_data(section, MPI.COMM_SELF)
    for part in (dataset.train, dataset.test):
        assert part.x.mean() == pytest.approx(0.5, abs=0.03)
        assert part.x.std() == pytest.approx(12**-0.5, abs=0.02)


def test_folds_hold_out_every_sample_once(tmp_path: Path) -> None:
    section = DataSection.model_validate(
        {
            "file": write_table(tmp_path / "a.csv", good()),
            "label": "kind",
            "reduce": {"dimension": 2},
        }
    )
    held = [load_data(section, MPI.COMM_SELF, fold=(i, 4)) for i in range(4)]
    assert [d.counts for d in held] == [(45, 15)] * 4
    assert np.concatenate([d.test.y for d in held]).sum() == 20
    with pytest.raises(InputError, match=r"^--folds: too many; got 30"):
        load_data(section, MPI.COMM_SELF, fold=(0, 30))


def test_features_that_repeat_each_other(tmp_path: Path) -> None:
    columns = good()
    columns["x1"] = 2.0 * columns["x0"] + 1.0
    with pytest.raises(InputError, match=r"data\.reduce\.dimension: more than the data spans"):
        read(write_table(tmp_path / "a.csv", columns), features=["x0", "x1"])
