# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What an import does: the help imports no mathematics, and no import changes what all share."""

import subprocess
import sys

import pytest

import mfresnet
from commands import execute, outside

HEAVY = {"dolfinx", "h5py", "matplotlib", "mpi4py.MPI", "numpy", "petsc4py", "pydantic", "scipy"}
READ = """
import sys
from mfresnet.__main__ import main
sys.argv = ["mfresnet", *sys.argv[1:]]
try:
    main()
finally:
    print("modules:", *sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("line", "status", "answer"),
    [
        ([], 0, "cross-validate"),
        (["--help"], 0, "cross-validate"),
        (["run", "--help"], 0, "--overwrite"),
        (["--version"], 0, mfresnet.__version__),
        (["runn"], 2, "mfresnet: No such command 'runn'. See mfresnet --help."),
        (["run"], 2, "mfresnet: Missing argument 'CASE'. See mfresnet run --help."),
    ],
)
def test_help_comes_before_the_mathematics(line: list[str], status: int, answer: str) -> None:
    """And before MPI and PETSc; so do mistakes in the command line."""
    done = execute([sys.executable, "-c", READ, *line])
    said, _, modules = done.stderr.partition("modules:")
    assert done.returncode == status
    assert answer in (said if status else done.stdout)
    assert not HEAVY & set(modules.split())


@pytest.mark.parametrize(("line", "status"), [("--version", 0), ("runn", 2)])
def test_one_rank_answers(line: str, status: int) -> None:
    """Of those that a launcher has started, also without MPI."""
    for rank in ("1", "0"):
        done = subprocess.run(
            [sys.executable, "-m", "mfresnet", line],
            capture_output=True,
            text=True,
            check=False,
            env=outside() | {"PMIX_RANK": rank},
        )
        assert done.returncode == (status if rank == "0" else 0)
        assert bool(done.stdout + done.stderr) == (rank == "0")
