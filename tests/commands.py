# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The command mfresnet in a process of its own, also on several ranks."""

import os
import subprocess
import sys


def command(
    *arguments: object, ranks: int = 0, settings: list[str] | None = None
) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-W", "error::UserWarning", "-m", "mfresnet", *map(str, arguments)]
    if ranks:
        line = ["mpirun", "-n", str(ranks), *line]
    for setting in settings or []:
        line += ["--set", setting]
    return execute(line)


def execute(line: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line, capture_output=True, text=True, timeout=120, check=False, env=outside()
    )


def outside() -> dict[str, str]:
    """Return the environment without what MPI has told this process, so that mpirun starts anew."""
    ours = ("OMPI_COMM", "OMPI_APP", "OMPI_FILE", "OMPI_ARGV", "OMPI_COMMAND", "PMIX_")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)}


def on_screen(line: list[str]) -> list[str]:
    """Return a command on a virtual screen, whose number no test of another process takes."""
    number, screen = str(20000 + os.getpid() % 10000), "-screen 0 1280x1024x24 -noreset"
    return ["xvfb-run", "-a", "-n", number, "-s", screen, *line]
