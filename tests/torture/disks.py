# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Disks that are full, directories that cannot be written or vanish, two runs in one, odd paths."""

import os
import resource
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from torture.chapter import Chapter, Outcomes, check_command
from torture.runs import ENDINGS, HELD, finish, line, result, resume, settings, write_case

NOBODY = 65534
FAILURES = (*ENDINGS, 2, 3)
PATHS = (
    "é ü \u4e2d\u6587",
    "a b'c\"d$e",
    "-x",
    "a" * 250,
    "/".join(["d" * 200] * 12),
    "\u202eabc",
    "a\nb",
)


def limited(size: int) -> Callable[[], None]:
    """Return what lets the files of a process grow to a size only."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def full(seed: int, directory: Path, case: Path) -> str:
    """No file may grow beyond a random size; where there is room again all is made."""
    size = int(10 ** np.random.default_rng(seed).uniform(0.5, 5.5))
    done = subprocess.run(
        line(1, "run", case, "--out", directory / "run"), capture_output=True, text=True,
        timeout=200, env=settings(), preexec_fn=limited(size), check=False,
    )  # fmt: skip
    check_command(done.returncode, done.stderr, FAILURES)
    how = "a warning" if done.returncode in ENDINGS else "a sentence"
    return f"files of at most so many bytes: {how}, then {resume(1, case, directory / 'run')}"


def small_disk(seed: int, directory: Path, case: Path) -> str:
    """The run directory is on a disk of some hundred kB, where one can be mounted."""
    size = int(np.random.default_rng(seed).integers(16, 500))
    (directory / "disk").mkdir()
    inner = " ".join([
        f"mount -t tmpfs -o size={size}k tmpfs {directory / 'disk'} || exit 99;",
        *line(1, "run", case, "--out", directory / "disk/run"), "; status=$?;",
        f"cp -r {directory / 'disk/run'} {directory / 'run'}; exit $status",
    ])  # fmt: skip
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", inner], capture_output=True, text=True, timeout=200,
        env=settings(), check=False,
    )  # fmt: skip
    if done.returncode in (1, 99) and "mfresnet" not in done.stderr:
        return "a small disk: cannot be mounted here"
    check_command(done.returncode, done.stderr, FAILURES)
    how = "a warning" if done.returncode in ENDINGS else "a sentence"
    return f"a small disk: {how}, then {resume(1, case, directory / 'run')}"


def read_only(seed: int, directory: Path, case: Path) -> str:
    """Another user, or one without rights, may read the run directory only."""
    place = directory / "run"
    if seed % 2:
        finish(1, "run", case, "--out", place)
    else:
        place.mkdir()
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (directory.parent).chmod(0o755)
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    done = subprocess.run(
        line(1, "run", case, "--out", place, "--overwrite"), capture_output=True, text=True,
        timeout=200, env=settings() | {"HOME": "/tmp"}, check=False, **user,
    )  # fmt: skip
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    check_command(done.returncode, done.stderr, (2, 3))
    assert "Permission denied" in done.stderr or "cannot be written" in done.stderr, done.stderr
    return f"a read-only directory: a sentence, then {resume(1, case, place)}"


def vanished(seed: int, directory: Path, case: Path) -> str:
    """The run directory is removed or moved while the run goes on."""
    place, rng = directory / "run", np.random.default_rng(seed)
    process = subprocess.Popen(
        line(1, "run", case, "--out", place), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, env=settings(),
    )  # fmt: skip
    while process.poll() is None and not (place / "checkpoint/evaluations.bin").exists():
        time.sleep(0.002)
    time.sleep(rng.uniform(0.0, 0.2))
    place.rename(directory / "moved") if seed % 2 else shutil.rmtree(place, ignore_errors=True)
    errors = process.communicate(timeout=200)[1]
    check_command(process.returncode, errors, FAILURES)
    if not (place / "run.json").exists():
        shutil.rmtree(place, ignore_errors=True)
    return f"a directory that vanishes: a sentence, then {resume(1, case, place)}"


def two(seed: int, directory: Path, case: Path) -> str:
    """Two runs begin in one directory at the same time: one of them has it."""
    place = directory / "run"
    pair = [
        subprocess.Popen(
            line(1 + seed % 2, "run", case, "--out", place, "--overwrite"), text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=settings(),
        )
        for _ in range(2)
    ]  # fmt: skip
    ends = [(process.communicate(timeout=200)[1], process.returncode) for process in pair]
    for errors, status in ends:
        check_command(status, errors, (*ENDINGS, 2))
        assert status in ENDINGS or HELD in errors, errors
    assert any(status in ENDINGS for _, status in ends)
    refused = sum(status == 2 for _, status in ends)
    return f"two runs in one directory: {'one is refused' if refused else 'one after the other'}"


def paths(seed: int, directory: Path, case: Path) -> str:
    """Run directories and case files with odd names."""
    name = PATHS[seed % len(PATHS)]
    out = directory / "run"
    done = finish(1, "run", case, "--out", f"{out}/{name}", allowed=FAILURES)
    if done.returncode in ENDINGS:
        shutil.move(str(out / name), directory / "result")
        shutil.rmtree(out)
        shutil.move(directory / "result", out)
        return "odd paths: a run"
    return f"odd paths: a sentence, then {resume(1, case, directory / 'other')}"


WAYS = (full, small_disk, read_only, vanished, two, paths)


def trial(seed: int, directory: Path) -> Outcomes:
    """Try one way, and hold what comes out in the end to an undisturbed run."""
    way = WAYS[seed % len(WAYS)]
    bare = directory / "bare"
    bare.mkdir()
    finish(
        1 + (way is two and seed // len(WAYS) % 2), "run", write_case(bare), "--out", bare / "run"
    )
    place = directory / "place"
    place.mkdir()
    case = write_case(place)
    found = way(seed // len(WAYS), place, case)
    end = place / ("run" if (place / "run/controls.npz").exists() else "other")
    assert result(end) == result(bare / "run"), found
    return Counter([found])


CHAPTER = Chapter(
    name="disks",
    what="A run directory whose files may not grow, on a small disk (where one can be "
    "mounted), that "
    "cannot be written, that vanishes, of two runs at the same time, and with odd or very long "
    "names; where it can be used again, the run ends with the bits of an undisturbed one.",
    trial=trial,
    quick=0,
    full=24,
)
