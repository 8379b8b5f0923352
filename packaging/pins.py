#!/usr/bin/env python3
# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Write the hashes of pinned packages into files of requirements.

Every line NAME==VERSION gets the SHA-256 of each wheel that pip would take for the Pythons and
processors below, so that `pip install --require-hashes` takes these files and no others. The rest
of a file stays. Run it after a version has changed:

    python3 packaging/pins.py docker/requirements.txt docs/requirements.txt
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

PYTHONS, PROCESSORS = ("3.13", "3.14"), ("x86_64", "aarch64")
"""Those of Debian's environments."""
GLIBC = range(17, 42)
"""The minor versions of the C library that wheels may have been built for."""


def hashes(pins: list[str]) -> dict[str, set[str]]:
    """Return pin -> the hashes of its wheels, as pip finds them; nothing is installed."""
    found: dict[str, set[str]] = defaultdict(set)
    for python in PYTHONS:
        for processor in PROCESSORS:
            line = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps"]
            line += ["--ignore-installed", "--only-binary", ":all:", "--report", "-"]
            line += ["--target", "nowhere", "--python-version", python]
            line += ["--ignore-requires-python"]  # of the Python that runs this
            line += [f"--platform=manylinux_2_{n}_{processor}" for n in reversed(GLIBC)]
            line += [f"--platform=manylinux2014_{processor}", f"--platform=linux_{processor}"]
            done = subprocess.run([*line, *pins], check=True, stdout=subprocess.PIPE, text=True)
            for pin, item in zip(pins, in_order(pins, done.stdout), strict=True):
                found[pin].add(item["download_info"]["archive_info"]["hashes"]["sha256"])
    return found


def in_order(pins: list[str], report: str) -> list[dict[str, dict[str, dict[str, dict[str, str]]]]]:
    """Return what pip reports of the pins, in their order."""
    items = {plain(item["metadata"]["name"]): item for item in json.loads(report)["install"]}
    return [items[plain(pin.partition("==")[0])] for pin in pins]


def plain(name: str) -> str:
    """Return the name of a package as all spellings of it have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def with_hashes(text: str) -> str:
    """Return a file of requirements with the hashes of now."""
    lines = re.sub(r" \\\n +--hash=sha256:\w+", "", text).splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    found = hashes(pins)
    hashed = {pin: [pin, *(f"--hash=sha256:{h}" for h in sorted(found[pin]))] for pin in pins}
    return "\n".join(" \\\n    ".join(hashed.get(line, [line])) for line in lines) + "\n"


def main() -> None:
    """Write the files again."""
    for name in sys.argv[1:]:
        Path(name).write_text(with_hashes(Path(name).read_text()))


if __name__ == "__main__":
    main()
