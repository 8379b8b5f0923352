# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A line in a notebook that is written again and again."""

from __future__ import annotations

import importlib
import sys
from html import escape
from typing import Any


def in_notebook() -> bool:
    """Return whether this process serves a notebook, that of Jupyter or one like it."""
    module = sys.modules.get("IPython")
    shell = None if module is None else module.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class Line:
    """One line of text that replaces itself; it needs no widgets."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._handle: Any = None

    def show(self, text: str) -> None:
        """Show a text in place of the one before."""
        display = importlib.import_module("IPython.display")
        shown = display.HTML(f"<pre style='margin:0'>{escape(text)}</pre>")
        if self._handle is None:
            self._handle = display.display(shown, display_id=True)
        else:
            self._handle.update(shown)
