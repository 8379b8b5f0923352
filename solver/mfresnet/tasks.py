# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Tasks, name -> what a network is for, and how the tables of the rooms are asked for a task.

What a task means in a room stands in a table of that room. A new task is one row here: it is like
another one, whose rows it has wherever it brings none of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """What a network is for.

    Attributes:
        loss: the loss that it has when none is given.
        label: what the label of a sample is: ``class``, each with a density of its own;
            ``number``, the last coordinate of the mesh, along which nothing moves; None: there is
            no label.
        like: the task whose rows serve it in the tables of the rooms where it has none, and whose
            losses it can have; empty where it has a row in each of them.
    """

    loss: str
    label: Literal["class", "number"] | None
    like: str = ""

    @property
    def classes(self) -> bool:
        """Whether every label is a class."""
        return self.label == "class"

    @property
    def still(self) -> bool:
        """Whether the label is a coordinate of the mesh that the network does not move."""
        return self.label == "number"


TASKS: dict[str, Task] = {
    "classification": Task("quadratic", "class"),
    "regression": Task("squared_error", "number"),
    "density": Task("density_l2", None),
}
"""Name -> what a network is for."""


def alike(task: str) -> tuple[str, ...]:
    """Return a task, the one that it is like, the one that this is like, and so on."""
    like = TASKS[task].like
    return (task, *alike(like)) if like else (task,)


def of_task(table: Mapping[str, T], task: str) -> T:
    """Return the row of a table by task: its own, or that of the first task that it is like.

    Args:
        table: task -> row.
        task: a name in ``TASKS``.
    """
    return table[next(name for name in alike(task) if name in table)]
