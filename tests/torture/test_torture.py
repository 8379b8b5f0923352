# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The first seeds of every chapter; ``make torture`` tries all."""

from pathlib import Path

import pytest

from torture.chapters import CHAPTERS
from torture.page import PAGE, page, read

SEEDS = [(name, seed) for name, chapter in CHAPTERS.items() for seed in range(chapter.quick)]


@pytest.mark.torture
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_first_seeds(name: str, seed: int, tmp_path: Path) -> None:
    """Any of them again: ``docker/run python3 tests/torture NAME --seed SEED``."""
    assert sum(CHAPTERS[name].trial(seed, tmp_path).values()) > 0


def test_page_is_what_the_program_writes() -> None:
    """docs/reliability.md is that of results.json: no number in it is by hand."""
    assert PAGE.read_text() == page(read())
