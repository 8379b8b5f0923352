# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The window of ``mfresnet view``: what it shows on a virtual screen, what is said without one."""

from mpi4py import MPI

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import on_screen
from helpers import make_case
from mfresnet.child import outside
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.output.fields import write_fields
from mfresnet.pictures.window import show_window

LOOK = """
import sys
from pathlib import Path
from mfresnet.pictures.window import Window

window = Window(Path(sys.argv[1]))

def look(*_):
    for number, t in enumerate((window.depths[0], window.depths[-1])):
        window.show(t)
        window.plotter.screenshot(f"{sys.argv[1]}/{number}.png")
    window.plotter.iren.terminate_app()

window.plotter.iren.add_observer("TimerEvent", look)
window.plotter.iren.create_timer(100, repeating=False)
window.plotter.show()
"""


def _run(cell: str, directory: Path) -> Path:
    """Leave the fields of controls that shift everything to the right."""
    functional = ReducedFunctional(make_case(cell, network={"layers": 2}), MPI.COMM_SELF)
    parts = functional.controls.split(np.zeros_like(functional.theta0))
    parts["b"][:, 0] = 0.8
    (directory / "fields").mkdir()
    write_fields(functional, functional.controls.join(parts), directory / "fields")
    return directory


@pytest.mark.parametrize("cell", ["interval", "quadrilateral", "tetrahedron"])
def test_window_shows_the_classes_move(cell: str, tmp_path: Path) -> None:
    line = on_screen([sys.executable, "-c", LOOK, str(_run(cell, tmp_path))])
    subprocess.run(line, env=outside(), timeout=200, check=True, capture_output=True)
    middles = []
    for number in range(2):
        with Image.open(tmp_path / f"{number}.png") as picture:
            pixels = np.asarray(picture.convert("RGB"), dtype=int)
        blue = pixels[..., 2] - pixels[..., 0] > 20
        assert blue.sum() > 1500
        assert (pixels[..., 0] - pixels[..., 2] > 20).sum() > 1500
        middles.append(np.nonzero(blue)[1].mean())
    # on the line one picture has all depths
    assert middles[1] == middles[0] if cell == "interval" else abs(middles[1] - middles[0]) > 15


def test_reasons_for_no_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"fields\.pvd: the fields cannot be read"):
        show_window(tmp_path)
    run = _run("quadrilateral", tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(InputError, match=r"^view: there is no display here, .* --script FILE"):
        show_window(run)
    monkeypatch.setenv("DISPLAY", ":987")
    with pytest.raises(InputError, match=r"^view: the display :987 cannot be reached"):
        show_window(run)
