# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Checks of a case that involve several keys of its file."""

from __future__ import annotations

from collections.abc import Callable

import dolfinx
import numpy as np

from mfresnet.case.checks_network import network_contradictions, wrong_length
from mfresnet.case.fields import Fields
from mfresnet.errors import InputError
from mfresnet.losses import LOSSES, DensitySection
from mfresnet.mesh import MESHES
from mfresnet.network import ACTIVATIONS, BLOCKS, HEADS, SCHEMES, cfl_constant, scheme_of
from mfresnet.tasks import of_task
from mfresnet.transport import FLUXES


def contradictions(case: Fields) -> list[str]:
    """Return a sentence for everything in a case that does not fit together."""
    parts = (_accuracy, _task, _mesh, _classes, _loss, network_contradictions, _output)
    return [sentence for part in parts for sentence in part(case)]


def _accuracy(case: Fields) -> list[str]:
    """Check that nothing is given that an accuracy chooses."""
    if case.accuracy is None:
        return []
    given = {
        "mesh.cells": case.mesh.cells,
        "time.steps_per_layer": case.time.steps_per_layer,
        "training.levels": case.training.levels,
    }
    return [
        f"accuracy: chooses {name} itself; got {value if name != 'training.levels' else 'both'}, "
        f"expected one of them. Remove accuracy or {name}."
        for name, value in given.items()
        if value is not None
    ]


def _task(case: Fields) -> list[str]:
    task, found = case.task, []
    if not LOSSES[case.loss.kind].serves(task):
        fitting = ", ".join(sorted(name for name, row in LOSSES.items() if row.serves(task)))
        found.append(
            f"loss.kind: not for task {task}; got {case.loss.kind}, expected one of {fitting}. "
            "Choose one of them or set task."
        )
    return found + [sentence for part in of_task(TASK_CHECKS, task) for sentence in part(case)]


def _labelled(case: Fields) -> list[str]:
    """Check what samples with labels need, and that the loss has a goal of its own."""
    found = []
    if case.data is not None and case.data.label is None:
        found.append("data.label: missing; got nothing, expected a value. Add data.label.")
    if case.start is not None:
        found.append(f"start: only for task density; got task {case.task}. Remove it.")
    if isinstance(case.loss, DensitySection) and case.loss.target is None:
        found.append("loss.target: missing; got nothing, expected a value. Add loss.target.")
    return found


def _beside_label(case: Fields) -> list[str]:
    """Check that there is something to move beside the label, which is no class."""
    found = []
    if case.moving < 1:
        found.append(
            f"mesh.cell: no coordinate beside the label; got {case.mesh.cell} for task "
            f"{case.task}, expected dimension 2 or 3. Choose a cell with one dimension more."
        )
    head = LOSSES[case.loss.kind].scored_by(case.loss)
    if HEADS[head].scaled is None:
        numbers = ", ".join(name for name, row in HEADS.items() if row.scaled is not None)
        found.append(
            f"loss.head: tells classes apart; got {head} for task {case.task}, expected one of "
            f"{numbers}. Choose one of them."
        )
    if case.loss.targets is not None:
        found.append(f"loss.targets: only for task classification; got {case.task}. Remove it.")
    return found


def _steering(case: Fields) -> list[str]:
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
            found += wrong_length(f"start.{name}", range(length), case.dimension, case.mesh.cell)
    return found


TASK_CHECKS: dict[str, tuple[Callable[[Fields], list[str]], ...]] = {
    "classification": (_labelled,),
    "regression": (_beside_label, _labelled),
    "density": (_steering,),
}
"""Task -> the checks of its keys."""


