# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""``python3 tests/torture/audit.py``: pip-audit over what docker/Dockerfile takes from PyPI."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pins() -> list[str]:
    """Return the pinned packages of the Dockerfile."""
    return re.findall(r"(?<=\s)[\w-]+==[\w.]+", (ROOT / "docker/Dockerfile").read_text())


def main() -> int:
    """Install pip-audit beside everything else, and run it; what it cannot look up is a failure."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "requirements.txt").write_text("\n".join(pins()) + "\n")
        tools = str(place / "tools")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--root-user-action=ignore"]
        subprocess.run([*pip, "--target", tools, "pip-audit"], check=True)
        line = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--strict"]
        line += ["-r", str(place / "requirements.txt")]
        return subprocess.call(line, env=os.environ | {"PYTHONPATH": tools})


if __name__ == "__main__":
    sys.exit(main())
