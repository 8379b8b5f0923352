# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Tables, meshes, run directories, weights and exported files, damaged or made to harm."""

from mpi4py import MPI

import datetime
import decimal
import os
import shutil
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from data.test_hostile_tables import COLUMNS, HOSTILE, N
from data.test_hostile_tables import read as read_table
from helpers import damaged, make_case, write_table
from mesh.test_hostile_meshes import MESHES
from mfresnet.errors import InputError
from mfresnet.mesh.file import read as read_mesh
from mfresnet.output.fields_reader import read_fields
from mfresnet.output.progress import Progress
from mfresnet.runs.runner import run
from mfresnet.trained.prediction import predict
from output.test_damaged_files import FILES, NETWORK, same
from torture.chapter import Chapter, Outcomes, check_sentences

SIZE, SLOW = 250, 25
"""Readings of a seed; one of so many is in a process of its own, by HDF5, gmsh or VTK."""
LONGEST = 60.0
"""Seconds of a reading."""
Read = Callable[[Path], Any]


# ---------------------------------------------------------------------- columns of odd types
def of_arrays(rng: np.random.Generator) -> Any:
    """Return a column that NumPy can hold."""
    columns: list[Any] = [
        np.arange(N, dtype=">f4"), np.arange(N) > 3, np.arange(N).astype("M8[D]"),
        np.arange(N).astype("m8[s]"), np.arange(N) * 1j, np.full(N, 2**63, dtype="u8"),
        np.array(["a\0b", "é", ""] * N)[:N], np.array([b"\xff"] * N), np.full(N, np.inf),
        np.full(N, 1e308), np.full(N, 5e-324), np.zeros((N, 2, 2)), np.zeros((N, 0)), np.float64(3),
        np.zeros(N, dtype=[("a", "f8"), ("b", "i4")]), np.zeros(N - 1), np.zeros(0),
        np.arange(N, dtype="f2"), np.arange(N, dtype=np.longdouble),
        np.array([None, {}] * (N // 2)), np.full(N, np.nan), np.array(["1e400"] * N),
        np.asfortranarray(rng.random((N, 2))),
    ]  # fmt: skip
    return columns[rng.integers(len(columns))]


def of_arrow(rng: np.random.Generator) -> Any:
    """Return a column that Parquet can hold."""
    day = datetime.datetime(2026, 1, 1)
    columns: list[Any] = [
        [decimal.Decimal("1e30")] * N, [decimal.Decimal("0.1")] * N, [day] * N, [day.time()] * N,
        [datetime.timedelta(1)] * N, [[1.0]] * N, [{"u": {"v": [1]}}] * N, [None] * N, [b"\0"] * N,
        [True, None] * (N // 2), ["1,5"] * N, [2**63 - 1] * N, [float("nan")] * N, ["é\0"] * N,
        pa.array([1, 2] * (N // 2)).dictionary_encode(), pa.array([1.5] * N, pa.float16()),
        pa.array([[("a", 1)]] * N, pa.map_(pa.string(), pa.int64())), [1e308, -1e308] * (N // 2),
        pa.array([day] * N, pa.timestamp("ns", "UTC")), pa.array(["x"] * N, pa.large_string()),
    ]  # fmt: skip
    return columns[rng.integers(len(columns))]


def of_text(rng: np.random.Generator) -> Any:
    """Return a column of words that may stand in a text."""
    words = [
        "1e400", "-inf", "nan", "0x10", "1_000", "1,5", "1.000,5", "", " ", "\0", "é", '"', "'",
        "2026-01-01", "true", "None", "9" * 5000, "1e-400", "+1", "--1", "=1+1", "\u202e", "#",
        "\r",
    ]  # fmt: skip
    return np.where(rng.random(N) < 0.5, words[rng.integers(len(words))], "1.0")


def odd_table(path: Path, rng: np.random.Generator) -> None:
    """Write a table that has a column of an odd type, sometimes in the place of another."""
    name = str(rng.choice(["c", "a", "kind", "a\0", "", "é" * 300]))
    columns: dict[str, Any] = dict(COLUMNS)
    if path.suffix == ".parquet":
        parquet.write_table(pa.table(columns | {name: of_arrow(rng)}), path)
    elif path.suffix == ".npz":
        np.savez(path, **columns | {name.replace("\0", "0"): of_arrays(rng)})
    elif path.suffix == ".h5":
        write_table(path, columns)
        with h5py.File(path, "a") as file:
            column = of_arrays(rng)
            try:
                file["c"] = column
            except TypeError:  # HDF5 has no such type
                file["c"] = h5py.Empty("f8")
    else:
        write_table(path, columns | {name: of_text(rng)})


# ---------------------------------------------------------------------- what is read, and how
def read_samples(path: Path) -> Any:
    """Read a table for training, and apply a network to it."""
    x = read_table(path).train.x
    assert np.isfinite(x).all()
    return x


def predicted(path: Path) -> Any:
    return predict(NETWORK, path, path.with_name("predicted.csv"), MPI.COMM_SELF).rows


class Kind:
    """A kind of file: its name in a directory, its whole content, and who reads it."""

    def __init__(self, name: str, read: Read, slow: bool = False, odd: bool = False) -> None:
        self.name, self.read, self.slow, self.odd = name, read, slow, odd


TABLES = [
    Kind(f"table{ending}", read, slow=ending == ".h5", odd=True)
    for ending in (".csv", ".tsv", ".npz", ".parquet", ".h5")
    for read in (read_samples, predicted)
]
RUN = [Kind(name, read) for name, (_, read) in FILES.items()]
MESH = [
    Kind(name, lambda p, cell=cell: read_mesh(MPI.COMM_SELF, p, cell).geometry.x, slow=True)
    for name, cell in (
        ("graded_interval.msh", "interval"),
        ("disk.msh", "quadrilateral"),
        ("disk_triangles.xdmf", "triangle"),
    )
]
DIGESTED = ("network.npz", "controls.npz", "initial.npz", "initial.pt")
"""Whatever is damaged in these is found, or changes nothing."""


def prepare(kind: Kind, directory: Path) -> Path:
    """Write the whole file of a kind; return its path."""
    path = directory / kind.name
    if kind in TABLES:
        columns = {"d": np.arange(N) * 1.0, "c": np.ones(N)} | dict(COLUMNS)
        write_table(path, columns)
    elif kind in MESH:
        for other in MESHES.glob(f"{path.stem}.*"):
            shutil.copy(other, directory)
    elif kind.name == "run.json":
        shutil.copy(finished(directory) / "run.json", path)
    else:
        FILES[kind.name][0](path)
    return path


def finished(directory: Path) -> Path:
    """Return a run directory, which is made once."""
    place = directory.parent / "finished"
    if not (place / "run.json").exists():
        case = make_case("interval", training={"max_iterations": 1})
        run(case, place, comm=MPI.COMM_SELF, progress=Progress(1))
    return place


def harm(path: Path, kind: Kind, others: list[bytes], rng: np.random.Generator) -> str:
    """Put something else in the place of a file; say what."""
    whole = path.read_bytes()
    way = rng.integers(10)
    if way == 0:
        path.unlink()
        places: list[Callable[[], Any]] = [
            lambda: os.mkfifo(path), path.mkdir, lambda: path.symlink_to(path), lambda: None,
            lambda: path.symlink_to("/dev/zero"), lambda: path.write_bytes(b""),
        ]  # fmt: skip
        places[rng.integers(len(places))]()
        return "no regular file"
    if way == 1 and others:
        path.write_bytes(others[rng.integers(len(others))])
        return "of another kind"
    if way == 2 and kind in TABLES:
        hostile = [row for row in HOSTILE.values() if Path(row[0]).suffix == path.suffix]
        if hostile:
            path.unlink()
            hostile[rng.integers(len(hostile))][1](path)
            return "made to harm"
    if way < 6 and kind.odd:
        odd_table(path, rng)
        return "columns of odd types"
    path.write_bytes(damaged(whole, rng))
    return "damaged"


def trial(seed: int, directory: Path) -> Outcomes:
    """Read a batch of files."""
    found: Outcomes = Counter()
    others: list[bytes] = []
    warnings.simplefilter("ignore")
    for number in range(SIZE):
        rng = np.random.default_rng([seed, number])
        kinds = [k for k in TABLES + RUN + MESH if k.slow == (number % SLOW == 0)]
        kind = kinds[rng.integers(len(kinds))]
        place = directory / str(number)
        place.mkdir()
        path = prepare(kind, place)
        if number < 50:
            others.append(path.read_bytes())
        whole = kind.read(path) if kind.name in DIGESTED else None
        how = harm(path, kind, others, rng)
        what = f"seed {seed}, file {number}: {kind.name}, {how}"
        start = time.perf_counter()
        try:
            again = kind.read(path)
        except InputError as error:
            check_sentences(error)
            found[f"{how}: refused in a sentence"] += 1
        except BaseException as error:
            raise AssertionError(what) from error
        else:
            found[f"{how}: read"] += 1
            harmless = whole is None or how == "of another kind" or same(again, whole)
            assert harmless, f"{what}: read with other numbers"
        assert time.perf_counter() - start < LONGEST, what
        shutil.rmtree(place)
    found.update(fields(seed, directory))
    return found


def fields(seed: int, directory: Path) -> Outcomes:
    """Damage the files of a run's fields: what is read of them is right, or a sentence."""
    found: Outcomes = Counter()
    rng = np.random.default_rng(seed)
    place = directory / "run"
    case = make_case("interval", training={"max_iterations": 1}, output={"fields": True})
    run(case, place, comm=MPI.COMM_SELF, progress=Progress(1))
    whole = read_fields(place)["fields"]
    series = place / "fields/fields.pvd"
    for path in (series, place / "fields" / series_file(series)):
        content = path.read_bytes()
        for _ in range(5):
            path.write_bytes(damaged(content, rng))
            found[read_damaged(place, whole)] += 1
        path.unlink()
        os.mkfifo(path)
        found[read_damaged(place, whole)] += 1
        path.unlink()
        path.write_bytes(content)
    return found


def series_file(series: Path) -> str:
    """Return the first file that a collection lists."""
    return series.read_text().split('file="')[1].split('"')[0]


def read_damaged(place: Path, whole: Any) -> str:
    """Read the fields of a run; return what came out."""
    try:
        blocks = read_fields(place)["fields"]
    except InputError as error:
        check_sentences(error)
        return "fields: refused in a sentence"
    first, right = blocks[0], whole[0]
    assert first.n_cells == right.n_cells and first.n_points == right.n_points, "fields are cut"
    for name in right.point_data:
        assert np.isfinite(first.point_data[name]).all(), name
    return "fields: read"


CHAPTER = Chapter(
    name="files",
    what=f"{SIZE} files a seed: tables of all formats, meshes, the files of a run "
    f"directory, weights, "
    "exported networks; cut, flipped, of another kind, with columns of odd types, links, pipes, "
    "devices, pickles and archives that expand.",
    trial=trial,
    quick=1,
    full=20,
    patience=600.0,
)
