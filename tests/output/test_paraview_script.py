# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The script for ParaView, and what pvbatch makes of it where there is one.

``docker/looks python3 -m pytest -m looks tests`` runs it in an environment with Debian's ParaView.
"""

from mpi4py import MPI

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import execute, on_screen
from helpers import make_case
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.output.fields import write_fields
from mfresnet.output.paraview_script import paraview_script, show_in_paraview
from mfresnet.pictures.palette import COLOURS

MASSES = """
for t in fields.TimestepValues:
    found = simple.IntegrateVariables(Input=fields)
    found.UpdatePipeline(t)
    data = found.CellData
    print("MASS", t, *[repr(data[f"density_{k}_mean"].GetRange()[0]) for k in range(2)])
"""


WRITE = """
import sys
from mpi4py import MPI
from pathlib import Path
import numpy as np
sys.path.insert(0, TESTS)
from helpers import make_case, moments
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory
from mfresnet.output.fields import write_fields

cell, run = sys.argv[1], Path(sys.argv[2])
functional = ReducedFunctional(make_case(cell), MPI.COMM_WORLD)
(run / "fields").mkdir(exist_ok=True)
write_fields(functional, functional.theta0, run / "fields")
densities = Trajectory(functional, functional.theta0).densities()
masses = [[moments(functional.problem.space, f)[0] for f in row] for row in densities]
if MPI.COMM_WORLD.rank == 0:
    np.save(run / "masses.npy", masses)
""".replace("TESTS", repr(str(Path(__file__).parents[1])))


@pytest.fixture(scope="module")
def functional() -> ReducedFunctional:
    return ReducedFunctional(make_case("quadrilateral"), MPI.COMM_SELF)


@pytest.fixture
def run(functional: ReducedFunctional, tmp_path: Path) -> Path:
    (tmp_path / "fields").mkdir()
    write_fields(functional, functional.theta0, tmp_path / "fields")
    return tmp_path


def test_script_is_python_and_names_what_is_there(run: Path) -> None:
    text = paraview_script(run, COLOURS[:2])
    compile(text, "script.py", "exec")
    assert repr(str(run / "fields/fields.pvd")) in text
    assert "trajectories.vtp" in text
    assert "targets.vtp" in text
    (run / "fields/targets.vtp").unlink()
    assert "targets.vtp" not in paraview_script(run, COLOURS[:2])


def test_mistakes_are_one_sentence(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"fields\.pvd: the fields cannot be read"):
        show_in_paraview(run / "nothing", COLOURS[:2])
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(InputError, match=r"^view: there is no command paraview here"):
        show_in_paraview(run, COLOURS[:2])
    assert "pvbatch" in show_in_paraview(run, COLOURS[:2], run / "a.py")
    assert (run / "a.py").read_text() == paraview_script(run, COLOURS[:2])


@pytest.mark.looks
@pytest.mark.skipif(
    shutil.which("pvbatch") is None or shutil.which("xvfb-run") is None,
    reason="no pvbatch here; docker/looks has one",
)
@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("cell", ["quadrilateral", "tetrahedron"])
def test_picture_and_masses_in_paraview(cell: str, ranks: int, tmp_path: Path) -> None:
    """The script draws both classes; the integral of every density is its mass."""
    line = [sys.executable, "-c", WRITE, cell, str(tmp_path)]
    written = execute(["mpirun", "-n", str(ranks), *line] if ranks > 1 else line)
    assert written.returncode == 0, written.stderr
    assert len(list(tmp_path.glob("fields/*_000000_*.vtu"))) == ranks
    script, picture = tmp_path / "script.py", tmp_path / "picture.png"
    show_in_paraview(tmp_path, COLOURS[:2], script)
    script.write_text(script.read_text() + MASSES)
    done = execute(on_screen(["pvbatch", str(script), str(picture)]))
    assert done.returncode == 0, done.stderr
    pixels = np.asarray(Image.open(picture).convert("RGB"), dtype=int)
    assert (pixels[..., 2] - pixels[..., 0] > 30).sum() > 500
    assert (pixels[..., 0] - pixels[..., 2] > 30).sum() > 500
    rows = [line.split()[2:] for line in done.stdout.splitlines() if line.startswith("MASS")]
    expected = np.load(tmp_path / "masses.npy")
    assert len(rows) == len(expected) > 2
    np.testing.assert_allclose(np.array(rows, dtype=float), expected, rtol=1e-10)
