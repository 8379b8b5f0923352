# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""All chapters by name, in the order in which they are tried."""

from torture import arithmetic, cases, checkpoints, disks, files, kills, ranks, soak, trainings
from torture.chapter import Chapter

MODULES = (kills, checkpoints, disks, cases, trainings, files, ranks, soak, arithmetic)
CHAPTERS: dict[str, Chapter] = {module.CHAPTER.name: module.CHAPTER for module in MODULES}
