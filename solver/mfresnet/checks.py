# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Checks of a case that involve several keys of its file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mfresnet.activations import ACTIVATIONS
from mfresnet.blocks import BLOCKS
from mfresnet.density_losses import DensitySection
from mfresnet.errors import InputError, suggestion
from mfresnet.fluxes import FLUXES
from mfresnet.losses import LOSSES
from mfresnet.methods import METHODS
from mfresnet.schemes import cfl_constant

if TYPE_CHECKING:
    from mfresnet.case import Case


def contradictions(case: Case) -> list[str]:
    """Return a sentence for everything in a case that does not fit together."""
    parts = (_task, _mesh, _classes, _network, _initial, _loss, _training)
    return [sentence for part in parts for sentence in part(case)]


def _length(where: str, given: Sequence[Any], d: int, cell: str) -> list[str]:
    if len(given) == d:
        return []
    text = f"{where}: wrong length; got {len(given)}, expected {d} for mesh.cell {cell}."
    return [f"{text} Give one value per direction."]


def _task(case: Case) -> list[str]:
    task, data, found = case.task, case.data, []
    if task not in LOSSES[case.loss.kind].tasks:
        fitting = ", ".join(sorted(name for name, row in LOSSES.items() if task in row.tasks))
        found.append(
            f"loss.kind: not for task {task}; got {case.loss.kind}, expected one of {fitting}. "
            "Choose one of them or set task."
        )
    if task == "regression":
        if case.moving < 1:
            found.append(
                f"mesh.cell: no coordinate beside the label; got {case.mesh.cell} for task "
                "regression, expected dimension 2 or 3. Change it."
            )
        if case.loss.targets is not None:
            found.append("loss.targets: only for task classification; got regression. Remove it.")
    if task == "density":
        return found + _steering(case)
    if data is not None and data.label is None:
        found.append("data.label: missing; got nothing, expected a value. Add data.label.")
    if case.start is not None:
        found.append(f"start: only for task density; got task {task}. Remove it.")
    if isinstance(case.loss, DensitySection) and case.loss.target is None:
        found.append("loss.target: missing; got nothing, expected a value. Add loss.target.")
    return found


def _steering(case: Case) -> list[str]:
    """Check what makes samples a density to reach."""
    data, found = case.data, []
    if data is None:
        return ["data: missing; got nothing, expected samples for task density. Add [data]."]
    if data.label is not None:
        found.append(
            f"data.label: not for task density; got {data.label}, expected nothing. Remove it, and "
            "name the others in data.features."
        )
    if getattr(case.loss, "target", None) is not None:
        found.append(
            f"loss.target: not for task density, whose goal is the density of the samples; got "
            f"{case.loss.target.kind}, expected nothing. Remove it."
        )
    if case.start is not None:
        for name, length in case.start.dimensions().items():
            found += _length(f"start.{name}", range(length), case.dimension, case.mesh.cell)
    return found


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
    found += _mesh_file(case)
    block, activation = case.network.block, case.network.activation
    bound = BLOCKS[block].bound(ACTIVATIONS[activation])
    box = mesh.kind == "box"
    if box and not np.isfinite(bound) and (mesh.lower is None or mesh.upper is None):
        found.append(
            "mesh.lower: missing; got nothing, expected both corners of the box as the velocity "
            f"of block {block} with activation {activation} is unbounded. Add mesh.lower and "
            "mesh.upper."
        )
    if FLUXES[case.space.flux].bounded and not np.isfinite(bound):
        others = ", ".join(name for name, flux in FLUXES.items() if not flux.bounded)
        found.append(
            f"space.flux: needs a bounded velocity; got {case.space.flux} with activation "
            f"{case.network.activation}, expected one of {others}. Choose one of them."
        )
    try:
        cfl_constant(case.time.order, case.space.degree)
    except InputError as error:
        found.append(str(error))
    return found


