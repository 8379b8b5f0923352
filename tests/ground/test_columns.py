# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Tables of text: numbers end in one column, sentences are broken, nothing is left out."""

from mfresnet.columns import WIDTH, plain

SENTENCE = "This is a sentence that says what is wrong, and what to do about it. " * 3


def test_numbers_end_below_each_other() -> None:
    lines = plain([("a [b]", "1.5", "x"), ("c", "-12.25", "")], "wnw", ("", "value", "why"))
    assert lines.splitlines() == ["        value  why", "a [b]     1.5  x", "c      -12.25"]


def test_sentences_are_broken_between_words() -> None:
    lines = plain([("FAIL", "1", SENTENCE), ("pass", "2", "")], "wns").splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert " ".join(line[8:].strip() for line in lines[:-1]) == "".join(SENTENCE).strip()
    assert lines[-1] == "pass  2"


def test_words_and_numbers_are_never_broken() -> None:
    """Also where that takes more than the width; a sentence has room beside them."""
    words = ["twenty-three letters 1 2"] * 8
    lines = plain([[*words, SENTENCE]], "wwwwnnnns").splitlines()
    assert lines[0].startswith("  ".join(words))
    assert " ".join(line[208:].strip() for line in lines) == SENTENCE.strip()
