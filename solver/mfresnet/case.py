# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The case: what its file says, and what is filled in where a key is omitted."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tomli_w
from pydantic import (
    Field,
    model_validator,
)
from pydantic import ValidationError as PydanticError

from mfresnet.activations import ACTIVATIONS
from mfresnet.arrays import Array
from mfresnet.blocks import BLOCKS, Block, beside_label
from mfresnet.checks import contradictions
from mfresnet.control import INITIALS, Controls, same_in_every_layer, stored_controls
from mfresnet.data import DataSection
from mfresnet.density import Density
from mfresnet.errors import InputError
from mfresnet.expression import boxed
from mfresnet.files import FileError, read_bytes
from mfresnet.losses import LOSSES, TASKS, loss_section
from mfresnet.mesh import CELLS
from mfresnet.models import Chosen, Model, Name
from mfresnet.network_checks import misfit
from mfresnet.penalties import penalty_section
from mfresnet.refusals import sentences
from mfresnet.sections import (
    ClassSection,
    InitialSection,
    MeshSection,
    NetworkSection,
    OutputSection,
    ResourcesSection,
    SpaceSection,
    TimeSection,
    TrainingSection,
)

if TYPE_CHECKING:
    from mfresnet.population import Population

DEFAULT_CELLS = 32
PATHS = (("data", "file"), ("initial", "file"), ("mesh", "file"))
"""Keys of the case file that hold paths."""


class Case(Model):
    """Everything that defines a run; every section may be omitted but [[classes]] or [data].

    Attributes:
        task: a name in ``TASKS``: what the network is for.
        start: for task density, what is steered to the density of the samples; omitted: the
            Gaussian with their mean and covariance.

    Raises:
        pydantic.ValidationError: the constructor finds a mistake; ``load`` and ``parse`` turn it
            into InputError with a sentence for each mistake.
    """

    title: str = ""
    task: Annotated[str, Name(TASKS)] = "classification"
    mesh: MeshSection = MeshSection()
    space: SpaceSection = SpaceSection()
    time: TimeSection = TimeSection()
    resources: ResourcesSection = ResourcesSection()
    network: NetworkSection = NetworkSection()
    classes: list[ClassSection] = []
    data: DataSection | None = None
    start: Density | None = None
    loss: Annotated[Any, Chosen(loss_section)] = Field({}, validate_default=True)
    penalty: Annotated[Any, Chosen(penalty_section)] = Field({}, validate_default=True)
    initial: InitialSection = InitialSection()
    training: TrainingSection = TrainingSection()
    output: OutputSection = OutputSection()

    @model_validator(mode="before")
    @classmethod
    def _choose(cls, data: Any) -> Any:
        """Give formulas the corners of the mesh, and the loss of the task where none is given."""
        if not isinstance(data, dict):
            return data
        mesh = data.get("mesh")
        data = boxed(data, dict(mesh) if isinstance(mesh, dict | MeshSection) else {})
        if not isinstance(data.get("loss", {}), dict):
            return data
        default = TASKS.get(str(data.get("task")), TASKS["classification"])
        return data | {"loss": {"kind": default} | data.get("loss", {})}

    def model_post_init(self, _: Any, /) -> None:
        """Check what involves several keys."""
        if found := contradictions(self):
            raise InputError(found)

    # ------------------------------------------------------------------ what is filled in
    @property
    def dimension(self) -> int:
        """Dimension d of the mesh."""
        return CELLS[self.mesh.cell]

    @property
    def moving(self) -> int:
        """Number of coordinates that the network moves: all but the label of a regression."""
        return self.dimension - (self.task == "regression")

    def block(self) -> Block:
        """Return the block on the points of the mesh."""
        block = BLOCKS[self.network.block]
        return beside_label(block) if self.task == "regression" else block

    def cells(self) -> list[int]:
        """Return the cells per direction."""
        return self.mesh.cells or [DEFAULT_CELLS] * self.dimension

    def corners(self, extent: Array) -> tuple[Array, Array]:
        """Return the box: as given, or ``extent`` (2, d) plus T times the bound on v."""
        bound = BLOCKS[self.network.block].bound(ACTIVATIONS[self.network.activation])
        moved: Array = np.arange(self.dimension) < self.moving
        reach, mesh = np.where(moved, self.network.final_time * bound, 0.0), self.mesh
        return (
            extent[0] - reach if mesh.lower is None else np.array(mesh.lower),
            extent[1] + reach if mesh.upper is None else np.array(mesh.upper),
        )

    def class_weights(self) -> Array:
        """Return pi_k of the analytic classes."""
        n = len(self.classes)
        return np.array([1.0 / n if c.weight is None else c.weight for c in self.classes])

    def labels(self) -> list[str]:
        """Return the label of every analytic class, its number when it has none."""
        return [str(k if c.label is None else c.label) for k, c in enumerate(self.classes)]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter of a layer."""
        return self.block().shapes(self.dimension, self.network.width or 1)

    def head(self, n_classes: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter of the head of the loss."""
        return LOSSES[self.loss.kind].head(self.moving, n_classes)

    def trainable(self) -> list[str]:
        """Return the names of the parameters that are trained: all of them by default."""
        return self.network.trainable or [*self.shapes(), *self.head(1)]

    def initial_kind(self) -> str:
        """Return where the controls start: wide blocks at random, others at the identity."""
        wide = BLOCKS[self.network.block].zero_is_critical
        return self.initial.kind or ("random" if wide else "identity")

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

    def resolve(self, population: Population) -> Case:
        """Return the case with everything that was omitted filled in.

        Args:
            population: what ``populate`` returns for the case.
        """
        data = self.model_dump(exclude_none=True)
        lower, upper = self.corners(population.extent)
        box = {"cells": self.cells(), "lower": lower.tolist(), "upper": upper.tolist()}
        data["mesh"] |= box if self.mesh.kind == "box" else {}
        if population.dataset is None:
            columns = zip(
                data["classes"], self.labels(), self.class_weights().tolist(), strict=True
            )
            for section, label, weight in columns:
                section |= {"label": label, "weight": weight}
        else:
            data["data"]["features"] = list(population.dataset.features)
            if population.dataset.label is not None:
                data["data"]["label"] = population.dataset.label
            if self.task == "classification":
                data["loss"]["targets"] = named(population.labels, population.targets)
        if population.start is not None:
            data["start"] = population.start.model_dump()
        data["network"]["trainable"] = self.trainable()
        data["initial"]["kind"] = self.initial_kind()
        bounded = self.training.lower is not None or self.training.upper is not None
        if bounded and self.training.method == "lmvm":
            data["training"]["method"] = "blmvm"
        return Case.model_validate(data)

    def to_toml(self) -> str:
        """Return the case as a case file."""
        data = self.model_dump(exclude_none=True)
        for section, key in PATHS:
            if key in data.get(section, {}):
                data[section][key] = str(data[section][key])
        return tomli_w.dumps({k: v for k, v in data.items() if k != "classes" or v})


