# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""``python3 tests/torture [CHAPTER ...]``: try to break mfresnet; every failure can be repeated."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])

from mfresnet.errors import shortened  # noqa: E402
from torture.chapter import Chapter  # noqa: E402
from torture.chapters import CHAPTERS  # noqa: E402
from torture.page import Result, keep, today, write_page  # noqa: E402

WORKERS = (os.cpu_count() or 1) + 1
"""One more than cores, as trials wait too."""


def command(chapter: str, seed: int) -> str:
    """Return the command that repeats a trial."""
    return f"docker/run python3 tests/torture {chapter} --seed {seed}"


def trial(chapter: Chapter, seed: int) -> dict[str, int]:
    """Do one trial in this process."""
    with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as directory:
        return dict(chapter.trial(seed, Path(directory).resolve()))


def child(chapter: Chapter, seed: int) -> dict[str, int] | str:
    """Do one trial in a process of its own; return what came out, or why it failed."""
    line = [sys.executable, str(Path(__file__).parent), chapter.name, "--seed", str(seed)]
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, timeout=chapter.patience, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end in {chapter.patience:g} s"
    if done.returncode != 0:
        return (
            "\n".join(map(shortened, done.stderr.splitlines()[-60:])) or f"status {done.returncode}"
        )
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def torture(chapter: Chapter, count: int, workers: int, minutes: float) -> Result:
    """Do the trials of a chapter, in so many minutes; say each failure at once."""
    start, outcomes, failures, tried = time.monotonic(), Counter[str](), [], 0

    def one(seed: int) -> dict[str, int] | str | None:
        late = time.monotonic() - start > 60.0 * minutes
        return None if late else child(chapter, seed)

    with ThreadPoolExecutor(workers) as pool:
        for seed, found in enumerate(pool.map(one, range(count))):
            if found is None:
                break
            tried += 1
            if isinstance(found, str):
                failures.append(command(chapter.name, seed))
                print(f"{found}\nRepeat: {failures[-1]}", file=sys.stderr, flush=True)
            else:
                outcomes.update(found)
    return Result(
        tried, dict(sorted(outcomes.items())), failures, today(), time.monotonic() - start
    )


def main() -> int:
    """Do what the command line asks for; 1 when anything failed."""
    parser = argparse.ArgumentParser(prog="tests/torture", description=__doc__)
    parser.add_argument("chapters", nargs="*", help=f"of {', '.join(CHAPTERS)}; all of them")
    parser.add_argument("--seed", type=int, help="one trial, in this process")
    parser.add_argument("--count", type=int, help="seeds of each chapter")
    parser.add_argument("--minutes", type=float, default=1e9, help="most of them, for each chapter")
    parser.add_argument("--workers", type=int, default=WORKERS, help="trials at the same time")
    given = parser.parse_args()
    if unknown := set(given.chapters) - set(CHAPTERS):
        parser.error(f"unknown: {', '.join(unknown)}")
    chosen = [CHAPTERS[name] for name in given.chapters or CHAPTERS]
    if given.seed is not None:
        print(json.dumps(trial(chosen[0], given.seed)))
        return 0
    failed = 0
    for chapter in chosen:
        result = torture(chapter, given.count or chapter.full, given.workers, given.minutes)
        keep(chapter.name, result)
        failed += len(result.failures)
        print(f"{chapter.name}: {result.outcomes}, {len(result.failures)} failures", flush=True)
    write_page()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
