# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Which group takes the next member, without a rank that only hands them out."""

from __future__ import annotations

from mpi4py import MPI

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path


class Turns:
    """Numbers that groups of ranks take one by one, each number once.

    A number is taken by making a file, which one process alone can do. So nobody waits for a rank
    that computes, as with a counter in the memory of one: MPI may answer for it only when it calls
    MPI the next time.
    """

    def __init__(self, directory: Path, world: MPI.Intracomm) -> None:
        """Make the empty folder of the files in a directory that is ours. Collective."""
        self._folder = directory / ".turns"
        if world.rank == 0:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir()
        world.Barrier()

    def take(self, numbers: Sequence[int], group: MPI.Intracomm) -> Iterator[int]:
        """Yield numbers that no other group has. Parallel: collective on the group."""
        for number in numbers:
            if group.bcast(group.rank == 0 and self._is_ours(number), root=0):
                yield number

    def _is_ours(self, number: int) -> bool:
        try:
            os.close(os.open(self._folder / str(number), os.O_CREAT | os.O_EXCL))
        except (FileExistsError, FileNotFoundError):  # taken, or all are told to stop
            return False
        return True

    def stop(self) -> None:
        """Leave no number to anyone."""
        shutil.rmtree(self._folder, ignore_errors=True)
