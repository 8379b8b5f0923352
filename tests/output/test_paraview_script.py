# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The script for ParaView, and what pvbatch makes of it where there is one.

On Debian: apt-get install paraview python3-paraview xvfb, then this file by pytest in an
environment with DOLFINx that sees them.
"""

from mpi4py import MPI

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers import make_case, moments
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.functional.trajectory import Trajectory
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


@pytest.mark.skipif(
    shutil.which("pvbatch") is None or shutil.which("xvfb-run") is None,
    reason="no pvbatch here; apt-get install paraview python3-paraview xvfb",
)
def test_picture_and_masses_in_paraview(functional: ReducedFunctional, run: Path) -> None:
    script, picture = run / "script.py", run / "picture.png"
    script.write_text(paraview_script(run, COLOURS[:2]) + MASSES)
    line = ["xvfb-run", "-a", "pvbatch", str(script), str(picture)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=True)
    pixels = np.asarray(Image.open(picture).convert("RGB"), dtype=int)
    assert (pixels[..., 2] - pixels[..., 0] > 60).sum() > 500
    assert (pixels[..., 0] - pixels[..., 2] > 60).sum() > 500
    rows = [line.split()[2:] for line in done.stdout.splitlines() if line.startswith("MASS")]
    f = Trajectory(functional, functional.theta0).densities()
    space = functional.problem.space
    expected = [[moments(space, fk)[0] for fk in ft] for ft in f]
    np.testing.assert_allclose(np.array(rows, dtype=float), expected, rtol=1e-10)
