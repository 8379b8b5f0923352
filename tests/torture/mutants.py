# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""``python3 tests/torture/mutants.py [--from N --to M]``: every change of the core is found.

Each change of ``mutations.py`` is made in a copy of the checkout; the tests beside it run there.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[0] = str(ROOT / "tests")

from commands import outside  # noqa: E402
from torture.mutations import TABLE, Mutation  # noqa: E402
from torture.page import keep_mutants, write_page  # noqa: E402

PATIENCE = 400.0
FOLDERS = ("solver", "tests", "cases", "meshes", "docs")
KILLED, SURVIVED, HANGS = "found", "NOT found", "no end"


def tests(copy: Path, mutation: Mutation) -> str:
    """Run the tests of a mutation in a copy; return how they end."""
    line = [sys.executable, "-m", "mpi4py", "-m", "pytest", "-x", "-q", "--color=no"]
    if mutation.ranks > 1:
        line = ["mpirun", "-n", str(mutation.ranks), *line]
    process = subprocess.Popen(
        [*line, *shlex.split(mutation.tests)], cwd=copy, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=outside() | {"PYTHONPATH": str(copy / "solver")},
    )  # fmt: skip
    try:
        output = process.communicate(timeout=PATIENCE)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        return HANGS
    if process.returncode in (4, 5):
        raise SystemExit(f"no test is chosen by {mutation.tests}\n{output[-500:]}")
    return SURVIVED if process.returncode == 0 else KILLED


def mutate(copy: Path, mutation: Mutation) -> str:
    """Make a change in the copy, run its tests, and take it back."""
    path = copy / "solver/mfresnet" / mutation.file
    text = path.read_text()
    if text.count(mutation.old) != 1:
        raise SystemExit(
            f"{mutation.file}: {mutation.old!r} is there {text.count(mutation.old)} times"
        )
    path.write_text(text.replace(mutation.old, mutation.new))
    try:
        return tests(copy, mutation)
    finally:
        path.write_text(text)


def main() -> int:
    """Try the mutations that the command line asks for; 1 when one is not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--to", dest="last", type=int, default=len(TABLE))
    parser.add_argument("--whole", action="store_true", help="the tests on the unchanged copy")
    parser.add_argument("--dry", action="store_true", help="only look whether every place is there")
    given = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        copy = Path(directory)
        for name in FOLDERS:
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        if given.whole:
            for mutation in {m.tests: m for m in TABLE}.values():
                start = time.monotonic()
                end = "fail" if tests(copy, mutation) != SURVIVED else "pass"
                print(f"{end} in {time.monotonic() - start:.0f} s: {mutation.tests}", flush=True)
                failed += end == "fail"
            return int(failed > 0)
        for number, mutation in list(enumerate(TABLE))[given.first : given.last]:
            text = (copy / "solver/mfresnet" / mutation.file).read_text()
            if text.count(mutation.old) != 1:
                print(f"{number}: {mutation.file}: there {text.count(mutation.old)} times")
                failed += 1
            if given.dry:
                continue
            found = mutate(copy, mutation)
            keep_mutants({number: found})
            failed += found != KILLED
            print(f"{number}: {found}: {mutation.file}: {mutation.new!r}", flush=True)
    if not given.dry:
        write_page()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
