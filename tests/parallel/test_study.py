# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A study has the same numbers in one group of ranks and in several."""

from mpi4py import MPI

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import make_case
from mfresnet.memory import available
from mfresnet.parallel import ranks_here, split
from mfresnet.runs.parameters.parameter_study import study

COMM = MPI.COMM_WORLD
OVER = {"penalty.tikhonov": [0.01, 0.02, 0.05], "network.layers": [2, 3]}


def shared(path: Path) -> Path:
    """Return the temporary directory of rank 0."""
    return COMM.bcast(path, root=0)


@pytest.mark.smoke
def test_groups_have_the_same_numbers(tmp_path: Path) -> None:
    case = make_case("interval", training={"gradient_tolerance": 1e-5})
    out = shared(tmp_path)
    one = study(case, out / "one", over=OVER, groups=1, comm=COMM)
    many = study(case, out / "many", over=OVER, comm=COMM)
    np.testing.assert_allclose(many["objective"], one["objective"], rtol=1e-6)
    for name in ("status", "iterations"):
        assert many[name].tolist() == one[name].tolist()
    assert many.equals(COMM.bcast(many, root=0))
    stored = pd.read_csv(out / "many/study.csv", float_precision="round_trip")
    np.testing.assert_array_equal(stored["objective"], many["objective"])


def test_failed_member_leaves_the_groups_together(tmp_path: Path) -> None:
    """Also on several ranks: its error is that of all of them."""
    case = make_case("quadrilateral", training={"max_iterations": 2})
    over = {"mesh.upper": [[3.0, 3.0], [0.2, 0.2], [3.1, 3.1], [3.2, 3.2]]}
    for groups in {1, COMM.size}:
        out = shared(tmp_path) / f"groups{groups}"
        frame = study(case, out, over=over, groups=groups, comm=COMM)
        assert (frame["status"] == "failed").tolist() == [False, True, False, False]
        assert "mesh does not hold" in frame["message"][1]


def test_groups_share_the_memory_of_their_node() -> None:
    for groups in range(1, COMM.size + 1):
        group = split(COMM, groups)
        sizes = COMM.allgather(group.size)
        assert sum(1 / size for size in sizes) == pytest.approx(groups)
        assert max(sizes) - min(sizes) <= 1
        assert ranks_here(group) == ranks_here(COMM)
        assert ranks_here(group.Dup()) == group.size
        share = available(group) / group.size
        assert share == pytest.approx(available(COMM) / COMM.size, rel=0.2)
        group.Free()
