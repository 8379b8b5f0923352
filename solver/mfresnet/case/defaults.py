# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a case with [data] has where it says nothing: a network that does well on a table.

The estimators for scikit-learn have the same, as they make such cases.
docs/tables.md has the measurements that led to them.
"""

from __future__ import annotations

from typing import Any

from mfresnet.optimise import METHODS
from mfresnet.tasks import TASKS, alike

_SHARED: dict[str, dict[str, Any]] = {
    "accuracy": {"relative": 2e-2, "absolute": 2e-3},
    "mesh": {"max_cells": 4000, "outflow_tolerance": 1e-3},
    "network": {"block": "wide", "width": 4, "layers": 3},
    "data": {"bandwidth": "sharp"},
    "initial": {"scale": 0.3},
    "training": {"max_iterations": 400, "gradient_tolerance": 1e-3},
}
TABLES: dict[str, dict[str, Any]] = {
    "classification": _SHARED
    | {
        "loss": {"kind": "cross_entropy", "head": "prototypes"},
        "penalty": {"tikhonov": {"prior": 8.0, "head": 0.01}},
    },
    "regression": _SHARED
    | {
        "loss": {"kind": "squared_error", "head": "units"},
        "penalty": {"tikhonov": {"prior": 1.0, "head": 0.01}},
    },
}
"""Task -> section -> key -> value. A penalty as that of a prior, as few samples say less about the
controls than it does; meshes for seconds rather than digits."""
SAID = (
    ("mesh", "cells"),
    ("mesh", "file"),
    ("time", "steps_per_layer"),
    ("training", "levels"),
    ("network", "trainable"),
    ("initial", "file"),
    ("loss", "targets"),
)
"""Keys that are about one mesh or one network: with one of them the case is that of its user."""


def with_defaults(data: dict[str, Any]) -> dict[str, Any]:
    """Return the sections of a case, with the keys of ``TABLES`` that they leave out.

    Without samples, or where a mesh, another loss or the initial controls are given, or a method
    without a line search, they are returned as they are. Another block than the default one has no
    width of its own.

    Args:
        data: the sections as they are read, right or wrong.
    """
    task = str(data.get("task", "classification"))
    usual = (
        next((TABLES[name] for name in alike(task) if name in TABLES), None)
        if task in TASKS
        else None
    )
    if usual is None or not isinstance(data.get("data"), dict):
        return data
    given = {name: data.get(name, {}) for name in (*usual, "time")}
    accuracy = given.pop("accuracy") or usual["accuracy"]
    if not all(isinstance(section, dict) for section in given.values()) or _said(given, usual):
        return data
    filled = {name: usual.get(name, {}) | section for name, section in given.items()}
    if "block" in given["network"] and "width" not in given["network"]:
        del filled["network"]["width"]
    return data | filled | {"accuracy": accuracy}


def _said(given: dict[str, Any], usual: dict[str, Any]) -> bool:
    """Return whether sections are about one mesh or one network."""
    method = METHODS.get(str(given["training"].get("method")))
    return (
        any(given[section].get(key) is not None for section, key in SAID)
        or given["loss"].get("kind", usual["loss"]["kind"]) != usual["loss"]["kind"]
        or given["initial"].get("kind", "random") != "random"
        or (method is not None and method.frozen)
    )
