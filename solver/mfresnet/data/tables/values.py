# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The values of a column of a table as numbers, or as the names of classes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pandas as pd

from mfresnet.arrays import Array
from mfresnet.errors import InputError

LARGEST = 1e90
"""Largest number; what a case file says of it stays below ``schema.LARGEST``."""
MISSING = (
    "", "?", "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "nat", "null", "none",
    "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "-", "--", ".",
)  # fmt: skip
"""Texts, in small letters, that stand for a missing number."""
NO_LABEL = (
    "",
    "?",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "<NA>",
    "NaN",
    "nan",
    "-nan",
    "NaT",
    "NULL",
    "null",
)
"""Texts that stand for a missing label; None may be one."""
TRUTH = {"true": "1", "false": "0"}
LEAVE = "Leave this column out, in a case file by naming the others in data.features"
TRIED = 20
"""Values that are looked at to tell dates from other texts."""
COMMA = re.compile(r"[+-]?\d+,\d+")
WHOLE = re.compile(r"([+-]?\d+)\.0*")


class WordsError(InputError):
    """A column of words or dates where numbers are expected."""


def to_numbers(
    values: Array, where: Callable[[int], str], advice: str | None
) -> tuple[Array, Array]:
    """Return a column as float64, and which of its values are missing or not finite.

    Args:
        values: the column as a table gives it.
        where: number of a row -> its place, for messages.
        advice: what to do about a missing value instead of correcting it; None: it is allowed.

    Raises:
        WordsError: most values are no numbers.
        InputError: a value is no number, is too large, or is missing or not finite and that is not
            allowed.
    """
    if values.dtype.kind not in "fiub":
        texts = pd.Series(values).astype(str).str.strip()
        small = texts.str.lower()
        missing = small.isin(MISSING).to_numpy()
        texts = texts.where(~small.isin(TRUTH), small.map(TRUTH))
        numbers = pd.to_numeric(texts.where(~missing, "0"), errors="coerce").to_numpy(float)
        wrong = np.isnan(numbers)
        if wrong.any():
            row = int(np.argmax(wrong))
            given = texts.iloc[row]
            if wrong.sum() > max(0.5 * np.sum(~missing), 1):
                raise WordsError(f"{where(row)}: {_of_words(texts[wrong], given)}")
            expected = "a decimal point" if COMMA.fullmatch(given) else "a number"
            raise InputError(
                f"{where(row)}: not a finite number; got '{given}', expected {expected}. "
                "Correct or remove the row."
            )
        good = ~missing
        # pandas' own conversion is off by a unit in the last place
        numbers[good] = texts[good].to_numpy(dtype=str).astype(np.float64)
        numbers[missing] = np.nan
        values = numbers
    result = np.asarray(values, dtype=np.float64)
    bad = ~np.isfinite(result)
    if bad.any() and advice is not None:
        row = int(np.argmax(bad))
        given = result[row]
        what = "missing value" if np.isnan(given) else f"not a finite number; got {given}"
        more = f" {bad.sum() - 1} more in this part of the column." if bad.sum() > 1 else ""
        raise InputError(f"{where(row)}: {what}, expected a number. Correct or {advice}.{more}")
    large = ~bad & (np.abs(result) > LARGEST)
    if large.any():
        row = int(np.argmax(large))
        raise InputError(
            f"{where(row)}: too large; got {result[row]:g}, expected at most {LARGEST:g} in size. "
            "Change the unit of the column."
        )
    return result, bad


def _of_words(wrong: pd.Series, given: str) -> str:
    """Return what is wrong with a column that is not of numbers, and what to do."""
    some = wrong.head(TRIED)
    days = pd.to_datetime(some, errors="coerce", format="mixed", utc=True).notna()
    if (days & some.str.contains(r"\d[-/.:]\d|\d{4}")).all():
        return (
            f"dates; got '{given}', expected numbers. {LEAVE}, or replace it by numbers, such as "
            "the days since one of them."
        )
    return (
        f"not a finite number; got '{given}', and no number in most rows, expected numbers. "
        f"{LEAVE}, or replace it by numbers, such as a column of 0 and 1 for each of its values."
    )


def to_names(values: Array) -> Array:
    """Return labels as texts without blanks around them, an empty text for a missing one.

    The same label has the same name from every format: a whole number is 1 and not 1.0, a day
    2026-01-31 without midnight.
    """
    try:
        codes, found = pd.factorize(pd.Series(values))
    except TypeError:  # values that are no keys, such as lists
        codes, found = pd.factorize(pd.Series(values).astype(str))
    unique = found if found.dtype.kind in "mM" else found.to_numpy()
    # the code of a missing value is -1: the last name
    names: Array = np.array([*map(_name, unique), ""], dtype=str)
    return names[codes]


def _name(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    text = str(value).strip()
    if isinstance(value, float | np.floating):
        number = float(value)
        if not np.isfinite(number):
            return ""
        text = str(int(number)) if number.is_integer() and abs(number) < 2**63 else text
    elif isinstance(value, pd.Timestamp):
        text = text.removesuffix(" 00:00:00")
    whole = WHOLE.fullmatch(text)
    return "" if text in NO_LABEL else whole[1] if whole else text


def in_order(labels: Collection[str]) -> tuple[str, ...]:
    """Return labels sorted, as numbers when all of them are."""
    try:
        numbers = {label: float(label) for label in labels}
    except ValueError:
        return tuple(sorted(labels))
    if not np.isfinite(list(numbers.values())).all():
        return tuple(sorted(numbers))
    # 1 and 01 are two labels, and their order must be the same on all ranks
    return tuple(sorted(numbers, key=lambda label: (numbers[label], label)))


def small_integers(n: int) -> type[np.signedinteger[Any]]:
    """Return the integers that number n classes with the least memory."""
    return np.int8 if n < 128 else np.int16
