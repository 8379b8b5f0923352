# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Checks of a case that involve several keys of its network, its initial controls, its training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mfresnet.case.fields import Fields
from mfresnet.errors import InputError, suggestion
from mfresnet.memory import free, in_units
from mfresnet.network import BLOCKS
from mfresnet.optimise import METHODS

VECTORS = 6
"""Vectors of the size of the controls that a training has at least."""


def network_contradictions(case: Fields) -> list[str]:
    """Return a sentence for everything in these sections that does not fit together."""
    parts = (_network, _initial, _training)
    return [sentence for part in parts for sentence in part(case)]


def check_size(shapes: Mapping[str, tuple[int, ...]], layers: int) -> None:
    """Refuse a network whose parameters do not fit into the memory.

    Raises:
        InputError: its parameters, with their derivative and what an optimiser keeps, do not fit.
    """
    count = layers * sum(math.prod(shape) for shape in shapes.values())
    needed, room = 8 * VECTORS * count, free()
    if needed > room:
        raise InputError(
            f"network.layers: too many parameters for the memory; got {count:.3g} that take "
            f"{in_units(needed)}, expected at most {in_units(room)}. Use fewer layers or a smaller "
            "network.width."
        )


def wrong_length(where: str, given: Sequence[Any], d: int, cell: str) -> list[str]:
    """Return the sentence for a list that has not one value a direction."""
    if len(given) == d:
        return []
    text = f"{where}: wrong length; got {len(given)}, expected {d} for mesh.cell {cell}."
    return [f"{text} Give one value per direction."]


def _network(case: Fields) -> list[str]:
    network, found = case.network, []
    block = BLOCKS[network.block]
    if block.wide and network.width is None:
        found.append(
            f"network.width: missing; got nothing, expected the number of hidden units of block "
            f"{network.block}. Add network.width."
        )
    if not block.wide and network.width is not None:
        found.append(
            f"network.width: not for block {network.block}; got {network.width}, expected nothing. "
            "Remove it or set network.block."
        )
    names, trainable = [*case.shapes(), *case.head(1)], case.trainable()
    for name in trainable:
        if name not in names:
            found.append(
                f"network.trainable: unknown name; got '{name}', expected some of "
                f"{', '.join(names)}. Remove it."
            )
    if len(set(trainable)) < len(trainable):
        found.append(
            f"network.trainable: a name twice; got {trainable}, expected each once. Remove one."
        )
    return found


def _initial(case: Fields) -> list[str]:
    initial, kind, found = case.initial, case.initial_kind(), []
    shapes = case.shapes() | ({} if case.data else case.head(len(case.classes)))
    names, given = [*case.shapes(), *case.head(1)], initial.values()
    known = sorted([*type(initial).model_fields, *names])
    for name in given:
        if name not in names:
            text = f"initial.{name}: unknown key; got '{name}', expected one of {', '.join(known)}."
            found.append(text + (suggestion(name, known) or " Remove it."))
        elif kind != "values":
            found.append(
                f"initial.{name}: only for kind values; got kind {kind}, expected no "
                f"{name}. Remove it or set initial.kind."
            )
    if kind == "values":
        found += [m for name, shape in shapes.items() for m in misfit(name, given.get(name), shape)]
    if (kind == "file") != (initial.file is not None):
        found.append(
            f"initial.file: goes with kind file; got {initial.file} with kind {kind}, expected "
            "both or neither. Set initial.kind and initial.file."
        )
    if kind in ("zero", "identity") and BLOCKS[case.network.block].zero_is_critical:
        found.append(
            f"initial.kind: not for block {case.network.block}, whose hidden units at zero get no "
            f"derivative; got {kind}, expected random, values or file. Choose one of them."
        )
    return found


def misfit(name: str, value: Any, shape: tuple[int, ...]) -> list[str]:
    """Return the sentence for an initial value that is missing or has another shape."""
    if value is None:
        return [
            f"initial.{name}: missing; got nothing, expected shape {shape}. Add initial.{name}."
        ]
    try:
        given = np.asarray(value, float)
    except (ValueError, TypeError):
        given = np.full(0, np.nan)
    fits = given.shape == shape or (given.ndim == 0 and set(shape) == {1})
    if fits and np.isfinite(given).all():
        return []
    return [
        f"initial.{name}: wrong shape; got {value}, expected shape {shape}. "
        "Give finite numbers of that shape."
    ]


def _training(case: Fields) -> list[str]:
    training, found = case.training, _levels(case)
    lower = -np.inf if training.lower is None else training.lower
    upper = np.inf if training.upper is None else training.upper
    if lower >= upper:
        found.append(
            f"training.upper: not above training.lower; got {upper}, expected more than {lower}. "
            "Exchange or enlarge them."
        )
    bounded = training.lower is not None or training.upper is not None
    method, tikhonov = METHODS[training.method], case.penalty.tikhonov
    if case.data is None and tikhonov.prior is not None:
        found.append(
            f"penalty.tikhonov.prior: needs the number of samples; got {tikhonov.prior} with "
            "[[classes]], expected [data]. Give penalty.tikhonov a number."
        )
    if method.frozen and not bounded and not (tikhonov.weight or tikhonov.prior):
        found.append(
            f"training.method: the Hamiltonian has no least value; got {training.method} with "
            "penalty.tikhonov 0 and no bounds, expected one of them. Add one."
        )
    if bounded and not method.bounds and method.bounded_twin is None:
        names = ", ".join(n for n, m in METHODS.items() if m.bounds)
        found.append(
            f"training.method: cannot keep training.lower and training.upper; got "
            f"{training.method}, expected one of {names}. Choose one of them or omit the bounds."
        )
    return found


def _levels(case: Fields) -> list[str]:
    training, found = case.training, []
    if training.seeds is not None and case.initial_kind() != "random":
        found.append(
            f"training.seeds: only for random starts; got initial.kind {case.initial_kind()}, "
            "expected random. Change initial.kind or remove the seeds."
        )
    levels = [] if training.levels == "auto" else training.levels or []
    layers = [level.layers for level in levels] + [case.network.layers]
    for k, level in enumerate(levels):
        place = f"training.levels.{k}"
        found += wrong_length(f"{place}.cells", level.cells, case.dimension, case.mesh.cell)
        if layers[k + 1] % level.layers:
            found.append(
                f"{place}.layers: the next level cannot take over its controls; got "
                f"{level.layers}, expected a divisor of {layers[k + 1]}. Choose a divisor."
            )
    return found
