# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Each number means one equation, and every reference has its target in docs/equations.md."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "solver/mfresnet"
SOURCES = sorted(p for p in PACKAGE.rglob("*") if p.suffix in (".py", ".c"))
ROW = re.compile(r"^\| \((\d+)\) \| [^|]+ \| (\S+) \|$", re.MULTILINE)
DEFINED = re.compile(r"\S {2,}\((\d{1,2})\)$", re.MULTILINE)
IN_README = re.compile(r"^ {4}\((\d{1,2})\) \w+ {2,}\S", re.MULTILINE)
REFERENCES = re.compile(r"(?:\b[Ee]q\. |[a-z] )\((\d{1,2})\)(?=[\s.,;:\]]|$)")


def listed() -> dict[int, str]:
    """Return number -> file of the list."""
    rows = ROW.findall((ROOT / "docs/equations.md").read_text())
    assert len({number for number, _ in rows}) == len(rows)
    return {int(number): name for number, name in rows}


def test_each_number_is_defined_once_where_the_list_says() -> None:
    found = [(int(n), "README.md") for n in IN_README.findall((ROOT / "README.md").read_text())]
    for path in SOURCES:
        name = path.relative_to(PACKAGE).as_posix()
        found += [(int(n), name) for n in DEFINED.findall(path.read_text())]
    assert sorted(found) == sorted(listed().items())
    assert sorted(listed()) == list(range(1, len(found) + 1))


def test_every_reference_has_its_target() -> None:
    known, count = listed(), 0
    for path in (ROOT / "README.md", *SOURCES):
        for number in REFERENCES.findall(path.read_text()):
            count += 1
            assert int(number) in known, (path.name, number)
    assert count > 25
