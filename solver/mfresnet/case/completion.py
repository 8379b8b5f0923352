# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What is filled in where a case leaves it out, once its classes are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mfresnet.arrays import Array
from mfresnet.case.case import Case, validated
from mfresnet.case.clusters import enough_prototypes
from mfresnet.case.population import Population
from mfresnet.losses import LOSSES
from mfresnet.mesh import MESHES
from mfresnet.network import HEADS
from mfresnet.optimise import METHODS


def resolve(case: Case, population: Population) -> Case:
    """Return the case with everything that was omitted filled in, and no accuracy: a mesh is given.

    Args:
        case: the case.
        population: what ``populate`` returns for it.
    """
    data = case.model_dump(exclude_none=True)
    data.pop("accuracy", None)
    lower, upper = case.corners(population.extent)
    box = {"cells": case.cells(), "lower": lower.tolist(), "upper": upper.tolist()}
    data["mesh"] |= box if MESHES[case.mesh.kind].grid else {}
    if population.dataset is None:
        columns = zip(data["classes"], case.labels(), case.class_weights().tolist(), strict=True)
        for section, label, weight in columns:
            section |= {"label": label, "weight": weight}
    else:
        data["data"]["features"] = list(population.dataset.features)
        data["penalty"]["tikhonov"] = case.penalty.tikhonov.of(population.dataset.counts[0])
        clustered = HEADS[LOSSES[case.loss.kind].scored_by(case.loss)].start is not None
        if clustered and getattr(case.loss, "prototypes", 1) is None:
            data["loss"]["prototypes"] = enough_prototypes(population.dataset.train)
        if population.dataset.label is not None:
            data["data"]["label"] = population.dataset.label
        if len(population.targets):
            data["loss"]["targets"] = named(population.labels, population.targets)
    if population.start is not None:
        data["start"] = population.start.model_dump()
    data["network"]["trainable"] = case.trainable()
    data["initial"]["kind"] = case.initial_kind()
    bounded = case.training.lower is not None or case.training.upper is not None
    if bounded and (twin := METHODS[case.training.method].bounded_twin) is not None:
        data["training"]["method"] = twin
    return validated(data)


def asked(case: Case, population: Population) -> Case:
    """Return the case filled in like ``resolve`` but for what its accuracy chooses.

    That are the cells, and the box where the training finds it.
    """
    filled = resolve(case, population)
    chosen: dict[str, Any] = {"cells": None}
    if case.by_points():
        chosen |= {"lower": case.mesh.lower, "upper": case.mesh.upper}
    open_ = {"mesh": chosen} if MESHES[case.mesh.kind].grid else {}
    return filled.with_({"accuracy": case.wanted_accuracy(), **open_})


def named(labels: Sequence[str], rows: Array) -> dict[str, list[float]]:
    """Return the rows of an array by label, as plain lists."""
    return {label: row.tolist() for label, row in zip(labels, rows, strict=True)}