def _mesh(case: Fields) -> list[str]:
    d, mesh, found = case.dimension, case.mesh, []
    for name in ("cells", "lower", "upper"):
        if (value := getattr(mesh, name)) is not None:
            found += wrong_length(f"mesh.{name}", value, d, mesh.cell)
    if mesh.lower and mesh.upper and any(a >= b for a, b in zip(mesh.lower, mesh.upper)):  # noqa: B905
        found.append(
            f"mesh.upper: not above mesh.lower; got {mesh.upper}, expected more than "
            f"{mesh.lower}. Exchange or enlarge them."
        )
    found += _mesh_kind(case)
    block, activation = case.network.block, case.network.activation
    bound = BLOCKS[block].bound(ACTIVATIONS[activation])
    left_out = MESHES[mesh.kind].grid and (mesh.lower is None or mesh.upper is None)
    if left_out and not np.isfinite(bound) and not case.by_points():
        found.append(
            "mesh.lower: missing; got nothing, expected both corners of the box as the velocity "
            f"of block {block} with activation {activation} is unbounded. Add mesh.lower and "
            "mesh.upper; with accuracy in place of mesh.cells a mean over points finds its box."
        )
    if FLUXES[case.space.flux].bounded and not np.isfinite(bound):
        others = ", ".join(name for name, flux in FLUXES.items() if not flux.bounded)
        found.append(
            f"space.flux: needs a bounded velocity; got {case.space.flux} with activation "
            f"{case.network.activation}, expected one of {others}. Choose one of them."
        )
    try:
        cfl_constant(SCHEMES[case.time.order], case.space.degree)
        scheme_of(case.time.order, case.space.degree, case.time.stages)
    except InputError as error:
        found.append(str(error))
    if case.time.limiter != "none" and case.time.stages not in (None, case.time.order):
        found.append(
            f"time.stages: a limiter needs as many stages as the order; got {case.time.stages} "
            f"with order {case.time.order}, expected {case.time.order}. Leave time.stages out."
        )
    return found


def _mesh_kind(case: Fields) -> list[str]:
    mesh, kind, found = case.mesh, MESHES[case.mesh.kind], []
    if kind.file and mesh.file is None:
        found.append("mesh.file: missing; got nothing, expected the mesh. Add mesh.file.")
    if not kind.file and mesh.file is not None:
        files = " or ".join(name for name, row in MESHES.items() if row.file)
        found.append(
            f"mesh.file: only for kind {files}; got kind {mesh.kind}, expected no file. Set "
            "mesh.kind."
        )
    grids = " or ".join(name for name, row in MESHES.items() if row.grid)
    for name in () if kind.grid else ("cells", "lower", "upper"):
        if getattr(mesh, name) is not None:
            found.append(f"mesh.{name}: only for kind {grids}; got kind {mesh.kind}. Remove it.")
    return found


def _classes(case: Fields) -> list[str]:
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
            found += wrong_length(where, range(length), case.dimension, case.mesh.cell)
        if section.target is None and LOSSES[case.loss.kind].targets:
            found.append(
                f"classes.{k}.target: missing; got nothing, expected {case.dimension} numbers "
                f"for loss {case.loss.kind}. Add the point that the class should reach; where "
                "nothing is trained, any point will do."
            )
        elif section.target is not None:
            where = f"classes.{k}.target"
            found += wrong_length(where, section.target, case.dimension, case.mesh.cell)
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


def _loss(case: Fields) -> list[str]:
    found = []
    for name, length in case.loss.dimensions().items():
        found += wrong_length(f"loss.{name}", range(length), case.dimension, case.mesh.cell)
    if case.loss.terminal == case.loss.running == 0.0:
        found.append(
            "loss.terminal: no loss at all; got 0 with loss.running 0, expected one of them above "
            "0. Raise one."
        )
    n = len(case.classes)
    if LOSSES[case.loss.kind].probabilistic and case.data is None and n == 1:
        found.append(
            f"loss.kind: nothing to tell apart; got {case.loss.kind} with 1 class, expected at "
            "least 2. Add a class or change the loss."
        )
    return found


def _output(case: Fields) -> list[str]:
    if not case.output.bp or dolfinx.has_adios2:
        return []
    return [
        "output.bp: DOLFINx is built without ADIOS2; got true, expected false. Set it to false."
    ]
