# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Every line of a shell block in README and docs/ runs, in a fast form, in the order of its page.

Lines that need a machine of their own are held by another program, which is named here.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from commands import outside

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"^([a-z]+):.*##", re.MULTILINE)
LITTLE = "--set training.max_iterations=1 --set output.pictures=false"
FAST = {
    "run": LITTLE,
    "check": "",
    "predict": "",
    "export": "",
    "verify": "--set training.max_iterations=1",
    "cross-validate": "--seeds 2 --set training.max_iterations=1",
    "study": f"{LITTLE} --set output.fields=false",
    "gallery": "--only unreachable",
    "bench": "--cell interval",
}
"""Command -> what makes it fast; the last of an option counts."""
UNCONVERGED = 4
ELSEWHERE = {
    "python3 -m venv": "packaging/laptop.sh",
    "env/bin/mfresnet run": "packaging/laptop.sh",
    "docker run": "docker/release",
    "docker/looks": ".ci/run",
    "docker/run python3 benchmarks/": "tests/training/test_costs.py",
    "docker/run mpirun -n 16": "tests/parallel/test_functional.py",
    "study=": "tests/house/test_packaging.py",
    "last=": "tests/house/test_packaging.py",
    "job=": "tests/house/test_packaging.py",
    "sbatch": "tests/house/test_packaging.py",
    "docker/run python3 cases/studies/": "tests/cases/test_studies.py",
    "docker/run python3 -m mpi4py -m pytest": "Makefile",
    "docker/run mpirun -n 2 python3 -m mpi4py -m pytest": "Makefile",
}
"""Beginning of a line -> what runs the like of it."""


def lines(page: Path) -> list[str]:
    """Return the commands of a page."""
    blocks = [text for kind, text in BLOCK.findall(page.read_text()) if kind in ("", "bash")]
    text = "\n".join(re.sub(r"\s+# .*$", "", block, flags=re.MULTILINE) for block in blocks)
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]


def fast(line: str) -> list[str]:
    """Return a command in its fast form, without the environment that it runs in."""
    words = shlex.split(line.removeprefix("docker/run "))
    if "mfresnet" not in words:
        return words
    at = words.index("mfresnet")
    command = words[at + 1]
    extra = shlex.split(FAST[command])
    if command == "gallery":
        words = words[: at + 2]
    if command == "study":  # the two ends of every key
        words = [re.sub(r":\d+(:log)?$", r":2\1", w) if "=" in w else w for w in words]
    return [*words[:at], sys.executable, "-m", *words[at:], *extra]


@pytest.mark.parametrize("page", [p for p in PAGES if lines(p)], ids=lambda p: p.stem)
def test_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    (tmp_path / "cases").symlink_to(ROOT / "cases")
    targets = TARGET.findall((ROOT / "Makefile").read_text())
    for line in lines(page):
        if line.startswith("make "):
            assert line.split()[1] in targets, line
            continue
        if other := next((ELSEWHERE[b] for b in ELSEWHERE if line.startswith(b)), None):
            assert (ROOT / other).exists(), other
            continue
        assert line.startswith("docker/run "), f"{page}: what runs {line}?"
        if "results/breast_cancer" in line and not (tmp_path / "results/breast_cancer").exists():
            _run(fast("mfresnet run cases/breast_cancer.toml"), tmp_path)
        _run(fast(line), tmp_path)


def _run(words: list[str], place: Path) -> None:
    if words[0] == "python3":
        words = [sys.executable, *words[1:]]
    done = subprocess.run(
        words,
        capture_output=True, text=True, timeout=300, check=False, cwd=place, env=outside(),
    )  # fmt: skip
    assert done.returncode in (0, UNCONVERGED), f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
