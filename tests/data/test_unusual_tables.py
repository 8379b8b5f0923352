# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Tables as other programs and other habits write them: what is read, and what is said."""

from mpi4py import MPI

import datetime
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from helpers import write_table
from mfresnet.data.section import DataSection
from mfresnet.data.tables import text as text_table
from mfresnet.data.tables.dataset import Dataset, load_data
from mfresnet.data.tables.values import in_order, to_names, to_numbers
from mfresnet.errors import MOST, InputError

N = 40
A, B = np.random.default_rng(4).standard_normal((2, N)) + 3.0
KIND = np.where(np.arange(N) % 2, "pear", "apple")


def frame(**changes: Any) -> pd.DataFrame:
    return pd.DataFrame({"a": A, "b": B, "kind": KIND} | changes)


TEXT = frame().to_csv(index=False)


def read(path: Path, **keys: Any) -> Dataset:
    section = {"file": path, "label": "kind", "test_fraction": 0.0, "scale": "none"}
    return load_data(DataSection.model_validate(section | keys), MPI.COMM_SELF)


def same(dataset: Dataset) -> None:
    assert dataset.labels == ("apple", "pear") and dataset.features == ("a", "b")
    np.testing.assert_array_equal(dataset.train.x, [A, B])


def coded(encoding: str, old: str = "", new: str = "") -> bytes:
    return TEXT.replace(old, new, 1).encode(encoding)


READABLE: dict[str, bytes] = {
    "byte order mark": coded("utf-8-sig"),
    "line ends of Windows": TEXT.replace("\n", "\r\n").encode(),
    "no line end at the end, and many": TEXT.rstrip().encode() + b"\n\n\n",
    "quotes around everything": frame().to_csv(index=False, quoting=1).encode(),
    "blanks around labels": TEXT.replace(",pear", ", pear ").encode(),
    "semicolons": TEXT.replace(",", ";").encode(),
    "semicolons and decimal commas": TEXT.replace(",", ";").replace(".", ",").encode(),
    "tabs": TEXT.replace(",", "\t").encode(),
    "tabs and decimal commas": TEXT.replace(",", "\t").replace(".", ",").encode("utf-8-sig"),
    "quotes, semicolons and decimal commas": frame()
    .to_csv(index=False, quoting=1, sep=";", decimal=",", lineterminator="\r\n")
    .encode(),
}


