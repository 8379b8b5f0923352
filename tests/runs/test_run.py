# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The command and its run directory, as a user meets them."""

from mpi4py import MPI

import contextlib
import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvista

from commands import command, execute, outside
from helpers import make_data_case
from mfresnet.case.case import Case, load
from mfresnet.case.completion import resolve
from mfresnet.case.population import populate
from mfresnet.errors import InputError
from mfresnet.files import write_atomically
from mfresnet.functional.densities import ReducedFunctional

ROOT = Path(__file__).parents[2]
SHIFT, SCALE = ROOT / "cases/shift_1d.toml", ROOT / "cases/scale_1d.toml"
PLANE = ROOT / "cases/two_classes_2d.toml"
SMALL = ["mesh.cells=[12, 12]", "network.layers=3", "penalty.tikhonov=0.05"]
SMALL += ["mesh.outflow_tolerance=1e-4"]
BARE = ["output.fields=false", "output.pictures=false"]


def report(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "run.json").read_text())


def repeatable(directory: Path) -> dict[str, Any]:
    """Return what two runs have in common: no seconds, no memory as the system counts it."""
    run = report(directory)
    del run["seconds"], run["digest"], run["files"]["history.csv"]  # which has seconds too
    for name in ("predicted", "measured"):
        del run["memory"][name]
    return run


