# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The case with as many samples as one wants, with few of them on a coarse mesh."""

from mpi4py import MPI

import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Any:
    path = Path(__file__).parents[2] / "cases/two_moons.py"
    spec = importlib.util.spec_from_file_location("two_moons", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "two_moons", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PART", 700)
    monkeypatch.setattr(module, "SWEEPS", 3)
    return module


def test_file_is_written_in_parts(case: Any, tmp_path: Path) -> None:
    """Two half circles; every part has its own samples."""
    case.write(tmp_path / "a.parquet", 1500)
    assert parquet.ParquetFile(tmp_path / "a.parquet").metadata.num_row_groups == 3
    frame = pd.read_parquet(tmp_path / "a.parquet")
    assert len(frame) == 1500 and frame["moon"].sum() == 750
    assert len(frame["x1"].unique()) == 1500
    upper = frame[frame["moon"] == 0]
    radius = np.hypot(upper["x1"], upper["x2"])
    assert radius.mean() == pytest.approx(1.0, abs=0.02) and radius.std() < 1.2 * case.NOISE


def test_table_of_two_sizes(case: Any, tmp_path: Path) -> None:
    """The sweeps of a larger file are the same; the runs are there; the network parts the moons."""
    given = tomllib.loads(case.CASE)
    given["mesh"]["cells"], given["space"] = [24, 24], {"degree": 1}
    given["network"] |= {"layers": 3}
    given["training"] |= {"max_iterations": 25}
    given["output"]["pictures"] = False
    rows = case.study([1000, 4000], tmp_path / "results", given, MPI.COMM_SELF)
    assert [row["rows"] for row in rows] == [1000, 4000]
    for row in rows:
        assert min(row["read"], row["deposit"], row["sweep"], row["train"]) > 0.0
        assert row["accuracy"] > row["logistic"] + 0.02
        report = tmp_path / f"results/two_moons_{row['rows']}/run.json"
        assert report.exists()
    assert rows[0]["ratio"] == 1.0
    lines = case.as_text(rows).splitlines()
    assert [line.split()[0] for line in lines] == ["rows", "1000", "4000"]
    assert lines[2].split()[4] == f"{rows[1]['ratio']:.3f}"
