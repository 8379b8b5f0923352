# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What pyproject.toml declares is what the package imports, and it does without the rest."""

from mpi4py import MPI

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata, util
from pathlib import Path

import numpy as np
import pytest
import scipy

import mfresnet
from helpers import make_case
from mfresnet import installation
from mfresnet.errors import InputError, SolveError
from mfresnet.mesh.file import read
from mfresnet.output.run_directory import versions
from mfresnet.pictures import space as plot3d
from mfresnet.runs.runner import run

ROOT = Path(__file__).parents[2]
NAMES = {  # module -> distribution, where they differ or one brings the other
    "PIL": "matplotlib",
    "contourpy": "matplotlib",
    "basix": "dolfinx-solver-real",
    "checkpoint_schedules": "checkpoint-schedules",
    "cycler": "matplotlib",
    "mpi4py": "dolfinx-solver-real",
    "petsc4py": "dolfinx-solver-real",
    "dolfinx": "dolfinx-solver-real",
    "lazy_loader": "lazy-loader",
    "pydantic_core": "pydantic",
    "sklearn": "scikit-learn",
    "tomli_w": "tomli-w",
    "ufl": "dolfinx-solver-real",
}


def imported(path: Path) -> set[str]:
    """Return the distributions that a module imports, also inside of functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    modules = {name.partition(".")[0] for name in found} - {"mfresnet", *sys.stdlib_module_names}
    return {NAMES.get(module, module) for module in modules}


def test_every_import_is_declared() -> None:
    """And everything declared is imported."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in optional for line in extra)]
    declared = {re.split(r"[<>=!~\[ ]", line)[0] for line in lines}
    assert declared - {"mfresnet"} == set().union(
        *map(imported, (ROOT / "solver/mfresnet").glob("**/*.py"))
    )


def test_versions_of_packages_without_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    found = versions()
    assert found["fenics-dolfinx"] == metadata.version("fenics-dolfinx")
    assert found["numpy"] == np.__version__
    monkeypatch.setattr(metadata, "version", missing)
    assert versions() == found
    monkeypatch.delattr(scipy, "__version__")
    assert versions() == found | {"scipy": "unknown"}


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the optional packages away."""
    for name in ("pyvista", "vtkmodules", "vtk", "meshio", "torch", "onnx"):
        for module in [m for m in sys.modules if m.partition(".")[0] == name]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize("cell", ["interval", "quadrilateral"])
def test_runs_without_optional_packages(cell: str, without: None, tmp_path: Path) -> None:
    case = make_case(
        cell,
        space={"degree": 1},
        network={"layers": 2},
        training={"max_iterations": 1},
        output={"fields": True, "pictures": cell == "interval"},
    )
    run(case, tmp_path / "run", comm=MPI.COMM_SELF)
    assert list((tmp_path / "run/fields").glob("*.pvd"))
    assert (tmp_path / "run/pictures/density.png").exists() == case.output.pictures


def test_missing_packages_are_named(without: None, tmp_path: Path) -> None:
    (tmp_path / "disk.msh").write_text("")
    with pytest.raises(InputError, match=r"^mesh\.file: needs the package meshio; .*\[meshes\]"):
        read(MPI.COMM_SELF, tmp_path / "disk.msh", "triangle")
    with pytest.raises(SolveError, match=r"^output\.pictures: .* need the package pyvista; .*spac"):
        plot3d._rendered({})


WITHOUT = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "{part}":
            raise ModuleNotFoundError(f"No module named '{part}'", name="{part}")
sys.meta_path.insert(0, Nothing())
{work}
"""
COMMAND = "sys.argv = ['mfresnet', 'run', 'case.toml']; import mfresnet.__main__ as m; m.main()"


@pytest.mark.parametrize("part", ["mpi4py", "dolfinx"])
@pytest.mark.parametrize("work", [COMMAND, "import mfresnet; mfresnet.run"])
def test_four_ways_without_the_solver(part: str, work: str, tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text("")
    program = WITHOUT.format(part=part, work=work)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=tmp_path)
    said = done.stderr.decode()
    assert f"mfresnet: no {part}; got none, expected DOLFINx with real PETSc. Take one of" in said
    assert said.count("Traceback") == ("import mfresnet;" in work)
    assert done.returncode == (1 if "import mfresnet;" in work else 3)


def test_version_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    line, known = f"mfresnet {mfresnet.__version__}", util.find_spec
    assert installation.version() == line
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == "dolfinx" else known(name))
    assert installation.version().startswith(f"{line}\nmfresnet: no dolfinx; got none")


def test_mpi_without_a_library_is_named() -> None:
    said = installation.sentence(RuntimeError("cannot load MPI library"))
    assert said is not None and said.startswith("mfresnet: no MPI; ")
    assert installation.sentence(RuntimeError("another")) is None
    assert installation.sentence(ModuleNotFoundError(name="numpy")) is None
