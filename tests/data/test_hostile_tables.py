# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Tables that are damaged or meant to harm: the right data or a sentence, within seconds."""

from mpi4py import MPI

import datetime
import decimal
import io
import os
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from helpers import damaged, write_table
from mfresnet.data.tables import array_files
from mfresnet.data.tables import formats as tables
from mfresnet.data.tables import text as text_table
from mfresnet.data.tables.dataset import DataSection, Dataset, load_data
from mfresnet.errors import InputError

N = 40
COUNT = int(os.environ.get("MFRESNET_HOSTILE", "300"))
"""Damaged files; more of them by hand."""
RNG = np.random.default_rng(4)
COLUMNS = {
    "a": RNG.standard_normal(N),
    "b": RNG.integers(0, 9, N),
    "kind": np.where(np.arange(N) % 2, "pear", "apple"),
}


def read(path: Path, **keys: Any) -> Dataset:
    section = {"file": path, "label": "kind", "test_fraction": 0.0, "scale": "none"}
    return load_data(DataSection.model_validate(section | keys), MPI.COMM_SELF)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".npz", ".parquet", ".h5"])
def test_damaged_files(suffix: str, tmp_path: Path) -> None:
    """HDF5 is read in another process, which takes half a second: few of them."""
    whole = write_table(tmp_path / f"whole{suffix}", COLUMNS).read_bytes()
    for seed in range(COUNT // 60 if suffix == ".h5" else COUNT // 4):
        path = tmp_path / f"{seed}{suffix}"
        path.write_bytes(damaged(whole, np.random.default_rng(seed)))
        start = time.perf_counter()
        try:
            assert read(path).dimension >= 1
        except InputError as error:
            assert "\n" not in str(error) and len(str(error)) < 2000, seed
        except BaseException as error:
            raise AssertionError(f"{suffix} {seed} ends in {type(error).__name__}") from error
        assert time.perf_counter() - start < 60.0, seed


def npz(**members: bytes) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        np.savez(path, **COLUMNS)
        with zipfile.ZipFile(path, "a") as archive:
            for name, content in members.items():
                archive.writestr(f"{name}.npy", content)

    return write


def array_header(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def long_header() -> bytes:
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"{" * 1000


def pickled() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return stream.getvalue()


def hdf5(**items: Any) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        write_table(path, COLUMNS)
        with h5py.File(path, "a") as file:
            for name, item in items.items():
                if callable(item):
                    item(file, name)
                else:
                    file[name] = item

    return write


def huge(file: h5py.File, name: str) -> None:
    file.create_dataset(name, shape=(10**13,), dtype="f8", chunks=(1000,))


def virtual(file: h5py.File, name: str) -> None:
    layout = h5py.VirtualLayout(shape=(N,), dtype="f8")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "a", shape=(N,))
    file.create_virtual_dataset(name, layout)


def outside(file: h5py.File, name: str) -> None:
    file.create_dataset(name, shape=(N,), dtype="f8", external=[("/etc/passwd", 0, 8 * N)])


def text(content: str | bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content.encode() if isinstance(content, str) else content)


def arrow(**columns: Any) -> Callable[[Path], Any]:
    return lambda path: parquet.write_table(pa.table({**COLUMNS, **columns}), path)


CSV = pd.DataFrame(COLUMNS).to_csv(index=False)
HOSTILE: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "named pipe": ("a.csv", os.mkfifo, r"cannot be read \(No regular file\)"),
    "named pipe of Parquet": ("a.parquet", os.mkfifo, r"cannot be read \(No regular file\)"),
    "device": ("a.h5", lambda p: p.symlink_to("/dev/zero"), r"cannot be read \(No regular file\)"),
    "directory": ("a.npz", lambda p: p.mkdir(), r"cannot be read \(Is a directory\)"),
    "loop of links": ("a.csv", lambda p: p.symlink_to(p), r"cannot be read \(Too many levels"),
    "no array": ("a.npz", npz(c=b"hello"), "'c' is no array, or damaged"),
    "pickle": ("a.npz", npz(c=pickled()), "Python objects; got an array of them, 'c'"),
    "declares too much": ("a.npz", npz(c=array_header("(10**18,)")), "'c' is no array, or damaged"),
    "overflow": ("a.npz", npz(c=array_header(str((2**61,)))), "'c' is no array, or damaged"),
    "negative": ("a.npz", npz(c=array_header("(-1,)")), "'c' is no array, or damaged"),
    "long header": ("a.npz", npz(c=long_header()), "'c' is no array, or damaged"),
    "soft loop": ("a.h5", hdf5(c=h5py.SoftLink("/c")), "a link in place of a column; got 'c'"),
    "external link": (
        "a.h5", hdf5(c=h5py.ExternalLink("b.h5", "/a")), "a link in place of a column; got 'c'",
    ),
    "virtual": ("a.h5", hdf5(c=virtual), "values in another file; got those of 'c'"),
    "outside": ("a.h5", hdf5(c=outside), "values in another file; got those of 'c'"),
    "huge dataset": ("a.h5", hdf5(c=huge), "'c' has more values than the file can hold"),
    "texts": ("a.h5", hdf5(c=np.array([b"x"] * N)), "column 'c': not a finite number; got 'x'"),
    "dates": (
        "a.parquet", arrow(c=[datetime.date(2026, 1, 1)] * N), "column 'c': dates; got '2026",
    ),
    "lists": ("a.parquet", arrow(c=[[1.0, 2.0]] * N), "column 'c': not a finite number"),
    "structs": ("a.parquet", arrow(c=[{"u": 1.0}] * N), "column 'c': not a finite number"),
    "zero byte": ("a.csv", text("a,b\0,kind\n1,2,x\n"), "a zero byte in the header"),
    "returns alone": ("a.csv", text(CSV.replace("\n", "\r")), "not a table"),
    "header alone": ("a.csv", text("a,b,kind\n"), "no rows"),
    "nothing": ("a.csv", text(""), r"not a table; .*\(no columns\)"),
    "open quote": ("a.csv", text(CSV + '1,"2,pear\n'), "not a table"),
    "encodings": ("a.csv", text(CSV.encode() + b"1,2,caf\xe9\n"), "not UTF-8 text; got byte 0xe9"),
    "long cell": ("a.csv", text(CSV + "1" * 10**6 + ",2,pear\n"), "number|too large"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(name: str, tmp_path: Path) -> None:
    file, write, pattern = HOSTILE[name]
    write(tmp_path / file)
    with pytest.raises(InputError, match=r"^data\.file: .*(" + pattern + ")"):
        read(tmp_path / file)


def test_decimals_are_numbers(tmp_path: Path) -> None:
    arrow(c=[decimal.Decimal("1.5"), decimal.Decimal("2.5")] * (N // 2))(tmp_path / "a.parquet")
    np.testing.assert_array_equal(read(tmp_path / "a.parquet").train.x[2], [1.5, 2.5] * (N // 2))


def test_archive_that_is_larger_than_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "a.npz", **COLUMNS, c=np.zeros(10**6))
    assert (tmp_path / "a.npz").stat().st_size < 20_000
    monkeypatch.setattr(array_files, "free", lambda: 1e6)
    with pytest.raises(InputError, match=r"too large for the memory; got 8 MB of arrays in 'a\.n"):
        read(tmp_path / "a.npz")


def test_line_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_table, "LONGEST", 1 << 10)
    (tmp_path / "a.csv").write_text("a" * 2000)
    with pytest.raises(InputError, match="a line of more than 1024 bytes"):
        read(tmp_path / "a.csv")


def test_many_columns(tmp_path: Path) -> None:
    """Their names are compared in one walk; their covariances would not fit into any memory."""
    names = [f"x{i}" for i in range(100_000)]
    (tmp_path / "a.csv").write_text(",".join([*names, "kind"]) + "\n")
    start = time.perf_counter()
    assert len(tables.open_table(tmp_path / "a.csv").names) == 100_001
    assert time.perf_counter() - start < 20.0
    with pytest.raises(InputError, match=r"^data\.features: too many; got 100000, whose covar"):
        read(tmp_path / "a.csv")


def test_library_that_crashes_or_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that reads an HDF5 file first is ended by what it meets; this one goes on."""
    path = write_table(tmp_path / "a.h5", COLUMNS)
    for status in (-11, 124, 1):
        ended = array_files.execute(["true"], 10.0)
        broken = type(ended)(status, "", "", 0.0, 0.0)
        monkeypatch.setattr(array_files, "execute", lambda *_, broken=broken: broken)
        with pytest.raises(InputError, match="damaged so that the HDF5 library fails on it"):
            read(path)
        monkeypatch.undo()
