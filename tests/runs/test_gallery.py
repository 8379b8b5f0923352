# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Studies are written whole and held to their findings; the gallery shows what holds and fails."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from commands import command
from mfresnet.errors import InputError
from mfresnet.runs.studies.gallery import find
from mfresnet.runs.studies.study import Study, first_sentence, load_study, main, show, slope
from mfresnet.verification.findings import at_least, at_most, near

SCRIPT = '''"""Numbers fall as they should. And more words.

Run: python3 study.py
"""

import numpy as np
from matplotlib.figure import Figure

from mfresnet.verification.findings import near
from mfresnet.runs.studies.study import Study, main, slope


def study(size: str = "full") -> Study:
    n = np.array([1.0, 2.0, 4.0]) * (10 if size == "full" else 1)
    figure = Figure()
    figure.subplots().loglog(n, 3.0 / n)
    found = near("slope", slope(n, 3.0 / n), EXPECTED, 0.1, "It does not.")
    return Study("Falling", __doc__, {"n": n, "value": 3.0 / n}, (found,), figure)


if __name__ == "__main__":
    main(study)
'''
FEW = ("cells = [16]", "cells = [5], outflow_tolerance = 1e-3")
CASE = """# A Gaussian moves. With a target.
title = "Moved <quickly>"
mesh = { cell = "interval", cells = [16], lower = [-2.0], upper = [3.0] }
network = { layers = 2, activation = "identity", trainable = ["b"] }
initial = { kind = "zero" }
output = { fields = false }
[[classes]]
density = { kind = "gaussian", mean = 0.4, covariance = 0.09 }
target = 0.8
"""


def write_study(path: Path, expected: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SCRIPT.replace("EXPECTED", repr(expected)))
    return path


def test_findings() -> None:
    assert [at_most("a", 1.0, 1.0).passed, at_most("a", 1.1, 1.0, "High.").sentence] == [
        True,
        "High.",
    ]
    assert [at_least("a", v, 1.0).passed for v in (0.9, 1.0, np.nan)] == [False, True, False]
    assert [near("a", v, -1.0, 0.1).passed for v in (-1.09, -0.91, -1.2, np.nan)] == [
        True,
        True,
        False,
        False,
    ]
    assert near("a", 0.0, -0.5, 0.1).expected == "within 0.1 of -0.5"


def test_slope_and_sentence() -> None:
    n = np.array([10, 20, 80])
    assert slope(n, 7.0 * n**-0.5) == pytest.approx(-0.5)
    assert first_sentence("One sentence,\n    two lines at 0.5. Another.") == (
        "One sentence, two lines at 0.5."
    )


@pytest.mark.parametrize(("expected", "status"), [(-1.0, 0), (-2.0, 3)])
def test_script(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], expected: float, status: int
) -> None:
    study = load_study(write_study(tmp_path / "falling.py", expected))
    for _ in range(2):  # the second time over the first
        with pytest.raises(SystemExit) as ended:
            main(study, ["--out", str(tmp_path / "out"), "--size", "reduced"])
        assert ended.value.code == status
    assert ("FAIL" in capsys.readouterr().out) == bool(status)
    report = json.loads((tmp_path / "out/study.json").read_text())
    assert report["passed"] == (status == 0)
    assert report["sentence"] == "Numbers fall as they should."
    assert report["findings"][0]["value"] == pytest.approx(-1.0)
    with (tmp_path / "out/table.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows == [["n", "value"], ["1.0", "3.0"], ["2.0", "1.5"], ["4.0", "0.75"]]
    assert (tmp_path / "out/picture.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "picture.png",
        "study.json",
        "table.csv",
    ]


def test_table_shows_words_and_numbers(tmp_path: Path) -> None:
    found: Study = load_study(write_study(tmp_path / "a.py", -1.0))()
    words = Study("T", "S.", {"method": ["lmvm", "cg"], "J": [0.5, 0.25]}, (), found.figure)
    console = Console(record=True, width=80)
    show(words, console)
    text = console.export_text()
    assert "lmvm" in text
    assert "0.25" in text


def test_what_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("")
    for name in ("empty.py", "missing.py"):
        with pytest.raises(InputError, match="not a study"):
            load_study(tmp_path / name)


def test_gallery(tmp_path: Path) -> None:
    """It goes on after a failure, shows it, and its exit status says so."""
    cases, out = tmp_path / "cases", tmp_path / "out"
    write_study(cases / "studies/falling.py", -1.0)
    write_study(cases / "studies/rising.py", 1.0)
    (cases / "studies/broken.py").write_text("raise RuntimeError('no <luck>')")
    (cases / "moved.toml").write_text(CASE)
    (cases / "coarse.toml").write_text(CASE.replace(*FEW))
    (cases / "wrong.toml").write_text("mesh = 3")
    done = command("gallery", cases, "--out", out)
    assert done.returncode == 3, done.stderr
    assert "2 of 6 hold" in done.stdout
    page = (out / "index.html").read_text()
    for name, good in {
        "falling": True, "rising": False, "broken": False,
        "moved": True, "coarse": False, "wrong": False,
    }.items():  # fmt: skip
        (tile,) = re.findall(rf'<a class="[^"]+" id="tile-{name}".*?</a>', page, re.DOTALL)
        assert ("failed, status" not in tile) == good
        assert tile.startswith('<a class="tile"') == good
        (link,) = re.findall(r'href="([^"]+)"', tile)
        if link.startswith("#"):
            (article,) = re.findall(rf'<article id="{name}".*?</article>', page, re.DOTALL)
            assert "docker/run" in article
        else:
            assert link == f"{name}/report.html" and (out / link).exists()
    assert "RuntimeError: no &lt;luck&gt;" in page
    assert "Moved &lt;quickly&gt;" in page
    assert "A Gaussian moves." in page
    assert "A finding does not hold." in page
    assert "A line of its certificate does not hold." in page
    assert "loss: relative error" in (out / "coarse/report.html").read_text()
    assert page.index("Moved &lt;quickly&gt;") < page.index("Falling")  # cases first
    assert "objective" in page and "slope: -1" in page
    pictures = re.findall(r'<img src="([^"]+)"', page)
    assert {p.split("/")[0] for p in pictures} == {"falling", "rising", "moved", "coarse"}
    for picture in pictures:
        head = (out / picture).read_bytes()[:12]
        assert head.startswith(b"\x89PNG") or head.startswith(b"RIFF") and head.endswith(b"WEBP")
    done = command("gallery", cases, "--out", out, "--only", "falling")
    assert done.returncode == 0, done.stderr
    assert (out / "index.html").read_text().count("<article") == 1


def test_what_the_gallery_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to run"):
        find(tmp_path)
    write_study(tmp_path / "studies/falling.py", -1.0)
    with pytest.raises(InputError, match="Did you mean 'falling'"):
        find(tmp_path, ["faling"])
    done = command("gallery", tmp_path, ranks=2)
    assert done.returncode == 2
    assert "Omit mpirun" in done.stderr
