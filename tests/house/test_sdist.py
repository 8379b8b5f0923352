# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The source distribution has every file of the checkout, the wheel every file of the package."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = "import sys, setuptools.build_meta as b; print(getattr(b, sys.argv[1])(sys.argv[2]))"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the checkout without what runs and tools leave."""
    left = shutil.ignore_patterns(
        "results", "build", "dist", "*.egg-info", "__pycache__", ".git", ".*_cache", "_build"
    )
    return shutil.copytree(ROOT, tmp_path / "checkout", ignore=left)


def build(kind: str, checkout: Path, out: Path) -> Path:
    """Build a distribution and return its path."""
    out.mkdir()
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(out)]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
    (made,) = out.iterdir()
    return made


def files(directory: Path) -> set[str]:
    """Return the files below a directory, relative to it."""
    found = (Path(where, name) for where, _, names in os.walk(directory) for name in names)
    return {str(path.relative_to(directory)) for path in found}


def test_source_distribution_is_whole(checkout: Path, tmp_path: Path) -> None:
    expected = files(checkout)
    with tarfile.open(build("sdist", checkout, tmp_path / "sdist")) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    missing = {name for name in expected - found if not name.startswith(".")}
    assert not missing


def test_wheel_is_whole(checkout: Path, tmp_path: Path) -> None:
    expected = {f"mfresnet/{name}" for name in files(checkout / "solver/mfresnet")}
    with zipfile.ZipFile(build("wheel", checkout, tmp_path / "wheel")) as archive:
        found = {name for name in archive.namelist() if name.startswith("mfresnet/")}
    assert found == expected
