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


SHARED = """
import ast, importlib, pathlib, signal, sys, warnings
import matplotlib, numpy
import mfresnet

root = pathlib.Path(mfresnet.__file__).parents[1]
files = sorted((root / "mfresnet").rglob("*.py"))
for node in [node for path in files for node in ast.parse(path.read_text()).body]:
    if "mfresnet" not in ast.unparse(node) and isinstance(node, ast.Import | ast.ImportFrom):
        exec(ast.unparse(node))

def shared():
    handlers = {n: signal.getsignal(n) for n in signal.valid_signals()}
    return dict(matplotlib.rcParams), handlers, list(warnings.filters), numpy.geterr()

before = shared()
for path in files:
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    importlib.import_module(name.removesuffix(".__init__"))
for ours, theirs in zip(before, shared(), strict=True):
    assert ours == theirs, (ours, theirs)
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


def test_imports_change_nothing() -> None:
    """Neither matplotlib's settings nor handlers of signals, nor what NumPy and Python warn of.

    What the libraries themselves change, which are imported before, is not ours.
    """
    done = execute([sys.executable, "-c", SHARED])
    assert done.returncode == 0, done.stderr
