# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""TERM, INT and USR1 have one answer in every phase, and the handlers of before come back."""

from mpi4py import MPI

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from commands import outside
from helpers import make_case
from mfresnet.case.case import Case
from mfresnet.child import execute
from mfresnet.errors import Preempted
from mfresnet.interrupt import COMMAND, KEPT, STOPPED, Stopped, keeping, listening
from mfresnet.optimise.optimiser import Iteration
from mfresnet.output.progress import Progress
from mfresnet.parallel import together
from mfresnet.runs.runner import run

ROOT = Path(__file__).parents[2]
PLANE = ROOT / "cases/two_classes_2d.toml"


def handlers() -> list[Any]:
    return [signal.getsignal(number) for number in COMMAND]


@pytest.mark.parametrize("number", COMMAND)
def test_first_signal_stops_where_nothing_is_kept(number: int) -> None:
    before = handlers()
    with pytest.raises(Stopped), listening():
        os.kill(os.getpid(), number)
    assert handlers() == before


@pytest.mark.parametrize("number", COMMAND)
def test_first_signal_waits_for_a_meeting_of_the_ranks(number: int) -> None:
    done = []
    with pytest.raises(Preempted), listening(), keeping(), together(MPI.COMM_SELF):
        os.kill(os.getpid(), number)
        done.append("the rest of the block")
    assert done


def test_other_threads_listen_to_nothing() -> None:
    found = []
    thread = threading.Thread(target=lambda: [keeping().__enter__(), found.append(handlers())])
    before = handlers()
    thread.start()
    thread.join()
    assert found == [before]


def test_signal_ends_a_child() -> None:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    start = time.monotonic()
    with pytest.raises(Preempted), keeping():
        execute(["sh", "-c", "sleep 30 & wait"], 30.0)
    assert time.monotonic() - start < 10.0


class Sender(Progress):
    """Sends a signal to this process when the run says a sentence, or makes an iteration."""

    def __init__(self, number: int, sentence: str) -> None:
        super().__init__(1)
        self._number, self._sentence = number, sentence

    def say(self, sentence: str) -> None:
        if sentence.startswith(self._sentence):
            os.kill(os.getpid(), self._number)

    def iteration(self, row: Iteration) -> None:
        if row.iteration == 2:
            self.say("iteration")


PHASES = {
    "start": ("mfresnet: ", {}),
    "iteration": ("iteration", {}),
    "fields": ("Fields", {"fields": True}),
    "pictures": ("Fields", {"pictures": True}),
}
"""Phase of a run -> what it says there, and the output that makes it come to it."""


def small(phase: str = "start") -> Case:
    """Return a case whose run comes to a phase."""
    return make_case("interval", network={"layers": 2}, output=PHASES[phase][1])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return run(small(), tmp_path_factory.mktemp("runs") / "a", comm=MPI.COMM_SELF).theta.tobytes()


@pytest.mark.parametrize("phase", PHASES)
def test_run_of_the_library_keeps_what_is_computed(
    phase: str, whole: bytes, tmp_path: Path
) -> None:
    before = handlers()
    with pytest.raises(Preempted):
        sender = Sender(signal.SIGTERM, PHASES[phase][0])
        run(small(phase), tmp_path / "a", comm=MPI.COMM_SELF, progress=sender)
    assert handlers() == before
    assert not (tmp_path / "a/pictures/history.png").exists()
    again = run(small(phase), tmp_path / "a", comm=MPI.COMM_SELF, resume=True)
    assert again.theta.tobytes() == whole


def test_keyboard_interrupt_leaves_the_library_usable(whole: bytes, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        sender = Sender(signal.SIGINT, "iteration")
        run(small(), tmp_path / "a", comm=MPI.COMM_SELF, progress=sender)
    for resume, overwrite in ((True, False), (False, True)):
        again = run(small(), tmp_path / "a", comm=MPI.COMM_SELF, resume=resume, overwrite=overwrite)
        assert again.theta.tobytes() == whole


def catches(pid: int) -> bool:
    """Return whether a process has a handler for USR1."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask, 16) >> (signal.SIGUSR1 - 1) & 1)


def stopped(directory: Path, number: int, sentence: str, ranks: int = 0) -> tuple[int, str]:
    """Send a signal to the command after it has said a sentence; return status and errors."""
    line = [sys.executable, "-m", "mfresnet", "run", str(PLANE), "--out", str(directory)]
    line += ["--set", "penalty.tikhonov=0.05", "--set", "training.gradient_tolerance=1e-2"]
    if ranks:
        line = ["mpirun", "-n", str(ranks), *line]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=outside())
    assert process.stderr is not None
    said = ""
    if sentence:
        while sentence not in said and (part := process.stderr.readline()):
            said += part
        assert sentence in said, said
    else:
        while not catches(process.pid):
            time.sleep(0.005)
    process.send_signal(number)
    errors = process.communicate(timeout=100)[1]
    return process.returncode, errors


@pytest.mark.parametrize(
    ("number", "sentence", "last"),
    [
        (signal.SIGTERM, "", STOPPED),
        (signal.SIGINT, "  iteration  ", KEPT),
        (signal.SIGUSR1, "Fields", KEPT),
    ],
)
def test_command_ends_with_one_sentence(
    number: int, sentence: str, last: str, tmp_path: Path
) -> None:
    status, errors = stopped(tmp_path / "a", number, sentence)
    assert status == 75, errors
    assert errors.splitlines()[-1] == last
    assert "Traceback" not in errors


def test_launcher_hands_usr1_to_all_ranks(tmp_path: Path) -> None:
    """TERM and INT are the launcher's own: it ends the ranks; the log is written all the same."""
    status, errors = stopped(tmp_path / "a", signal.SIGUSR1, "  iteration  ", ranks=2)
    assert status == 75, errors
    assert errors.count(KEPT) == 1 and "Traceback" not in errors