def named(labels: Sequence[str], rows: Array) -> dict[str, list[float]]:
    """Return the rows of an array by label, as plain lists."""
    return {label: row.tolist() for label, row in zip(labels, rows, strict=True)}


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
    try:
        data = tomllib.loads(read_bytes(Path(path)).decode())
    except FileError as error:
        raise InputError(
            f"{path}: cannot be read ({error}); expected a case file. Check the path."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML file; {error}. Correct this line.") from None
    for assignment in overrides:
        _assign(data, assignment)
    return parse(data, Path(path).parent)


def parse(data: dict[str, Any], directory: str | Path = ".") -> Case:
    """Return the case in a nested mapping.

    Args:
        data: the sections of a case file.
        directory: where relative paths in it start.

    Raises:
        InputError: with all mistakes at once.
    """
    data = copy.deepcopy(data)
    for section, key in PATHS:
        place = data.get(section)
        if isinstance(place, dict) and isinstance(place.get(key), str):
            place[key] = str((Path(directory) / place[key]).resolve())
    try:
        return Case.model_validate(data)
    except PydanticError as error:
        raise InputError(sentences(error, Case)) from None


def _assign(data: dict[str, Any], assignment: str) -> None:
    """Set one key from a text such as ``mesh.cells=[8, 8]``; a value that is not TOML is text."""
    key, equals, text = assignment.partition("=")
    if not equals or not key.strip():
        raise InputError(
            f"--set: not an assignment; got '{assignment}', expected KEY=VALUE. For example "
            "--set training.max_iterations=50"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.strip().split(".")
    place: Any = data
    try:
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        place[int(last) if isinstance(place, list) else last] = value
    except (ValueError, IndexError, TypeError, AttributeError):
        raise InputError(
            f"--set: no such place; got '{key}', expected a key of the case file. "
            "For example --set classes.0.weight=0.5"
        ) from None
