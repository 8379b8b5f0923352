# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Prediction for tables: what is written, in which order, and a sentence for every mistake."""

from mpi4py import MPI

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score

from commands import command
from helpers import make_data_case, random_network, write_table
from mfresnet.case.case import parse
from mfresnet.data.tables import formats as tables
from mfresnet.data.tables import text as text_table
from mfresnet.errors import InputError
from mfresnet.runs.runner import run
from mfresnet.trained.loading import load_network
from mfresnet.trained.network import TrainedNetwork
from mfresnet.trained.prediction import predict
from mfresnet.trained.sampling import log_density, steered_by
from mfresnet.trained.writers import WRITERS

SAMPLES = np.random.default_rng(9).standard_normal((90, 4))
NETWORK = replace(random_network("square", "tanh"), label="kind")


def table(**changes: Any) -> dict[str, Any]:
    """Return the columns of 90 samples, with one more and in another order."""
    columns = {name: SAMPLES[:, i].tolist() for i, name in enumerate("abcd")}
    shuffled = {"number": list(range(90))} | {name: columns[name] for name in "cbda"}
    return shuffled | changes


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(
        path, sep="\t" if path.suffix == ".tsv" else ",", float_precision="round_trip"
    )


@pytest.mark.parametrize("out", WRITERS)
@pytest.mark.parametrize("data", [".csv", ".tsv", ".parquet", ".npz", ".h5"])
def test_rows_in_order_with_all_digits(
    data: str, out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the table is read in several blocks."""
    monkeypatch.setattr(text_table, "BYTES", 1500)
    monkeypatch.setattr(tables, "ROWS", 20)
    path = write_table(tmp_path / f"data{data}", table())
    found = predict(NETWORK, path, tmp_path / f"out{out}", MPI.COMM_SELF)
    assert (found.rows, found.labelled, found.sentence()) == (90, 0, "90 rows.")
    frame = read(tmp_path / f"out{out}")
    names = [f"probability_{n}" for n in NETWORK.labels] + ["position_1", "position_2"]
    assert list(frame.columns) == ["class", *names]
    p, x = NETWORK.probabilities(SAMPLES), NETWORK.positions(SAMPLES)
    np.testing.assert_allclose(frame[names].to_numpy(), np.hstack([p, x]), rtol=1e-14)
    assert frame["class"].tolist() == [NETWORK.labels[k] for k in NETWORK.predict(SAMPLES)]
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"data{data}", f"out{out}"]


def test_accuracy_counts_labels(tmp_path: Path) -> None:
    kinds = np.array(NETWORK.labels)[NETWORK.predict(SAMPLES)].astype(object)
    kinds[:9], kinds[9:19], kinds[19] = "other", "", "nowhere"
    path = write_table(tmp_path / "a.csv", table(kind=kinds))
    found = predict(NETWORK, path, tmp_path / "b.csv", MPI.COMM_SELF)
    assert (found.rows, found.labelled, found.unknown, found.accuracy) == (90, 80, 10, 0.875)
    assert found.sentence() == (
        "90 rows, accuracy 0.8750 of the 80 with a label, 10 labels are no class of the network."
    )
    assert replace(found, unknown=1).sentence().endswith(", 1 label is no class of the network.")


@pytest.mark.parametrize("out", WRITERS)
@pytest.mark.parametrize("data", [".csv", ".parquet", ".npz"])
def test_rows_with_missing_values_keep_their_place(
    data: str, out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a training that drops them: their columns are empty, also in a block of them alone."""
    monkeypatch.setattr(text_table, "BYTES", 1500)
    monkeypatch.setattr(tables, "ROWS", 20)
    holes = table(kind=["left"] * 90)
    holes["b"] = [np.nan if i in (3, *range(20, 60)) else v for i, v in enumerate(holes["b"])]
    holes["d"][7] = np.inf
    path = write_table(tmp_path / f"data{data}", holes)
    network = replace(NETWORK, missing="drop")
    found = predict(network, path, tmp_path / f"out{out}", MPI.COMM_SELF)
    assert (found.rows, found.missing, found.labelled) == (90, 42, 48)
    good = np.setdiff1d(np.arange(90), [3, 7, *range(20, 60)])
    given = NETWORK.predict(SAMPLES[good])
    assert found.sentence() == (
        "90 rows, 42 of them without a prediction, as values are missing, accuracy "
        f"{np.mean(given == 0):.4f}."
    )
    frame = read(tmp_path / f"out{out}")
    assert frame.isna().all(axis=1).tolist() == [i not in good for i in range(90)]
    assert not frame.iloc[good].isna().any(axis=None)
    assert frame["class"][good].tolist() == [NETWORK.labels[k] for k in given]
    np.testing.assert_allclose(frame["position_2"][good], NETWORK.positions(SAMPLES[good])[:, 1])


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_regression_is_compared_with_the_label(offset: float, tmp_path: Path) -> None:
    """Far from zero too; rows without a label do not count."""
    head = {"H": NETWORK.head["H"][:1], "h": np.array([0.3 + offset])}
    network = replace(NETWORK, head=head, task="regression", probabilistic=False, missing="drop")
    given = network.predict(SAMPLES)
    y = given + 0.2 * np.random.default_rng(1).standard_normal(90)
    y[:4] = np.nan
    path = write_table(tmp_path / "a.csv", table(kind=y))
    found = predict(network, path, tmp_path / "b.csv", MPI.COMM_SELF)
    assert (found.rows, found.missing, found.labelled) == (90, 0, 86)
    assert found.r2 == pytest.approx(r2_score(y[4:], given[4:]), rel=1e-6)
    assert found.rmse == pytest.approx(np.sqrt(np.mean((y - given)[4:] ** 2)), rel=1e-6)
    assert re.fullmatch(
        r"90 rows, R2 0\.\d{4}, root mean square of the error 0\.\d+ of the 86 with a label\.",
        found.sentence(),
    )


def test_density_of_samples(tmp_path: Path) -> None:
    start = '{"kind": "gaussian", "mean": [0.0, 0.1], "covariance": [[0.5, 0.0], [0.0, 0.4]]}'
    network = replace(NETWORK, head={}, task="density", probabilistic=False, start=start, label="")
    path = write_table(tmp_path / "a.csv", table())
    found = predict(network, path, tmp_path / "b.csv", MPI.COMM_SELF)
    expected, frame = log_density(steered_by(network), SAMPLES), read(tmp_path / "b.csv")
    assert list(frame.columns) == ["log_density"]
    np.testing.assert_allclose(frame["log_density"], expected, rtol=1e-12)
    assert found.sentence() == f"90 rows, mean log density {expected.mean():.4f}."


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_columns_by_number(task: str, tmp_path: Path) -> None:
    """Label and features that the case numbers are known by their names afterwards."""
    case = make_data_case(tmp_path, training={"max_iterations": 1})
    frame = pd.read_csv(tmp_path / "samples.csv")
    frame["answer"] = np.where(frame["answer"] == "yes", 2.0, 1.0)
    frame.to_csv(tmp_path / "samples.csv", index=False)
    given = case.model_dump(exclude_none=True) | {"task": task, "classes": []}
    given["data"] |= {"label": 2, "features": [1, 0] if task == "classification" else [1]}
    given["loss"] = {}
    run(parse(given, tmp_path), tmp_path / "run", comm=MPI.COMM_SELF)
    network = load_network(tmp_path / "run")
    assert network.label == "answer" and network.features[0] == "height"
    found = predict(network, tmp_path / "samples.csv", tmp_path / "b.csv", MPI.COMM_SELF)
    assert found.labelled == 160
    assert found.accuracy is not None if task == "classification" else found.r2 is not None


def test_outputs_that_a_network_has_not(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", table())
    predict(replace(NETWORK, probabilistic=False), path, tmp_path / "b.csv", MPI.COMM_SELF)
    assert list(read(tmp_path / "b.csv").columns) == ["class", "position_1", "position_2"]
    steered = replace(NETWORK, probabilistic=False, head={})
    predict(steered, path, tmp_path / "c.csv", MPI.COMM_SELF)
    assert list(read(tmp_path / "c.csv").columns) == ["position_1", "position_2"]


def text(content: str) -> Callable[[Path], Any]:
    return lambda path: path.write_text(content)


def columns(**changes: Any) -> Callable[[Path], Any]:
    return lambda path: write_table(path, table(**changes))


MISTAKES: dict[str, tuple[Callable[[Path], Any], str, str, str]] = {
    "no data": (lambda path: None, "a.csv", "b.csv", r"^DATA: cannot be read .*'.*a\.csv', expect"),
    "format of the data": (columns(), "a.xls", "b.csv", r"^DATA: unknown format; got 'a\.xls'"),
    "format of the output": (columns(), "a.csv", "b.xls", r"^--out: unknown format; got 'b\.xls'"),
    "directory": (columns(), "a.csv", "none/b.csv", r"^--out: cannot be written; got .*none"),
    "no feature": (
        text("a,b,c\n1,2,3\n"), "a.csv", "b.csv",
        r"^DATA: a feature is missing; got the columns a, b, c in a\.csv, expected 'd' among",
    ),
    "text": (
        columns(b=["1.0"] * 6 + ["tall"] * 84), "a.csv", "b.csv",
        r"^DATA: a\.csv, line 8, column 'b': not a finite number; got 'tall'",
    ),
    "missing value": (
        columns(b=[1.0] * 6 + [np.nan] * 84), "a.parquet", "b.csv",
        r"^DATA: a\.parquet, row 7, column 'b': missing value, .*Correct or remove the row\.",
    ),
    "no rows": (text("a,b,c,d\n"), "a.csv", "b.csv", r"^DATA: no rows; got 'a\.csv'"),
    "ragged": (text("a,b,c,d\n1,2,3,4\n1,2,3,4,5\n"), "a.csv", "b.csv", r"line 3"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name: str, tmp_path: Path) -> None:
    make, data, out, pattern = MISTAKES[name]
    if data.endswith(".xls"):
        (tmp_path / data).write_text("")
    else:
        make(tmp_path / data)
    (tmp_path / "b.csv").write_text("old")
    with pytest.raises(InputError) as caught:
        predict(NETWORK, tmp_path / data, tmp_path / out, MPI.COMM_SELF)
    (message,) = caught.value.messages
    assert re.search(pattern, message), message
    assert "\n" not in message and message.endswith("."), message
    assert (tmp_path / "b.csv").read_text() == "old"
    assert not list(tmp_path.glob("*.partial"))


def test_samples_are_not_replaced_by_their_prediction(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", table())
    before = path.read_bytes()
    (tmp_path / "b.csv").symlink_to(path)
    for out in ("a.csv", "b.csv"):
        with pytest.raises(InputError, match=r"^--out: DATA itself; got .*[ab]\.csv"):
            predict(NETWORK, path, tmp_path / out, MPI.COMM_SELF)
    assert path.read_bytes() == before


def test_commands(tmp_path: Path) -> None:
    """Train, export, predict; the directory and the exported file say the same."""
    case = make_data_case(tmp_path, loss={"kind": "cross_entropy"}, training={"max_iterations": 2})
    (tmp_path / "small.toml").write_text(case.to_toml())
    run, data = tmp_path / "run", tmp_path / "samples.csv"
    assert command("run", tmp_path / "small.toml", "--out", run).returncode == 4
    done = command("export", run, "--to", "npz", tmp_path / "net.npz", ranks=2)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Written: {tmp_path / 'net.npz'}\n"
    first = command("predict", run, data, "--out", tmp_path / "a.csv", ranks=2)
    again = command("predict", tmp_path / "net.npz", data, "--out", tmp_path / "b.csv")
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    network, frame = load_network(run), pd.read_csv(data)
    assert isinstance(network, TrainedNetwork) and network.label == "answer"
    given = np.array(network.labels)[network.predict(frame[["width", "height"]].to_numpy())]
    right = float(np.mean(given == frame["answer"]))
    assert f"a.csv: 160 rows, accuracy {right:.4f}.\n" in first.stdout
    assert read(tmp_path / "a.csv")["class"].tolist() == given.tolist()
    for arguments in (
        ["predict", tmp_path, data, "--out", tmp_path / "c.csv"],
        ["predict", run, tmp_path / "none.csv", "--out", tmp_path / "c.csv"],
        ["export", run, "--to", "onyx", tmp_path / "c.onnx"],
    ):
        refused = command(*arguments, ranks=2)
        assert refused.returncode == 2
        assert len(re.findall(r"expected", refused.stderr)) == 1, refused.stderr