def _mesh_file(case: Case) -> list[str]:
    mesh = case.mesh
    if mesh.kind == "box":
        if mesh.file is None:
            return []
        return ["mesh.file: only for kind file; got kind box, expected no file. Set mesh.kind."]
    found = []
    if mesh.file is None:
        found.append("mesh.file: missing; got nothing, expected the mesh. Add mesh.file.")
    for name in ("cells", "lower", "upper"):
        if getattr(mesh, name) is not None:
            found.append(f"mesh.{name}: only for kind box; got kind file. Remove it.")
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
        if section.target is None and LOSSES[case.loss.kind].targets:
            found.append(
                f"classes.{k}.target: missing; got nothing, expected {case.dimension} numbers "
                f"for loss {case.loss.kind}. Add the point that the class should reach."
            )
        elif section.target is not None:
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


def _levels(case: Case) -> list[str]:
    training, found = case.training, []
    if training.seeds is not None and case.initial_kind() != "random":
        found.append(
            f"training.seeds: only for random starts; got initial.kind {case.initial_kind()}, "
            "expected random. Change initial.kind or remove the seeds."
        )
    layers = [level.layers for level in training.levels or []] + [case.network.layers]
    for k, level in enumerate(training.levels or []):
        place = f"training.levels.{k}"
        found += _length(f"{place}.cells", level.cells, case.dimension, case.mesh.cell)
        if layers[k + 1] % level.layers:
            found.append(
                f"{place}.layers: the next level cannot take over its controls; got "
                f"{level.layers}, expected a divisor of {layers[k + 1]}. Change it."
            )
    return found


def _loss(case: Case) -> list[str]:
    found = []
    for name, length in case.loss.dimensions().items():
        found += _length(f"loss.{name}", range(length), case.dimension, case.mesh.cell)
    if case.loss.terminal == case.loss.running == 0.0:
        found.append(
            "loss.terminal: no loss at all; got 0 with loss.running 0, expected one of them above "
            "0. Raise one."
        )
    n = len(case.classes)
    if case.loss.kind == "cross_entropy" and case.data is None and n == 1:
        found.append(
            "loss.kind: nothing to tell apart; got cross_entropy with 1 class, expected at least "
            "2. Add a class or change the loss."
        )
    return found


def _network(case: Case) -> list[str]:
    network, found = case.network, []
    block = BLOCKS[network.block]
    if block.wide and network.width is None:
        found.append(
            f"network.width: missing; got nothing, expected the number of hidden units of block "
            f"{network.block}. Add it."
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


def _initial(case: Case) -> list[str]:
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
            f"derivative; got {kind}, expected random, values or file. Change it."
        )
    return found


def misfit(name: str, value: Any, shape: tuple[int, ...]) -> list[str]:
    """Return the sentence for an initial value that is missing or has another shape."""
    if value is None:
        return [f"initial.{name}: missing; got nothing, expected shape {shape}. Add it."]
    try:
        given = np.asarray(value, float)
    except (ValueError, TypeError):
        given = np.full(0, np.nan)
    fits = given.shape == shape or (given.ndim == 0 and set(shape) == {1})
    if fits and np.isfinite(given).all():
        return []
    return [f"initial.{name}: wrong shape; got {value}, expected shape {shape}. Mend it."]


def _training(case: Case) -> list[str]:
    training, found = case.training, _levels(case)
    lower = -np.inf if training.lower is None else training.lower
    upper = np.inf if training.upper is None else training.upper
    if lower >= upper:
        found.append(
            f"training.upper: not above training.lower; got {upper}, expected more than {lower}. "
            "Exchange or enlarge them."
        )
    bounded = training.lower is not None or training.upper is not None
    if training.method == "maximum_principle" and not bounded and not case.penalty.tikhonov.weight:
        found.append(
            "training.method: the Hamiltonian has no least value; got maximum_principle with "
            "penalty.tikhonov 0 and no bounds, expected one of them. Add one."
        )
    if bounded and training.method != "lmvm" and not METHODS[training.method].bounds:
        names = ", ".join(n for n, m in METHODS.items() if m.bounds)
        found.append(
            f"training.method: cannot keep training.lower and training.upper; got "
            f"{training.method}, expected one of {names}. Choose one of them or omit the bounds."
        )
    return found
