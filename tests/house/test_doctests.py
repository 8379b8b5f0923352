# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The examples in the docstrings are true."""

import doctest
import importlib
from pathlib import Path

import pytest

import mfresnet

PACKAGE = Path(mfresnet.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every example of a module gives what it says; files go to an empty directory."""
    monkeypatch.chdir(tmp_path)
    module = mfresnet if name == "__init__" else importlib.import_module(f"mfresnet.{name}")
    failed, attempted = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert attempted > 0 and failed == 0, capsys.readouterr().out


def test_there_are_examples() -> None:
    assert {
        "__init__",
        "functional.samples",
        "runs.estimators.classifier",
        "runs.estimators.density",
        "runs.estimators.regressor",
        "trained.network",
    } <= set(MODULES)
