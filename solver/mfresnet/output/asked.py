# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a run was asked for, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mfresnet.case import Case
from mfresnet.output.run_json import RunReport
from mfresnet.schema import Model

FEATURES = 8
"""Most features whose names are written out."""


def asked_for(case: Case, report: RunReport) -> list[tuple[str, str]]:
    """Return names and words: task, network, loss, penalty, data, accuracy, training."""
    network, training = case.network, case.training
    width = "" if network.width is None else f" of width {network.width}"
    return [
        ("task", case.task),
        (
            "network",
            f"{report.layers} layers, block {network.block}{width}, {network.activation}, "
            f"T = {network.final_time:g}",
        ),
        ("loss", _words(case.loss)),
        ("penalty", _words(case.penalty)),
        ("data", _data(case, report)),
        ("accuracy", _accuracy(case, report)),
        (
            "training",
            f"{training.method}, at most {training.max_iterations} iterations, gradient norm below "
            f"{training.gradient_tolerance:g}",
        ),
    ]


def _words(section: Model) -> str:
    """Return the kind of a section and its other keys, but those that have no effect."""
    data = section.model_dump(exclude_none=True)
    kind = data.pop("kind", "")
    keys = [f"{name} {_value(value)}" for name, value in data.items() if _counts(value)]
    return ", ".join(word for word in (kind, *keys) if word) or "none"


def _counts(value: Any) -> bool:
    """Return whether a key changes anything: a weight of zero does not."""
    return _counts(value.get("weight", 1.0)) if isinstance(value, Mapping) else bool(value)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {_value(part)}" for name, part in value.items()) + ")"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(_value(part) for part in value) + ")"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _data(case: Case, report: RunReport) -> str:
    """Return where the densities come from."""
    data = report.data
    if data is None or case.data is None:
        classes = [
            f"{row.label} {_kind(row.density)}, weight {row.weight:g}" for row in case.classes
        ]
        return "; ".join(classes)
    names = data.features
    listed = ", ".join(names[:FEATURES]) + (", ..." if len(names) > FEATURES else "")
    widths = (f"{k} {w:.3g}" for k, w in zip(data.labels, data.bandwidths, strict=True))
    return (
        f"{case.data.file.name}: {data.train_samples} samples for training and "
        f"{data.test_samples} for the test; {len(names)} features ({listed}) made "
        f"{case.moving} coordinate{'s' * (case.moving > 1)}; bandwidth {', '.join(widths)}"
    )


def _kind(density: Any) -> str:
    return str(getattr(density, "kind", "density")).replace("_", " ")


def _accuracy(case: Case, report: RunReport) -> str:
    """Return the mesh, and whether it was given or chosen for an accuracy."""
    mesh, chosen = case.mesh, report.discretisation
    cells = chosen.get("mesh", {}).get("cells", mesh.cells)
    degree = chosen.get("space", {}).get("degree", case.space.degree)
    shape = " x ".join(map(str, cells)) + " " if cells else ""
    words = (
        f"{shape}{mesh.cell} cells of degree {degree}, {report.dofs} degrees of freedom a class, "
        f"{report.steps_per_layer} step{'s' * (report.steps_per_layer > 1)} a layer"
    )
    if report.accuracy is None:
        return f"the mesh was given: {words}"
    return f"a relative error of J of {report.accuracy.asked:g}; chosen for it: {words}"
