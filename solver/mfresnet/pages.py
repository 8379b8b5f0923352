# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pages for a browser and cards for a notebook, from templates of one style; all text is escaped.

>>> from mfresnet.pages import card
>>> "&lt;b&gt;" in card("<b>", "A sentence.", [("name", "value")])
True
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

EXPONENT, SIGN = re.compile(r"\b(\d\.?\d*)e([+-]\d\d)\b"), re.compile(r"(?<![\w-])-(?=\d)")
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
TYPES = {".png": "image/png", ".webp": "image/webp"}


def render(template: str, **content: Any) -> str:
    """Return a page.

    Args:
        template: its file in the package, such as ``output/report.html``.
        content: what it is filled with; what is not marked as safe is escaped.
    """
    return _environment().get_template(template).render(content)


def embedded(picture: Path) -> str:
    """Return the address of a picture that holds the picture itself."""
    data = base64.b64encode(picture.read_bytes()).decode()
    return f"data:{TYPES[picture.suffix]};base64,{data}"


def card(
    title: str,
    sentence: str,
    rows: Sequence[tuple[str, str]],
    *,
    good: bool | None = None,
    picture: Path | None = None,
    alternative: str = "",
) -> str:
    """Return what a notebook shows of an object.

    Args:
        title: a few words.
        sentence: what there is to say first.
        rows: names and values.
        good: whether the sentence is good news, None where it is no news.
        picture: the first picture.
        alternative: what one sees in it.
    """
    shown = None if picture is None or not picture.is_file() else embedded(picture)
    content = {"title": title, "sentence": sentence, "rows": rows, "good": good}
    return render("card.html", **content, picture=shown, alternative=alternative)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mfresnet", ""),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["typeset"] = typeset
    return environment


def typeset(text: str) -> str:
    """Return a text of the program with its numbers as they are printed in books.

    >>> typeset("J = 0.32 +- 7.7e-05, at least -1")
    'J = 0.32 ± 7.7·10⁻⁵, at least −1'
    """
    return SIGN.sub("−", EXPONENT.sub(_raised, text).replace("+-", "±"))


def _raised(number: re.Match[str]) -> str:
    digits, exponent = number[1], int(number[2])
    power = f"10{str(exponent).translate(RAISED)}"
    if exponent == 0:
        return digits
    return power if float(digits) == 1.0 else f"{digits}·{power}"