def filled(path: Path, settings: list[str]) -> Case:
    case = load(path, settings)
    return resolve(case, populate(case, MPI.COMM_SELF))


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("case", "name", "value", "objective"),
    [(SHIFT, "b", 1.36363636, 0.122272727), (SCALE, "W", -1.10250163901, 0.115900575152)],
)
def test_closed_forms_to_six_digits(
    case: Path, name: str, value: float, objective: float, tmp_path: Path
) -> None:
    """V14 and V15 by the command."""
    done = command("run", case, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    run = report(tmp_path / "run")
    assert run["status"] == "converged"
    assert run["objective"]["total"] == pytest.approx(objective, rel=1e-6)
    controls = np.load(tmp_path / "run/controls.npz")
    np.testing.assert_allclose(controls[name].ravel(), value, rtol=1e-6)
    np.testing.assert_allclose(controls["t"], np.arange(10) / 10)


def test_run_directory(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    done = command("run", PLANE, "--out", directory, settings=SMALL)
    assert done.returncode == 0, done.stderr
    run = report(directory)
    contract = """case status message versions ranks dofs layers steps_per_layer objective
    gradient_norm iterations forward_sweeps adjoint_sweeps mass_error outflow min_density metrics
    lower_bound certificate seconds""".split()
    assert set(contract) <= set(run)
    assert run["objective"]["total"] == pytest.approx(
        run["objective"]["loss"] + run["objective"]["penalty"], rel=1e-14
    )
    with (directory / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    assert len(history) == run["iterations"] + 1
    assert float(history[0]["objective"]) == run["initial_objective"]
    assert float(history[-1]["objective"]) == run["objective"]["total"]
    assert load(directory / "case.toml") == filled(PLANE, SMALL)
    pictures = {path.name for path in (directory / "pictures").iterdir()}
    drawn = {"density.png", "density.webp", "velocity.png", "controls.png", "history.png"}
    assert pictures == drawn
    assert not list(directory.rglob("*.partial"))
    for name in ("density", "adjoint", "velocity"):
        reader = pyvista.PVDReader(directory / f"fields/{name}.pvd")
        assert len(reader.time_values) == 4
    # lines with times: what it is, some iterations, what is written; no escape codes
    stamped = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \S")
    lines = done.stderr.splitlines()
    assert all(stamped.match(line) for line in lines), done.stderr
    assert "Two classes in the plane: 3 layers" in lines[0] and "1 rank" in lines[0]
    shown = [int(n) for n in re.findall(r"iteration +(\d+)  J ", done.stderr)]
    assert shown[0] == 0 and shown[-1] == run["iterations"] and len(shown) < 10
    # results stand on stdout, also in a file: the verdict, the table, the page
    assert done.stdout.startswith("Converged: J = ")
    assert f"{run['objective']['total']:.10g}"[:8] in done.stdout
    assert done.stdout.splitlines()[-1] == str(directory / "report.html")
    assert "\x1b" not in done.stdout + done.stderr


def test_how_much_is_said(tmp_path: Path) -> None:
    """Nothing but the last line, or every iteration and level; wrapped at words."""
    start = ["run", PLANE, "--out", tmp_path / "run", "--overwrite"]
    settings = [*SMALL, *BARE, "training.levels=[{cells = [8, 8], layers = 3}]"]
    quiet = command(*start, "--quiet", settings=settings)
    assert quiet.stdout == f"{tmp_path / 'run/report.html'}\n"
    assert quiet.stderr == "" and quiet.returncode == 0
    verbose = command(*start, "--verbose", settings=settings).stderr
    iterations = sum(stage["iterations"] + 1 for stage in report(tmp_path / "run")["stages"])
    assert verbose.count("  iteration ") == iterations
    assert "8 x 8 cells of degree 2, 3 layers: J = " in verbose and "Memory: about" in verbose
    limited = [*settings, "training.max_iterations=2"]
    late = command(*start, "-q", settings=limited)
    assert late.returncode == 4 and late.stdout == quiet.stdout
    assert "Warning: The iteration limit was reached." in late.stderr
    assert command(*start, "-q", "-v").stderr.count("\n") == 1


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_results_are_as_wide_as_the_reader_likes(
    columns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    limited = [*SMALL, *BARE, "training.max_iterations=1"]
    done = command("run", PLANE, "--out", tmp_path / "run", settings=limited)
    lines = done.stdout.splitlines()
    assert max(map(len, lines[:-1])) <= min(int(columns), 120)
    assert not [line for line in lines if line != line.rstrip()]
    assert lines[0].startswith("Not converged: J = ")
    flat = " ".join(done.stdout.split())
    assert "The iteration limit was reached. Raise training.max_iterations." in flat
    assert report(tmp_path / "run")["objective"]["loss_error"]["number"].split()[0] in flat


@pytest.mark.parametrize("piped", [False, True])
def test_colours_are_for_a_terminal(piped: bool, tmp_path: Path) -> None:
    """Progress is live there; what is found has no escape codes in a file."""
    line = [sys.executable, "-m", "mfresnet", "run", str(SHIFT), "--out", str(tmp_path / "run")]
    line += [f"--set={setting}" for setting in BARE]
    terminal, inside = pty.openpty()
    with (tmp_path / "log").open("wb") as log:
        out = log if piped else inside
        environment = {**outside(), "TERM": "xterm"}
        environment.pop("NO_COLOR", None)
        process = subprocess.Popen(line, stdout=out, stderr=inside, env=environment)
        os.close(inside)
        shown = b""
        with contextlib.suppress(OSError):  # the end
            while part := os.read(terminal, 1024):
                shown += part
    os.close(terminal)
    assert process.wait(timeout=60) == 0
    assert b"gradient norm" in shown and b"\x1b[?25h" in shown
    assert (b"\x1b[32mConverged: J = " in shown) is not piped
    text = (tmp_path / "log").read_text()
    assert text.startswith("Converged: J = ") is piped and "\x1b" not in text


def test_certificate_is_on_the_page(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    assert command("run", SHIFT, "--out", directory, settings=BARE).returncode == 0
    assert "Not made yet." in (directory / "report.html").read_text()
    done = command("verify", directory, "--quiet")
    count = len(report(directory)["certificate"]["checks"])
    assert done.returncode == 0 and done.stdout == f"{count} of {count} lines hold.\n"
    page = (directory / "report.html").read_text()
    assert "Not made yet." not in page and page.count(">passed</td>") == count - 1


def test_help_says_nothing_of_nothing() -> None:
    for name in ("run", "verify", "cross-validate", "predict", "view", "gallery", "bench"):
        said = command(name, "--help").stdout
        assert "Usage" in said and "None" not in said and "no-" not in said


def data_case(directory: Path, **sections: Any) -> Path:
    """Write a small case on samples and return its file; the data stand beside it."""
    case = make_data_case(directory, **sections)
    path = directory / "small.toml"
    path.write_text(case.to_toml())
    return path


@pytest.mark.smoke
@pytest.mark.parametrize("ranks", [1, 2])
def test_run_on_samples(ranks: int, tmp_path: Path) -> None:
    case, directory = data_case(tmp_path), tmp_path / "run"
    settings = ["output.pictures=true", "training.gradient_tolerance=1e-3"]
    done = command("run", case, "--out", directory, ranks=ranks, settings=settings)
    assert done.returncode == 0, done.stderr
    run = report(directory)
    metrics, data = run["metrics"], run["data"]
    assert metrics["test_accuracy"] > 0.85
    assert metrics["test_accuracy"] == metrics["runge_kutta"]["test_accuracy"]
    assert set(metrics["means"]) == {"no", "yes"}
    assert (data["train_samples"], data["test_samples"]) == (112, 48)
    assert "logistic regression" in done.stdout and "test accuracy" in done.stdout
    pictures = {path.name for path in (directory / "pictures").iterdir()}
    assert {"decision.png", "paths.png", "density.webp"} <= pictures
    # what prediction needs: the recorded map gives the samples of the run
    again = ReducedFunctional(load(directory / "case.toml"), MPI.COMM_SELF)
    dataset = again.population.dataset
    assert dataset is not None
    np.testing.assert_array_equal(np.array(data["matrix"]), dataset.matrix)
    theta = np.load(directory / "controls.npz")["theta"]
    assert again.value(theta) == pytest.approx(run["objective"]["total"], rel=1e-10)


def test_bad_samples_are_one_sentence(tmp_path: Path) -> None:
    case = data_case(tmp_path)
    with (tmp_path / "samples.csv").open("a") as file:
        file.write("0.5,,no\n")
    done = command("run", case, "--out", tmp_path / "run", ranks=2)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if "samples.csv, line 162" in line]
    assert len(lines) == 1 and "column 'height': missing value" in lines[0]
    assert not (tmp_path / "run").exists()
    checked = command("check", case)
    assert checked.returncode == 2 and "line 162" in checked.stderr


def test_cross_validation(tmp_path: Path) -> None:
    case = data_case(tmp_path)
    settings = ["training.gradient_tolerance=1e-2", "mesh.cells=[12, 12]"]
    done = command("cross-validate", case, "--seeds", 3, "--json", settings=settings)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [row["split"] for row in result["splits"]] == ["seed 0", "seed 1", "seed 2"]
    accuracies = [row["test_accuracy"] for row in result["splits"]]
    assert result["mean"]["test_accuracy"] == pytest.approx(np.mean(accuracies))
    assert command("cross-validate", SHIFT).returncode == 2
    folded = command("cross-validate", case, "--folds", 2, ranks=2, settings=settings)
    assert folded.returncode == 0 and "fold 2" in folded.stdout


def test_pictures_are_drawn_again(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    assert command("run", SHIFT, "--out", directory, settings=BARE[:1]).returncode == 0
    first = {path.name: path.read_bytes() for path in (directory / "pictures").iterdir()}
    for path in (directory / "pictures").iterdir():
        path.unlink()
    done = command("plot", directory)
    assert done.returncode == 0, done.stderr
    again = {path.name: path.read_bytes() for path in (directory / "pictures").iterdir()}
    assert again.keys() == first.keys()
    assert again["history.png"] == first["history.png"]
    (directory / "history.csv").unlink()
    broken = command("plot", directory)
    assert broken.returncode == 2 and "history.csv: cannot be read" in broken.stderr


def test_plane_of_a_case_on_the_line(tmp_path: Path) -> None:
    """The space-depth plane holds the moving Gaussian."""
    directory = tmp_path / "run"
    assert command("run", SHIFT, "--out", directory, settings=BARE[1:]).returncode == 0
    mesh = pyvista.PVDReader(directory / "fields/plane.pvd").read()[0]
    x, t = mesh.points[:, 0], mesh.points[:, 1]
    density = mesh.point_data["density_0"]
    exact = np.exp(-((x - 0.5 - 1.36363636 * t) ** 2) / 0.08) / np.sqrt(0.08 * np.pi)
    assert np.abs(density - exact).max() < 5e-3 * exact.max()
    np.testing.assert_allclose(mesh.point_data["velocity"], 1.36363636, rtol=1e-6)


@pytest.mark.parametrize("ranks", [1, 2])
def test_run_twice_is_the_same_run(ranks: int, tmp_path: Path) -> None:
    for name in ("a", "b"):
        done = command("run", PLANE, "--out", tmp_path / name, ranks=ranks, settings=SMALL + BARE)
        assert done.returncode == 0, done.stderr
    a, b = (repeatable(tmp_path / name) for name in ("a", "b"))
    assert a == b
    controls = [np.load(tmp_path / name / "controls.npz")["theta"].tobytes() for name in ("a", "b")]
    assert controls[0] == controls[1]


def test_two_ranks_give_the_serial_run(tmp_path: Path) -> None:
    for ranks in (1, 2):
        done = command("run", PLANE, "--out", tmp_path / str(ranks), ranks=ranks, settings=BARE)
        assert done.returncode == 0, done.stderr
    one, two = report(tmp_path / "1"), report(tmp_path / "2")
    assert two["ranks"] == 2
    assert two["initial_objective"] == pytest.approx(one["initial_objective"], rel=1e-10)
    assert two["objective"]["total"] == pytest.approx(one["objective"]["total"], rel=1e-6)


def test_existing_directories(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    assert command("run", SHIFT, "--out", directory, "--resume").returncode == 2
    assert command("run", SHIFT, "--out", directory, settings=BARE).returncode == 0
    again = command("run", SHIFT, "--out", directory, settings=BARE)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr and len(again.stderr.strip().splitlines()) == 1
    assert command("run", SHIFT, "--out", directory, "--overwrite", settings=BARE).returncode == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("precious")
    refused = command("run", SHIFT, "--out", other, "--overwrite")
    assert refused.returncode == 2 and "not a run directory" in refused.stderr
    assert (other / "letter.txt").read_text() == "precious"


def test_exit_statuses(tmp_path: Path) -> None:
    limited = command(
        "run", PLANE, "--out", tmp_path / "a", settings=[*SMALL, *BARE, "training.max_iterations=2"]
    )
    assert limited.returncode == 4
    assert limited.stdout.startswith("Not converged: J = ")
    assert "The iteration limit was reached." in limited.stdout
    narrow = ["mesh.upper=[2.0]", "mesh.cells=[30]"]
    leaking = command("run", SHIFT, "--out", tmp_path / "b", settings=BARE + narrow)
    assert leaking.returncode == 3
    assert leaking.stdout.startswith("Failed, as mass has left the mesh: J = ")
    assert "mesh.outflow_tolerance: mass has left the mesh; got" in leaking.stdout
    assert report(tmp_path / "b")["status"] == "outflow"
    wrong = command("run", PLANE, settings=["network.activation=rleu", "space.degree=8"])
    assert wrong.returncode == 2
    assert len(wrong.stderr.strip().splitlines()) == 2
    without_n = command("sample", tmp_path, "--out", "a.csv").stderr
    assert without_n == "mfresnet: Missing argument 'N'. See mfresnet sample --help.\n"
    for arguments in (["plot", "x"], ["rnu"], ["run"], ["run", "a.toml", "--fast"], ["plot"]):
        refused = command(*arguments)
        assert refused.returncode == 2
        assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
    assert "case.toml: cannot be read" in command("plot", "x").stderr


def test_reader_that_has_enough_ends_the_command_in_silence() -> None:
    """As of any command before "| head"; PETSc would call it a crash."""
    line = f"{sys.executable} -m mfresnet check {PLANE} | head -1"
    done = execute(["bash", "-c", line])
    assert done.stdout == 'title = "Two classes in the plane"\n'
    assert done.stderr == ""


def test_check(tmp_path: Path) -> None:
    done = command("check", PLANE, settings=["network.layers=4"])
    assert done.returncode == 0 and done.stderr == ""
    assert "# Before training: no controls make the loss smaller than 0.05" in done.stdout
    assert re.search(r"# Memory: about \d+ MB; all layers held in [\d.]+ MB\.\n", done.stdout)
    steps = ReducedFunctional(load(PLANE, ["network.layers=4"]), MPI.COMM_SELF).steps_per_layer
    assert f"# Steps: {steps} in each of 4 layers.\n" in done.stdout
    little = command("check", PLANE, settings=["resources.memory=2 kB"])
    assert little.returncode == 2
    assert little.stderr.startswith("resources.memory: too little for one layer; got 2 kB")
    (tmp_path / "case.toml").write_text(done.stdout)
    assert load(tmp_path / "case.toml") == filled(PLANE, ["network.layers=4"])
    assert command("check", tmp_path / "none.toml").returncode == 2
    assert command("--version").stdout.startswith("mfresnet ")
    assert "Usage" in command("--help").stdout


def test_options_of_petsc(tmp_path: Path) -> None:
    arguments = ["run", SHIFT, "--out", tmp_path / "a", *(f"--set={s}" for s in BARE)]
    done = command(*arguments, "--", "-tao_type", "cg", "-tao_view")
    assert done.returncode == 0 and "type: cg" in done.stdout
    page = (tmp_path / "a/report.html").read_text()
    assert f"--out {tmp_path / 'a-again'} -- -tao_type cg -tao_view</pre>" in page
    done = command(*arguments, "--overwrite", "--", "-tao_type", "ntr", "-tao_monitor")
    assert done.returncode == 0 and "Residual" in done.stdout
    done = command(*arguments, "--overwrite", "--", "-tao_type", "nlz")
    assert done.returncode == 2 and "-tao_type: refused by PETSc; got nlz" in done.stderr


def test_message_of_all_ranks_is_one(tmp_path: Path) -> None:
    done = command("run", PLANE, ranks=3, settings=["network.activation=rleu"])
    assert done.returncode == 2
    assert done.stderr.count("network.activation: unknown name") == 1


BREAK = """
import importlib, sys
import mfresnet
from mpi4py import MPI

def break_it():
    module, name, method = {place!r}.split(":")
    owner = getattr(importlib.import_module("mfresnet." + module), name)
    right, calls = getattr(owner, method), []
    def wrong(*arguments, **keywords):
        calls.append(1)
        if MPI.COMM_WORLD.rank == {rank} and len(calls) == {call}:
            open({mark!r}, "w").close()
            raise {error}
        return right(*arguments, **keywords)
    setattr(owner, method, wrong)

import petsc4py
petsc4py.init(["mfresnet", "-no_signal_handler"])
break_it()
from mfresnet.__main__ import main
sys.argv = ["mfresnet", "run", *{arguments!r}]
main()
"""
ODD, ODD_TEXT = 'ValueError("odd")', "ValueError: odd"
LIMITED = ["time.limiter=zhang_shu"]
MATRICES = ["resources.operator=petsc"]


@pytest.mark.parametrize(
    ("place", "rank", "call", "error", "text", "settings"),
    [
        (
            "transport.fused.march:FusedMarch:forward",
            1,
            12,
            "MemoryError()",
            "out of memory",
            BARE,
        ),
        (
            "transport.operator.petsc:PetscTransport:apply",
            1,
            700,
            'RuntimeError("odd")',
            "RuntimeError: odd",
            BARE + MATRICES,
        ),
        ("transport.fused.march:FusedMarch:transpose", 1, 30, ODD, ODD_TEXT, BARE),
        ("transport.fused.kernels:Exchange:send", 1, 200, ODD, ODD_TEXT, BARE),
        ("transport.steps.limiter:ZhangShu:limit", 1, 700, ODD, ODD_TEXT, BARE + LIMITED),
        ("losses.depth:DepthLoss:adder", 1, 2, 'SolveError("odd")', "odd", BARE),
        ("output.progress:Progress:iteration", 0, 2, ODD, ODD_TEXT, BARE),
        ("output.paraview:Vtk:write", 1, 3, ODD, ODD_TEXT, BARE[1:]),
        ("pictures.raster:Raster:sample", 1, 1, ODD, ODD_TEXT, BARE[:1]),
    ],
)
def test_error_of_one_rank_ends_all(
    place: str, rank: int, call: int, error: str, text: str, settings: list[str], tmp_path: Path
) -> None:
    """Also where the others wait for it: in a sweep, in the optimiser, while a file is written."""
    script, arguments = tmp_path / "break.py", [str(PLANE), "--out", str(tmp_path / "run")]
    arguments += [f"--set={s}" for s in [*SMALL, *settings]]
    error = error.replace("SolveError", "mfresnet.SolveError")
    mark = tmp_path / "mark"
    places = {"place": place, "rank": rank, "call": call, "mark": str(mark)}
    script.write_text(BREAK.format(**places, error=error, arguments=arguments))
    done = execute(["mpirun", "-n", "2", sys.executable, str(script)])
    assert time.time() - mark.stat().st_mtime < 20
    assert done.returncode == 3, done.stderr
    assert done.stderr.count(text) == 1, done.stderr


def interrupt(directory: Path, number: int, *more: str) -> subprocess.Popen[bytes]:
    """Start a run and send it a signal when it has made some iterations."""
    settings = [f"--set={s}" for s in [*SMALL, *BARE, "mesh.cells=[24, 24]", *more]]
    line = [sys.executable, "-m", "mfresnet", "run", str(PLANE), "--out", str(directory), *settings]
    process = subprocess.Popen(line, stderr=subprocess.DEVNULL, env=outside())
    log, end = directory / "checkpoint/evaluations.bin", time.monotonic() + 60
    while time.monotonic() < end and (not log.exists() or log.stat().st_size < 4000):
        time.sleep(0.01)
    process.send_signal(number)
    process.wait(timeout=60)
    return process


@pytest.mark.parametrize(
    ("number", "method", "tolerance"),
    [
        (signal.SIGUSR1, "lmvm", 1e-6),
        (signal.SIGTERM, "ntr", 1e-3),
        (signal.SIGTERM, "maximum_principle", 2e-2),
    ],
)
def test_stopped_run_goes_on_bit_for_bit(
    number: int, method: str, tolerance: float, tmp_path: Path
) -> None:
    """The numbers and the counts of sweeps are those of a run that was not stopped."""
    more = [f"training.method={method}", f"training.gradient_tolerance={tolerance}"]
    settings = [*SMALL, *BARE, "mesh.cells=[24, 24]", *more]
    process = interrupt(tmp_path / "a", number, *more)
    assert process.returncode == 75
    assert not (tmp_path / "a/run.json").exists()
    other = command("run", SHIFT, "--out", tmp_path / "a", "--resume")
    assert other.returncode == 2 and "another case" in other.stderr
    done = command("run", PLANE, "--out", tmp_path / "a", "--resume", settings=settings)
    assert done.returncode == 0, done.stderr
    whole = command("run", PLANE, "--out", tmp_path / "b", settings=settings)
    assert whole.returncode == 0
    a, b = repeatable(tmp_path / "a"), repeatable(tmp_path / "b")
    assert a == b
    thetas = [np.load(tmp_path / name / "controls.npz")["theta"].tobytes() for name in ("a", "b")]
    assert thetas[0] == thetas[1]


def test_killed_run_leaves_a_usable_log(tmp_path: Path) -> None:
    settings = [*SMALL, *BARE, "mesh.cells=[24, 24]"]
    interrupt(tmp_path / "a", signal.SIGKILL)
    log = tmp_path / "a/checkpoint/evaluations.bin"
    log.write_bytes(log.read_bytes()[:-12])  # a record that was being written
    done = command("run", PLANE, "--out", tmp_path / "a", "--resume", settings=settings)
    assert done.returncode == 0, done.stderr


def test_files_are_there_in_full_or_not_at_all(tmp_path: Path) -> None:
    def fail(stream: object) -> None:
        raise InputError("half way")

    path = tmp_path / "run.json"
    path.write_text("old")
    with pytest.raises(InputError):
        write_atomically(path, fail)
    assert path.read_text() == "old"


def test_bench(tmp_path: Path) -> None:
    """The benchmark runs and reports all ratios; how large they are is not for a test."""
    done = command("bench", "--json", "--cell", "interval")
    assert done.returncode == 0, done.stderr
    for row in json.loads(done.stdout)["rows"]:
        assert row["assemble_over_stage"] > 0 and row["derivative_over_value"] > 1
        assert row["fused_over_petsc"]["stage"] > 0 and row["bytes_per_dof"]["stage"] > 24
