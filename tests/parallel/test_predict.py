# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Prediction on any number of ranks writes the same file."""

from mpi4py import MPI

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers import random_network, write_table
from mfresnet.data.tables import formats as tables
from mfresnet.data.tables import text as text_table
from mfresnet.errors import InputError
from mfresnet.parallel import ordered
from mfresnet.trained.prediction import predict

COMM = MPI.COMM_WORLD


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one directory for all ranks."""
    return COMM.bcast(tmp_path_factory.mktemp("predict"), root=0)


@pytest.mark.parametrize("data", [".csv", ".parquet"])
@pytest.mark.parametrize("out", [".csv", ".parquet"])
def test_same_file_on_all_ranks(
    data: str, out: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_table, "BYTES", 800)
    monkeypatch.setattr(tables, "ROWS", 7)
    samples = np.random.default_rng(2).standard_normal((101, 4))
    network, path = random_network("wide", "sin"), directory / f"data{data}"
    if COMM.rank == 0:
        write_table(path, dict(zip("abcd", samples.T, strict=True)))
    COMM.Barrier()
    assert predict(network, path, directory / f"all{out}", COMM).rows == 101
    predict(network, path, directory / f"{COMM.rank}{out}", MPI.COMM_SELF)
    content = (directory / f"all{out}").read_bytes()
    assert content == (directory / f"{COMM.rank}{out}").read_bytes()


@pytest.mark.parametrize("task", ["classification", "regression", "density"])
def test_missing_values_and_measures(
    task: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows without a prediction keep their place; all ranks know the measures of all rows."""
    monkeypatch.setattr(text_table, "BYTES", 800)
    samples = np.random.default_rng(4).standard_normal((101, 5))
    samples[[0, 17, 100], 2] = np.nan
    network = replace(random_network("square", "tanh"), task=task, missing="drop", label="e")
    if task == "regression":
        head = {"H": network.head["H"][:1], "h": network.head["h"][:1]}
        network = replace(network, head=head, probabilistic=False)
    elif task == "density":
        start = '{"kind": "gaussian", "mean": [0, 0], "covariance": [[1, 0], [0, 1]]}'
        network = replace(network, head={}, probabilistic=False, start=start)
    path = directory / "data.csv"
    if COMM.rank == 0:
        write_table(path, dict(zip("abcde", samples.T, strict=True)))
    COMM.Barrier()
    found = predict(network, path, directory / "all.csv", COMM)
    alone = predict(network, path, directory / f"{COMM.rank}.csv", MPI.COMM_SELF)
    assert (found.rows, found.missing) == (101, 3)
    assert found.labelled == (0 if task == "density" else 98)
    assert found.sentence() == alone.sentence()
    content = (directory / "all.csv").read_bytes()
    assert content == (directory / f"{COMM.rank}.csv").read_bytes()
    rows = content.decode().splitlines()
    assert [i for i, row in enumerate(rows[1:]) if not row.strip(',"')] == [0, 17, 100]


def test_mistake_in_the_last_block(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_table, "BYTES", 40)
    if COMM.rank == 0:
        rows = "1,2,3,4\n" * 60 + "1,2,3,x\n"
        (directory / "data.csv").write_text("a,b,c,d\n" + rows)
    COMM.Barrier()
    with pytest.raises(InputError, match="line 62, column 'd'"):
        predict(random_network("square", "tanh"), directory / "data.csv", directory / "b.csv", COMM)
    COMM.Barrier()
    assert [path.name for path in directory.iterdir()] == ["data.csv"]


def test_order() -> None:
    """The ranks have different numbers of items, with gaps, some of them none."""
    mine = [n for n in range(40) if n % 7 and (n // 5) % COMM.size == COMM.rank and n > 4]

    def items() -> Iterator[tuple[int, int]]:
        for n in mine:
            yield n, n * n

    found = [square for ready in ordered(COMM, items()) for square in ready]
    expected = [n * n for n in range(5, 40) if n % 7]
    assert found == (expected if COMM.rank == 0 else [])
