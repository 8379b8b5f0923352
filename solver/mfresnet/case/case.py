# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The case: sections that fit together, read from a file or a mapping."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tomli_w
from pydantic import ValidationError as PydanticError

from mfresnet.case.checks import contradictions
from mfresnet.case.checks_network import check_size, misfit
from mfresnet.case.fields import Fields
from mfresnet.case.refusals import sentences
from mfresnet.case.text import assign, check_depth, read_toml
from mfresnet.errors import InputError
from mfresnet.network import INITIALS, Controls, same_in_every_layer, stored_controls

PATHS = (("data", "file"), ("initial", "file"), ("mesh", "file"))
"""Keys of the case file that hold paths."""


class Case(Fields):
    """Everything that defines a run; every section may be omitted but [[classes]] or [data].

    Attributes:
        task: a name in ``TASKS``: what the network is for.
        start: for task density, what is steered to the density of the samples; omitted: the
            Gaussian with their mean and covariance.

    Raises:
        InputError: with a sentence for each mistake.
    """

    if not TYPE_CHECKING:  # the sections are the arguments, as editors know from ``Fields``

        def __init__(self, **sections: Any) -> None:
            """Check the sections."""
            try:
                super().__init__(**sections)
            except PydanticError as error:
                raise InputError(sentences(error, type(self))) from None

    def model_post_init(self, _: Any, /) -> None:
        """Check what involves several keys."""
        if found := contradictions(self):
            raise InputError(found)

    def initial_controls(self, n_classes: int, seed: int | None = None) -> Controls:
        """Return the initial controls of all layers and of the head.

        Args:
            n_classes: number of classes.
            seed: instead of initial.seed.

        Raises:
            InputError: a value has not the right shape, or the file does not fit.
        """
        initial, kind = self.initial, self.initial_kind()
        head = self.head(n_classes)
        shapes = self.shapes() | head
        check_size(shapes, self.network.layers)
        if kind == "file" and initial.file is not None:
            return stored_controls(initial.file, shapes, tuple(head), self.network.layers)
        if kind == "values":
            given = initial.values()
            if found := [m for n, s in shapes.items() for m in misfit(n, given.get(n), s)]:
                raise InputError(found)
            values = {n: np.asarray(given[n], float).reshape(s) for n, s in shapes.items()}
        else:
            drawn = INITIALS[kind](shapes, initial.seed if seed is None else seed)
            values = {n: initial.scale * v if kind == "random" else v for n, v in drawn.items()}
        return same_in_every_layer(values, self.network.layers, tuple(head))

    def with_(self, changes: Mapping[str, Any]) -> Case:
        """Return the case with other values of some keys.

        Args:
            changes: section -> key -> value; None takes a key, or a section, away.

        Raises:
            InputError: they do not fit.
        """
        data = self.model_dump(exclude_none=True)
        for section, keys in changes.items():
            data[section] = data.get(section, {}) | keys if isinstance(keys, Mapping) else keys
        return validated(without_none(data))

    def to_toml(self) -> str:
        """Return the case as a case file."""
        data = self.model_dump(exclude_none=True)
        for section, key in PATHS:
            if key in data.get(section, {}):
                data[section][key] = str(data[section][key])
        return tomli_w.dumps({k: v for k, v in data.items() if k != "classes" or v})


def without_none(data: dict[str, Any]) -> dict[str, Any]:
    """Return sections without the keys that are None."""
    return {
        name: without_none(value) if isinstance(value, dict) else value
        for name, value in data.items()
        if value is not None
    }


# ---------------------------------------------------------------------- reading
def load(path: str | Path, overrides: Sequence[str] = ()) -> Case:
    """Return the case in a file.

    Args:
        path: the case file (TOML).
        overrides: assignments such as ``training.max_iterations=50`` that replace keys.

    Paths in the file are relative to it.

    Raises:
        InputError: with all mistakes of the file at once.
    """
    data = read_toml(path)
    for assignment in overrides:
        assign(data, assignment)
    return parse(data, Path(path).parent)


def validated(data: dict[str, Any]) -> Case:
    """Return the case in a nested mapping whose paths are whole.

    Raises:
        InputError: with all mistakes at once.
    """
    return Case(**{str(key): value for key, value in data.items()})


def parse(data: dict[str, Any], directory: str | Path = ".") -> Case:
    """Return the case in a nested mapping.

    Args:
        data: the sections of a case file.
        directory: where relative paths in it start.

    Raises:
        InputError: with all mistakes at once.
    """
    check_depth(data)
    data = copy.deepcopy(data)
    for section, key in PATHS:
        place = data.get(section)
        if isinstance(place, dict) and isinstance(place.get(key), str) and "\0" not in place[key]:
            place[key] = str((Path(directory) / place[key]).resolve())
    return validated(data)
