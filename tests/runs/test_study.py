# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Studies of parameters: members, table, picture; stopped, killed, resumed, failed."""

from mpi4py import MPI

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from commands import command, outside
from helpers import make_case, make_data_case
from mfresnet.errors import Exit, InputError
from mfresnet.files import alone
from mfresnet.output.comparison import compared, interval, study_summary
from mfresnet.output.run_json import read_report
from mfresnet.pictures.study import draw_study
from mfresnet.runs.parameters.parameter_study import prepare_study, study, study_status
from mfresnet.runs.runner import run

ROOT = Path(__file__).parents[2]
SHIFT = ROOT / "cases/shift_1d.toml"
OVER = ["penalty.tikhonov=0.1,1", "network.layers=2,4"]
LINE = ["study", SHIFT, "--over", OVER[0], "--over", OVER[1], "--out"]
SELF = MPI.COMM_SELF


def repeatable(frame: Any) -> Any:
    """Return a table, or that in a file, without its seconds."""
    table = frame if isinstance(frame, pd.DataFrame) else stored(frame)
    return table.drop(columns="seconds")


def stored(path: Path) -> Any:
    return pd.read_csv(path, float_precision="round_trip")


def small(**sections: Any) -> Any:
    return make_case("interval", network={"layers": 2}, **sections)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a study that nothing has stopped."""
    directory = tmp_path_factory.mktemp("study") / "whole"
    done = command(*LINE, directory)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        rf"{directory / 'study.csv'}: 4 of 4 members converged; best loss: member [01] "
        r"\(penalty.tikhonov=0.1, network.layers=[24]\) with 0.0292975\.\n",
        done.stdout,
    )
    assert done.stderr.count("converged.") == 4
    return directory


@pytest.mark.smoke
def test_members_are_runs_and_the_table_has_their_numbers(whole: Path) -> None:
    """In closed form J = V0/2 + gamma (y - m0)^2 / (2 (gamma + T)), whatever the depth."""
    table = stored(whole / "study.csv")
    assert table["member"].tolist() == [0, 1, 2, 3]
    assert table["network.layers"].tolist() == [2, 4, 2, 4]
    gamma = table["penalty.tikhonov"]
    np.testing.assert_allclose(
        table["objective"], 0.02 + gamma * 2.25 / (2 * (gamma + 1)), rtol=1e-6
    )
    pd.testing.assert_frame_equal(pd.read_parquet(whole / "study.parquet"), table)
    for number in range(4):
        report = read_report(whole / f"members/{number:03d}")
        row = table.loc[number]
        assert row["objective"] == report.objective.total
        assert (row["loss"], row["penalty"]) == (report.objective.loss, report.objective.penalty)
        assert row["iterations"] == report.iterations and row["status"] == report.status
        assert not list((whole / f"members/{number:03d}/fields").iterdir())
    assert (whole / "study.png").read_bytes().startswith(b"\x89PNG")
    assert {p.name for p in whole.iterdir()} == {
        ".mfresnet", "members", "study.csv", "study.parquet", "study.png"
    }  # fmt: skip


def test_done_members_do_not_run_again(whole: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in whole.rglob("run.json")}
    table = (whole / "study.csv").read_text()
    done = command(*LINE, whole, "--resume")
    assert done.returncode == 0 and done.stderr == ""
    assert {p: p.stat().st_mtime_ns for p in whole.rglob("run.json")} == before
    assert (whole / "study.csv").read_text() == table


def test_what_is_there_is_not_lost(whole: Path) -> None:
    done = command(*LINE, whole)
    assert done.returncode == 2 and "holds an earlier run" in done.stderr
    done = command(*LINE, whole, "--resume", settings=["space.degree=1"])
    assert done.returncode == 2 and "members/000: of another study" in done.stderr
    done = command("study", SHIFT, "--over", "network.layers=4,2", "--out", whole, "--resume")
    assert done.returncode == 2 and "of another study" in done.stderr
    done = command(*LINE, whole, "--resume", "--overwrite")
    assert done.returncode == 2 and "Give one of them" in done.stderr


@pytest.mark.parametrize("ranks", [0, 2])
def test_killed_and_resumed(ranks: int, whole: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "mfresnet", *map(str, LINE), str(tmp_path / "a")]
    line = ["mpirun", "-n", str(ranks), *line] if ranks else line
    process = subprocess.Popen(
        line, stderr=subprocess.PIPE, text=True, env=outside(), start_new_session=True
    )
    assert process.stderr is not None and "Member" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(1.0 if ranks else 0.0)  # the ranks of a killed mpirun end themselves
    assert not (tmp_path / "a/study.csv").exists()
    done = command(*LINE, tmp_path / "a", "--resume", ranks=ranks)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Member") < 4
    compare(tmp_path / "a/study.csv", whole / "study.csv")


def compare(table: Path, expected: Path) -> None:
    """Compare tables that one rank a member has made: all digits."""
    pd.testing.assert_frame_equal(repeatable(table), repeatable(expected), check_exact=True)


@pytest.mark.parametrize(("number", "ranks"), [("TERM", 0), ("INT", 0), ("USR1", 0), ("USR1", 2)])
def test_stopped_and_resumed(number: str, ranks: int, whole: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "mfresnet", *map(str, LINE), str(tmp_path / "a")]
    line = ["mpirun", "-n", str(ranks), *line] if ranks else line
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=outside())
    assert process.stderr is not None and "Member" in process.stderr.readline()
    process.send_signal(getattr(signal, f"SIG{number}"))
    _, said = process.communicate()
    assert process.returncode == 75, said
    assert said.count("stopped by a signal; what was computed is kept. Go on with --resume.") == 1
    done = command(*LINE, tmp_path / "a", "--resume", ranks=ranks)
    assert done.returncode == 0, done.stderr
    compare(tmp_path / "a/study.csv", whole / "study.csv")


def test_members_one_by_one(whole: Path, tmp_path: Path) -> None:
    """As an array of jobs runs them, in any order; a study collects them."""
    listed = command(*LINE, tmp_path / "a", "--list").stdout.splitlines()
    assert listed[2] == "2  penalty.tikhonov=1, network.layers=2" and len(listed) == 4
    assert not (tmp_path / "a").exists()
    for number in (2, 0, 3):
        done = command(*LINE, tmp_path / "a", "--resume", "--member", number)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"Member {number} (")
    assert not (tmp_path / "a/study.csv").exists()
    done = command(*LINE, tmp_path / "a", "--member", 2)
    assert done.returncode == 2 and "holds an earlier run" in done.stderr
    done = command(*LINE, tmp_path / "a", "--member", 4)
    assert done.returncode == 2 and "got 4, expected 0 to 3" in done.stderr
    done = command(*LINE, tmp_path / "a", "--resume")
    assert done.returncode == 0 and done.stderr.count("Member") == 1
    compare(tmp_path / "a/study.csv", whole / "study.csv")


def test_wrong_grid_is_refused_before_anything_runs(tmp_path: Path) -> None:
    done = command("study", SHIFT, "--over", "network.layers=4,0", "--out", tmp_path / "a")
    assert done.returncode == 2
    assert done.stderr.startswith("--over network.layers=4,0: network.layers: wrong value; got 0")
    assert len(done.stderr.splitlines()) == 1 and not (tmp_path / "a").exists()
    with pytest.raises(InputError, match="--groups: not that many; got 2, expected 1 to 1"):
        study(small(), tmp_path / "a", over=OVER, groups=2, comm=SELF)
    with pytest.raises(InputError, match="--over initial.seed=0,1: cannot go with --warm"):
        study(small(), tmp_path / "a", over=["initial.seed=0,1"], warm=True, comm=SELF)


def test_failed_and_unconverged_members_hurt_no_other(tmp_path: Path) -> None:
    """Neither now nor when the study goes on."""
    case = small(mesh={"outflow_tolerance": 1e-3})
    over = {"mesh.upper": [[0.2], [3.0]], "training.max_iterations": [3, 200]}
    frame = study(case, tmp_path / "a", over=over, comm=SELF)
    again = study(case, tmp_path / "a", over=over, comm=SELF, resume=True)
    for table in (frame, again):
        assert study_status(table) == Exit.FAILED
        assert table["status"].tolist()[2:] == ["iterations", "converged"]
        failed = table[table["objective"].isna()]
        assert failed["member"].tolist() == [0, 1]
        assert all("mesh" in sentence for sentence in failed["message"])
        text = study_summary(table, list(over), tmp_path)
        assert "failed: 0, 1" in text and "best objective: member 3" in text


def test_defects_have_one_line_in_the_table(tmp_path: Path, monkeypatch: Any) -> None:
    """And those in all members leave a table."""

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("of a test")

    monkeypatch.setattr("mfresnet.runs.parameters.members.run", broken)
    frame = study(small(), tmp_path / "a", over={"network.layers": [2, 4]}, comm=SELF)
    assert frame["status"].tolist() == ["failed"] * 2
    assert "ZeroDivisionError: of a test" in frame["message"][0]
    assert "\n" not in frame["message"][0]
    assert compared(frame, ["network.layers"]) is None
    assert (tmp_path / "a/study.csv").exists() and not (tmp_path / "a/study.png").exists()


def test_one_study_at_a_time_in_a_directory(tmp_path: Path) -> None:
    over = {"network.layers": [2, 4]}
    study(small(), tmp_path / "a", over=over, comm=SELF)
    with alone(tmp_path / "a/.mfresnet", "busy"), pytest.raises(InputError, match="one at a time"):
        study(small(), tmp_path / "a", over=over, comm=SELF, resume=True)
    members = prepare_study(small(), tmp_path / "b", over)
    members.place(1).mkdir(parents=True)
    with alone(members.place(1) / ".mfresnet", "busy"):
        frame = study(small(), tmp_path / "b", over=over, comm=SELF)
    assert frame["status"].tolist() == ["converged", "failed"]
    assert "another process is writing" in frame["message"][1]
    assert study(small(), tmp_path / "b", over=over, comm=SELF, resume=True).equals(
        study(small(), tmp_path / "b", over=over, comm=SELF, resume=True)
    )


def test_members_are_the_runs_of_their_cases(tmp_path: Path) -> None:
    """Bit for bit; pictures only where the case has them."""
    case = small(output={"pictures": True})
    study(case, tmp_path / "a", over={"penalty.tikhonov": [0.02, 0.05]}, comm=SELF)
    alone_ = run(case.with_({"penalty": {"tikhonov": 0.05}}), tmp_path / "b", comm=SELF)
    controls = np.load(tmp_path / "a/members/001/controls.npz")["theta"]
    assert controls.tobytes() == alone_.theta.tobytes()
    assert (tmp_path / "a/members/001/pictures/history.png").exists()


def test_overwrite_begins_anew(tmp_path: Path) -> None:
    study(small(), tmp_path / "a", over={"penalty.tikhonov": [0.02, 0.05]}, comm=SELF)
    frame = study(
        small(), tmp_path / "a", over={"network.layers": [2, 4]}, comm=SELF, overwrite=True
    )
    assert frame["network.layers"].tolist() == [2, 4]
    assert study_status(frame) == Exit.CONVERGED


def test_warm_starts(tmp_path: Path) -> None:
    """The same optimum from the nearest member whose controls fit, in fewer iterations."""
    over = {"penalty.tikhonov": "0.01:0.02:3", "network.layers": [2, 3]}
    cold = study(small(), tmp_path / "cold", over=over, comm=SELF)
    warm = study(small(), tmp_path / "warm", over=over, comm=SELF, warm=True)
    np.testing.assert_allclose(warm["objective"], cold["objective"], rtol=1e-6)
    assert warm["iterations"][2:].sum() < cold["iterations"][2:].sum()
    members = prepare_study(small(), tmp_path / "warm", over)
    starts = [record.start for n in range(6) if (record := members.read(n)) is not None]
    assert starts == [None, None, 0, 1, 2, 3]  # three layers do not come from two
    again = study(small(), tmp_path / "warm", over=over, comm=SELF, warm=True, resume=True)
    pd.testing.assert_frame_equal(again, warm)


def test_half_done_members_keep_their_start(tmp_path: Path) -> None:
    """A member that was begun warm goes on as it was begun, also where --warm is not given."""
    over = {"penalty.tikhonov": [0.01, 0.02]}
    whole = study(small(), tmp_path / "a", over=over, comm=SELF, warm=True)
    members = prepare_study(small(), tmp_path / "a", over)
    record = members.read(1)
    assert record is not None and record.start == 0
    members.write(record.model_copy(update={"ended": None}))
    again = study(small(), tmp_path / "a", over=over, comm=SELF, resume=True)
    pd.testing.assert_frame_equal(repeatable(again), repeatable(whole), check_exact=True)


@pytest.mark.parametrize("content", [None, "{"])
def test_numbers_that_are_lost_are_made_again(content: str | None, tmp_path: Path) -> None:
    """From the checkpoint, by --resume."""
    over = {"penalty.tikhonov": [0.01, 0.02]}
    whole = study(small(), tmp_path / "a", over=over, comm=SELF)
    report = tmp_path / "a/members/001/run.json"
    report.unlink() if content is None else report.write_text(content)
    again = study(small(), tmp_path / "a", over=over, comm=SELF, resume=True)
    pd.testing.assert_frame_equal(repeatable(again), repeatable(whole), check_exact=True)


def test_damaged_record_is_named(tmp_path: Path) -> None:
    over = {"penalty.tikhonov": [0.01, 0.02]}
    study(small(), tmp_path / "a", over=over, comm=SELF)
    (tmp_path / "a/members/001.json").write_text("{")
    with pytest.raises(InputError, match=r"members/001.json: damaged"):
        study(small(), tmp_path / "a", over=over, comm=SELF, resume=True)


def test_seeds_have_a_mean_and_an_interval(tmp_path: Path) -> None:
    case = make_data_case(tmp_path, mesh={"cells": [12, 12]}, network={"layers": 2},
                          training={"gradient_tolerance": 1e-2})  # fmt: skip
    frame = study(case, tmp_path / "a", over={"data.seed": "0:2:3"}, comm=SELF)
    column = compared(frame, ["data.seed"])
    assert column == "test_accuracy"
    mean, half = interval(frame[column].to_numpy())
    assert mean == pytest.approx(frame[column].mean())
    assert half == pytest.approx(4.302653 * frame[column].std(ddof=1) / np.sqrt(3), rel=1e-6)
    assert f"test accuracy {mean:.6g} +-" in study_summary(frame, ["data.seed"], tmp_path)
    text = study_summary(frame.assign(width=1.0), ["width", "data.seed"], tmp_path)
    assert f"best test accuracy: member {frame[column].idxmax()}" in text


GRIDS: dict[str, dict[str, list[Any]]] = {
    "curve": {"penalty.tikhonov": [1e-3, 1e-2, 1e-1]},
    "words": {"network.activation": ["tanh", "relu"]},
    "map": {"penalty.tikhonov": [1e-3, 1e-1], "network.layers": [2, 4, 8]},
    "seeds": {"data.seed": [0, 1, 2]},
    "curve and seeds": {"network.layers": [2, 4], "initial.seed": [0, 1, 2]},
    "map and seeds": {"mesh.cells": [[4], [8]], "network.layers": [2, 4], "data.seed": [0, 1]},
    "three": {"network.layers": [2, 4], "space.degree": [1, 2], "time.order": [3, 4]},
}


@pytest.mark.parametrize("kind", GRIDS)
def test_pictures(kind: str, tmp_path: Path) -> None:
    keys = list(GRIDS[kind])
    rows = pd.MultiIndex.from_product([[str(v) if isinstance(v, list) else v for v in values]
                                       for values in GRIDS[kind].values()], names=keys)  # fmt: skip
    frame = rows.to_frame(index=False)
    rng = np.random.default_rng(0)
    frame[["objective", "loss", "penalty"]] = rng.uniform(0.1, 1.0, (len(frame), 3))
    frame["status"] = ["converged"] * (len(frame) - 1) + ["iterations"]
    with (tmp_path / "study.png").open("wb") as stream:
        draw_study(frame, keys, "objective", stream)
    assert (tmp_path / "study.png").read_bytes().startswith(b"\x89PNG")
