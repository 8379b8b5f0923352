# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The parts of run.json that say what J is, and how far off."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from mfresnet.training import ErrorPart


class Part(BaseModel):
    """A part of run.json."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def __getitem__(self, name: str) -> Any:
        """Return a part by its name in the file: ``report["objective"]["loss"]``."""
        if name not in type(self).model_fields:
            raise KeyError(name)
        return getattr(self, name)


class Way(Part):
    """One way to find the loss beside the mesh of the run."""

    how: str
    loss: float
    spread: float
    """How far that may itself be off, 0 where this is not known."""


class Accuracy(Part):
    """How far the loss on the mesh is from what other ways find, see ``loss_error``."""

    number: str
    """The loss with its error."""
    error: float | None
    """The loss on the mesh minus that of the most trusted way; None without one."""
    relative: float | None
    right: bool
    """Whether all ways say that the loss is right."""
    ways: list[Way]
    sentence: str


class Asked(Part):
    """J against the accuracy that was asked for, see ``ObjectiveError``."""

    asked: float
    """The relative error of J."""
    reached: bool
    relative: float | None
    """What it is found to be by the worst of two ways; None where none can tell."""
    size: float | None
    """The same, not relative."""
    scale: float
    """What it is relative to, see ``ObjectiveError``."""
    corrected: float | None
    """J by the most trusted way."""
    parts: dict[str, ErrorPart]
    """Space, depth, optimisation, data: absolute sizes and how they were found."""
    sentence: str
    limit: str
    """Why there is no finer mesh, where one is needed."""


class Objective(Part):
    """J and its parts at the trained controls."""

    total: float
    loss: float
    penalty: float
    loss_error: Accuracy
