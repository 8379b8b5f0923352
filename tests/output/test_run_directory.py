# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A run directory: one process at a time, numbers first, and never one that nobody can use."""

from mpi4py import MPI

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands import outside
from helpers import gaussian, largest_file, make_case
from mfresnet import cli
from mfresnet.case.case import Case
from mfresnet.errors import InputError
from mfresnet.output import fields
from mfresnet.output.progress import Progress
from mfresnet.output.report import Exit
from mfresnet.output.run_directory import MARK, own, versions
from mfresnet.runs.runner import run


def small(**sections: Any) -> Case:
    """Return a case on the line that is trained in no time."""
    return make_case(
        "interval",
        mesh={"cells": [8], "lower": [-7.0], "upper": [7.0], "outflow_tolerance": 1.0},
        space={"degree": 1},
        network={"layers": 2},
        training={"max_iterations": 8},
        **sections,
    )


@pytest.fixture
def few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the animations short."""
    monkeypatch.setattr("mfresnet.pictures.flat.FRAMES", 2)


SMALL = small()
SHOWN = {"fields": True, "pictures": True}


def content(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "run.json").read_text())


# ---------------------------------------------------------------- one at a time
def test_second_process_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    run(SMALL, directory, comm=MPI.COMM_SELF)
    again: list[Callable[[], Any]] = [
        lambda: run(SMALL, directory, comm=MPI.COMM_SELF, overwrite=True),
        lambda: run(SMALL, directory, comm=MPI.COMM_SELF, resume=True),
        lambda: cli.plot(directory),
        lambda: cli.verify(directory),
    ]
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    with own(directory, MPI.COMM_SELF) as locked:
        assert locked
        for write in again:
            with pytest.raises(InputError, match=r"/run: another process is writing into this"):
                write()
    assert {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()} == before
    for write in again[:2]:
        write()


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    line = "from pathlib import Path; from mpi4py import MPI\n"
    line += "from mfresnet.output.run_directory import own\n"
    line += f"with own(Path({str(tmp_path)!r}), MPI.COMM_SELF): print(1, flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=outside()
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"1\n"
    with pytest.raises(InputError, match="another process"), own(tmp_path, MPI.COMM_SELF):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    run(SMALL, tmp_path, comm=MPI.COMM_SELF)


def test_directories_that_are_begun(tmp_path: Path) -> None:
    """The mark alone is a new run; with anything else it is ours; no other directory is touched."""
    with pytest.raises(InputError, match="no run in"):
        run(SMALL, tmp_path / "a", comm=MPI.COMM_SELF, resume=True)
    assert not (tmp_path / "a").exists()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / MARK).touch()
    with pytest.raises(InputError, match="no run in"):
        run(SMALL, tmp_path / "a", comm=MPI.COMM_SELF, resume=True)
    whole = run(SMALL, tmp_path / "a", comm=MPI.COMM_SELF)
    for name in ("checkpoint", "case.toml", "run.json", "controls.npz"):
        # as after a kill in the middle of clearing or making it
        directory = tmp_path / name
        shutil.copytree(tmp_path / "a", directory)
        place = directory / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        with pytest.raises(InputError, match="holds an earlier run"):
            run(SMALL, directory, comm=MPI.COMM_SELF)
        again = run(SMALL, directory, comm=MPI.COMM_SELF, resume=True)
        assert again.theta.tobytes() == whole.theta.tobytes()
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").touch()
    with pytest.raises(InputError, match="not a run directory"):
        run(SMALL, other, comm=MPI.COMM_SELF, overwrite=True)
    assert [path.name for path in other.iterdir()] == ["letter.txt"]


# ---------------------------------------------------------------- a full disk
def test_full_disk_leaves_a_run_to_go_on_with(tmp_path: Path) -> None:
    """Whichever file it is that has no room: the directory is one of ours."""
    whole = run(SMALL, tmp_path / "whole", comm=MPI.COMM_SELF)
    sizes = {path.stat().st_size for path in (tmp_path / "whole").rglob("*") if path.is_file()}
    for size in sorted(sizes - {0}):
        directory = tmp_path / str(size)
        with largest_file(size - 1):
            try:
                run(SMALL, directory, comm=MPI.COMM_SELF, progress=Progress(1))
            except OSError as error:
                assert error.strerror == "File too large", size
        again = run(SMALL, directory, comm=MPI.COMM_SELF, resume=True)
        assert again.theta.tobytes() == whole.theta.tobytes(), size
        assert not list(directory.rglob("*.partial"))


@pytest.mark.usefixtures("few_frames")
def test_full_disk_for_pictures_keeps_the_numbers(tmp_path: Path) -> None:
    """What a finished training can do without is a warning, and is there after a resume."""
    case, bare = small(output=SHOWN), tmp_path / "bare"
    whole = run(SMALL, bare, comm=MPI.COMM_SELF)
    room = max(path.stat().st_size for path in bare.rglob("*") if path.is_file()) + 600
    with largest_file(room):
        # in silence: what pytest captures grows too
        result = run(case, tmp_path / "run", comm=MPI.COMM_SELF, progress=Progress(1))
    assert result.exit is whole.exit
    assert result.theta.tobytes() == whole.theta.tobytes()
    found = content(tmp_path / "run")
    assert found["objective"] == whole.report.to_data()["objective"]
    about = [text.partition(":")[0] for text in found["warnings"]]
    assert about[-1] == "output.pictures"
    assert "File too large" in found["warnings"][-1]
    again = run(case, tmp_path / "run", comm=MPI.COMM_SELF, resume=True)
    assert again.report["warnings"] == whole.report["warnings"]
    assert (tmp_path / "run/pictures/density.png").exists()


# ---------------------------------------------------------------- fields and pictures
def test_missing_package_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise ImportError("import of pyvista halted", name="pyvista")

    monkeypatch.setattr(fields, "write_fields", missing)
    monkeypatch.setitem(sys.modules, "mfresnet.pictures.figures", None)
    result = run(small(output={"fields": True}), tmp_path / "a", comm=MPI.COMM_SELF)
    assert result.exit in (Exit.CONVERGED, Exit.NOT_CONVERGED)
    (sentence,) = [text for text in result.report["warnings"] if text.startswith("output")]
    assert sentence.startswith("output.fields: cannot be made; got 'import of pyvista halted")
    assert content(tmp_path / "a")["warnings"] == result.report["warnings"]
    # one of our own modules that does not import is a defect
    with pytest.raises(ImportError):
        run(small(output={"pictures": True}), tmp_path / "b", comm=MPI.COMM_SELF)
    assert content(tmp_path / "b")["objective"] == result.report.to_data()["objective"]


@pytest.mark.usefixtures("few_frames")
@pytest.mark.parametrize("d", [1, 2])
def test_labels_that_are_hard_to_draw(d: int, tmp_path: Path) -> None:
    labels = ["a$b", "a_b", r"$\nothing{$" + "\n" + "x" * 10_000]
    classes = [
        {
            "label": label,
            "density": gaussian([0.0] * d, [[float(i == j) for i in range(d)] for j in range(d)]),
            "target": [0.5] * d,
        }
        for label in labels
    ]
    case = make_case(
        "interval" if d == 1 else "quadrilateral",
        mesh={"cells": [8] * d, "lower": [-7.0] * d, "upper": [7.0] * d, "outflow_tolerance": 1.0},
        space={"degree": 1},
        network={"layers": 2},
        training={"max_iterations": 1},
        classes=classes,
        output=SHOWN,
    )
    result = run(case, tmp_path / "run", comm=MPI.COMM_SELF)
    assert not [text for text in result.report["warnings"] if text.startswith("output")]
    for name in ("density.png", "density.webp"):
        assert (tmp_path / "run/pictures" / name).stat().st_size > 1000


def test_versions_need_no_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages of some distributions have none."""
    expected = versions()
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: 1 / 0)
    assert versions() == expected
    assert all(text[0].isdigit() for text in expected.values())