@pytest.mark.parametrize("name", READABLE)
def test_readable(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(READABLE[name])
    same(read(tmp_path / "a.csv"))


def with_row(n: int, row: str) -> bytes:
    """Return the table with another line ``n``, counted from 1."""
    lines = TEXT.splitlines()
    return "\n".join([*lines[: n - 1], row, *lines[n:]]).encode()


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "UTF-16": (coded("utf-16"), r"not UTF-8 text; got byte 0xff in the header"),
    "UTF-16 without its mark": (coded("utf-16-le"), r"not UTF-8 text; got a zero byte in the head"),
    "latin-1 in the header": (coded("latin-1", "b", "bé"), r"0xe9 in the header.* iconv -f LATIN1"),
    "latin-1 below": (with_row(21, "1,2,é").decode().encode("latin-1"), r"byte 0xe9 in line 21,"),
    "decimal comma": (with_row(21, '1,"2,5",pear'), r"line 21, column 'b'.*expected a decimal poi"),
    "points beside decimal commas": (
        b"a;b;kind\n1.234;2,5;pear\n5;3;apple\n",
        r"a\.csv, line 2, column 'a': decimal commas and points; got '1\.234' beside '2,5'",
    ),
    "thousands": (
        b"a;b;kind\n1;2,5;pear\n1;1.234,5;apple\n", r"line 3, column 'b': decimal commas and points"
    ),
    "words": (
        TEXT.replace(",pear", ",3,red").replace(",apple", ",2,blue")
        .replace("b,kind", "b,kind,tint").encode(),
        r"line 2, column 'tint': not a finite number; got 'blue', and no .* column of 0 and 1",
    ),
    "days": (
        TEXT.replace(",pear", ",3,2026-01-31").replace(",apple", ",2,2026-02-01 12:30")
        .replace("b,kind", "b,kind,day").encode(),
        r"column 'day': dates; got '2026-02-01 12:30', expected numbers\. Leave this col",
    ),
    "columns that are left": (
        TEXT.replace(",pear", ",3,red").replace(",apple", ",2,blue")
        .replace("b,kind", "b,kind,tint").encode(),
        r'Those of numbers are data\.features = \["a", "b"\]\.$',
    ),
    "days of another form": (
        TEXT.replace(",pear", ",3,31/12/2026").replace(",apple", ",2,1/12/2026")
        .replace("b,kind", "b,kind,day").encode(), r"column 'day': dates; got '1/12/2026'"
    ),
    "a short row": (with_row(21, "1,pear"), r"got 2 values in line 21, expected 3"),
    "a long row": (with_row(21, "1,2,3,pear"), r"got 4 values in line 21, expected 3"),
    "a long row and a short one": (
        with_row(21, "1,pear").replace(b"kind\n", b"kind\n1,2,3,pear\n"), r"got 4 values in line 2,"
    ),
    "a short row below quotes": (
        with_row(21, "1,pear").replace(b"apple", b'"apple, red"'), r"got 2 values in line 21, "
    ),
    "a quote that does not end": (with_row(21, '1,2,"pear'), r"not a table; .*quotes that end in"),
    "a quote in the header": (coded("utf-8", "a,", '"a,'), r"not a table; got 'a\.csv'"),
    "numbers of rows": (frame().to_csv().encode(), r"^data\.features: a column .*; got number 0,"),
    "numbers of rows, twice": (
        frame(**{"Unnamed: 0": 1.0}).to_csv(index=False).encode(), r"without a name; got number 3"
    ),
    "commas at the ends": (TEXT.replace("\n", ",\n").encode(), r"without a name; got number 3"),
    "too large": (with_row(21, "1,-1e300,pear"), r"line 21, column 'b': too large; got -1e\+300"),
    "beyond floats": (with_row(21, "1,1e400,pear"), r"line 21, column 'b': not a finite number"),
    "label of R": (with_row(21, "1,2,NA"), r"line 21, column 'kind': missing label"),
    "number of C": (with_row(21, "1,-nan,pear"), r"line 21, column 'b': missing value"),
    "number of Excel": (with_row(21, "1,#N/A,pear"), r"line 21, column 'b': missing value"),
    "all values tiny": (
        frame(b=1e-300 * B).to_csv(index=False).encode(), r"a constant column; got .* up to round"
    ),
}  # fmt: skip


