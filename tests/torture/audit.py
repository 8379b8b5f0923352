# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""``python3 tests/torture/audit.py``: pip-audit over all that is pinned of PyPI."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PINS = [ROOT / "docker/requirements.txt", ROOT / "docs/requirements.txt"]


def main() -> int:
    """Install pip-audit beside everything else, and run it; what it cannot look up is a failure."""
    with tempfile.TemporaryDirectory() as directory:
        tools = str(Path(directory) / "tools")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--root-user-action=ignore"]
        subprocess.run([*pip, "--target", tools, "pip-audit"], check=True)
        line = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--strict"]
        for file in PINS:
            line += ["-r", str(file)]
        return subprocess.call(line, env=os.environ | {"PYTHONPATH": tools})


if __name__ == "__main__":
    sys.exit(main())
