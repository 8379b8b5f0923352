# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Checks of a case that involve several keys of its file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mfresnet.activations import ACTIVATIONS
from mfresnet.blocks import BLOCKS
from mfresnet.errors import InputError
from mfresnet.methods import METHODS
from mfresnet.schemes import cfl_constant

if TYPE_CHECKING:
    from mfresnet.case import Case


def contradictions(case: Case) -> list[str]:
    """Return a sentence for everything in a case that does not fit together."""
    return [*_mesh(case), *_classes(case), *_network(case), *_training(case)]


def _length(where: str, given: Sequence[Any], d: int, cell: str) -> list[str]:
    if len(given) == d:
        return []
    text = f"{where}: wrong length; got {len(given)}, expected {d} for mesh.cell {cell}."
    return [f"{text} Give one value per direction."]


def _mesh(case: Case) -> list[str]:
    d, mesh, found = case.dimension, case.mesh, []
    for name in ("cells", "lower", "upper"):
        if (value := getattr(mesh, name)) is not None:
            found += _length(f"mesh.{name}", value, d, mesh.cell)
    if mesh.lower and mesh.upper and any(a >= b for a, b in zip(mesh.lower, mesh.upper)):  # noqa: B905
        found.append(
            f"mesh.upper: not above mesh.lower; got {mesh.upper}, expected more than "
            f"{mesh.lower}. Exchange or enlarge them."
        )
    bound = BLOCKS[case.network.block].bound(ACTIVATIONS[case.network.activation])
    if not np.isfinite(bound) and (mesh.lower is None or mesh.upper is None):
        found.append(
            "mesh.lower: missing; got nothing, expected both corners of the box as activation "
            f"{case.network.activation} is unbounded. Add mesh.lower and mesh.upper."
        )
    try:
        cfl_constant(case.time.order, case.space.degree)
    except InputError as error:
        found.append(str(error))
    return found


def _classes(case: Case) -> list[str]:
    if case.data is not None:
        if case.classes:
            return ["classes: not together with [data]; got both, expected one. Remove one."]
        return []
    if not case.classes:
        return [
            "classes: missing; got none, expected [data] or at least one [[classes]] section. "
            "Add one."
        ]
    found = []
    if case.loss.targets is not None:
        found.append(
            "loss.targets: only with [data]; got [[classes]], expected the target in each class. "
            "Move them to classes.target."
        )
    for k, section in enumerate(case.classes):
        for name, length in section.density.dimensions().items():
            where = f"classes.{k}.density.{name}"
            found += _length(where, range(length), case.dimension, case.mesh.cell)
        if section.target is None:
            found.append(
                f"classes.{k}.target: missing; got nothing, expected {case.dimension} numbers "
                f"for loss {case.loss.kind}. Add the point that the class should reach."
            )
        else:
            found += _length(f"classes.{k}.target", section.target, case.dimension, case.mesh.cell)
    given = [c.weight is not None for c in case.classes]
    if any(given) and not all(given):
        found.append("classes.weight: given for some classes only. Give all weights or none.")
    elif abs(float(case.class_weights().sum()) - 1.0) > 1e-9:
        found.append(
            f"classes.weight: wrong sum; got {case.class_weights().sum():.10g}, expected 1. "
            "Divide the weights by their sum."
        )
    if len(set(case.labels())) < len(case.classes):
        found.append(
            f"classes.label: not unique; got {', '.join(case.labels())}, expected a different "
            "label for each class. Rename one."
        )
    return found


def _network(case: Case) -> list[str]:
    found, shapes = [], case.shapes()
    trainable = case.network.trainable
    for name in trainable:
        if name not in shapes:
            found.append(
                f"network.trainable: unknown name; got '{name}', expected some of "
                f"{', '.join(shapes)}. Remove it."
            )
    if len(set(trainable)) < len(trainable):
        found.append(
            f"network.trainable: a name twice; got {trainable}, expected each once. Remove one."
        )
    for name, shape in shapes.items():
        value, where = getattr(case.initial, name), f"initial.{name}"
        if case.initial.kind != "values":
            if value is not None:
                found.append(
                    f"{where}: only for kind values; got kind {case.initial.kind}, expected no "
                    f"{name}. Remove it or set initial.kind."
                )
        elif value is None:
            found.append(f"{where}: missing; got nothing, expected shape {shape}. Add it.")
        elif not _has_shape(value, shape):
            found.append(f"{where}: wrong shape; got {value}, expected shape {shape}. Mend it.")
    return found


def _has_shape(value: Any, shape: tuple[int, ...]) -> bool:
    try:
        given = np.asarray(value, float)
    except ValueError:
        return False
    return given.shape == shape or (given.ndim == 0 and set(shape) == {1})


def _training(case: Case) -> list[str]:
    training, found = case.training, []
    lower = -np.inf if training.lower is None else training.lower
    upper = np.inf if training.upper is None else training.upper
    if lower >= upper:
        found.append(
            f"training.upper: not above training.lower; got {upper}, expected more than {lower}. "
            "Exchange or enlarge them."
        )
    bounded = training.lower is not None or training.upper is not None
    if bounded and training.method != "lmvm" and not METHODS[training.method].bounds:
        names = ", ".join(n for n, m in METHODS.items() if m.bounds)
        found.append(
            f"training.method: cannot keep training.lower and training.upper; got "
            f"{training.method}, expected one of {names}. Choose one of them or omit the bounds."
        )
    return found
