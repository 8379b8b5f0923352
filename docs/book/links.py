# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pages that are files of the repository: their links are made links of the book.

A page whose first line is ``<!-- page: ../FILE.md -->`` is that file. A link to a file that is a
page becomes a link to the page, any other link to a file of the repository a download; a folder is
named and not linked.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
PAGES = {
    "README.md": "readme",
    "CONTRIBUTING.md": "contributing",
    "CHANGELOG.md": "changelog",
    "cases/README.md": "cases",
}
"""Files outside of docs/ that are pages, and the names of these."""
LINK = re.compile(r"(?P<start>!?\[(?:[^\[\]]|\[[^\]]*\])*\])\((?P<target>[^()\s]+)\)")
PAGE = re.compile(r"^<!-- page: (\S+) -->\s*$", re.MULTILINE)
FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1\s*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def rewritten(text: str, home: Path, page: Path) -> str:
    """Return Markdown of the folder ``home`` with the links that it has on a page of the book.

    Args:
        text: the Markdown.
        home: the folder in which the links of the text start.
        page: the page, below docs/.
    """

    def one(match: re.Match[str]) -> str:
        start, target = match["start"], match["target"]
        path, _, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", target) or target.startswith("{"):
            return match[0]
        where = Path(os.path.normpath(home / path))
        if where.is_dir():
            return f"`{where.relative_to(ROOT).as_posix()}/`"
        inside = where.relative_to(ROOT).as_posix()
        if inside in PAGES:
            where = DOCS / f"{PAGES[inside]}.md"
        ending, path = f"#{anchor}" if anchor else "", os.path.relpath(where, page.parent)
        if where.suffix == ".py" and DOCS not in where.parents:
            return f"{{download}}`{start[1:-1]} <{path}>`"
        return f"{start}({path}{ending})"

    kept, parts, last = FENCE.finditer(text), [], 0
    for block in kept:
        parts += [LINK.sub(one, text[last : block.start()]), block[0]]
        last = block.end()
    return "".join([*parts, LINK.sub(one, text[last:])])


def script(text: str) -> Any:
    """Return a tutorial as a notebook, without the lines of the licence."""
    import jupytext

    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.cells = [c for c in notebook.cells if "remove-cell" not in c.metadata.get("tags", [])]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    return notebook


def read(app: Any, name: str, source: list[str]) -> None:
    """Replace the source of a page before it is read."""
    page = Path(app.env.doc2path(name))
    if page.suffix != ".md":
        return
    text, home = source[0], page.parent
    if given := PAGE.match(text):
        file = page.parent / given[1]
        app.env.note_dependency(str(file), docname=name)
        text, home = file.read_text(), file.resolve().parent
    source[0] = rewritten(text, home, page)


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx."""
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
