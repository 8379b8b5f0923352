# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The sections of a case, and what follows from them alone."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field, SerializeAsAny, model_validator

from mfresnet.arrays import Array
from mfresnet.case.defaults import with_defaults
from mfresnet.case.sections import (
    Accuracy,
    AccuracySection,
    ClassSection,
    InitialSection,
    NetworkSection,
    OutputSection,
    ResourcesSection,
    SpaceSection,
    TimeSection,
    TrainingSection,
)
from mfresnet.data import DataSection, Density, boxed
from mfresnet.losses import LOSSES, loss_section
from mfresnet.mesh import CELLS, MESHES, MeshSection, mesh_section
from mfresnet.network import ACTIVATIONS, BLOCKS, Block, beside_label, penalty_section
from mfresnet.optimise import METHODS
from mfresnet.schema import Chosen, Model, Name
from mfresnet.tasks import TASKS

DEFAULT_CELLS = 32
SPEED = 2.0
"""Bound on a velocity that has none, for the box in which a training begins."""


class Fields(Model):
    """The sections of a case, each right in itself; ``Case`` has those that fit together."""

    title: str = ""
    accuracy: Accuracy = None
    task: Annotated[str, Name(TASKS)] = "classification"
    mesh: Annotated[SerializeAsAny[MeshSection], Chosen(mesh_section)] = MeshSection()
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
        """Give formulas the corners of the mesh, and fill in what the task has by itself."""
        if not isinstance(data, dict):
            return data
        mesh = data.get("mesh")
        data = boxed(data, dict(mesh) if isinstance(mesh, dict | MeshSection) else {})
        data = with_defaults(data)
        if not isinstance(data.get("loss", {}), dict):
            return data
        default = TASKS.get(str(data.get("task")), TASKS["classification"])
        return data | {"loss": {"kind": default.loss} | data.get("loss", {})}

    # ------------------------------------------------------------------ what is filled in
    @property
    def dimension(self) -> int:
        """Dimension d of the mesh."""
        return CELLS[self.mesh.cell]

    @property
    def moving(self) -> int:
        """Number of coordinates that the network moves: all but a label among them."""
        return self.dimension - TASKS[self.task].still

    def block(self) -> Block:
        """Return the block on the points of the mesh."""
        block = BLOCKS[self.network.block]
        return beside_label(block) if TASKS[self.task].still else block

    def wanted_accuracy(self) -> AccuracySection | None:
        """Return the error of J that a training is to reach.

        That of the case; without one, where neither cells nor levels nor steps are given, that of
        the package. None where the mesh is the user's.
        """
        given = self.mesh.cells, self.time.steps_per_layer, self.training.levels
        if self.accuracy is not None or any(each is not None for each in given):
            return self.accuracy
        return AccuracySection() if MESHES[self.mesh.kind].grid else None

    def by_points(self) -> bool:
        """Return whether a training begins with J by points, which say where mass goes."""
        known = LOSSES[self.loss.kind].cost is not None and self.training.max_iterations > 0
        own = not METHODS[self.training.method].frozen
        return known and own and self.wanted_accuracy() is not None

    def cells(self) -> list[int]:
        """Return the cells per direction, those of the package where a mesh is needed without."""
        return self.mesh.cells or [DEFAULT_CELLS] * self.dimension

    def corners(self, extent: Array) -> tuple[Array, Array]:
        """Return the box: as given, or ``extent`` (2, d) plus T times the bound on v.

        Where v has no bound and the training finds the box there is room for ``SPEED`` at first.
        """
        bound = BLOCKS[self.network.block].bound(ACTIVATIONS[self.network.activation])
        bound = bound if np.isfinite(bound) or not self.by_points() else SPEED
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
        return LOSSES[self.loss.kind].head(self.loss, self.moving, n_classes)

    def trainable(self) -> list[str]:
        """Return the names of the parameters that are trained: all of them by default."""
        return self.network.trainable or [*self.shapes(), *self.head(1)]

    def initial_kind(self) -> str:
        """Return where the controls start: wide blocks at random, others at the identity."""
        wide = BLOCKS[self.network.block].zero_is_critical
        return self.initial.kind or ("random" if wide else "identity")
