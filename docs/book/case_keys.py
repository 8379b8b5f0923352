# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The keys of the case file, from its models: type, range, default, and an example of each."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Collection, Iterator
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mfresnet.case.case import Case
from mfresnet.case.sections import AccuracySection, ClassSection, InitialSection, LevelSection
from mfresnet.data.laws.density import KINDS
from mfresnet.data.section import DataSection
from mfresnet.data.tables.scaling import ReduceSection
from mfresnet.losses.loss import LossSection
from mfresnet.losses.table import LOSSES
from mfresnet.mesh.boxes import CELLS
from mfresnet.mesh.kinds import MESHES, MeshSection
from mfresnet.network.heads import HEADS
from mfresnet.network.penalties import PENALTIES
from mfresnet.tasks import TASKS

GAUSSIAN = {"kind": "gaussian", "mean": [0.0, 0.0], "covariance": [[0.1, 0.0], [0.0, 0.1]]}
EXAMPLES: dict[str, Any] = {
    "title": "Two classes in the plane",
    "accuracy": 1e-3,
    "task": "regression",
    "start": GAUSSIAN,
    "absolute": 1e-4,
    "file": "table.csv",
    "cells": [32, 32],
    "lower": [-3.0, -3.0],
    "upper": [3.0, 3.0],
    "stages": 6,
    "steps_per_layer": 4,
    "memory": "2 GB",
    "disk": "20 GB",
    "width": 8,
    "trainable": ["b"],
    "label": "diagnosis",
    "weight": 0.5,
    "density": GAUSSIAN,
    "target": [1.0, 0.0],
    "features": ["radius", "texture"],
    "weights": "weight",
    "reduce": {"kind": "pca", "dimension": 2},
    "bandwidth": 0.2,
    "priors": "balanced",
    "targets": {"a": [1.0, 0.0], "b": [-1.0, 0.0]},
    "running": 0.1,
    "smoothing": 1e-3,
    "levels": [{"cells": [12, 12], "layers": 5}],
    "seeds": [0, 1, 2],
    "layers": 20,
    "gradient_tolerance": 1e-5,
    "mean": [0.0, 0.0],
    "covariance": [[0.1, 0.0], [0.0, 0.1]],
    "std": 0.3,
    "radius": 0.5,
    "expression": "exp(-x[0]**2)",
    "components": [{"weight": 0.5, "density": GAUSSIAN}],
    "dimension": 2,
    "prior": 8.0,
    "prototypes": 4,
    "shared": True,
    "bp": True,
    "whiten": True,
    "fields": False,
    "pictures": False,
    "stratify": False,
}
"""Key -> an example, where the default is none; a key of training has its own below."""
OWN = {
    "[training].lower": -2.0,
    "[training].upper": 2.0,
    "[mesh].file": "disk.msh",
    "[initial].file": "results/other/controls.npz",
    "[mesh].kind": "file",
    "[initial].kind": "random",
    "[initial].scale": 0.5,
    '[loss], kind = "density_l2".target': GAUSSIAN,
    '[loss], kind = "density_dual_h1".target': GAUSSIAN,
    '[loss], kind = "kullback_leibler".target': GAUSSIAN,
}
"""The same for a key of one section."""
NUMBERS = {"integer": "integer", "number": "number", "boolean": "true or false", "string": "text"}


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Return the head of every section and its model."""
    yield "Top of the file", Case
    yield "[accuracy]", AccuracySection
    yield "[mesh]", MeshSection
    for name, mesh in MESHES.items():
        if mesh.section is not MeshSection:
            yield f'[mesh], kind = "{name}"', mesh.section
    for name in ("space", "time", "resources", "network"):
        yield f"[{name}]", type(Case.model_fields[name].default)
    yield "[[classes]]", ClassSection
    for name, density in KINDS.items():
        yield f'density, kind = "{name}"', density
    yield "[data]", DataSection
    yield "[data.reduce]", ReduceSection
    yield "[loss]", LossSection
    for name, row in LOSSES.items():
        if row.section is not LossSection:
            yield f'[loss], kind = "{name}"', row.section
    for name, penalty in PENALTIES.items():
        yield f"[penalty.{name}]", penalty.section
    yield "[initial]", InitialSection
    yield "[training]", type(Case.model_fields["training"].default)
    yield "[[training.levels]]", LevelSection
    yield "[output]", type(Case.model_fields["output"].default)


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the keys of a section that are no sections themselves, nor those of all losses."""
    known = {"mesh", "space", "time", "resources", "network", "classes", "data", "loss", "penalty"}
    known |= {"initial", "training", "output"}
    if model is not Case:
        known = set(LossSection.model_fields) if issubclass(model, LossSection) else set()
    if model is LossSection:
        known = set()
    return {name: field for name, field in model.model_fields.items() if name not in known}


