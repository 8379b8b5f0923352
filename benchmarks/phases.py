# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Where the CPU seconds of a whole run go, from the start of Python to the page.

docker/run python3 benchmarks/phases.py [CASE]
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mfresnet
from mfresnet import output, pictures
from mfresnet.runs import job, runner

DEMO = Path(__file__).parents[1] / "cases/breast_cancer.toml"
PHASES: dict[str, tuple[Any, str]] = {
    "case, samples, densities, operator": (job.Job, "of"),
    "training": (job.Job, "train"),
    "numbers of the result": (runner, "run_report"),
    "fields": (output, "write_fields"),
    "pictures": (pictures, "draw"),
    "report.html": (runner, "write_page"),
}


def timed(function: Callable[..., Any], name: str, seconds: dict[str, float]) -> Any:
    """Return the function, which adds its CPU seconds to those of a phase."""

    def wrapped(*args: Any, **options: Any) -> Any:
        start = time.process_time()
        try:
            return function(*args, **options)
        finally:
            seconds[name] += time.process_time() - start

    return wrapped


def main() -> None:
    """Print a row a phase; the clock of the process has run since Python was started."""
    seconds = {"Python, imports": time.process_time()} | dict.fromkeys(PHASES, 0.0)
    for name, (place, function) in PHASES.items():
        setattr(place, function, timed(getattr(place, function), name, seconds))
    case = mfresnet.load(Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO)
    with tempfile.TemporaryDirectory() as directory:
        mfresnet.run(case, Path(directory) / "run")
    total = time.process_time()
    seconds["the rest"] = total - sum(seconds.values())
    print("| part | CPU seconds | share |\n|---|---|---|")
    for name, value in (seconds | {"all": total}).items():
        print(f"| {name} | {value:.2f} | {100 * value / total:.0f} % |")


if __name__ == "__main__":
    main()
