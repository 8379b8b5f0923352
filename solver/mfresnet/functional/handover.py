# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""From J and its controls to the trained network, which needs neither case nor mesh any more."""

from __future__ import annotations

from typing import Any

import numpy as np

from mfresnet.arrays import Array
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.losses import LOSSES
from mfresnet.network import HEADS, head_of_targets
from mfresnet.tasks import TASKS
from mfresnet.trained import SteeredDensity, TrainedNetwork, steered_by


def trained_network(
    functional: ReducedFunctional, theta: Array, inference: str | None = None
) -> TrainedNetwork:
    """Return the network with controls theta; without samples the features are the coordinates.

    Args:
        functional: J.
        theta: the controls.
        inference: how it is applied to samples, ``network.inference`` when not given.
    """
    case, population = functional.case, functional.population
    controls, steps = functional.controls.from_vector(theta), functional.particle_steps
    features, shift, matrix, back = _coordinates(functional)
    head, scored = controls.of_head(), LOSSES[case.loss.kind].scored_by(case.loss)
    if TASKS[case.task].still and len(shift) > len(features):
        # the last row and column are those of the label
        size, middle = back[-1, -1], shift[-1]
        in_units = HEADS[scored].scaled
        assert in_units is not None
        head = in_units(head, size, middle)
        shift, matrix, back = shift[:-1], matrix[:-1, :-1], back[:-1, :-1]
    labels, targets = population.labels, population.targets
    if not head and len(labels) > 1 and targets.shape == (len(labels), case.moving):
        head = head_of_targets(targets)
    label = None if case.data is None else case.data.label
    network = TrainedNetwork(
        features=tuple(features),
        labels=tuple(labels),
        shift=shift,
        matrix=matrix,
        back=back,
        block=case.network.block,
        activation=case.network.activation,
        parameters={n: np.array(v) for n, v in controls.values.items() if n not in controls.head},
        final_time=case.network.final_time,
        order=case.time.order,
        steps_per_layer=steps,
        head={n: np.array(v) for n, v in head.items()},
        probabilistic=LOSSES[case.loss.kind].probabilistic,
        scored=scored,
        label=label if isinstance(label, str) else "",
        task=case.task,
        missing="refuse" if case.data is None else case.data.missing,
        start="" if case.start is None else case.start.model_dump_json(),
    )
    return network.applied_by(inference or case.network.inference, case.time.order, steps)


def _coordinates(functional: ReducedFunctional) -> tuple[Any, Array, Array, Array]:
    """Return names of the features, shift, matrix and back, see ``scaling.Coordinates``."""
    dataset, d = functional.population.dataset, functional.case.moving
    if dataset is None:
        return [f"x{i + 1}" for i in range(d)], np.zeros(d), np.eye(d), np.eye(d)
    return dataset.features, dataset.shift, dataset.matrix, dataset.back


def steered(functional: ReducedFunctional, theta: Array) -> SteeredDensity:
    """Return the density that the network with controls theta steers to.

    Raises:
        InputError: the task is another one.
    """
    return steered_by(trained_network(functional, theta, "runge_kutta"))