def annotation(field: FieldInfo) -> Any:
    """Return the type of a key with all that narrows it."""
    if not field.metadata:
        return field.annotation
    return Annotated[(field.annotation, *field.metadata)]


def example(head: str, name: str, field: FieldInfo) -> Any:
    """Return a value of a key that its model takes."""
    own = f"{head}.{name}"
    if own in OWN:
        return OWN[own]
    simple = (bool, int, float, str)
    if name in EXAMPLES and (field.default in (None, False, "", 0.0) or field.is_required()):
        return EXAMPLES[name]
    return field.default if isinstance(field.default, simple) else EXAMPLES[name]


def toml(value: Any) -> str:
    """Return a value as TOML, on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if isinstance(value, bool | str) else f"{value:g}" if isinstance(
        value, float) and abs(value) < 0.01 and value else str(value)  # fmt: skip


def known_names(field: FieldInfo) -> list[str]:
    """Return the names or numbers that a key may have, where it is one of a table."""
    for value in ("?", -1):
        try:
            TypeAdapter(annotation(field)).validate_python(value)
        except ValidationError as error:
            for one in error.errors():
                if one["type"] == "unknown_name":
                    return [str(name) for name in one["ctx"]["known"]]
                if one["type"] == "literal_error":
                    return re.findall(r"'([^']+)'", str(one["ctx"]["expected"]))
                if found := re.search(r"expected one of ([\d, ]+)", one["msg"]):
                    return found[1].split(", ")
        except Exception:  # a type that is made by its own validator
            return []
    return []


def of_schema(schema: dict[str, Any]) -> str:
    """Return what a part of a JSON schema asks for, in words."""
    if "anyOf" in schema:
        parts = [of_schema(s) for s in schema["anyOf"] if s.get("type") != "null"]
        return " or ".join(dict.fromkeys(filter(None, parts)))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{n}`" for n in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "")
    if kind == "array":
        each = of_schema(schema.get("items", {})) or "tables"
        for word in ("integer", "number", "table"):
            each = re.sub(rf"^{word}\b", f"{word}s", each)
        return f"list of {each}"
    if kind == "object" or "$ref" in schema:
        return "table"
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    bounds = []
    if kind == "integer" and above == 0:
        low, above = 1, None
    for word, bound in (("at least", low), ("above", above), ("at most", high), ("below", below)):
        if bound is not None and 0 < abs(bound) <= 1e-100:
            bound = 0
        if bound is not None and abs(bound) < 1e9:
            bounds.append(f"{word} {bound:g}" if abs(bound) < 1e5 else f"{word} {bound:,}")
    return f"{NUMBERS.get(kind, '')}{' ' + ' and '.join(bounds) if bounds else ''}".strip()


def kind_of(field: FieldInfo) -> str:
    """Return the type and the range of a key, in words."""
    if names := known_names(field):
        return "one of " + ", ".join(f"`{name}`" for name in names)
    if field.annotation == AccuracySection | None:
        return "number, or table"
    try:
        return of_schema(TypeAdapter(annotation(field)).json_schema()) or "table"
    except Exception:  # a table that is chosen by its kind
        return "table with `kind`"


def meaning(model: type[BaseModel], name: str) -> str:
    """Return what the docstring of the model says of a key."""
    item = re.compile(rf"^    {name}: (.*?)(?=\n\n|\n    \w|\n\w)", re.DOTALL | re.MULTILINE)
    for parent in model.__mro__:
        found = item.search(inspect.cleandoc(parent.__doc__ or "") + "\n\n")
        if found:
            return " ".join(found[1].split()).replace("``", "`").replace("|", "\\|")
    return ""


TABLES: dict[str, Collection[str]] = {
    "CELLS": CELLS,
    "HEADS": HEADS,
    "LOSSES": LOSSES,
    "MESHES": MESHES,
    "TASKS": TASKS,
}


def described(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    """Return type, range and meaning of a key; a table of the package is shown by its names."""
    said, kind = meaning(model, name), kind_of(field)
    if table := re.match(r"a name in `(\w+)`[:.,]? ?(.*)", said):
        kind = "one of " + ", ".join(f"`{n}`" for n in TABLES[table[1]])
        said = table[2]
    return ": ".join(filter(None, (kind, said)))


def page() -> str:
    """Return the tables of all sections as Markdown."""
    lines = []
    for head, model in sections():
        lines += ["", f"## {head}", "", "| key | type and range | default | example |"]
        lines += ["|---|---|---|---|"]
        for name, field in keys(model).items():
            default = "needed" if field.is_required() else shown(field.default)
            one = f"`{name} = {toml(example(head, name, field))}`"
            lines.append(f"| `{name}` | {described(model, name, field)} | {default} | {one} |")
    return "\n".join(lines)


def shown(default: Any) -> str:
    """Return a default as a cell of a table."""
    if default in (None, "", PydanticUndefined) or default == [] or isinstance(default, BaseModel):
        return ""
    return f"`{toml(default)}`"
