# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""KILL, TERM, INT and USR1 at random moments: every resumed run ends as the undisturbed one."""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np

from torture.chapter import Chapter, Outcomes, check_command
from torture.runs import finish, gone, line, ranks_of, result, resume, settings, write_case

KILLS = 5
"""Of a seed, all on the same number of ranks."""
PHASES = {
    "start": "",
    "reading": "Reading",
    "compiling": "",
    "training": "  iteration",
    "fields": "Fields",
    "pictures": "Pictures",
}
"""Phase -> how the sentence begins that the run says there."""
LENGTHS = {"start": 2.0, "reading": 0.6, "training": 0.15, "fields": 0.3, "pictures": 2.0}
"""Seconds after the sentence within which the signal comes."""
SIGNALS = {
    "KILL of one": ("KILL",),
    "KILL of all": ("KILL",),
    "TERM": ("TERM",),
    "INT": ("INT",),
    "INT twice": ("INT", "INT"),
    "USR1": ("USR1",),
}
"""Name -> signals to the command; KILL is for its last rank or for all processes."""


def trial(seed: int, directory: Path) -> Outcomes:
    """Disturb some runs, and compare their ends with that of an undisturbed one."""
    found: Outcomes = Counter()
    rng = np.random.default_rng(seed)
    ranks = 1 + seed % 3
    bare = directory / "bare"
    bare.mkdir()
    finish(ranks, "run", write_case(bare), "--out", bare / "run")
    right = result(bare / "run")
    for number in range(KILLS):
        place = directory / str(number)
        place.mkdir()
        phase = list(PHASES)[(seed * KILLS + number) % len(PHASES)]
        name = list(SIGNALS)[rng.integers(len(SIGNALS))]
        case = write_case(place, fields=phase == "fields", pictures=phase == "pictures")
        cache = place / "cache" if phase == "compiling" else None
        after = float(rng.uniform(0.0, LENGTHS.get(phase, 3.0)))
        what = f"kill {number}: {name} on {ranks} ranks, {phase}, after {after:.3f} s"
        try:
            disturb(case, place / "run", ranks, (phase, name, after), cache)
            how = resume(ranks, case, place / "run", cache)
            assert result(place / "run") == right, "other controls or another J"
            assert not list((place / "run").rglob("*.partial"))
            if cache is not None:
                whole_libraries(cache)
        except Exception as error:
            raise AssertionError(what) from error
        print(f"{what}: {how}", file=sys.stderr, flush=True)
        found[f"{phase}, {name}: {how}, the same bits"] += 1
        shutil.rmtree(place)
    return found


def disturb(
    case: Path, out: Path, ranks: int, how: tuple[str, str, float], cache: Path | None
) -> None:
    """Run a case and send signals to it; nothing of it is left then."""
    phase, name, after = how
    with subprocess.Popen(
        line(ranks, "run", case, "--out", out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, env=settings(cache), start_new_session=True,
    ) as process:  # fmt: skip
        said: list[str] = []
        there = threading.Event()
        reader = threading.Thread(target=listen, args=(process, PHASES[phase], said, there))
        reader.start()
        if phase == "compiling" and cache is not None:
            while process.poll() is None and not list(cache.glob("mfresnet/tmp*")):
                time.sleep(0.01)
        else:
            there.wait(timeout=100.0)
        time.sleep(after)
        send(process, name, ranks)
        gone(process, patience=100.0 if name == "USR1" else 30.0)
        status = process.wait(timeout=10)
        reader.join()
    if not name.startswith("KILL") and ranks == 1:
        # before Python listens a signal ends it, after the end of the run it comes too late
        check_command(status, "".join(said), (0, 4, 75, -15, -2, -10))
    assert "Traceback" not in "".join(said) or name != "USR1", "".join(said)


def listen(
    process: subprocess.Popen[str], sentence: str, said: list[str], there: threading.Event
) -> None:
    assert process.stderr is not None
    if not sentence:
        there.set()
    for text in process.stderr:
        said.append(text)
        if text.startswith(sentence):
            there.set()
    there.set()


def send(process: subprocess.Popen[str], name: str, ranks: int) -> None:
    """Send the signals of a name."""
    targets = [process.pid]
    if name.startswith("KILL") and ranks > 1:
        found = ranks_of(process)
        targets = found[-1:] if name == "KILL of one" else [process.pid, *found]
    for signal_name in SIGNALS[name]:
        for pid in targets:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, getattr(signal, f"SIG{signal_name}"))
        time.sleep(0.05)


def whole_libraries(cache: Path) -> None:
    """Load all that was compiled: the loader crashes on what is cut."""
    for path in cache.glob("mfresnet/*.so"):
        ctypes.CDLL(str(path))


CHAPTER = Chapter(
    name="kills",
    what=f"{KILLS} runs a seed by the command on 1, 2 and 3 ranks, with KILL, TERM, INT, INT twice "
    "or USR1 at a random moment of a phase; each goes on with `--resume` and must "
    "have the controls "
    "and J of an undisturbed run on as many ranks, bit for bit.",
    trial=trial,
    quick=0,
    full=20,
    patience=900.0,
)
