# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Every study runs at its reduced size, all its findings hold, and it stands in the table."""

from pathlib import Path

import pytest

from mfresnet.runs.studies.study import load_study

CASES = Path(__file__).parents[2] / "cases"
STUDIES = sorted(path.stem for path in (CASES / "studies").glob("*.py"))


@pytest.mark.parametrize("name", STUDIES)
def test_findings_hold(name: str, tmp_path: Path) -> None:
    found = load_study(CASES / f"studies/{name}.py")("reduced")
    wrong = [f"{c.name}: {c.value}, expected {c.expected}" for c in found.findings if not c.passed]
    assert found.findings
    assert not wrong, found.rows()
    assert found.rows()
    assert len(found.sentence) < 200
    found.figure.savefig(tmp_path / "picture.png")


def test_every_study_is_in_the_table() -> None:
    table = (CASES / "README.md").read_text()
    for name in STUDIES:
        assert f"`studies/{name}.py`" in table, name
