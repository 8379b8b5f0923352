# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A file is asked once whether it can be read, whoever asks."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mfresnet.files import FileError, read_bytes, unreadable


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


KINDS: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "nothing": ("a", lambda path: None, "No such file or directory"),
    "directory": ("a", Path.mkdir, "Is a directory"),
    "named pipe": ("a", os.mkfifo, "No regular file"),
    "device": ("a", lambda path: path.symlink_to("/dev/zero"), "No regular file"),
    "socket": ("a", bind, "No such device or address"),
    "zero byte": ("a\0", lambda path: None, "No path of this system"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file(kind: str, tmp_path: Path, monkeypatch: Any) -> None:
    """Refused without waiting, with the same words."""
    monkeypatch.chdir(tmp_path)
    name, make, why = KINDS[kind]
    path = Path(name)
    make(path)
    assert unreadable(path) == unreadable(name) == why
    with pytest.raises(FileError, match=rf"^{why}$"):
        read_bytes(path)


def test_a_file_of_some_size(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert read_bytes(path) == b"abc"
    assert unreadable(path) is None is unreadable(path, 3)
    assert unreadable(path, 2) == "3 bytes, more than 2"
