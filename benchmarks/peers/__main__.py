# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""mfresnet beside its peers: measures, keeps what it finds, and writes the page from that.

make bench                                    # all: docs/benchmarks.md, the lines of the README
make bench QUICK=1                            # small sizes, into build/peers/quick
benchmarks/peers/run.sh --only optimum table  # some sections again, the others as they are
benchmarks/peers/run.sh --only                # nothing again: the page from the store
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.peers import page
from benchmarks.peers.section import ONE_THREAD, SECTIONS

QUICK = page.ROOT / "build/peers/quick"


def measure(name: str, quick: bool, store: Path) -> bool:
    """Measure a section in a process of its own and keep what it found; say whether it ended."""
    start = time.perf_counter()
    print(f"{name} ...", file=sys.stderr, flush=True)
    store.parent.mkdir(parents=True, exist_ok=True)
    made = store.with_name(f"{name}.partial")
    line = [sys.executable, "-m", "benchmarks.peers.section", name, str(made)]
    done = subprocess.run(
        line + ["--quick"] * quick, cwd=page.ROOT, env=os.environ | ONE_THREAD, check=False
    )
    if done.returncode == 0:
        kept = json.loads(store.read_text()) if store.exists() else {}
        kept[name] = json.loads(made.read_text())
        ordered = {name: kept[name] for name in SECTIONS if name in kept}
        store.write_text(json.dumps(ordered, indent=1) + "\n")
    made.unlink(missing_ok=True)
    said = "" if done.returncode == 0 else "; it failed, what was there before is kept"
    print(f"{name}: {time.perf_counter() - start:.0f} s{said}", file=sys.stderr, flush=True)
    return done.returncode == 0


def main() -> int:
    """Read the arguments, measure and write."""
    parser = argparse.ArgumentParser(prog="benchmarks/peers/run.sh", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, into build/peers/quick")
    parser.add_argument("--only", nargs="*", metavar="NAME", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--out", type=Path, help="where a quick run goes")
    given = parser.parse_args()
    names = SECTIONS if given.only is None else given.only
    if unknown := sorted(set(names) - set(SECTIONS)):
        parser.error(f"--only: no such section; got {', '.join(unknown)}, expected some of "
                     f"{', '.join(SECTIONS)}.")  # fmt: skip
    places = page.beside(given.out or QUICK) if given.quick else page.PROJECT
    ended = [measure(name, given.quick, places.store) for name in names]
    page.write(places)
    print(places.page)
    return 0 if all(ended) else 1


if __name__ == "__main__":
    raise SystemExit(main())