@pytest.mark.parametrize("size", [1 << 23, 200])
@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable(name: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sentence with the same line when the table is one block or many."""
    monkeypatch.setattr(text_table, "BYTES", size)
    content, pattern = UNREADABLE[name]
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(tmp_path / "a.csv")
    (text,) = caught.value.messages
    assert re.search(pattern, text) and "\n" not in text, text


SEPARATED: dict[str, tuple[str, list[str]]] = {
    "a comma in a name": ("a, in mm;b;kind\n1,5;2,5;x\n", ["a, in mm", "b", "kind"]),
    "semicolons in a name": ("time (h;m;s),b\n1,2\n", ["time (h;m;s)", "b"]),
    "semicolons in the labels": ("a,b,kind\n1,2,x;y;z\n", ["a", "b", "kind"]),
    "one column": ("a\n1\n", ["a"]),
    "quoted separators": ('"a;b";"c,d"\n1;2\n', ["a;b", "c,d"]),
    "a header alone": ("a;b\n", ["a", "b"]),
    "a short first row": ("a;b;kind\n1;2\n", ["a", "b", "kind"]),
}


@pytest.mark.parametrize("name", SEPARATED)
def test_separator(name: str, tmp_path: Path) -> None:
    content, names = SEPARATED[name]
    (tmp_path / "a.csv").write_text(content)
    assert text_table.TextTable(tmp_path / "a.csv", ",").names == names


@pytest.mark.parametrize("text", ["NA", "-"])
@pytest.mark.parametrize("size", [1 << 23, 300])
def test_missing_values_beside_decimal_commas(
    size: int, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_table, "BYTES", size)
    lines = TEXT.replace(",", ";").replace(".", ",").splitlines()
    lines[20] = f"{text};" + lines[20].split(";", 1)[1]
    lines[30] = "-1,5e-1;+,25;" + lines[30].rsplit(";", 1)[1]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"line 21, column 'a': missing value"):
        read(tmp_path / "a.csv")
    dataset = read(tmp_path / "a.csv", missing="drop")
    assert dataset.dropped == 1
    expected = np.delete([A, B], 19, axis=1)
    expected[:, 28] = [-0.15, 0.25]
    np.testing.assert_array_equal(dataset.train.x, expected)


@pytest.mark.parametrize("missing", ["refuse", "drop"])
def test_ragged_rows_are_not_missing_values(missing: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(with_row(21, "1,pear"))
    with pytest.raises(InputError, match="got 2 values in line 21"):
        read(tmp_path / "a.csv", missing=missing)


def test_lines_are_counted_across_line_ends_in_quotes(tmp_path: Path) -> None:
    lines = with_row(21, "1,,pear").replace(b"apple", b'"apple\nred"', 5)
    (tmp_path / "a.csv").write_bytes(lines)
    with pytest.raises(InputError, match="line 26, column 'b': missing value"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize("kind", ["index", "named"])
def test_parquet_with_an_index_of_pandas(kind: str, tmp_path: Path) -> None:
    """Numbers of rows are no feature; a named index is a column."""
    table = frame() if kind == "index" else frame().set_index("kind")
    shuffled = table.iloc[np.random.default_rng(0).permutation(N)]
    shuffled.to_parquet(tmp_path / "a.parquet")
    dataset = read(tmp_path / "a.parquet")
    assert dataset.features == ("a", "b") and dataset.labels == ("apple", "pear")
    np.testing.assert_array_equal(dataset.train.x, shuffled[["a", "b"]].to_numpy().T)


def numpy_file(**arrays: Any) -> Callable[[Path], Any]:
    return lambda path: np.savez(path, **({"a": A, "b": B, "kind": KIND} | arrays))


def hdf5_file(**arrays: Any) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            for name, array in ({"a": A, "b": B, "kind": KIND.astype("S")} | arrays).items():
                file[name] = array

    return write


def of_array(path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, A)


FIELDS = np.array(list(zip(A, B, strict=True)), dtype=[("u", float), ("v", float)])


def test_arrays_that_are_no_columns_are_passed_over(tmp_path: Path) -> None:
    for name, write in (("a.npz", numpy_file), ("a.h5", hdf5_file)):
        write(when=5.0, images=np.zeros((N, 2, 2)), pairs=FIELDS)(tmp_path / name)
        same(read(tmp_path / name))


def test_big_endian(tmp_path: Path) -> None:
    columns = {"a": A.astype(">f8"), "b": B.astype(">f8"), "kind": (np.arange(N) % 2).astype(">i4")}
    np.savez(tmp_path / "a.npz", **columns)
    assert read(tmp_path / "a.npz").labels == ("0", "1")


BINARY: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "objects": ("a.npz", numpy_file(kind=KIND.astype(object)), r"Python objects; .*'kind'.*astype"),
    "numpy.save": ("a.npz", of_array, r"not a table; got 'a\.npz' \(one array without a name"),
    "no archive": ("a.npz", lambda path: path.write_bytes(b"PK\3\4"), r"not a table; got 'a\.npz'"),
    "fields": ("a.npz", lambda path: np.savez(path, t=FIELDS), r"not a table; .*\(no columns\)"),
    "no numbers": ("a.npz", numpy_file(b=B + 1j), r"row 1, column 'b': not a finite number"),
    "latin-1": (
        "a.h5", hdf5_file(kind=np.array([b"pear"] * 20 + [b"caf\xe9"] * 20)),
        r"not UTF-8 text; got byte 0xe9 in row 21 of 'kind'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_binary_files(name: str, tmp_path: Path) -> None:
    file, write, pattern = BINARY[name]
    write(tmp_path / file)
    with pytest.raises(InputError, match=r"^data\.file: .*" + pattern):
        read(tmp_path / file)


def test_weights_of_no_use(tmp_path: Path) -> None:
    for weight, pattern in ((1e-300, "no weight in a class; got 2e-299 for"), (1e300, "too large")):
        path = write_table(tmp_path / "a.csv", dict(frame(w=weight)))
        with pytest.raises(InputError, match=pattern):
            read(path, weights="w")
    for column in ("a", "kind"):
        with pytest.raises(InputError, match=r"^data\.weights: also the label or a feature"):
            read(path, weights=column, features=["a", "b"])


@pytest.mark.parametrize("column", [True, 1.0])
def test_columns_have_names_or_numbers(column: Any) -> None:
    with pytest.raises(ValidationError, match="the name of a column, or its number from 0"):
        DataSection(file=Path("a.csv"), label=column)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (np.array(["1", " 1.0", "1.", "01", "1.50"], dtype=object), ["1", "1", "1", "01", "1.50"]),
        (np.array([1.0, -0.0, np.nan, np.inf, 1.5, 1e300]), ["1", "0", "", "", "1.5", "1e+300"]),
        (np.array([0.1, 2.0], dtype=np.float32), ["0.1", "2"]),
        (np.array([True, None, False], dtype=object), ["True", "", "False"]),
        (np.array(["None", "none", "NA", "?", "naïve"]), ["None", "none", "", "", "naïve"]),
        (np.array([b"pear", "é".encode()], dtype=object), ["pear", "é"]),
        (np.array(["2026-01-31", "NaT"], dtype="datetime64[ns]"), ["2026-01-31", ""]),
        (np.array(["2026-01-31T07:00"], dtype="datetime64[ns]"), ["2026-01-31 07:00:00"]),
        (np.array([datetime.date(2026, 1, 31)]), ["2026-01-31"]),
        (np.array([[1], [1, 2]], dtype=object), ["[1]", "[1, 2]"]),
        (np.zeros(0), []),
    ],
)
def test_names(values: Any, names: list[str]) -> None:
    assert to_names(values).tolist() == names


def test_truth_values_are_numbers_beside_missing_ones() -> None:
    values = np.array(["True", "NA", "FALSE", "2"], dtype=object)
    numbers, missing = to_numbers(values, str, None)
    np.testing.assert_array_equal(numbers, [1.0, np.nan, 0.0, 2.0])
    assert missing.tolist() == [False, True, False, False]


def test_order_of_labels_does_not_depend_on_the_process() -> None:
    """Equal as numbers but not as texts: a set has them in an order of each process."""
    assert in_order({"2", "10", "1.5"}) == ("1.5", "2", "10")
    assert in_order({"b", "2", "10"}) == ("10", "2", "b")
    assert in_order({"inf", "2", "10"}) == ("10", "2", "inf")
    program = (
        "from mfresnet.data.tables.values import in_order; print(in_order({'1', '01', '001', '2'}))"
    )
    for seed in ("1", "2", "3"):
        line = [sys.executable, "-c", program]
        done = subprocess.run(
            line,
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        assert done.stdout == "('001', '01', '1', '2')\n"


@pytest.mark.parametrize(
    "long", ["x" * 100_000, "nine " * 20_000 + "end"], ids=["letters", "words"]
)
def test_names_in_a_table_that_are_too_long_are_not_shown_whole(long: str, tmp_path: Path) -> None:
    """Columns, labels and values in sentences."""
    tables: list[tuple[pd.DataFrame, dict[str, Any]]] = [
        (frame().rename(columns={"a": long}), {"features": ["a", "b"]}),
        (frame().rename(columns={"kind": long}), {}),
        (frame(), {"label": long}),
        (frame(), {"features": ["a", long]}),
        (frame(a=[long, *A[1:]]), {}),
        (frame(kind=[long, *KIND[1:]]), {"test_fraction": 0.3}),
        (frame(kind=long), {}),
    ]
    for number, (table, keys) in enumerate(tables):
        path = tmp_path / f"{number}.csv"
        table.to_csv(path, index=False)
        with pytest.raises(InputError) as caught:
            read(path, **keys)
        for text in caught.value.messages:
            assert text.startswith("data.") and text.endswith((".", "?")), (number, text)
            assert len(text) <= MOST, (number, len(text))
