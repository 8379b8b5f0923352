# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""ParaView with the fields of a run as one wants to see them: a script for it, and its start."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mfresnet.errors import InputError
from mfresnet.files import write_text
from mfresnet.output.fields_reader import FIELDS, SINGLE, entries
from mfresnet.output.sets import SHARES

SCRIPT = """# Sets that hold {shares} of the mass of every class, at all depths.
# paraview --script=FILE, or without a window: pvbatch FILE PICTURE.png
import sys

from paraview import simple

COLOURS = {colours}
fields = simple.OpenDataFile({fields!r})
fields.UpdatePipeline()
view = simple.GetActiveViewOrCreate("RenderView")
view.UseColorPaletteForBackground = 0
view.Background = [1.0, 1.0, 1.0]
view.OrientationAxesVisibility = 0
outline = simple.Show(simple.Outline(Input=fields), view)
outline.AmbientColor = outline.DiffuseColor = [0.6, 0.6, 0.6]
x0, x1, y0, y1, z0, z1 = fields.GetDataInformation().GetBounds()
flat = z1 == z0
names = [name for name in fields.PointData.keys() if name.startswith("mass_share_")]
for k, name in enumerate(names):
    contour = simple.Contour(Input=fields, ContourBy=["POINTS", name], Isosurfaces={levels})
    simple.RenameSource(name, contour)
    shown = simple.Show(contour, view)
    simple.ColorBy(shown, None)
    shown.AmbientColor = shown.DiffuseColor = COLOURS[k % len(COLOURS)]
    shown.LineWidth = 2.0
    shown.Opacity = 1.0 if flat else 0.35
for path in {more}:
    lines = simple.OpenDataFile(path)
    shown = simple.Show(lines, view)
    simple.ColorBy(shown, None)
    shown.AmbientColor = shown.DiffuseColor = [0.55, 0.55, 0.55]
    shown.PointSize = 8.0
    shown.Opacity = 0.5
scene = simple.GetAnimationScene()
scene.UpdateAnimationUsingDataTimeSteps()
scene.GoToLast()
if flat:
    view.InteractionMode = "2D"
simple.ResetCamera(view)
if not flat:
    view.GetActiveCamera().Azimuth(30.0)
    view.GetActiveCamera().Elevation(20.0)
simple.SetActiveSource(fields)
simple.Render(view)
if len(sys.argv) > 1:
    simple.SaveScreenshot(sys.argv[1], view, ImageResolution=[1200, 900])
"""


def paraview_script(run: Path, colours: Sequence[tuple[float, float, float]]) -> str:
    """Return a Python script for ParaView that opens the fields of a run directory.

    Args:
        run: the run directory.
        colours: of the classes in turn, red, green and blue between 0 and 1.

    Raises:
        InputError: the run has no fields.
    """
    directory = (run / "fields").resolve()
    entries(directory / FIELDS)
    there = [directory / f"{name}.vtp" for name in SINGLE]
    return SCRIPT.format(
        shares=", ".join(f"{share:.0%}" for share in SHARES),
        colours=[[round(c, 4) for c in colour] for colour in colours],
        fields=str(directory / FIELDS),
        levels=list(SHARES),
        more=[str(path) for path in there if path.exists()],
    )


def show_in_paraview(
    run: Path, colours: Sequence[tuple[float, float, float]], script: Path | None = None
) -> str:
    """Write the script of ``paraview_script``, or start ParaView with it; return what was done.

    Args:
        run: the run directory.
        colours: of the classes.
        script: where to write; ParaView is started when not given.

    Raises:
        InputError: the run has no fields, or ParaView is not installed.
    """
    text = paraview_script(run, colours)
    if script is not None:
        write_text(script, text)
        return f"Written: {script}, for paraview --script={script} or pvbatch {script} PICTURE.png"
    if shutil.which("paraview") is None:
        raise InputError(
            "view: there is no command paraview here, expected an installation of ParaView. "
            "Install it, or write the script for another machine by --script FILE."
        )
    with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as file:
        file.write(text)
    subprocess.Popen(["paraview", f"--script={file.name}"], start_new_session=True)
    return f"ParaView: {run / 'fields' / FIELDS}"
